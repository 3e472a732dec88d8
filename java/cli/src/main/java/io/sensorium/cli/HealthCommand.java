package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.data.DataException;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import io.sensorium.health.Baseline;
import io.sensorium.health.Estimate;
import io.sensorium.health.Figure;
import io.sensorium.health.HealthPage;
import io.sensorium.health.HealthReport;
import io.sensorium.health.Settings;
import io.sensorium.health.SpaceMonitor;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.FileTensor;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.Npy;
import io.sensorium.models.Safetensors;
import io.sensorium.search.Embedder;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How well a space of embeddings is, and whether it changed. */
@Command(
        name = "health",
        description = {
            "Tell how well a space of embeddings is: retrieval, gap, rank, hubness, collapse; and against a baseline, drift.",
            "Exit code 1 if a figure changed by more than chance does; 2 if there are too few items to tell."
        })
final class HealthCommand implements Callable<Integer> {
    @ArgGroup(exclusive = true, multiplicity = "1")
    private Source source;

    /** Where the pairs come from. */
    static final class Source {
        @Option(
                names = "--embeddings",
                required = true,
                paramLabel = "F",
                description = "Pairs of embeddings: a .npy [2, n, d], or safetensors with x and y, each [n, d].")
        private Path embeddings;

        @Option(
                names = "--data",
                required = true,
                paramLabel = "emoji|mnist|stamps|DIR",
                description = "A data set as of 'index', embedded by --model: the first pair of each concept.")
        private String data;
    }

    @Option(
            names = "--model",
            defaultValue = "demo",
            paramLabel = "demo|DIR",
            description = "For --data: 'demo' (default) or a directory; the model must have heads.")
    private String model;

    @Option(
            names = "--split",
            split = ",",
            paramLabel = "S",
            description = "For --data: only items of these splits: ${COMPLETION-CANDIDATES}.")
    private List<Split> splits;

    @Option(
            names = "--pair",
            defaultValue = "image,text",
            paramLabel = "X,Y",
            description = "The two modalities, image, audio or text with --data (default: image,text).")
    private String pair;

    @Option(names = "--baseline", paramLabel = "F", description = "Compare with a baseline that --save wrote.")
    private Path baseline;

    @Option(names = "--save", paramLabel = "F", description = "Write what was found as a baseline.")
    private Path save;

    @Option(names = "--html", paramLabel = "F", description = "Also write a page with plots.")
    private Path html;

