package io.sensorium.cli;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.sensorium.AlignStep;
import io.sensorium.Codebook;
import io.sensorium.CodebookConfig;
import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.PatchOrder;
import io.sensorium.Position;
import io.sensorium.Resampler;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.AudioFrontEnd;
import io.sensorium.models.AudioPreset;
import io.sensorium.models.DType;
import io.sensorium.models.Embedder;
import io.sensorium.models.ImageFrontEnd;
import io.sensorium.models.ImagePreset;
import io.sensorium.models.ImagePresets;
import io.sensorium.models.LogMelPresets;
import io.sensorium.models.Safetensors;
import io.sensorium.models.Tensor;
import io.sensorium.text.TextTokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Runs reference cases: folders with case.json (kind and how), config.json (published configuration),
 * model.safetensors (weights) and expected.safetensors (inputs and outputs). Sounds are looked for in the case's
 * folder, in {@code inputs} beside it, and in {@code samples} of the checkout.
 */
final class GoldenCases {
    // float64 references allow more than float32 ones, and logarithms of quiet bins cost two digits.
    private static final double FLOAT64_LIMIT = 1e-10;
    private static final double FLOAT32_LIMIT = 1e-9;

    /**
     * What one output of a case gave.
     *
     * @param status ok, FAIL or unsupported
     */
    record Outcome(String name, String output, double nmse, double limit, String status, String note) {
        static Outcome compared(String name, String output, double nmse, double limit) {
            return new Outcome(name, output, nmse, limit, nmse <= limit ? "ok" : "FAIL", "");
        }

        static Outcome unsupported(String name, String output, String why) {
            return new Outcome(name, output, Double.NaN, 0, "unsupported", why);
        }

        static Outcome failed(String name, String why) {
            return new Outcome(name, "", Double.NaN, 0, "FAIL", why);
        }
    }

    // Bytes are bit-equal to the reference's, and so are the float operations behind them.
    private static final double PIXELS_LIMIT = 1e-12;

    private final Engine engine;
    private final Path folder;
    private final String name;
    private final JsonNode description;
    private final List<Outcome> outcomes = new ArrayList<>();

    private GoldenCases(Engine engine, Path folder, String name, JsonNode description) {
        this.engine = engine;
        this.folder = folder;
        this.name = name;
        this.description = description;
    }

    /** Runs the case {@code directory}, or all cases that are its folders, in the order of their names. */
    static List<Outcome> run(Engine engine, Path directory, Consumer<String> progress) throws IOException {
        List<Path> folders = new ArrayList<>();
        if (Files.isRegularFile(directory.resolve("case.json"))) {
            folders.add(directory);
        } else {
            try (Stream<Path> list = Files.list(directory)) {
                list.filter(path -> Files.isRegularFile(path.resolve("case.json")))
                        .sorted()
                        .forEach(folders::add);
            }
        }
        List<Outcome> outcomes = new ArrayList<>();
        for (Path folder : folders) {
            progress.accept("golden " + folder.getFileName());
            outcomes.addAll(runOne(engine, folder));
        }
        return outcomes;
    }

    private static List<Outcome> runOne(Engine engine, Path folder) {
        String name = folder.toAbsolutePath().normalize().getFileName().toString();
        try {
            GoldenCases golden = new GoldenCases(engine, folder, name, json(folder.resolve("case.json")));
            golden.run();
            return golden.outcomes;
        } catch (IOException | RuntimeException e) {
            // One broken case must not hide the others.
            return List.of(Outcome.failed(name, String.valueOf(e.getMessage()).replaceAll("\\s+", " ")));
        }
    }

    private void run() throws IOException {
        String kind = description.path("kind").asText();
        switch (kind) {
            case "audio-features" -> audio();
            case "resample" -> resample();
            case "patches" -> patches();
            case "image-preprocess" -> image();
            case "text" -> text();
            case "model" -> model();
            case "vq" -> codes();
            case "align" -> align();
            default -> outcomes.add(Outcome.unsupported(name, "", "kind " + kind));
        }
    }

