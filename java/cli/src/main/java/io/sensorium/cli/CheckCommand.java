package io.sensorium.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Ceiling;
import io.sensorium.Device;
import io.sensorium.DeviceUnavailableException;
import io.sensorium.Engine;
import io.sensorium.ParityReport;
import io.sensorium.SelfCheck;
import io.sensorium.TimingReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Parity of every op with its oracle on this machine, its speed, golden cases, and a stored baseline. */
@Command(
        name = "check",
        description = {
            "Check every op against its float64 oracle on this machine, by the kernels of --device; with --golden,"
                    + " against reference cases instead.",
            "Exit code 1 when something is wrong or worse than the baseline."
        })
final class CheckCommand implements Callable<Integer> {
    @Option(
            names = "--seed",
            defaultValue = "1",
            paramLabel = "N",
            description = "First random case (default ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--cases",
            defaultValue = "50",
            paramLabel = "N",
            description = "Cases an op (default ${DEFAULT-VALUE}).")
    private int cases;

    @Option(names = "--timing", description = "Also time representative shapes against this machine's ceilings.")
    private boolean timing;

    @Option(
            names = "--golden",
            paramLabel = "DIR",
            description = "Run the reference cases in DIR (or the one case DIR).")
    private Path golden;

    @Option(names = "--baseline", paramLabel = "FILE", description = "Compare with stored results.")
    private Path baseline;

