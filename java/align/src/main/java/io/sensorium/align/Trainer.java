package io.sensorium.align;

import io.sensorium.HeadConfig;
import io.sensorium.models.ModelDesign;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Trains all weights of a model: contrastive losses between pictures, sounds and texts of one concept, and between mixtures of
 * two of them and the third. AdamW with a warm-up and a cosine.
 */
final class Trainer {
    private static final double WARM_UP = 0.02;
    private static final double WEIGHT_DECAY = 0.05;
    private static final double GRADIENT_NORM = 1;
    private static final double MAX_LOGIT_SCALE = Math.log(100);

    private final ModelDesign design;
    private final Corpus corpus;
    private final TrainOptions options;
    private final Path out;
    private final Consumer<String> progress;
    private final Consumer<String> news;
    private final Inputs inputs;
    private final Feeder feeder;
    private final TorchModel model;
    private final AdamW optimizer;
    private final Worker master;
    private final List<Worker> workers = new ArrayList<>();
    private Checkpoint.State state;

    /**
     * Goes on from the newest checkpoint in {@code out}, if there is one.
     *
     * @param progress is told each step, in one line
     * @param news is told where it goes on and each checkpoint
     */
    Trainer(
            ModelDesign design,
            Corpus corpus,
            TrainOptions options,
            Path out,
            Consumer<String> progress,
            Consumer<String> news)
            throws IOException {
        this.design = design;
        this.corpus = corpus;
        this.options = options;
        this.out = out;
        this.progress = progress;
        this.news = news;
        // One thread a worker: libtorch's own threads wait for each other at every operation.
        torch.set_num_threads(1);
        torch.manual_seed(options.seed());
        @Nullable Checkpoint found = Checkpoint.newest(out, options);
        this.model = found == null
                ? new TorchModel(design.spec(Recipe.initial(options.seed())))
                : new TorchModel(found.model());
        this.inputs = new Inputs(model.spec());
        this.feeder = new Feeder(corpus, inputs, options.batch(), options.seed());
        this.master = new Worker(model, options.loss());
        for (int i = 0; i < options.threads(); i++) {
            workers.add(i == 0 ? master : new Worker(master));
        }
        AdamWOptions adam = new AdamWOptions(options.learningRate());
        adam.betas().put(0, 0.9).put(1, 0.98);
        adam.weight_decay().put(WEIGHT_DECAY);
        this.optimizer = new AdamW(master.parameters(), adam);
        this.state = found == null ? Checkpoint.State.START : found.restore(optimizer);
    }

    /** Trains until the time is up, the steps are done, or validation no longer becomes better. */
    Checkpoint.State run() throws IOException {
        ExecutorService pool = Executors.newFixedThreadPool(options.threads() + 1, r -> {
            Thread thread = new Thread(r, "training");
            thread.setDaemon(true);
            return thread;
        });
        long begun = System.nanoTime();
        double before = state.seconds();
        double lastCheckpoint = before;
        double smooth = Double.NaN;
        long step = state.step();
        long firstStep = step;
        if (step > 0) {
            news.accept("going on from step " + step);
        }
        double seconds = before;
        try {
            CompletableFuture<List<Feeder.Batch>> next = feed(pool, step);
            while (!done(step, seconds)) {
                List<Feeder.Batch> batches = next.join();
                next = feed(pool, step + 1);
                rate(step, seconds);
                double loss = step(pool, batches, (int) (step % 3));
                if (!Double.isFinite(loss)) {
                    throw new IllegalStateException("the loss is " + loss + " at step " + step
                            + "; a lower --learning-rate may help, the last checkpoint is kept");
                }
                step++;
                seconds = before + (System.nanoTime() - begun) / 1e9;
                smooth = Double.isNaN(smooth) ? loss : 0.95 * smooth + 0.05 * loss;
                progress.accept(line(step, seconds, smooth, (seconds - before) / (step - firstStep)));
                if (seconds - lastCheckpoint >= options.checkpointSeconds() || done(step, seconds)) {
                    lastCheckpoint = seconds;
                    if (!checkpoint(step, seconds, smooth)) {
                        break;
                    }
                }
            }
        } finally {
            pool.shutdownNow();
        }
        return state;
    }