    private void audio() throws IOException {
        String preset = description.path("preset").asText();
        if (!LogMelPresets.all().containsKey(preset)) {
            outcomes.add(Outcome.unsupported(name, "features", "preset " + preset));
            return;
        }
        JsonNode config = Files.exists(folder.resolve("config.json"))
                ? json(folder.resolve("config.json"))
                : new ObjectMapper().createObjectNode();
        int rate = description.path("sample_rate").asInt(16000);
        try (Safetensors expected = expected()) {
            FloatBuffer samples;
            AudioPreset chosen;
            if (expected.tensors().containsKey("waveform48k")) {
                samples = expected.floats("waveform48k");
                chosen = LogMelPresets.configured(preset, config, 48000);
            } else if (expected.tensors().containsKey("waveform")) {
                samples = expected.floats("waveform");
                chosen = LogMelPresets.configured(preset, config, rate);
            } else {
                chosen = LogMelPresets.configured(preset, config, rate);
                Sound sound = Wav.read(input(description.path("input").asText()));
                if (sound.sampleRate() != rate) {
                    throw new UserError("input has " + sound.sampleRate() + " Hz, case.json says " + rate);
                }
                samples = part(Inputs.atRate(engine, sound, chosen.logMel().sampleRate()));
            }
            try (AudioFrontEnd frontEnd = new AudioFrontEnd(engine, chosen)) {
                AudioFrontEnd.Features features = frontEnd.run(samples);
                long[] kept = expected.info("features").dims();
                long[] want = shape(kept);
                if (!Arrays.equals(want, features.shape())) {
                    outcomes.add(Outcome.failed(
                            name,
                            "shape " + Arrays.toString(features.shape()) + ", expected " + Arrays.toString(want)));
                    return;
                }
                long valid = description.path("valid").asLong(features.validFrames());
                if (features.validFrames() != valid) {
                    outcomes.add(
                            Outcome.failed(name, features.validFrames() + " valid frames, the reference has " + valid));
                    return;
                }
                compare(
                        expected,
                        "features",
                        leading(
                                features.values(),
                                features.shape(),
                                kept,
                                description.path("axis").asInt(0)),
                        0);
            }
        }
    }

    /** The samples that case.json names with offset and count, or all. */
    private FloatBuffer part(FloatBuffer samples) {
        if (!description.has("count")) {
            return samples;
        }
        int offset = description.path("offset").asInt();
        int count = description.path("count").asInt();
        if (offset < 0 || count < 0 || offset > samples.remaining() - count) {
            throw new UserError("case.json: the sound has " + samples.remaining() + " samples");
        }
        return samples.slice(samples.position() + offset, count);
    }

    /** The whole shape where the expected features are but its first frames. */
    private long[] shape(long[] kept) {
        JsonNode shape = description.path("shape");
        if (!shape.isArray()) {
            return kept;
        }
        long[] whole = new long[shape.size()];
        for (int i = 0; i < whole.length; i++) {
            whole[i] = shape.get(i).asLong();
        }
        return whole;
    }

    /** The first {@code kept[axis]} along the axis; the other sizes are equal. */
    private static FloatBuffer leading(FloatBuffer values, long[] shape, long[] kept, int axis) {
        if (Arrays.equals(shape, kept)) {
            return values;
        }
        long outer = 1;
        long inner = 1;
        for (int i = 0; i < shape.length; i++) {
            if (i != axis && (i >= kept.length || kept[i] != shape[i])) {
                throw new UserError("case.json: features are cut along another axis");
            }
            outer *= i < axis ? shape[i] : 1;
            inner *= i > axis ? shape[i] : 1;
        }
        int row = Math.toIntExact(kept[axis] * inner);
        FloatBuffer out = direct(outer * row);
        for (int i = 0; i < outer; i++) {
            out.put(i * row, values, Math.toIntExact(i * shape[axis] * inner), row);
        }
        return out;
    }

    private void codes() throws IOException {
        try (Safetensors expected = expected()) {
            long[] tokens = expected.info("z").dims();
            codes(expected, "codebook", "ids", (int) tokens[0]);
            codes(expected, "rvq_codebooks", "rvq_ids", (int) tokens[0]);
        }
    }

    /** Ids are right or wrong: the error is the share that differs. */
    private void codes(Safetensors expected, String codebook, String output, int rows) {
        if (!expected.tensors().containsKey(codebook)) {
            return;
        }
        long[] dims = expected.info(codebook).dims();
        int stages = dims.length == 3 ? (int) dims[0] : 1;
        CodebookConfig config =
                CodebookConfig.residual(stages, (int) dims[dims.length - 2], (int) dims[dims.length - 1]);
        double[] want = expected.doubles(output);
        try (Codebook book = Codebook.of(engine, config, expected.floats(codebook))) {
            LongBuffer ids = book.encode(expected.floats("z"), rows);
            if (ids.remaining() != want.length) {
                outcomes.add(Outcome.failed(name, output + ": " + ids.remaining() + " ids, expected " + want.length));
                return;
            }
            int wrong = 0;
            for (int i = 0; i < want.length; i++) {
                wrong += ids.get(i) == want[i] ? 0 : 1;
            }
            outcomes.add(Outcome.compared(name, output, (double) wrong / want.length, 0));
        }
    }