    @Option(names = "--save", paramLabel = "FILE", description = "Store these results.")
    private Path save;

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (cases < 1) {
            throw new ParameterException(spec.commandLine(), "--cases must be at least 1");
        }
        if (baseline != null && save != null) {
            throw new ParameterException(spec.commandLine(), "--baseline and --save exclude each other");
        }
        if (golden != null && (baseline != null || save != null || timing)) {
            throw new ParameterException(
                    spec.commandLine(), "--golden runs by itself: no --timing, --baseline, --save");
        }
        try (Engine engine = options.open()) {
            if (timing && engine.device().kind() != Device.Kind.CPU) {
                throw new ParameterException(
                        spec.commandLine(), "--timing measures the CPU; sensorium bench --device cuda times the GPU");
            }
            return golden != null ? golden(engine) : ops(engine);
        }
    }

    private int ops(Engine engine) throws IOException {
        Inputs.checkWritable(save);
        JsonNode stored = baseline == null ? null : Baseline.read(baseline);
        PrintWriter out = spec.commandLine().getOut();
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("sensorium", Main.Version.text())
                .put("device", engine.device().name())
                .put("isa", engine.device().isa())
                .put("threads", engine.threads())
                .put("seed", seed)
                .put("cases", cases);
        SelfCheck check = engine.selfCheck();
        List<String> ops = check.ops();
        boolean ok = parity(check, ops, root.putArray("ops"));
        boolean onCpu = engine.device().kind() == Device.Kind.CPU;
        if (timing || onCpu && stored != null && !stored.path("timings").isEmpty()) {
            time(check, ops, root);
        }
        List<String> worse = stored == null ? List.of() : Baseline.regressions(stored, root);
        if (stored != null) {
            ArrayNode list = root.putArray("regressions");
            worse.forEach(list::add);
        }
        root.put("ok", ok && worse.isEmpty());
        if (save != null) {
            Baseline.save(root, save);
        }
        if (options.json) {
            out.println(root.toPrettyString());
        } else {
            print(root, out, stored);
        }
        out.flush();
        return ok && worse.isEmpty() ? 0 : Main.FAILED;
    }

    private boolean parity(SelfCheck check, List<String> ops, ArrayNode into) {
        boolean allOk = true;
        try (Progress progress = new Progress()) {
            for (int op = 0; op < ops.size(); op++) {
                ParityReport worst = null;
                String unavailable = null;
                long worstSeed = seed;
                int failed = 0;
                for (int i = 0; i < cases; i++) {
                    progress.show(String.format(
                            Locale.ROOT,
                            "checking %s (%d/%d) case %d/%d",
                            ops.get(op),
                            op + 1,
                            ops.size(),
                            i + 1,
                            cases));
                    ParityReport report;
                    try {
                        report = check.parity(op, seed + i);
                    } catch (DeviceUnavailableException e) { // no kernel for a GPU of this capability
                        unavailable = e.getMessage();
                        break;
                    }
                    failed += report.ok() ? 0 : 1;
                    if (worst == null || badness(report) > badness(worst)) {
                        worst = report;
                        worstSeed = seed + i;
                    }
                }
                if (unavailable != null && failed == 0) {
                    into.addObject().put("op", ops.get(op)).put("unavailable", unavailable);
                    continue;
                }
                allOk &= failed == 0;
                into.addObject()
                        .put("op", worst.op())
                        .put("cases", cases)
                        .put("failed", failed)
                        .put("measure", worst.measure())
                        // JSON has no NaN; a failure that is not a number stands as a huge error.
                        .put("worst_error", Double.isFinite(worst.error()) ? worst.error() : Double.MAX_VALUE)
                        .put("limit", worst.limit())
                        .put("worst_seed", worstSeed)
                        .put("worst_shape", worst.shape())
                        .put("ok", failed == 0);
            }
        }
        return allOk;
    }

    private static double badness(ParityReport report) {
        if (!report.ok()) {
            return Double.POSITIVE_INFINITY;
        }
        return report.limit() > 0 ? report.error() / report.limit() : report.error();
    }

    private void time(SelfCheck check, List<String> ops, ObjectNode root) {
        try (Progress progress = new Progress()) {
            progress.show("measuring ceilings");
            Ceiling ceiling = check.ceiling();
            root.putObject("ceiling").put("gflops", ceiling.gflops()).put("gbytes_per_s", ceiling.gbytesPerSecond());
            ArrayNode timings = root.putArray("timings");
            for (int op = 0; op < ops.size(); op++) {
                progress.show("timing " + ops.get(op) + " (" + (op + 1) + "/" + ops.size() + ")");
                for (TimingReport report : check.timings(op, 15)) {
                    timings.addObject()
                            .put("op", report.op())
                            .put("shape", report.shape())
                            .put("seconds", report.seconds())
                            .put("gflops", report.gflops())
                            .put("gbytes_per_s", report.gbytesPerSecond())
                            .put("ceiling_share", report.ceilingShare());
                }
            }
        }
    }

    private void print(ObjectNode root, PrintWriter out, JsonNode stored) {
        Table table = new Table("lrlrrl", "op", "cases", "measure", "worst error", "limit", "");
        List<String> failures = new ArrayList<>();
        for (JsonNode op : root.path("ops")) {
            if (op.has("unavailable")) {
                table.row(
                        op.path("op").asText(),
                        0,
                        "",
                        "",
                        "",
                        op.path("unavailable").asText());
                continue;
            }
            boolean ok = op.path("ok").asBoolean();
            table.row(
                    op.path("op").asText(),
                    op.path("cases").asInt(),
                    op.path("measure").asText(),
                    number(op.path("worst_error").asDouble()),
                    number(op.path("limit").asDouble()),
                    ok ? "ok" : "FAIL");
            if (!ok) {
                failures.add(op.path("op").asText() + ": " + op.path("failed").asInt() + " cases; the worst is --seed "
                        + op.path("worst_seed").asLong() + " --cases 1: "
                        + op.path("worst_shape").asText());
            }
        }
        table.print(out);
        if (root.has("timings")) {
            out.println();
            JsonNode ceiling = root.path("ceiling");
            out.printf(
                    Locale.ROOT,
                    "ceilings: %.1f GFLOP/s fp32, %.1f GB/s reads%n%n",
                    ceiling.path("gflops").asDouble(),
                    ceiling.path("gbytes_per_s").asDouble());
            Table times = new Table("llrrrr", "op", "shape", "ms", "GFLOP/s", "GB/s", "of ceiling");
            for (JsonNode timing : root.path("timings")) {
                times.row(
                        timing.path("op").asText(),
                        timing.path("shape").asText(),
                        String.format(
                                Locale.ROOT,
                                "%.4f",
                                1e3 * timing.path("seconds").asDouble()),
                        String.format(Locale.ROOT, "%.1f", timing.path("gflops").asDouble()),
                        String.format(
                                Locale.ROOT, "%.1f", timing.path("gbytes_per_s").asDouble()),
                        String.format(
                                Locale.ROOT,
                                "%.0f %%",
                                100 * timing.path("ceiling_share").asDouble()));
            }
            times.print(out);
        }
        out.println();
        out.println(root.path("device").asText() + ", " + root.path("isa").asText() + ", "
                + root.path("threads").asInt() + " threads, seeds " + seed + " to " + (seed + cases - 1));
        failures.forEach(line -> out.println("FAIL " + line));
        if (stored != null) {
            root.path("regressions").forEach(line -> out.println("WORSE " + line.asText()));
            if (root.path("regressions").isEmpty()) {
                out.println("no op is worse than " + baseline);
            }
        }
        if (save != null) {
            out.println("stored in " + save);
        }
    }

    private int golden(Engine engine) throws IOException {
        List<GoldenCases.Outcome> outcomes;
        try (Progress progress = new Progress()) {
            outcomes = GoldenCases.run(engine, golden, progress::show);
        }
        if (outcomes.isEmpty()) {
            throw new UserError("no case.json in " + golden + " or its folders");
        }
        PrintWriter out = spec.commandLine().getOut();
        boolean ok = outcomes.stream().noneMatch(o -> o.status().equals("FAIL"));
        if (options.json) {
            ObjectNode root = new ObjectMapper().createObjectNode();
            ArrayNode array = root.putArray("cases");
            for (GoldenCases.Outcome o : outcomes) {
                ObjectNode node = array.addObject().put("case", o.name()).put("output", o.output());
                if (Double.isFinite(o.nmse())) {
                    node.put("nmse", o.nmse()).put("limit", o.limit());
                }
                node.put("status", o.status()).put("note", o.note());
            }
            root.put("ok", ok);
            out.println(root.toPrettyString());
        } else {
            Table table = new Table("llrrll", "case", "output", "NMSE", "limit", "", "");
            for (GoldenCases.Outcome o : outcomes) {
                table.row(
                        o.name(),
                        o.output(),
                        Double.isFinite(o.nmse()) ? number(o.nmse()) : "",
                        o.limit() > 0 ? number(o.limit()) : "",
                        o.status(),
                        o.note());
            }
            table.print(out);
        }
        out.flush();
        return ok ? 0 : Main.FAILED;
    }

    private static String number(double value) {
        return value == Double.MAX_VALUE ? "NaN" : String.format(Locale.ROOT, "%.2e", value);
    }
}
