package io.sensorium.bench;

import io.sensorium.Engine;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.util.Statistics;

/**
 * Runs the benchmarks with the allocation profiler, prints one table and writes it as JSON.
 *
 * <p>Usage: {@code bench/run [regex] [--out FILE.json]}. Every figure stands beside its peers' from the same run and
 * beside the fused-multiply-add ceiling measured in the same run.
 */
public final class Main {
    private record Row(
            String work,
            String contender,
            int threads,
            double bestMillis,
            double medianMillis,
            double p99Millis,
            double gflops,
            double ceilingShare,
            double bytesPerOp) {}

    private Main() {}

    public static void main(String[] args) throws RunnerException, IOException {
        String include = ".*";
        Path out = null;
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals("--out") && i + 1 < args.length) {
                out = Path.of(args[++i]);
            } else {
                include = args[i];
            }
        }
        Map<Integer, Double> ceilings = new LinkedHashMap<>();
        for (int threads : new int[] {1, 2}) {
            try (Engine engine = Engine.builder().threads(threads).open()) {
                ceilings.put(threads, engine.selfCheck().ceiling().gflops());
            }
        }
        Collection<RunResult> times = new Runner(options(include)
                        .mode(Mode.SampleTime)
                        .warmupIterations(3)
                        .measurementIterations(5)
                        .measurementTime(TimeValue.seconds(2))
                        .build())
                .run();
        // A second, short run: the sampling mode's own histogram would be counted as allocations of the benchmark.
        Map<String, Double> allocations = new HashMap<>();
        for (RunResult result : new Runner(options(include)
                        .mode(Mode.AverageTime)
                        .addProfiler(GCProfiler.class)
                        .warmupIterations(2)
                        .measurementIterations(2)
                        .measurementTime(TimeValue.seconds(1))
                        .build())
                .run()) {
            allocations.put(
                    key(result),
                    result.getSecondaryResults().get("gc.alloc.rate.norm").getScore());
        }
        List<Row> rows = new ArrayList<>();
        for (RunResult result : times) {
            rows.add(row(result, ceilings, allocations.getOrDefault(key(result), Double.NaN)));
        }
        rows.sort(Comparator.comparing(Row::work).thenComparing(Row::threads).thenComparing(Row::bestMillis));
        print(rows, ceilings, System.out);
        if (out != null) {
            Files.createDirectories(out.toAbsolutePath().getParent());
            Files.writeString(out, json(rows, ceilings));
            System.out.println("written to " + out);
        }
    }

    private static ChainedOptionsBuilder options(String include) {
        return new OptionsBuilder()
                .include(include)
                .forks(1)
                .warmupTime(TimeValue.seconds(1))
                .jvmArgsAppend("-Xmx2g");
    }

    private static String key(RunResult result) {
        var params = result.getParams();
        return params.getBenchmark() + " " + params.getParam("threads") + " " + params.getParam("layers")
                + " " + params.getParam("tokens") + " " + params.getParam("latents");
    }

    private static Row row(RunResult result, Map<Integer, Double> ceilings, double bytesPerOp) {
        String[] name = result.getParams().getBenchmark().split("\\.");
        String type = name[name.length - 2];
        int threads = Integer.parseInt(result.getParams().getParam("threads"));
        String layers = result.getParams().getParam("layers");
        String tokens = result.getParams().getParam("tokens");
        String latents = result.getParams().getParam("latents");
        double flops = switch (type) {
            case "ImageEncodeBenchmark" -> ImageEncodeBenchmark.FLOPS;
            case "AudioEncodeBenchmark" -> AudioEncodeBenchmark.FLOPS;
            case "LogMelBenchmark" ->
                LogMelBenchmark.flops(result.getParams().getParam("work"));
            case "PerceiverBenchmark" -> PerceiverBenchmark.flops(Integer.parseInt(layers));
            case "CompressionBenchmark" -> CompressionBenchmark.flops(Integer.parseInt(tokens), Integer.parseInt(latents));
            default -> throw new IllegalStateException("no operation count for " + type);
        };
        Statistics micros = result.getPrimaryResult().getStatistics();
        double seconds = micros.getMin() * 1e-6;
        String part = result.getParams().getParam("work");
        String work = type.replace("Benchmark", "")
                + (layers == null ? "" : " + " + layers + " latent layers")
                + (part == null ? "" : " " + part);
        return new Row(
                work,
                name[name.length - 1],
                threads,
                seconds * 1e3,
                micros.getPercentile(50) * 1e-3,
                micros.getPercentile(99) * 1e-3,
                flops / seconds * 1e-9,
                flops / seconds * 1e-9 / ceilings.get(threads),
                bytesPerOp);
    }

    private static void print(List<Row> rows, Map<Integer, Double> ceilings, PrintStream out) {
        ceilings.forEach((threads, gflops) -> out.printf(
                Locale.ROOT,
                "fp32 FMA ceiling, %d thread%s: %.0f GFLOP/s%n",
                threads,
                threads == 1 ? "" : "s",
                gflops));
        out.printf(
                Locale.ROOT,
                "%-30s %-16s %7s %10s %10s %10s %9s %8s %8s %8s%n",
                "work",
                "contender",
                "threads",
                "best ms",
                "median ms",
                "p99 ms",
                "GFLOP/s",
                "ceiling",
                "B/op",
                "speed-up");
        for (Row row : rows) {
            double ours = rows.stream()
                    .filter(r -> r.contender.equals("sensorium") && r.work.equals(row.work) && r.threads == row.threads)
                    .mapToDouble(Row::bestMillis)
                    .findFirst()
                    .orElse(Double.NaN);
            out.printf(
                    Locale.ROOT,
                    "%-30s %-16s %7d %10.3f %10.3f %10.3f %9.1f %7.0f%% %8.0f %7.2fx%n",
                    row.work,
                    row.contender,
                    row.threads,
                    row.bestMillis,
                    row.medianMillis,
                    row.p99Millis,
                    row.gflops,
                    100 * row.ceilingShare,
                    row.bytesPerOp,
                    row.bestMillis / ours);
        }
        out.println("GFLOP/s, ceiling and speed-up are of the best run: on a shared machine the median measures the neighbours.\nspeed-up: the contender's best over Sensorium's; above 1 Sensorium is faster.");
    }

    private static String json(List<Row> rows, Map<Integer, Double> ceilings) {
        StringBuilder text = new StringBuilder("{\n");
        text.append("  \"date\": \"%s\",\n".formatted(LocalDate.now()));
        text.append("  \"commit\": \"%s\",\n".formatted(System.getProperty("sensorium.commit", "unknown")));
        text.append("  \"cpu\": \"%s\",\n".formatted(cpu()));
        text.append("  \"processors\": %d,\n".formatted(Runtime.getRuntime().availableProcessors()));
        text.append("  \"isa\": \"%s\",\n".formatted(io.sensorium.Device.cpu().isa()));
        text.append("  \"java\": \"%s\",\n".formatted(System.getProperty("java.vm.version")));
        text.append("  \"peer\": \"libtorch %s (org.bytedeco:pytorch)\",\n"
                .formatted(System.getProperty("sensorium.pytorch", "unknown")));
        text.append("  \"fma_ceiling_gflops\": {");
        text.append(String.join(
                ", ",
                ceilings.entrySet().stream()
                        .map(e -> String.format(Locale.ROOT, "\"%d\": %.1f", e.getKey(), e.getValue()))
                        .toList()));
        text.append("},\n  \"results\": [\n");
        text.append(String.join(
                ",\n",
                rows.stream()
                        .map(r -> String.format(
                                Locale.ROOT,
                                "    {\"work\": \"%s\", \"contender\": \"%s\", \"threads\": %d, \"best_ms\": %.4f, \"median_ms\": %.4f, "
                                        + "\"p99_ms\": %.4f, \"gflops\": %.2f, \"ceiling_share\": %.3f, "
                                        + "\"alloc_bytes_per_op\": %.1f}",
                                r.work,
                                r.contender,
                                r.threads,
                                r.bestMillis,
                                r.medianMillis,
                                r.p99Millis,
                                r.gflops,
                                r.ceilingShare,
                                r.bytesPerOp))
                        .toList()));
        return text.append("\n  ]\n}\n").toString();
    }

    private static String cpu() {
        try {
            return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                    .filter(line -> line.startsWith("model name") || line.startsWith("cpu family"))
                    .limit(2)
                    .map(line -> line.substring(line.indexOf(':') + 1).trim())
                    .reduce((family, model) -> model + ", family " + family)
                    .orElse("unknown");
        } catch (IOException e) {
            return "unknown";
        }
    }
}