    @Option(
            names = "--window",
            defaultValue = "1000",
            paramLabel = "N",
            description = "Only the last N pairs are looked at (default: 1000).")
    private int window;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "Of the resampling (default: 1).")
    private long seed;

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    /** Two matrices [n, dim]. */
    private record Sides(FloatBuffer x, FloatBuffer y, int n, int dim) {}

    @Override
    public Integer call() throws IOException {
        Inputs.checkWritable(html);
        Inputs.checkWritable(save);
        Sides sides = source.data == null ? read(source.embeddings) : embed();
        HealthReport report;
        try {
            Settings settings = Settings.of(sides.dim(), names()[0], names()[1])
                    .withWindow(window)
                    .withSeed(seed);
            SpaceMonitor monitor = new SpaceMonitor(settings, baseline == null ? null : Baseline.read(baseline));
            feed(monitor, sides);
            report = monitor.report();
            if (save != null) {
                monitor.baseline().write(save);
            }
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw UserError.of(e);
        }
        if (html != null) {
            Files.writeString(html, HealthPage.html(report));
        }
        if (options.json) {
            spec.commandLine().getOut().println(tree(report).toPrettyString());
        } else {
            print(report);
        }
        boolean missing = report.figures().stream().anyMatch(f -> f.state() == Figure.State.INSUFFICIENT_DATA);
        if (report.alarms().isEmpty() && missing) {
            throw new UserError("insufficient data: " + report.pairs() + " pairs"
                    + (baseline == null ? ", at least " + report.settings().minimum() + " are needed" : "")
                    + (baseline == null ? "" : ", fewer than the minimum or than the baseline's"));
        }
        return report.alarms().isEmpty() ? 0 : Main.FAILED;
    }

    private String[] names() {
        String[] names = pair.split(",", -1);
        if (names.length != 2) {
            throw new UserError("--pair takes two names, as image,text; not '" + pair + "'");
        }
        return names;
    }

    private static void feed(SpaceMonitor monitor, Sides sides) {
        float[] x = new float[sides.dim()];
        float[] y = new float[sides.dim()];
        for (int i = 0; i < sides.n(); i++) {
            sides.x().get(i * sides.dim(), x);
            sides.y().get(i * sides.dim(), y);
            monitor.x(x);
            monitor.y(y);
            monitor.pair(x, y);
        }
    }

    private static Sides read(Path embeddings) throws IOException {
        String name = embeddings.getFileName().toString();
        if (name.endsWith(".npy")) {
            FileTensor tensor = Npy.read(embeddings);
            long[] shape = tensor.shape();
            if (shape.length != 3 || shape[0] != 2) {
                throw new UserError(name + ": shape " + Arrays.toString(shape) + ", not [2, n, d]");
            }
            FloatBuffer values = tensor.values();
            int half = values.remaining() / 2;
            return new Sides(values.slice(0, half), values.slice(half, half), (int) shape[1], (int) shape[2]);
        }
        try (Safetensors file = Safetensors.open(embeddings)) {
            long[] x = file.info("x").dims();
            long[] y = file.info("y").dims();
            if (x.length != 2 || !Arrays.equals(x, y)) {
                throw new UserError(
                        name + ": x " + Arrays.toString(x) + " and y " + Arrays.toString(y) + ", not both [n, d]");
            }
            return new Sides(file.floats("x"), file.floats("y"), (int) x[0], (int) x[1]);
        }
    }

    private Sides embed() throws IOException {
        Modality x = modality(names()[0]);
        Modality y = modality(names()[1]);
        List<float[]> ofX = new ArrayList<>();
        List<float[]> ofY = new ArrayList<>();
        try (Progress progress = new Progress();
                Engine engine = options.open();
                ModelSpec modelSpec = Models.open(model);
                Embedder embedder = new Embedder(engine, modelSpec);
                Stream<Item> items = Sets.open(source.data, progress).items()) {
            for (Modality modality : new Modality[] {x, y}) {
                if (!embedder.reads(modality)) {
                    throw new UserError("model '" + model + "' gives no embeddings of " + lower(modality));
                }
            }
            // A second pair of a concept would be as right an answer as the first, and count as a wrong one.
            Set<String> concepts = new HashSet<>();
            for (Item item : (Iterable<Item>) items::iterator) {
                if ((splits == null || splits.contains(item.split()))
                        && has(item, x)
                        && has(item, y)
                        && concepts.add(item.concept())) {
                    ofX.add(embedding(embedder, item, x));
                    ofY.add(embedding(embedder, item, y));
                    progress.show(ofX.size() + " pairs");
                }
            }
            return new Sides(rows(ofX, embedder.dim()), rows(ofY, embedder.dim()), ofX.size(), embedder.dim());
        } catch (DataException | IllegalArgumentException e) {
            throw UserError.of(e);
        }
    }

    private static Modality modality(String name) {
        return switch (name) {
            case "image" -> Modality.IMAGE;
            case "audio" -> Modality.AUDIO;
            case "text" -> Modality.TEXT;
            default -> throw new UserError("--pair names " + name + "; a data set has image, audio and text");
        };
    }

    private static String lower(Modality modality) {
        return modality.name().toLowerCase(Locale.ROOT);
    }

    private static boolean has(Item item, Modality modality) {
        return switch (modality) {
            case IMAGE -> item.image() != null;
            case AUDIO -> item.audio() != null;
            case TEXT -> item.text() != null;
        };
    }

    private static float[] embedding(Embedder embedder, Item item, Modality modality) throws IOException {
        return switch (modality) {
            case IMAGE -> embedder.image(Pictures.read(item.image()));
            case AUDIO -> embedder.audio(Wav.read(item.audio()));
            case TEXT -> embedder.text(item.text());
        };
    }

    private static FloatBuffer rows(List<float[]> vectors, int dim) {
        FloatBuffer rows = FloatBuffer.allocate(Math.multiplyExact(vectors.size(), dim));
        vectors.forEach(rows::put);
        return rows.flip();
    }

    private void print(HealthReport report) {
        Table table = new Table("lrrrl", "figure", "now", "interval", "baseline", "state");
        for (Figure f : report.figures()) {
            Estimate before = f.before();
            table.row(
                    f.name(),
                    number(f.now().value()),
                    range(f.now()),
                    before == null ? "" : range(before),
                    f.state() == Figure.State.NO_BASELINE
                            ? ""
                            : f.state().name().replace('_', ' ').toLowerCase(Locale.ROOT));
        }
        table.print(spec.commandLine().getOut());
        StringBuilder end = new StringBuilder(
                report.pairs() + " pairs in " + report.settings().dim() + " dimensions");
        if (report.rejected() > 0) {
            end.append("; turned away (not finite, or zero): ").append(report.rejected());
        }
        if (report.compared()) {
            end.append("; alarms: ").append(report.alarms().size());
        }
        spec.commandLine().getOut().println(end);
        written(save);
        written(html);
    }

    private void written(@Nullable Path file) {
        if (file != null) {
            spec.commandLine().getOut().println("wrote " + file);
        }
    }

    private static String number(double value) {
        return Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%.4g", value);
    }

    private static String range(Estimate e) {
        return Double.isNaN(e.low()) ? "–" : number(e.low()) + " … " + number(e.high());
    }

    private static ObjectNode tree(HealthReport report) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("pairs", report.pairs()).put("dim", report.settings().dim());
        root.put("rejected", report.rejected()).put("alarms", report.alarms().size());
        ObjectNode figures = root.putObject("figures");
        for (Figure f : report.figures()) {
            ObjectNode node = figures.putObject(f.name());
            put(node, "", f.now());
            if (f.before() != null) {
                put(node, "baseline_", f.before());
            }
            node.put("state", f.state().name().toLowerCase(Locale.ROOT));
        }
        return root;
    }

    /** JSON has no NaN: what is not known is left out. */
    private static void put(ObjectNode node, String prefix, Estimate e) {
        if (!Double.isNaN(e.value())) {
            node.put(prefix + "value", e.value());
            node.put(prefix + "low", e.low());
            node.put(prefix + "high", e.high());
        }
    }
}
