package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.data.DataSet;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.Safetensors;
import io.sensorium.search.Embedder;
import io.sensorium.search.Recall;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Heads over a frozen, random model, on colours that hum. */
class HeadTrainerTest {
    private static final int CONCEPTS = 8;

    @TempDir
    Path folder;

    private DataSet set;
    private Path frozen;

    @BeforeEach
    void make() throws IOException {
        set = TrainingTest.set(folder);
        frozen = folder.resolve("frozen");
        Recipe.design("test", Recipe.CLIP_SCALE, 0).write(frozen, Map.of(), Recipe.initial(3));
    }

    private void train(Path out, long steps, double checkpointSeconds, long seed, Consumer<String> news)
            throws IOException {
        train(out, 0, options(steps, checkpointSeconds, seed, 0), news);
    }

    private static TrainOptions options(long steps, double checkpointSeconds, long seed, int patience) {
        return new TrainOptions(
                false, seed, 0, steps, CONCEPTS, 1e-2, AlignStep.Loss.CLIP, checkpointSeconds, patience, 1);
    }

    private void train(Path out, int bottleneck, TrainOptions options, Consumer<String> news) throws IOException {
        Files.createDirectories(out);
        try (Engine engine = Engine.open();
                ModelSpec spec = ModelLoader.open(frozen)) {
            new HeadTrainer(engine, spec, set, 0, bottleneck, options, line -> {}, news).run(out.resolve("model"));
        }
    }

    private double recall(Path model) throws IOException {
        return recall(model, "train", false);
    }

    private double recall(Path model, String split, boolean ofTexts) throws IOException {
        try (Engine engine = Engine.open();
                ModelSpec spec = ModelLoader.open(model);
                Embedder embedder = new Embedder(engine, spec)) {
            List<Recall.Labelled> sounds = new ArrayList<>();
            List<Recall.Labelled> pictures = new ArrayList<>();
            for (int i = 0; i < CONCEPTS; i++) {
                Path sound = folder.resolve(split + i + ".wav");
                sounds.add(new Recall.Labelled("c" + i, embedder.audio(Wav.read(sound))));
                Path picture = folder.resolve(i + ".png");
                pictures.add(new Recall.Labelled(
                        "c" + i, ofTexts ? embedder.text("tone " + i) : embedder.image(Pictures.read(picture))));
            }
            return Recall.of(engine, sounds, pictures).at1();
        }
    }

    @Test
    void theLossFallsAndRecallRises() throws IOException {
        List<Double> losses = new ArrayList<>();
        Path out = folder.resolve("out");
        train(out, 300, 1e-9, 1, line -> losses.add(loss(line)));
        assertTrue(losses.get(299) < losses.get(0) / 2, losses.get(0) + " → " + losses.get(299));
        double before = recall(frozen);
        double after = recall(out.resolve("model"));
        assertTrue(after > before && after >= 0.75, "recall@1 of sounds " + before + " → " + after);
    }

    private static double loss(String line) {
        return Double.parseDouble(line.replaceAll(".*loss ([0-9.]+),.*", "$1"));
    }

    @Test
    void anAdapterIsTrainedBeforeTheHeads() throws IOException {
        List<Double> losses = new ArrayList<>();
        Path out = folder.resolve("out");
        train(out, 8, options(200, 1e-9, 1, 0), line -> losses.add(loss(line)));
        assertTrue(losses.get(199) < losses.get(0) / 2, losses.get(0) + " → " + losses.get(199));
        try (ModelSpec spec = ModelLoader.open(out.resolve("model"))) {
            assertEquals(8, spec.adapter().orElseThrow().bottleneck());
            FloatBuffer up = spec.read("adapter.up.weight");
            double length = 0;
            while (up.hasRemaining()) {
                length += Math.abs(up.get());
            }
            assertTrue(length > 1, "it began at 0 and is at " + length);
        }
        double before = recall(frozen);
        double after = recall(out.resolve("model"));
        assertTrue(after > before && after >= 0.75, "recall@1 of sounds " + before + " → " + after);

        String message = assertThrows(
                        IllegalArgumentException.class, () -> train(out, 0, options(200, 1e-9, 1, 0), line -> {}))
                .getMessage();
        assertTrue(message.contains("adapter 8") && message.contains("not") && message.contains("adapter 0"), message);
        frozen = out.resolve("model");
        assertThrows(
                IllegalArgumentException.class,
                () -> train(folder.resolve("twice"), 8, options(1, 1, 1, 0), line -> {}));
    }

