package io.sensorium.align;

import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.HeadConfig;
import io.sensorium.Modality;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.search.Embedder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/**
 * Trains the heads of a frozen model by the engine's own gradients ({@link AlignStep}): what the encoders give is computed
 * once, so a step costs next to nothing. AdamW with a cosine; no augmentation. heads.safetensors beside the model holds the
 * heads and AdamW's moments; the same run goes on from it, to the bits of one that never stopped.
 */
final class HeadTrainer {
    private static final List<Modality[]> PAIRS = List.of(
            new Modality[] {Modality.AUDIO, Modality.IMAGE},
            new Modality[] {Modality.AUDIO, Modality.TEXT},
            new Modality[] {Modality.IMAGE, Modality.TEXT});
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.98;
    private static final double WEIGHT_DECAY = 0.05;
    private static final long DEFAULT_STEPS = 2000;
    private static final String CHECKPOINT = "heads.safetensors";

    private final Engine engine;
    private final ModelSpec spec;
    private final DataSet set;
    private final int words;
    private final TrainOptions options;
    private final Consumer<String> progress;
    private final Consumer<String> news;
    private final Map<String, Map<Modality, List<float[]>>> pooled = new LinkedHashMap<>();
    private final Map<Modality, AlignStep.Tower> towers = new EnumMap<>(Modality.class);
    private final Map<Modality, float[][]> moments = new EnumMap<>(Modality.class);
    private double seconds;

    HeadTrainer(
            Engine engine,
            ModelSpec spec,
            DataSet set,
            int words,
            TrainOptions options,
            Consumer<String> progress,
            Consumer<String> news) {
        this.engine = engine;
        this.spec = spec;
        this.set = set;
        this.words = words;
        this.options = options;
        this.progress = progress;
        this.news = news;
    }

    void run(Path out) throws IOException {
        HeadConfig heads = spec.head()
                .orElseThrow(() -> new IllegalArgumentException("the model to freeze has no heads to train"));
        read();
        List<Map<Modality, List<float[]>>> concepts = pooled.values().stream()
                .filter(c -> c.size() == Modality.values().length)
                .toList();
        if (concepts.size() < 2) {
            throw new IllegalArgumentException("too few concepts with a picture, a sound and a text");
        }
        for (Modality modality : Modality.values()) {
            int d = concepts.get(0).get(modality).get(0).length;
            AlignStep.Tower tower = new AlignStep.Tower(d, heads.dim(), null);
            String stem = "head." + TorchModel.name(modality);
            tower.weight().put(spec.read(stem + ".weight"));
            if (heads.hasBias()) {
                tower.bias().put(spec.read(stem + ".bias"));
            }
            towers.put(modality, tower);
            moments.put(modality, new float[2][d * heads.dim() + heads.dim()]);
        }
        float scale = heads.logitScale();
        long steps = options.steps() > 0 ? options.steps() : DEFAULT_STEPS;
        Path checkpoint = out.resolveSibling(CHECKPOINT);
        String run = identity(steps);
        long first = resume(checkpoint, run);
        if (first > 0) {
            news.accept("going on from step " + first);
        }
        long begun = System.nanoTime();
        double before = seconds;
        double saved = seconds;
        boolean done = first >= steps;
        for (long step = first; !done; ) {
            double loss = step(concepts, step, steps, scale, heads);
            if (!Double.isFinite(loss)) {
                throw new IllegalArgumentException("the loss is " + loss + " at step " + step
                        + "; a lower --learning-rate may help, the last checkpoint is kept");
            }
            step++;
            seconds = before + (System.nanoTime() - begun) / 1e9;
            done = step == steps || options.minutes() > 0 && seconds >= 60 * options.minutes();
            if (step % 100 == 1 || done) {
                double left = (seconds - before) / (step - first) * (steps - step);
                if (options.minutes() > 0) {
                    left = Math.min(left, Math.max(0, 60 * options.minutes() - seconds));
                }
                progress.accept(
                        String.format(Locale.ROOT, "step %d of %d, loss %.4f, %.0f s left", step, steps, loss, left));
            }
            if (done || seconds - saved >= options.checkpointSeconds()) {
                saved = seconds;
                save(checkpoint, run, step);
                news.accept(String.format(Locale.ROOT, "checkpoint at step %d of %d: loss %.4f", step, steps, loss));
            }
        }
        ModelDesign.of(spec).write(out, Map.of("training", "heads only, seed " + options.seed()), (name, dims) -> {
            for (Modality modality : Modality.values()) {
                if (name.equals("head." + TorchModel.name(modality) + ".weight")) {
                    return towers.get(modality).weight();
                }
                if (name.equals("head." + TorchModel.name(modality) + ".bias")) {
                    return towers.get(modality).bias();
                }
            }
            return spec.read(name);
        });
    }

    /** What must be the same for a run to go on. */
    private String identity(long steps) {
        return "seed " + options.seed() + ", batch " + options.batch() + ", loss " + options.loss() + ", steps " + steps
                + ", learning rate " + options.learningRate()
                + String.format(Locale.ROOT, ", frozen outputs %08x", digest());
    }

    /** Of what the frozen model gives for the data: another model or set is another run. */
    private long digest() {
        CRC32 crc = new CRC32();
        for (Map<Modality, List<float[]>> views : pooled.values()) {
            for (List<float[]> rows : views.values()) {
                for (float[] row : rows) {
                    ByteBuffer bytes = ByteBuffer.allocate(4 * row.length);
                    bytes.asFloatBuffer().put(row);
                    crc.update(bytes);
                }
            }
        }
        return crc.getValue();
    }

