package io.sensorium.bench;

import io.sensorium.Ceiling;
import java.io.PrintStream;
import java.util.List;
import java.util.Map;

/** The results as text, row by row as they come. */
final class Table {
    private final PrintStream out;
    private final Map<Integer, Ceiling> ceilings;

    Table(PrintStream out, Map<Integer, Ceiling> ceilings) {
        this.out = out;
        this.ceilings = ceilings;
    }

    void head() {
        ceilings.forEach((threads, c) -> out.printf(
                "ceiling, %d thread%s: %.0f GFLOP/s fp32, %s bf16, %.0f GB/s%n",
                threads,
                threads == 1 ? "" : "s",
                c.gflops(),
                c.bf16Gflops() > 0 ? "%.0f GFLOP/s".formatted(c.bf16Gflops()) : "no",
                c.gbytesPerSecond()));
        out.printf(
                "%n%-34s %2s  %-34s %10s %10s %10s %8s %7s %8s  %s%n",
                "work", "th", "contender", "best ms", "median ms", "p99 ms", "ceiling", "ratio", "B/run", "reach");
    }

    void row(Main.Result r) {
        for (Timing t : r.timings()) {
            String reach = "";
            for (Reach.Outcome o : r.outcomes()) {
                if (o.peer().equals(t.contender())) {
                    reach = "%s ≥ %.2f".formatted(o.met() ? "met" : "NOT MET", o.wanted());
                }
            }
            out.printf(
                    "%-34s %2d  %-34s %10.4f %10.4f %10.4f %7.0f%% %7.2f %8.0f  %s%n",
                    t.ours() ? r.work().name() : "",
                    r.threads(),
                    t.contender(),
                    t.bestMillis(),
                    t.medianMillis(),
                    t.p99Millis(),
                    100 * share(r, t),
                    t.ratio(),
                    t.bytesPerRun(),
                    reach);
        }
    }

    /** Of the ceiling that the best run reached. */
    double share(Main.Result r, Timing t) {
        return Report.ceilingMillis(r, ceilings) / t.bestMillis();
    }

    void compressionHead() {
        out.printf(
                "%n%-12s %2s %7s %7s %10s %10s %12s %9s %9s %12s %7s%n",
                CompressionTest.NAME,
                "th",
                "tokens",
                "latents",
                "best ms",
                "median ms",
                "tokens/s",
                "ns/token",
                "MiB held",
                "libtorch ms",
                "ratio");
    }

    void row(CompressionTest.Result r) {
        out.printf(
                "%-12s %2d %7d %7d %10.3f %10.3f %12.0f %9.0f %9.1f %12.3f %7.2f%n",
                "",
                r.threads(),
                r.tokens(),
                r.latents(),
                r.bestMillis(),
                r.medianMillis(),
                r.tokensPerSecond(),
                r.nanosPerToken(),
                r.heldMebibytes(),
                r.torchMillis(),
                r.torchRatio());
    }

    void row(VideoTest.Result r) {
        out.printf(
                "%-34s %2d  %-34s %10.4f h/min, median %.1f ms: decode %.0f%%, kernels %.0f%%; %d tokens%n",
                VideoTest.NAME + " " + r.clip(),
                r.threads(),
                Contender.OURS,
                r.hoursPerMinute(),
                r.medianMillis(),
                100 * r.decodeShare(),
                100 * r.kernelShare(),
                r.tokens());
        out.printf(
                "%-34s %2d  %-34s %10.4f h/min, median %.1f ms: decode %.0f%%; ratio %.2f%n",
                "",
                r.threads(),
                VideoTest.PEER,
                r.peerHoursPerMinute(),
                r.peerMillis(),
                100 * r.peerDecodeShare(),
                r.peerRatio());
    }

    void row(RequestTest.Result r) {
        out.printf(
                "%-34s %2d  %-34s over the kernels %.2f µs, p50 %.1f µs, p99 %.1f µs (%.2f × p50), %.1f B/run  %s%n",
                r.name(),
                r.threads(),
                Contender.OURS,
                r.overheadMicros(),
                r.p50Micros(),
                r.p99Micros(),
                r.p99Micros() / r.p50Micros(),
                r.bytesPerRun(),
                r.met() ? "met" : "NOT MET");
        r.peers().forEach((peer, micros) -> out.printf("%-34s     %-34s a call: %.2f µs%n", "", peer, micros));
    }

    void loads(List<LoadTest.Result> loads) {
        for (LoadTest.Result r : loads) {
            out.printf(
                    "%-34s %2d  %2d callers: at most %.0f/s; at %.0f/s p50 %.2f, p99 %.2f, p99.9 %.2f ms%n",
                    LoadTest.NAME,
                    r.threads(),
                    r.callers(),
                    r.capacity(),
                    r.rate(),
                    r.p50Millis(),
                    r.p99Millis(),
                    r.p999Millis());
        }
    }

    void summary(List<Main.Result> results) {
        long wanted = results.stream().mapToLong(r -> r.outcomes().size()).sum();
        long met = results.stream()
                .flatMap(r -> r.outcomes().stream())
                .filter(Reach.Outcome::met)
                .count();
        out.printf(
                "%nratio: a peer's time over ours, median over the rounds. ceiling: of the rate measured above, best run.%n"
                        + "reach: %d of %d met.%n",
                met, wanted);
    }
}
