package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.data.DataSet;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingTest {
    private static final int CONCEPTS = 8;

    @TempDir
    Path folder;

    /** Colours that hum: a picture, a tone in two octaves, a name. */
    static DataSet set(Path folder) throws IOException {
        StringBuilder manifest = new StringBuilder();
        for (int i = 0; i < CONCEPTS; i++) {
            BufferedImage picture = new BufferedImage(32, 32, BufferedImage.TYPE_INT_RGB);
            for (int p = 0; p < 1024; p++) {
                picture.setRGB(p % 32, p / 32, (i * 0x20 << 16) | (p / 128 == i ? 0xFFFF : 0x40));
            }
            ImageIO.write(picture, "png", folder.resolve(i + ".png").toFile());
            for (String split : List.of("train", "validation")) {
                String wav = split + i + ".wav";
                Files.write(folder.resolve(wav), tone(300 + 250 * i + (split.equals("train") ? 0 : 20)));
                manifest.append(
                        "{\"id\":\"%s\",\"concept\":\"c%d\",\"split\":\"%s\",\"image\":\"%d.png\",\"audio\":\"%s\",\"text\":\"tone %d\"}\n"
                                .formatted(wav, i, split, i, wav, i));
            }
        }
        Files.writeString(folder.resolve("manifest.jsonl"), manifest);
        return DataSet.open(folder);
    }

    private static byte[] tone(double hertz) {
        int samples = 8000;
        ByteBuffer wav = ByteBuffer.allocate(44 + 2 * samples).order(ByteOrder.LITTLE_ENDIAN);
        wav.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(36 + 2 * samples);
        wav.put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII)).putInt(16);
        wav.putShort((short) 1).putShort((short) 1).putInt(16000).putInt(32000);
        wav.putShort((short) 2).putShort((short) 16);
        wav.put("data".getBytes(StandardCharsets.US_ASCII)).putInt(2 * samples);
        for (int i = 0; i < samples; i++) {
            wav.putShort((short) (9000 * Math.sin(2 * Math.PI * hertz * i / 16000)));
        }
        return wav.array();
    }

    private static TrainOptions options(long steps, double checkpointSeconds, AlignStep.Loss loss) {
        return new TrainOptions(false, 7, 0, steps, CONCEPTS, 1e-3, loss, checkpointSeconds, 0, 2);
    }

    private List<Double> train(Path out, TrainOptions options) throws IOException {
        return train(out, options, Recipe.design("test", Recipe.CLIP_SCALE, 0));
    }

    private List<Double> train(Path out, TrainOptions options, ModelDesign design) throws IOException {
        List<Double> losses = new ArrayList<>();
        try (Engine engine = Engine.open()) {
            Corpus corpus = Corpus.load(engine, design.spec(Recipe.initial(7)), set(folder), 0, text -> {});
            Trainer trainer = new Trainer(
                    design,
                    corpus,
                    options,
                    out,
                    line -> losses.add(Double.parseDouble(line.replaceAll(".*loss ([0-9.]+),.*", "$1"))),
                    news -> {});
            trainer.run();
            trainer.write(out.resolve("model"), Map.of());
        }
        return losses;
    }

    private static float[] weights(Path model, String tensor) throws IOException {
        try (ModelSpec spec = ModelLoader.open(model)) {
            FloatBuffer values = spec.read(tensor);
            float[] out = new float[values.remaining()];
            values.get(out);
            return out;
        }
    }

    private static Path checkpoint(Path out) throws IOException {
        try (Stream<Path> files = Files.list(out)) {
            List<Path> found = files.filter(f -> f.getFileName().toString().startsWith("checkpoint-"))
                    .toList();
            assertEquals(1, found.size(), "checkpoints: " + found);
            return found.get(0);
        }
    }

    @Test
    void theLossFalls() throws IOException {
        List<Double> losses = train(folder.resolve("out"), options(60, 1000, AlignStep.Loss.CLIP));
        assertTrue(losses.get(59) < losses.get(0) - 0.3, losses.get(0) + " → " + losses.get(59));
    }

    @Test
    void theBaselineLearnsAndTheEngineReadsIt() throws IOException {
        Path out = folder.resolve("out");
        List<Double> losses = train(
                out,
                new TrainOptions(true, 7, 0, 60, CONCEPTS, 1e-3, AlignStep.Loss.CLIP, 1000, 0, 2),
                Recipe.baseline("test", Recipe.CLIP_SCALE, 0));
        assertTrue(losses.get(59) < losses.get(0) - 0.3, losses.get(0) + " → " + losses.get(59));
        try (Engine engine = Engine.open();
                ModelSpec spec = ModelLoader.open(out.resolve("model"));
                Embedder embedder = new Embedder(engine, spec)) {
            // A mean of bytes knows no order.
            assertArrayEquals(embedder.text("tone 1"), embedder.text("1 tone"), 1e-5f);
        }
    }

    @Test
    void aResumedRunEqualsOneThatNeverStopped() throws IOException {
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        train(whole, options(6, 1000, AlignStep.Loss.CLIP));
        // Checkpoints after every step, as if it had been killed after the third; the rate depends on the number of
        // steps
        // in all, so only the kill itself is played.
        assertThrows(Killed.class, () -> trainUntil(parts, 3));
        assertEquals("checkpoint-3", checkpoint(parts).getFileName().toString());
        train(parts, options(6, 1000, AlignStep.Loss.CLIP));
        for (String tensor : List.of("head.audio.weight", "image.patch.weight", "perceiver.latents")) {
            assertArrayEquals(weights(checkpoint(whole), tensor), weights(checkpoint(parts), tensor), tensor);
        }
    }

    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private void trainUntil(Path out, int checkpoints) throws IOException {
        int[] seen = {0};
        try (Engine engine = Engine.open()) {
            ModelDesign design = Recipe.design("test", Recipe.CLIP_SCALE, 0);
            Corpus corpus = Corpus.load(engine, design.spec(Recipe.initial(7)), set(folder), 0, text -> {});
            new Trainer(design, corpus, options(6, 1e-9, AlignStep.Loss.CLIP), out, line -> {}, news -> {
                        if (++seen[0] == checkpoints) {
                            throw new Killed();
                        }
                    })
                    .run();
        }
    }

    @Test
    void anotherSeedIsAnotherRun() throws IOException {
        Path out = folder.resolve("out");
        train(out, options(1, 1000, AlignStep.Loss.CLIP));
        TrainOptions other = new TrainOptions(false, 8, 0, 2, CONCEPTS, 1e-3, AlignStep.Loss.CLIP, 1000, 0, 2);
        String message = assertThrows(IllegalArgumentException.class, () -> train(out, other))
                .getMessage();
        assertTrue(message.contains("seed 7, not 8"), message);
    }

    @Test
    void aBaselineIsAnotherRunThanAWholeModel() throws IOException {
        Path out = folder.resolve("out");
        TrainOptions linear = new TrainOptions(true, 7, 0, 1, CONCEPTS, 1e-3, AlignStep.Loss.CLIP, 1000, 0, 2);
        train(out, linear, Recipe.baseline("test", Recipe.CLIP_SCALE, 0));
        String message = assertThrows(
                        IllegalArgumentException.class, () -> train(out, options(2, 1000, AlignStep.Loss.CLIP)))
                .getMessage();
        assertTrue(message.contains("baseline true, not false"), message);
        train(out, linear, Recipe.baseline("test", Recipe.CLIP_SCALE, 0));
    }

    @Test
    void sigLip() throws IOException {
        List<Double> losses = train(folder.resolve("out"), options(40, 1000, AlignStep.Loss.SIGLIP));
        assertTrue(losses.get(39) < losses.get(0), losses.get(0) + " → " + losses.get(39));
    }
}
