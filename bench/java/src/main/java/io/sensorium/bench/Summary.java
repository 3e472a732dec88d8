package io.sensorium.bench;

import io.sensorium.Ceiling;
import io.sensorium.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The results as Markdown tables: all of them in a file of their own, the most telling ones in the README. */
final class Summary {
    private static final String BEGIN = "<!-- bench: written by ./sensorium bench --readme -->\n";
    private static final String END = "<!-- end of bench -->\n";
    private static final Pattern TOLD = Pattern.compile(
            "ViT-B/16 from bytes.*|resize.*|log-mel (Whisper-80|Kaldi-128), 10 s|AST (patches|from samples)|Perceiver.*|VQ.*");

    private Summary() {}

    /** Puts the rows of one thread between the marks in {@code readme}. */
    static void update(Report report, Path readme) throws IOException {
        String text = Files.readString(readme);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IOException(readme + " lacks the marks " + BEGIN.strip() + " and " + END.strip());
        }
        Files.writeString(readme, text.substring(0, begin + BEGIN.length()) + told(report) + text.substring(end));
    }

    private static String told(Report report) {
        Ceiling one = report.ceilings.get(1);
        if (one == null) {
            throw new IllegalArgumentException("the README's table is of one thread, which was not measured");
        }
        StringBuilder text = new StringBuilder();
        text.append(
                "One thread of an %s, commit %s, medians; a ratio is a peer's time over ours, taken in turns in one process.%n"
                        .formatted(Device.cpu().name(), Report.commit()));
        text.append("Ceiling: %.0f GFLOP/s in fp32%s, measured in the same run.%n%n"
                .formatted(one.gflops(), one.bf16Gflops() > 0 ? ", %.0f in bfloat16".formatted(one.bf16Gflops()) : ""));
        text.append("| Work | Sensorium | of the ceiling | peers |%n|---|---|---|---|%n".formatted());
        for (Main.Result r : report.results) {
            if (r.threads() == 1 && TOLD.matcher(r.work().name()).matches()) {
                text.append("| %s | %s | %.0f %% | %s |%n"
                        .formatted(
                                r.work().name(),
                                millis(r.timings().get(0).medianMillis()),
                                share(report, r),
                                r.timings().stream()
                                        .filter(t -> !t.ours())
                                        .sorted(Comparator.comparingDouble(Timing::ratio))
                                        .map(t -> "%s **%.1f×**".formatted(t.contender(), t.ratio()))
                                        .collect(Collectors.joining(", "))));
            }
        }
        for (VideoTest.Result r : report.videos) {
            if (r.threads() == 1) {
                text.append("%n%s%n".formatted(told(r)));
            }
        }
        return text.toString();
    }

    private static String told(VideoTest.Result r) {
        return ("Video (%s; every twelfth frame, 100 tokens of sound a second): **%.2f hours a minute**, %.0f %% of the time in%n"
                        + "FFmpeg's decoding and colours and %.0f %% in the kernels; %s takes **%.2f×**.")
                .formatted(
                        r.clip(),
                        r.hoursPerMinute(),
                        100 * r.decodeShare(),
                        100 * r.kernelShare(),
                        VideoTest.PEER,
                        r.peerRatio());
    }

    private static double share(Report report, Main.Result r) {
        return 100
                * Report.ceilingMillis(r, report.ceilings)
                / r.timings().get(0).bestMillis();
    }

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
