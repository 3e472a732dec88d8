package io.sensorium.bench;

import io.sensorium.Device;
import io.sensorium.Engine;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Times Sensorium beside its peers, in turns in one process, against the ceilings measured in the same run. */
@Command(
        name = "sensorium bench",
        mixinStandardHelpOptions = true,
        description = {
            "Time Sensorium beside libtorch, ONNX Runtime, FFmpeg and Java's own libraries, in turns in one process.",
            "A ratio is a peer's time over ours, the median over the rounds; every peer's output is compared with ours.",
            "Close other programs first: on a busy machine the table measures them."
        })
public final class Main implements Callable<Integer> {
    /** What a run is about. */
    record Result(Work work, int threads, List<Timing> timings, List<Reach.Outcome> outcomes) {}

    @Parameters(
            arity = "0..1",
            paramLabel = "REGEX",
            description =
                    "Only works whose names it finds, such as 'ViT|Perceiver'; compression, video, request and load, too.")
    private @Nullable Pattern filter;

    @Option(names = "--list", description = "Print the names of the works and exit.")
    private boolean list;

    @Option(
            names = "--threads",
            split = ",",
            defaultValue = "1,2",
            paramLabel = "N",
            description = "Numbers of threads (default ${DEFAULT-VALUE}).")
    private int[] threads;

    @Option(
            names = "--seconds",
            defaultValue = "8",
            paramLabel = "S",
            description = "Time for each row of the table (default ${DEFAULT-VALUE}).")
    private double seconds;

    @Option(names = "--quick", description = "One second a row: is everything there? Not for quoting.")
    private boolean quick;

    @Option(
            names = "--device",
            defaultValue = "cpu",
            paramLabel = "cpu|cuda",
            description = {
                "Where Sensorium runs (default ${DEFAULT-VALUE}). cuda: requests to the GPU, one item and --batch at once,",
                "results to the host and kept there, beside the contenders of the CPU; 3 if no GPU can be used."
            })
    private Device.Kind device;

    @Option(
            names = "--batch",
            defaultValue = "32",
            paramLabel = "N",
            description = "With --device cuda: items of the larger requests (default ${DEFAULT-VALUE}).")
    private int batch;

    @Option(
            names = "--out",
            paramLabel = "PREFIX",
            description = {
                "Write PREFIX.json with all figures, PREFIX.md with the table of ratios, and the chart PREFIX.png.",
                "A whole run without it writes bench/results/DATE-cpu, or -cuda, which has no chart."
            })
    private @Nullable Path prefix;

    @Option(names = "--readme", paramLabel = "FILE", description = "Replace the table of benchmarks in this README.")
    private @Nullable Path readme;

    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private Main() {}

