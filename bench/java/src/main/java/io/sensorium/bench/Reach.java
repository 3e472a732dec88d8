package io.sensorium.bench;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * A goal: the fastest of the peers whose names begin with {@code peers} takes at least {@code ratio} times as long as we do.
 *
 * @param ratio the peer's time over ours
 * @param peers beginnings of names; none = all peers
 */
record Reach(double ratio, String... peers) {
    /** How it turned out. */
    record Outcome(double wanted, double reached, String peer) {
        boolean met() {
            return reached >= wanted;
        }
    }

    /** Empty if none of the peers ran. */
    Optional<Outcome> outcome(List<Timing> timings) {
        return timings.stream()
                .filter(t -> !t.ours() && named(t.contender()))
                .min(Comparator.comparingDouble(Timing::ratio))
                .map(t -> new Outcome(ratio, t.ratio(), t.contender()));
    }

    private boolean named(String contender) {
        for (String peer : peers) {
            if (contender.startsWith(peer)) {
                return true;
            }
        }
        return peers.length == 0;
    }
}
