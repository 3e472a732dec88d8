package io.sensorium.align;

import io.sensorium.AdapterConfig;
import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.HeadConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.data.DataSet;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.search.Recall;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Trains the heads of a frozen model, and an adapter before them if wanted, by the engine's own gradients ({@link AlignStep}):
 * what the encoders give is computed once, so a step costs next to nothing. AdamW with a cosine; no augmentation.
 * heads.safetensors beside the model holds what is trained, AdamW's moments and what validated best; the same run goes on from
 * it, to the bits of one that never stopped.
 */
final class HeadTrainer {
    private static final List<Modality[]> PAIRS = List.of(
            new Modality[] {Modality.AUDIO, Modality.IMAGE},
            new Modality[] {Modality.AUDIO, Modality.TEXT},
            new Modality[] {Modality.IMAGE, Modality.TEXT});
    private static final long DEFAULT_STEPS = 2000;
    private static final String CHECKPOINT = "heads.safetensors";
    private static final String BEST = "best.";

    private final Engine engine;
    private final ModelSpec spec;
    private final DataSet set;
    private final int words;
    private final int bottleneck;
    private final TrainOptions options;
    private final Consumer<String> progress;
    private final Consumer<String> news;
    private final Map<Modality, AlignStep.Tower> towers = new EnumMap<>(Modality.class);
    private final List<HeadParameter> parameters = new ArrayList<>();
    private final Map<String, FloatBuffer> best = new LinkedHashMap<>();
    private Checkpoint.State state = Checkpoint.State.START;

    /** @param bottleneck of the adapter; 0 for none */
    HeadTrainer(
            Engine engine,
            ModelSpec spec,
            DataSet set,
            int words,
            int bottleneck,
            TrainOptions options,
            Consumer<String> progress,
            Consumer<String> news) {
        this.engine = engine;
        this.spec = spec;
        this.set = set;
        this.words = words;
        this.bottleneck = bottleneck;
        this.options = options;
        this.progress = progress;
        this.news = news;
    }

    void run(Path out) throws IOException {
        HeadConfig heads = spec.head()
                .orElseThrow(() -> new IllegalArgumentException("the model to freeze has no heads to train"));
        if (bottleneck > 0 && spec.adapter().isPresent()) {
            throw new IllegalArgumentException("the model to freeze has an adapter already");
        }
        FrozenViews views = FrozenViews.read(engine, spec, set, words, bottleneck == 0, progress);
        if (views.trained.size() < 2) {
            throw new IllegalArgumentException("too few concepts with a picture, a sound and a text");
        }
        prepare(views.d, heads);
        float scale = heads.logitScale();
        long steps = options.steps() > 0 ? options.steps() : DEFAULT_STEPS;
        Path checkpoint = out.resolveSibling(CHECKPOINT);
        String run = identity(steps, views.digest());
        resume(checkpoint, run);
        long first = state.step();
        if (first > 0) {
            news.accept("going on from step " + first);
        }
        long begun = System.nanoTime();
        double before = state.seconds();
        double seconds = before;
        boolean done = first >= steps || !patient();
        for (long step = first; !done; ) {
            double loss = step(views, step, steps, scale, heads);
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
            if (done || seconds - state.seconds() >= options.checkpointSeconds()) {
                double recall = validate(views, heads);
                check(step, seconds, recall);
                save(checkpoint, run);
                news.accept(String.format(
                        Locale.ROOT,
                        "checkpoint at step %d of %d: loss %.4f, validation recall@1 %.3f%s",
                        step,
                        steps,
                        loss,
                        recall,
                        state.checksWithoutBetter() == 0 ? ", the best so far" : ""));
                done |= !patient();
            }
        }
        ModelDesign design = ModelDesign.of(spec);
        if (bottleneck > 0) {
            design.adapter(AdapterConfig.of(views.d, bottleneck));
        }
        String what = bottleneck > 0 ? "heads and adapter, seed " : "heads only, seed ";
        design.write(
                out,
                Map.of("training", what + options.seed()),
                (name, dims) -> best.containsKey(name) ? best.get(name).duplicate() : spec.read(name));
    }

    private boolean patient() {
        return options.patience() == 0 || state.checksWithoutBetter() < options.patience();
    }

    private void check(long step, double seconds, double recall) {
        boolean better = !(recall <= state.best());
        state = new Checkpoint.State(
                step, seconds, better ? recall : state.best(), better ? 0 : state.checksWithoutBetter() + 1);
        if (better) {
            for (HeadParameter parameter : parameters) {
                FloatBuffer value = parameter.value();
                best.put(
                        parameter.name(),
                        FloatBuffer.allocate(value.remaining())
                                .put(value.duplicate())
                                .flip());
            }
        }
    }