    /** Heads without bias, both losses, and the logits of the embeddings. */
    private void align() throws IOException {
        try (Safetensors expected = expected()) {
            long[] wx = expected.info("wx").dims();
            long[] wy = expected.info("wy").dims();
            int dim = (int) wx[0];
            AlignStep.Tower x = new AlignStep.Tower((int) wx[1], dim, null);
            AlignStep.Tower y = new AlignStep.Tower((int) wy[1], dim, null);
            x.weight().put(expected.floats("wx"));
            y.weight().put(expected.floats("wy"));
            float scale = expected.floats("logit_scale").get(0);
            for (AlignStep.Loss loss : AlignStep.Loss.values()) {
                float bias = loss == AlignStep.Loss.CLIP ? 0 : -10;
                AlignStep.Gradients step =
                        new AlignStep(engine, loss, x, y).run(expected.floats("x"), expected.floats("y"), scale, bias);
                compare(
                        expected,
                        loss == AlignStep.Loss.CLIP ? "clip_loss" : "siglip_loss",
                        direct(1).put(0, (float) step.loss()),
                        0);
            }
            FloatBuffer a = project(expected, "x", "wx");
            FloatBuffer b = project(expected, "y", "wy");
            compare(expected, "a", a, 0);
            compare(expected, "b", b, 0);
            FloatBuffer logits = direct(expected.info("logits").count());
            AlignStep.logits(engine, a, b, dim, scale, 0, logits);
            compare(expected, "logits", logits, 0);
        }
    }

