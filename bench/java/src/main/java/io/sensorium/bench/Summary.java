package io.sensorium.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** The results as a Markdown table, a row for each work and number of threads. */
final class Summary {
    private Summary() {}

    static void write(Report report, Path file) throws IOException {
        StringBuilder text = new StringBuilder();
        text.append("| Work | Threads | Sensorium | of the ceiling | the strongest peer | others | Reach |\n");
        text.append("|---|---|---|---|---|---|---|\n");
        for (Main.Result r : report.results) {
            List<Timing> peers = r.timings().stream()
                    .filter(t -> !t.ours())
                    .sorted(Comparator.comparingDouble(Timing::ratio))
                    .toList();
            text.append("| %s | %d | %s | %.0f %% | %s | %s | %s |%n"
                    .formatted(
                            r.work().name(),
                            r.threads(),
                            millis(r.timings().get(0).medianMillis()),
                            100
                                    * Report.ceilingMillis(r, report.ceilings)
                                    / r.timings().get(0).bestMillis(),
                            peers.stream().limit(1).map(Summary::peer).collect(Collectors.joining()),
                            peers.stream().skip(1).map(Summary::peer).collect(Collectors.joining("; ")),
                            r.outcomes().stream().map(Summary::outcome).collect(Collectors.joining("; "))));
        }
        Files.writeString(file, text);
    }

    private static String peer(Timing t) {
        return "%s %.2f× (%s)".formatted(t.contender(), t.ratio(), millis(t.medianMillis()));
    }

    private static String outcome(Reach.Outcome o) {
        return "%.2f ≥ %.2f %s".formatted(o.reached(), o.wanted(), o.met() ? "met" : "**not met**");
    }

    private static String millis(double value) {
        return value >= 100 ? "%.0f ms".formatted(value) : "%.3g ms".formatted(value);
    }
}