    private void save(Path file, String run, long step) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("run", run)
                .metadata("step", Long.toString(step))
                .metadata("seconds", Double.toString(seconds));
        towers.forEach((modality, tower) -> {
            String name = TorchModel.name(modality);
            float[][] m = moments.get(modality);
            writer.add(name + ".weight", tower.weight(), tower.weight().remaining());
            writer.add(name + ".bias", tower.bias(), tower.bias().remaining());
            writer.add(name + ".mean", FloatBuffer.wrap(m[0]), m[0].length);
            writer.add(name + ".square", FloatBuffer.wrap(m[1]), m[1].length);
        });
        writer.write(file);
    }

    /** The number of steps done: 0 without a checkpoint. */
    private long resume(Path file, String run) throws IOException {
        if (!Files.exists(file)) {
            return 0;
        }
        try (Safetensors saved = Safetensors.open(file)) {
            String there = saved.metadata().getOrDefault("run", "nothing known");
            if (!there.equals(run)) {
                throw new IllegalArgumentException(
                        file + " was trained with " + there + ", not " + run + "; give that, or another --out");
            }
            towers.forEach((modality, tower) -> {
                String name = TorchModel.name(modality);
                float[][] m = moments.get(modality);
                tower.weight().put(saved.floats(name + ".weight"));
                tower.bias().put(saved.floats(name + ".bias"));
                saved.floats(name + ".mean").get(m[0]);
                saved.floats(name + ".square").get(m[1]);
            });
            seconds = Double.parseDouble(saved.metadata().get("seconds"));
            return Long.parseLong(saved.metadata().get("step"));
        }
    }

    /** The means of what the frozen model gives for each view of each trained concept. */
    private void read() throws IOException {
        Set<String> seen = new HashSet<>();
        try (Embedder embedder = new Embedder(engine, spec);
                Stream<Item> items = set.items()) {
            int count = 0;
            for (Item item : (Iterable<Item>) items::iterator) {
                if (item.split() != Split.TRAIN || words > 0 && item.concept().split(" ").length > words) {
                    continue;
                }
                if (item.image() != null && seen.add("image " + item.image())) {
                    embedder.image(Pictures.read(item.image()));
                    add(item, Modality.IMAGE, embedder.pooled());
                }
                if (item.audio() != null && seen.add("audio " + item.audio())) {
                    embedder.audio(Wav.read(item.audio()));
                    add(item, Modality.AUDIO, embedder.pooled());
                }
                if (item.text() != null && seen.add("text " + item.text())) {
                    embedder.text(item.text());
                    add(item, Modality.TEXT, embedder.pooled());
                }
                if (++count % 200 == 0) {
                    progress.accept("reading: " + count + " items");
                }
            }
        }
    }

    private void add(Item item, Modality modality, float[] mean) {
        pooled.computeIfAbsent(item.concept(), c -> new EnumMap<>(Modality.class))
                .computeIfAbsent(modality, m -> new ArrayList<>())
                .add(mean);
    }

    private double step(
            List<Map<Modality, List<float[]>>> concepts, long step, long steps, float scale, HeadConfig heads) {
        SplittableRandom random = new SplittableRandom(options.seed() * 1_000_003 + step);
        Modality[] pair = PAIRS.get((int) (step % PAIRS.size()));
        int n = Math.min(options.batch(), concepts.size());
        int[] order = new int[concepts.size()];
        for (int i = 0; i < order.length; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        AlignStep align = new AlignStep(engine, options.loss(), towers.get(pair[0]), towers.get(pair[1]));
        AlignStep.Gradients gradients = align.run(
                rows(concepts, order, n, pair[0], random),
                rows(concepts, order, n, pair[1], random),
                scale,
                heads.logitBias());
        double rate = options.learningRate() * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * step / steps)));
        long own = step / PAIRS.size() + 1;
        update(pair[0], rate, own, heads.hasBias());
        update(pair[1], rate, own, heads.hasBias());
        return gradients.loss();
    }

    private static FloatBuffer rows(
            List<Map<Modality, List<float[]>>> concepts,
            int[] order,
            int n,
            Modality modality,
            SplittableRandom random) {
        int d = concepts.get(0).get(modality).get(0).length;
        FloatBuffer rows = ByteBuffer.allocateDirect(4 * n * d)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        for (int i = 0; i < n; i++) {
            List<float[]> views = concepts.get(order[i]).get(modality);
            rows.put(views.get(random.nextInt(views.size())));
        }
        return rows.flip();
    }

    private void update(Modality modality, double rate, long step, boolean hasBias) {
        AlignStep.Tower tower = towers.get(modality);
        float[][] m = moments.get(modality);
        int at = 0;
        for (int p = 0; p < (hasBias ? 2 : 1); p++) {
            FloatBuffer value = tower.parameters()[p];
            FloatBuffer gradient = tower.gradients()[p];
            for (int i = 0; i < value.limit(); i++, at++) {
                double g = gradient.get(i);
                m[0][at] = (float) (BETA1 * m[0][at] + (1 - BETA1) * g);
                m[1][at] = (float) (BETA2 * m[1][at] + (1 - BETA2) * g * g);
                double mean = m[0][at] / (1 - Math.pow(BETA1, step));
                double square = m[1][at] / (1 - Math.pow(BETA2, step));
                double kept = value.get(i) * (1 - rate * WEIGHT_DECAY);
                value.put(i, (float) (kept - rate * mean / (Math.sqrt(square) + 1e-8)));
            }
        }
    }
}
