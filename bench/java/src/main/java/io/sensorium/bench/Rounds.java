package io.sensorium.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Times contenders in turns: A B C, C B A, … A round gives each a block of runs, and the ratio of two contenders is taken
 * within a round, so that what disturbs the machine for a while disturbs both; the median over the rounds then forgets the
 * rounds that it did not.
 */
final class Rounds {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    /** A block is about so long, or one run. */
    private static final double BLOCK_NANOS = 15e6;

    private static final int MOST_RUNS = 2000;

    private static final class Lane {
        final Contender contender;
        final List<double[]> blocks = new ArrayList<>();
        int runsPerBlock = 1;
        long bytes;

        Lane(Contender contender) {
            this.contender = contender;
        }

        /** Until compilers and caches are warm, for a share of the time. */
        void warm(double nanos) {
            long begin = System.nanoTime();
            double best = Double.MAX_VALUE;
            do {
                long start = System.nanoTime();
                contender.run().run();
                best = Math.min(best, System.nanoTime() - start);
            } while (System.nanoTime() - begin < nanos);
            runsPerBlock = (int) Math.max(1, Math.min(MOST_RUNS, BLOCK_NANOS / best));
        }

        void block() {
            double[] times = new double[runsPerBlock];
            if (runsPerBlock > 1) {
                contender.run().run(); // the one that finds the last contender's data in the caches
            }
            long before = THREADS.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < times.length; i++) {
                long start = System.nanoTime();
                contender.run().run();
                times[i] = (double) (System.nanoTime() - start) / contender.items();
            }
            bytes += THREADS.getCurrentThreadAllocatedBytes() - before;
            Arrays.sort(times);
            blocks.add(times);
        }
    }

    private Rounds() {}

    /** Ours must be the first contender. Runs for about {@code seconds}, and at least {@code fewest} rounds. */
    static List<Timing> run(List<Contender> contenders, double seconds, int fewest) {
        List<Lane> lanes = contenders.stream().map(Lane::new).toList();
        for (Lane lane : lanes) {
            lane.warm(seconds * 1e9 / 5 / lanes.size());
        }
        long end = System.nanoTime() + (long) (seconds * 1e9 * 4 / 5);
        for (int round = 0; round < fewest || System.nanoTime() < end; round++) {
            for (int i = 0; i < lanes.size(); i++) {
                lanes.get(round % 2 == 0 ? i : lanes.size() - 1 - i).block();
            }
        }
        return lanes.stream().map(lane -> timing(lane, lanes.get(0))).toList();
    }

    private static Timing timing(Lane lane, Lane ours) {
        double[] ratios = new double[lane.blocks.size()];
        for (int i = 0; i < ratios.length; i++) {
            ratios[i] = quantile(lane.blocks.get(i), 0.5) / quantile(ours.blocks.get(i), 0.5);
        }
        Arrays.sort(ratios);
        double[] all =
                lane.blocks.stream().flatMapToDouble(Arrays::stream).sorted().toArray();
        return new Timing(
                lane.contender.name(),
                all[0] * 1e-6,
                quantile(all, 0.5) * 1e-6,
                quantile(all, 0.99) * 1e-6,
                quantile(ratios, 0.5),
                quantile(ratios, 0.25),
                quantile(ratios, 0.75),
                (double) lane.bytes / all.length,
                all.length);
    }

    static double quantile(double[] sorted, double q) {
        double at = q * (sorted.length - 1);
        int i = (int) at;
        return i + 1 < sorted.length ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
    }
}