    /** Embeddings of rows as a session with one head gives them, one sequence each. */
    private FloatBuffer project(Safetensors expected, String rows, String weight) {
        long[] size = expected.info(rows).dims();
        int n = (int) size[0];
        int d = (int) size[1];
        int dim = (int) expected.info(weight).dims()[0];
        FloatBuffer values = expected.floats(rows);
        try (Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(d).build())
                        .head(HeadConfig.builder().dim(dim).joint(true).build())
                        .tensor("head.joint.weight", expected.floats(weight), dim, d)
                        .build();
                Session session = model.newSession(SessionLimits.builder()
                        .maxItems(n)
                        .maxSequences(n)
                        .maxTokens(n)
                        .build())) {
            session.clear();
            for (int i = 0; i < n; i++) {
                if (i > 0) {
                    session.nextSequence();
                }
                session.tokens(Modality.TEXT, values.slice(i * d, d), 1);
            }
            FloatBuffer out = direct((long) n * dim);
            return out.put(0, session.run().embedding(), 0, n * dim);
        }
    }

    private void resample() throws IOException {
        try (Safetensors expected = expected();
                Resampler resampler = engine.resampler(
                        description.path("orig").asInt(),
                        description.path("new").asInt())) {
            FloatBuffer input = expected.floats("input");
            FloatBuffer out = direct(resampler.outputLength(input.remaining()));
            resampler.run(input, out);
            compare(expected, "output", out, 0);
        }
    }

    private void image() throws IOException {
        ImagePreset preset = ImagePresets.configured(json(folder.resolve("config.json")));
        Picture stored = Pictures.read(input(description.path("input").asText()));
        Picture picture = preset.upright() ? stored.upright() : stored;
        ImageFrontEnd.Pixels pixels =
                new ImageFrontEnd(engine, preset).run(picture.pixels(), picture.height(), picture.width());
        try (Safetensors expected = expected()) {
            compare(expected, "pixel_values", pixels.values(), PIXELS_LIMIT);
            FloatBuffer grid = direct(2).put(0, pixels.gridH()).put(1, pixels.gridW());
            if (expected.tensors().containsKey("spatial_shapes")) {
                compare(expected, "spatial_shapes", grid, PIXELS_LIMIT);
            }
            if (expected.tensors().containsKey("image_grid_thw")) {
                compare(
                        expected,
                        "image_grid_thw",
                        direct(3).put(0, 1).put(1, pixels.gridH()).put(2, pixels.gridW()),
                        PIXELS_LIMIT);
            }
        }
    }

    private void text() throws IOException {
        try (TextTokenizer tokenizer = TextTokenizer.open(folder.resolve("tokenizer.json"))) {
            int wrong = 0;
            for (JsonNode node : description.path("cases")) {
                LongBuffer ids = tokenizer.ids(node.path("text").asText());
                long[] want = new long[node.path("ids").size()];
                Arrays.setAll(want, i -> node.path("ids").get(i).asLong());
                wrong += ids.equals(LongBuffer.wrap(want)) ? 0 : 1;
            }
            outcomes.add(Outcome.compared(name, "ids", wrong, 0));
        }
    }

    /** Patches are what a patch embedding with an identity projection gives. */
    private void patches() throws IOException {
        int patch = description.path("patch").asInt();
        try (Safetensors expected = expected()) {
            long[] shape = expected.info("input").dims();
            int channels = (int) shape[1];
            int dim = channels * patch * patch;
            FloatBuffer identity = direct((long) dim * dim);
            for (int i = 0; i < dim; i++) {
                identity.put(i * dim + i, 1);
            }
            for (String output : List.of("patches", "patches_chw")) {
                if (!expected.tensors().containsKey(output)) {
                    continue;
                }
                ImageConfig image = ImageConfig.builder()
                        .channels(channels)
                        .patch(patch)
                        .order(output.equals("patches") ? PatchOrder.CHANNEL_LAST : PatchOrder.CHANNEL_FIRST)
                        .position(Position.NONE)
                        .hasBias(false)
                        .mean(new float[channels])
                        .std(ones(channels))
                        .build();
                try (Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(dim).build())
                        .image(image)
                        .tensor("image.patch.weight", identity, dim, dim)
                        .build()) {
                    images(model, expected, "input", output, FLOAT64_LIMIT);
                }
            }
        }
    }

    /** What the embedder gives for the case's inputs, against the tensors of those names. */
    private void model() throws IOException {
        try (Safetensors expected = expected();
                Embedder embedder = Embedder.open(engine, folder, null)) {
            Map<String, Tensor> got = embedder.run(expected);
            for (String output : expected.tensors().keySet()) {
                Tensor tensor = got.get(output);
                if (tensor != null) {
                    compare(expected, output, tensor.values(), 0);
                } else if (embedder.inputs().stream().noneMatch(output::startsWith)) {
                    outcomes.add(Outcome.unsupported(name, output, "not an output of this family"));
                }
            }
        }
    }

    /** All pictures of a batch, one sequence each. */
    private void images(Model model, Safetensors expected, String input, String output, double limit) {
        long[] shape = expected.info(input).dims();
        FloatBuffer pixels = expected.floats(input);
        int size = Math.toIntExact(shape[1] * shape[2] * shape[3]);
        long tokens = model.countTokens(Modality.IMAGE, Format.F32_CHW, shape[2], shape[3], shape[1]);
        SessionLimits limits = SessionLimits.builder()
                .maxItems((int) shape[0])
                .maxSequences((int) shape[0])
                .maxTokens(Math.toIntExact(shape[0] * tokens))
                .maxPixels(shape[2] * shape[3])
                .build();
        try (Session session = model.newSession(limits)) {
            session.clear();
            for (int b = 0; b < shape[0]; b++) {
                if (b > 0) {
                    session.nextSequence();
                }
                session.pixels(pixels.slice(b * size, size), (int) shape[1], (int) shape[2], (int) shape[3]);
            }
            compare(expected, output, session.run().tokens().values(), limit);
        }
    }

    /** @param limit 0 = by the precision of the reference */
    private void compare(Safetensors expected, String output, FloatBuffer got, double limit) {
        double[] want = expected.doubles(output);
        if (got.remaining() != want.length) {
            outcomes.add(Outcome.failed(name, output + ": " + got.remaining() + " values, expected " + want.length));
            return;
        }
        double difference = 0;
        double energy = 0;
        for (int i = 0; i < want.length; i++) {
            double d = got.get(i) - want[i];
            difference += d * d;
            energy += want[i] * want[i];
        }
        double bound = limit > 0 ? limit : expected.info(output).dtype() == DType.F64 ? FLOAT64_LIMIT : FLOAT32_LIMIT;
        // A NaN compares as a failure.
        outcomes.add(Outcome.compared(name, output, difference == 0 ? 0 : difference / energy, bound));
    }

    private Path input(String file) {
        if (file.isEmpty() || Path.of(file).getNameCount() != 1) {
            throw new UserError("case.json names no input file");
        }
        List<Path> places = new ArrayList<>();
        places.add(folder);
        places.add(folder.resolve("inputs"));
        Path parent = folder.toAbsolutePath().normalize().getParent();
        for (int i = 0; i < 4 && parent != null; i++, parent = parent.getParent()) {
            places.add(parent.resolve("inputs"));
            places.add(parent.resolve("samples"));
        }
        String home = System.getProperty("sensorium.home");
        if (home != null) {
            places.add(Path.of(home, "samples"));
        }
        return places.stream()
                .map(place -> place.resolve(file))
                .filter(Files::isRegularFile)
                .findFirst()
                .orElseThrow(() -> new UserError("input " + file + " is neither beside the cases nor in samples"));
    }

    private Safetensors expected() throws IOException {
        return Safetensors.open(folder.resolve("expected.safetensors"));
    }

    private static JsonNode json(Path file) throws IOException {
        ObjectMapper mapper = JsonMapper.builder(new JsonFactoryBuilder()
                        .streamReadConstraints(StreamReadConstraints.builder()
                                .maxNestingDepth(64)
                                .build())
                        .build())
                .build();
        return mapper.readTree(Files.readAllBytes(file));
    }

    private static float[] ones(int count) {
        float[] ones = new float[count];
        Arrays.fill(ones, 1);
        return ones;
    }

    private static FloatBuffer direct(long count) {
        return ByteBuffer.allocateDirect(Math.toIntExact(4 * count))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