    /** Writes the best weights as a model directory. */
    void write(Path directory, Map<String, String> metadata) throws IOException {
        Checkpoint best = Checkpoint.best(out);
        try (io.sensorium.models.ModelSpec spec = best.model()) {
            design.head(spec.head().orElseThrow()).write(directory, metadata, (name, dims) -> spec.read(name));
        }
    }

    private CompletableFuture<List<Feeder.Batch>> feed(ExecutorService pool, long step) {
        return CompletableFuture.supplyAsync(() -> feeder.batches(step, workers.size()), pool);
    }

    private boolean done(long step, double seconds) {
        return options.steps() > 0 && step >= options.steps()
                || options.minutes() > 0 && seconds >= 60 * options.minutes();
    }

    /** How much of the training is behind, by steps or by time, whichever ends first. */
    private double part(long step, double seconds) {
        double bySteps = options.steps() > 0 ? (double) step / options.steps() : 0;
        double byTime = options.minutes() > 0 ? seconds / (60 * options.minutes()) : 0;
        return Math.min(1, Math.max(bySteps, byTime));
    }

    private void rate(long step, double seconds) {
        double part = part(step, seconds);
        double factor = part < WARM_UP
                ? (part + 1e-3) / (WARM_UP + 1e-3)
                : 0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * (part - WARM_UP) / (1 - WARM_UP)));
        optimizer.param_groups().get(0).options().set_lr(options.learningRate() * factor);
    }

    private double step(ExecutorService pool, List<Feeder.Batch> batches, int third) {
        List<CompletableFuture<Double>> work = new ArrayList<>();
        for (int i = 1; i < workers.size(); i++) {
            Worker worker = workers.get(i);
            Feeder.Batch batch = batches.get(i);
            work.add(CompletableFuture.supplyAsync(() -> worker.run(batch, inputs, corpus.side, third), pool));
        }
        double loss = master.run(batches.get(0), inputs, corpus.side, third);
        for (int i = 1; i < workers.size(); i++) {
            loss += work.get(i - 1).join();
            master.add(workers.get(i));
        }
        try (PointerScope scope = new PointerScope()) {
            master.scaleGradients(1.0 / workers.size());
            torch.clip_grad_norm_(master.parameters(), GRADIENT_NORM);
            optimizer.step();
            master.clampScale(MAX_LOGIT_SCALE);
        }
        return loss / workers.size();
    }

    /** False if training should end. */
    private boolean checkpoint(long step, double seconds, double loss) throws IOException {
        Validation.Recall recall = Torch.withoutGradients(() -> Validation.run(model, corpus, inputs));
        boolean better = !(recall.mean() <= state.best());
        state = new Checkpoint.State(
                step, seconds, better ? recall.mean() : state.best(), better ? 0 : state.checksWithoutBetter() + 1);
        HeadConfig heads = model.heads().toBuilder()
                .logitScale(master.logitScale())
                .logitBias(master.logitBias())
                .build();
        ModelDesign.Values values = (name, dims) -> model.values(name);
        Checkpoint.write(out, design.head(heads), values, optimizer, state, options, better);
        news.accept(String.format(
                Locale.ROOT,
                "checkpoint at step %d, %.0f s: loss %.4f, validation recall@1 audio to image %.3f, audio to text %.3f%s",
                step,
                seconds,
                loss,
                recall.toImage(),
                recall.toText(),
                better ? ", the best so far" : ""));
        return options.patience() == 0 || state.checksWithoutBetter() < options.patience();
    }

    private String line(long step, double seconds, double loss, double secondsAStep) {
        double bySteps = options.steps() > 0 ? (options.steps() - step) * secondsAStep : Double.MAX_VALUE;
        double byTime = options.minutes() > 0 ? 60 * options.minutes() - seconds : Double.MAX_VALUE;
        long left = Math.round(Math.max(0, Math.min(bySteps, byTime)));
        return String.format(
                Locale.ROOT,
                "step %d, epoch %.1f, loss %.4f, %.2f s a step, %d:%02d left",
                step,
                (double) step / feeder.stepsAnEpoch(),
                loss,
                secondsAStep,
                left / 60,
                left % 60);
    }
}