    /** Runs and exits: 0 done, 2 wrong usage or an error, 3 no GPU can be used. */
    public static void main(String[] arguments) {
        System.setProperty("java.awt.headless", "true");
        System.setProperty("org.bytedeco.javacpp.nopointergc", "true");
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new Main())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, command, parsed) -> {
                    e.printStackTrace();
                    return 2;
                })
                .execute(arguments));
    }

    @Override
    public Integer call() throws Exception {
        List<Work> works = new ArrayList<>();
        works.addAll(PatchWorks.all());
        works.addAll(SoundWorks.all());
        works.addAll(LatentWorks.all());
        if (list) {
            works.forEach(w -> out.println(w.name()));
            out.println(CompressionTest.NAME);
            out.println(VideoTest.NAME);
            out.println(RequestTest.NAME);
            out.println(LoadTest.NAME);
            return 0;
        }
        double each = quick ? 1 : seconds;
        if (device == Device.Kind.CUDA) {
            return onDevice(works, each);
        }
        Report report = new Report(each);
        for (int n : threads) {
            try (Engine engine = Engine.builder().threads(n).open()) {
                report.ceilings.put(n, engine.selfCheck().ceiling());
            }
        }
        Table table = new Table(out, report.ceilings);
        table.head();
        for (Work work : works) {
            for (int n : threads) {
                if (n <= work.maxThreads() && wanted(work.name())) {
                    Result result = run(work, n, each);
                    report.results.add(result);
                    table.row(result);
                }
            }
        }
        if (wanted(CompressionTest.NAME)) {
            table.compressionHead();
            CompressionTest.run(threads, each, r -> {
                report.compressions.add(r);
                table.row(r);
            });
        }
        if (wanted(VideoTest.NAME)) {
            VideoTest.run(threads, each, r -> {
                report.videos.add(r);
                table.row(r);
            });
        }
        if (wanted(RequestTest.NAME)) {
            report.requests.addAll(RequestTest.run(quick));
            report.requests.forEach(table::row);
        }
        if (wanted(LoadTest.NAME)) {
            report.loads.addAll(LoadTest.run(quick ? 0.5 : 4));
            table.loads(report.loads);
        }
        table.summary(report.results);
        if (prefix == null && filter == null && !quick) {
            prefix = dated("cpu");
        }
        if (prefix != null) {
            report.write(prefix.resolveSibling(prefix.getFileName() + ".json"));
            Summary.write(report, prefix.resolveSibling(prefix.getFileName() + ".md"));
            Chart.write(report, prefix.resolveSibling(prefix.getFileName() + ".png"));
            out.println("written: " + prefix + ".json, .md and .png");
        }
        if (readme != null) {
            Summary.update(report, readme);
            out.println("updated: " + readme);
        }
        return 0;
    }

    private int onDevice(List<Work> works, double each) throws Exception {
        if (batch < 1) {
            System.err.println("sensorium bench: --batch must be at least 1");
            return 2;
        }
        Optional<String> cause = Device.cuda().unavailabilityCause();
        if (cause.isPresent()) {
            System.err.println("sensorium bench: no GPU can be used: " + cause.get());
            return 3;
        }
        DeviceBench bench =
                new DeviceBench(out, each, batch, IntStream.of(threads).max().orElse(1));
        List<Work> chosen = works.stream()
                .filter(w -> w.onDevice() != null && wanted(w.name()))
                .toList();
        if (chosen.isEmpty()) {
            System.err.println("sensorium bench: no work that has a form on the GPU is named so");
            return 2;
        }
        bench.head();
        for (Work work : chosen) {
            bench.run(work);
        }
        Path to = prefix == null && filter == null && !quick ? dated("cuda") : prefix;
        if (to != null) {
            bench.write(to);
        }
        return 0;
    }

    private static Path dated(String device) {
        return Path.of(System.getProperty("sensorium.home", "."), "bench", "results", LocalDate.now() + "-" + device);
    }

    private boolean wanted(String name) {
        return filter == null || filter.matcher(name).find();
    }

    private static Result run(Work work, int threads, double seconds) throws Exception {
        try (Closing closing = new Closing()) {
            List<Contender> contenders = work.field().open(threads, closing);
            compare(work.name(), work.tolerance(), contenders);
            List<Timing> timings = Rounds.run(contenders, seconds, 3);
            List<Reach.Outcome> outcomes = work.reaches().stream()
                    .flatMap(r -> r.outcome(timings).stream())
                    .toList();
            return new Result(work, threads, timings, outcomes);
        }
    }

    /** A peer that computes something else is no peer. */
    static void compare(String name, double tolerance, List<Contender> contenders) {
        float @Nullable [] ours = null;
        for (Contender contender : contenders) {
            if (contender.output() == null) {
                continue;
            }
            contender.run().run();
            float[] output = contender.output().get();
            if (ours == null) {
                ours = output;
                continue;
            }
            double error = Values.error(output, ours);
            if (!(error <= tolerance)) {
                throw new IllegalStateException(name + ": " + contender.name() + " gives other numbers, NMSE " + error);
            }
        }
    }
}