    /** Heads begin as the model's; the adapter begins as one that changes nothing. */
    private void prepare(int d, HeadConfig heads) {
        AdapterConfig adapter = bottleneck > 0 ? AdapterConfig.of(d, bottleneck) : null;
        for (Modality modality : Modality.values()) {
            AlignStep.Tower tower = new AlignStep.Tower(d, heads.dim(), adapter);
            towers.put(modality, tower);
            String stem = "head." + TorchModel.name(modality);
            parameter(stem + ".weight", 0, List.of(modality), heads.dim(), d).set(spec.read(stem + ".weight"));
            if (heads.hasBias()) {
                parameter(stem + ".bias", 1, List.of(modality), heads.dim()).set(spec.read(stem + ".bias"));
            }
        }
        if (adapter != null) {
            List<Modality> all = List.of(Modality.values());
            FloatBuffer down = FloatBuffer.allocate(bottleneck * d);
            SplittableRandom random = new SplittableRandom(options.seed());
            for (int i = 0; i < down.limit(); i++) {
                down.put(i, (float) (Augment.gaussian(random) / Math.sqrt(d)));
            }
            parameter("adapter.down.weight", 2, all, bottleneck, d).set(down);
            parameter("adapter.down.bias", 3, all, bottleneck);
            parameter("adapter.up.weight", 4, all, d, bottleneck);
            parameter("adapter.up.bias", 5, all, d);
        }
    }

    private HeadParameter parameter(String name, int index, List<Modality> of, long... dims) {
        Map<Modality, FloatBuffer> values = new EnumMap<>(Modality.class);
        Map<Modality, FloatBuffer> gradients = new EnumMap<>(Modality.class);
        for (Modality modality : of) {
            values.put(modality, towers.get(modality).parameters()[index]);
            gradients.put(modality, towers.get(modality).gradients()[index]);
        }
        HeadParameter parameter = new HeadParameter(name, dims, values, gradients);
        parameters.add(parameter);
        return parameter;
    }

    /** What must be the same for a run to go on; the digest is of what the frozen model gives for the data. */
    private String identity(long steps, long digest) {
        return "seed " + options.seed() + ", batch " + options.batch() + ", loss " + options.loss() + ", steps " + steps
                + ", learning rate " + options.learningRate() + ", adapter " + bottleneck
                + String.format(Locale.ROOT, ", frozen outputs %08x", digest);
    }