    @Test
    void itEndsWithoutPatienceAndKeepsTheBest() throws IOException {
        List<Double> recalls = new ArrayList<>();
        Path out = folder.resolve("out");
        train(
                out,
                4,
                options(2000, 1e-9, 1, 30),
                line -> recalls.add(Double.parseDouble(line.replaceAll(".*recall@1 ([0-9.]+).*", "$1"))));
        double best = recalls.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
        assertTrue(recalls.size() < 2000, "it never ended");
        assertEquals(best, recalls.get(recalls.size() - 31), "30 checkpoints after the best one");
        Path model = out.resolve("model");
        assertEquals(best, (recall(model, "validation", false) + recall(model, "validation", true)) / 2, 6e-4);
        // One that ended does not go on.
        train(out, 4, options(2000, 1e-9, 1, 30), line -> assertTrue(line.startsWith("going on"), line));
    }

    @Test
    void aResumedRunEqualsOneThatNeverStopped() throws IOException {
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        train(whole, 4, options(9, 1000, 1, 0), line -> {});
        assertThrows(
                IllegalStateException.class,
                () -> train(parts, 4, options(9, 1e-9, 1, 0), line -> {
                    if (line.contains("step 4 ")) {
                        throw new IllegalStateException("killed");
                    }
                }));
        // The best of fewer checkpoints may be another: what was trained is compared.
        train(parts, 4, options(9, 1000, 1, 0), line -> {});
        try (Safetensors a = Safetensors.open(whole.resolve("heads.safetensors"));
                Safetensors b = Safetensors.open(parts.resolve("heads.safetensors"))) {
            assertEquals("9", b.metadata().get("step"));
            for (String name : a.tensors().keySet()) {
                if (!name.startsWith("best.")) {
                    assertEquals(a.floats(name), b.floats(name), name);
                }
            }
        }
        String message = assertThrows(
                        IllegalArgumentException.class, () -> train(parts, 4, options(9, 1000, 2, 0), line -> {}))
                .getMessage();
        assertTrue(message.contains("seed 1") && message.contains("not seed 2"), message);

        Recipe.design("test", Recipe.CLIP_SCALE, 0).write(frozen, Map.of(), Recipe.initial(4));
        assertThrows(IllegalArgumentException.class, () -> train(parts, 4, options(9, 1000, 1, 0), line -> {}));
    }

    private String command(int code, String... options) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of("--freeze", frozen.toString()));
        all.addAll(List.of(options));
        Path log = folder.resolve("log");
        Process process = TrainProcess.of(folder, log, all).start();
        assertTrue(process.waitFor(100, TimeUnit.SECONDS), "it hangs");
        String said = Files.readString(log);
        assertEquals(code, process.exitValue(), said);
        return said;
    }

    @Test
    void theCommandLineFreezesAModel() throws IOException, InterruptedException {
        String out = folder.resolve("out").toString();
        String said = command(
                0,
                "--adapter",
                "4",
                "--steps",
                "200",
                "--batch",
                "8",
                "--learning-rate",
                "0.01",
                "--patience",
                "50",
                "--out",
                out);
        assertTrue(said.contains("checkpoint at step ") && said.contains("wrote " + out + "/model"), said);
        Path model = folder.resolve("out/model");
        double before = recall(frozen);
        double after = recall(model);
        assertTrue(after > before, "recall@1 of sounds " + before + " → " + after);
        assertTrue(Files.readString(folder.resolve("out/figures.json")).contains("recall_at_1"));
        said = command(2, "--baseline", "--steps", "1", "--out", out);
        assertTrue(said.contains("--baseline and --freeze exclude each other"), said);
        said = command(2, "--adapter", "5", "--steps", "200", "--batch", "8", "--learning-rate", "0.01", "--out", out);
        assertTrue(said.contains("adapter 4") && said.contains("another --out"), said);
    }
}
