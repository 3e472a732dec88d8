package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.data.DataSet;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import io.sensorium.search.Recall;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
        Files.createDirectories(out);
        TrainOptions options =
                new TrainOptions(false, seed, 0, steps, CONCEPTS, 1e-2, AlignStep.Loss.CLIP, checkpointSeconds, 0, 1);
        try (Engine engine = Engine.open();
                ModelSpec spec = ModelLoader.open(frozen)) {
            new HeadTrainer(engine, spec, set, 0, options, line -> {}, news).run(out.resolve("model"));
        }
    }

    private double recall(Path model) throws IOException {
        try (Engine engine = Engine.open();
                ModelSpec spec = ModelLoader.open(model);
                Embedder embedder = new Embedder(engine, spec)) {
            List<Recall.Labelled> sounds = new ArrayList<>();
            List<Recall.Labelled> pictures = new ArrayList<>();
            for (int i = 0; i < CONCEPTS; i++) {
                Path sound = folder.resolve("train" + i + ".wav");
                sounds.add(new Recall.Labelled("c" + i, embedder.audio(Wav.read(sound))));
                Path picture = folder.resolve(i + ".png");
                pictures.add(new Recall.Labelled("c" + i, embedder.image(Pictures.read(picture))));
            }
            return Recall.of(engine, sounds, pictures).at1();
        }
    }

    @Test
    void theLossFallsAndRecallRises() throws IOException {
        List<Double> losses = new ArrayList<>();
        Path out = folder.resolve("out");
        train(out, 300, 1e-9, 1, line -> losses.add(Double.parseDouble(line.replaceAll(".*loss ", ""))));
        assertTrue(losses.get(299) < losses.get(0) / 2, losses.get(0) + " → " + losses.get(299));
        double before = recall(frozen);
        double after = recall(out.resolve("model"));
        assertTrue(after > before && after >= 0.75, "recall@1 of sounds " + before + " → " + after);
    }

    @Test
    void aResumedRunEqualsOneThatNeverStopped() throws IOException {
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        train(whole, 9, 1000, 1, line -> {});
        assertThrows(
                IllegalStateException.class,
                () -> train(parts, 9, 1e-9, 1, line -> {
                    if (line.contains("step 4 ")) {
                        throw new IllegalStateException("killed");
                    }
                }));
        train(parts, 9, 1000, 1, line -> {});
        assertArrayEquals(
                Files.readAllBytes(whole.resolve("model/model.safetensors")),
                Files.readAllBytes(parts.resolve("model/model.safetensors")));
        String message = assertThrows(IllegalArgumentException.class, () -> train(parts, 9, 1000, 2, line -> {}))
                .getMessage();
        assertTrue(message.contains("seed 1") && message.contains("not seed 2"), message);

        Recipe.design("test", Recipe.CLIP_SCALE, 0).write(frozen, Map.of(), Recipe.initial(4));
        assertThrows(IllegalArgumentException.class, () -> train(parts, 9, 1000, 1, line -> {}));
    }
}