    private void save(Path file, String run) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("run", run)
                .metadata("step", Long.toString(state.step()))
                .metadata("seconds", Double.toString(state.seconds()))
                .metadata("best", Double.toString(state.best()))
                .metadata("checks_without_better", Integer.toString(state.checksWithoutBetter()));
        for (HeadParameter parameter : parameters) {
            String name = parameter.name();
            writer.add(name, parameter.value(), parameter.dims());
            writer.add(name + ".mean", FloatBuffer.wrap(parameter.mean()), parameter.dims());
            writer.add(name + ".square", FloatBuffer.wrap(parameter.square()), parameter.dims());
            writer.add(BEST + name, best.get(name).duplicate(), parameter.dims());
        }
        writer.write(file);
    }

    private void resume(Path file, String run) throws IOException {
        if (!Files.exists(file)) {
            return;
        }
        try (Safetensors saved = Safetensors.open(file)) {
            Map<String, String> metadata = saved.metadata();
            String there = metadata.getOrDefault("run", "nothing known");
            if (!there.equals(run)) {
                throw new IllegalArgumentException(
                        file + " was trained with " + there + ", not " + run + "; give that, or another --out");
            }
            for (HeadParameter parameter : parameters) {
                String name = parameter.name();
                parameter.set(saved.floats(name));
                saved.floats(name + ".mean").get(parameter.mean());
                saved.floats(name + ".square").get(parameter.square());
                FloatBuffer values = saved.floats(BEST + name);
                best.put(
                        name,
                        FloatBuffer.allocate(values.remaining()).put(values).flip());
            }
            state = new Checkpoint.State(
                    Long.parseLong(metadata.get("step")),
                    Double.parseDouble(metadata.get("seconds")),
                    Double.parseDouble(metadata.get("best")),
                    Integer.parseInt(metadata.get("checks_without_better")));
        }
    }

    private double step(FrozenViews views, long step, long steps, float scale, HeadConfig heads) {
        SplittableRandom random = new SplittableRandom(options.seed() * 1_000_003 + step);
        Modality[] pair = PAIRS.get((int) (step % PAIRS.size()));
        int n = Math.min(options.batch(), views.trained.size());
        int[] order = new int[views.trained.size()];
        for (int i = 0; i < order.length; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        AlignStep align = new AlignStep(engine, options.loss(), towers.get(pair[0]), towers.get(pair[1]));
        Rows x = rows(views, order, n, pair[0], random);
        Rows y = rows(views, order, n, pair[1], random);
        AlignStep.Gradients gradients =
                align.run(x.values(), x.offsets(), y.values(), y.offsets(), scale, heads.logitBias());
        double rate = options.learningRate() * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * step / steps)));
        for (HeadParameter parameter : parameters) {
            // A head takes part in two steps of three.
            boolean shared = parameter.values().size() > 1;
            parameter.update(pair, rate, shared ? step + 1 : step / PAIRS.size() + 1);
        }
        return gradients.loss();
    }

    /** Of several examples: [rows, d], and where each begins [n + 1]. */
    private record Rows(FloatBuffer values, LongBuffer offsets) {}

    private static Rows rows(FrozenViews views, int[] order, int n, Modality modality, SplittableRandom random) {
        List<float[]> chosen = new ArrayList<>();
        LongBuffer offsets = bytes((n + 1) * Long.BYTES).asLongBuffer().put(0);
        int count = 0;
        for (int i = 0; i < n; i++) {
            List<float[]> of = views.trained.get(order[i]).views.get(modality);
            float[] view = of.get(random.nextInt(of.size()));
            chosen.add(view);
            count += view.length;
            offsets.put(count / views.d);
        }
        FloatBuffer values = bytes(Math.multiplyExact(count, Float.BYTES)).asFloatBuffer();
        chosen.forEach(values::put);
        return new Rows(values.flip(), offsets.flip());
    }

    private static ByteBuffer bytes(int count) {
        return ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder());
    }

    /** Recall@1 of the validation speakers over the first pictures and texts of all concepts; NaN without any. */
    private double validate(FrozenViews views, HeadConfig heads) {
        int most = 1;
        for (FrozenViews.Concept concept : views.trained) {
            for (List<float[]> of : concept.views.values()) {
                most = Math.max(most, of.get(0).length / views.d);
            }
            for (float[] sound : concept.validation) {
                most = Math.max(most, sound.length / views.d);
            }
        }
        SessionLimits limits = SessionLimits.builder()
                .maxItems(1)
                .maxSequences(1)
                .maxTokens(most)
                .build();
        List<Recall.Labelled> sounds = new ArrayList<>();
        List<Recall.Labelled> pictures = new ArrayList<>();
        List<Recall.Labelled> texts = new ArrayList<>();
        try (Model model = model(views.d, heads);
                Session session = model.newSession(limits)) {
            for (FrozenViews.Concept concept : views.trained) {
                pictures.add(embed(session, concept, Modality.IMAGE, views.d));
                texts.add(embed(session, concept, Modality.TEXT, views.d));
                for (float[] sound : concept.validation) {
                    sounds.add(embed(session, concept.name, Modality.AUDIO, sound, views.d));
                }
            }
        }
        return (Recall.of(engine, sounds, pictures).at1()
                        + Recall.of(engine, sounds, texts).at1())
                / 2;
    }

    /** Rows to embeddings, with the heads and the adapter as they are now. */
    private Model model(int d, HeadConfig heads) {
        Model.Builder builder = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(d).build())
                .head(heads.toBuilder()
                        .image(true)
                        .audio(true)
                        .text(true)
                        .joint(false)
                        .build());
        for (HeadParameter parameter : parameters) {
            if (parameter.values().size() == 1) {
                builder.tensor(parameter.name(), parameter.value(), parameter.dims());
            }
        }
        if (bottleneck > 0) {
            builder.adapter(towers.get(Modality.IMAGE).toAdapter(engine));
        }
        return builder.build();
    }

    private static Recall.Labelled embed(Session session, FrozenViews.Concept concept, Modality modality, int d) {
        return embed(
                session, concept.name, modality, concept.views.get(modality).get(0), d);
    }

    private static Recall.Labelled embed(Session session, String concept, Modality modality, float[] rows, int d) {
        FloatBuffer embedding = session.clear()
                .tokens(modality, FloatBuffer.wrap(rows), rows.length / d)
                .run()
                .embedding();
        float[] out = new float[embedding.remaining()];
        embedding.get(out);
        return new Recall.Labelled(concept, out);
    }
}
