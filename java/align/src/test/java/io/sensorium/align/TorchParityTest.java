package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.LogMel;
import io.sensorium.Resizer;
import io.sensorium.demo.EmojiModel;
import io.sensorium.media.Picture;
import io.sensorium.media.Sound;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The engine against libtorch, on trained weights. */
class TorchParityTest {
    private static final double NMSE = 1e-9;

    private Engine engine;
    private ModelSpec spec;
    private Embedder embedder;
    private TorchModel model;
    private Inputs inputs;

    @BeforeEach
    void open() throws IOException {
        torch.set_num_threads(1);
        engine = Engine.open();
        spec = EmojiModel.open();
        embedder = new Embedder(engine, spec);
        model = new TorchModel(spec);
        inputs = new Inputs(spec);
    }

    @AfterEach
    void close() throws IOException {
        model.close();
        embedder.close();
        spec.close();
        engine.close();
    }

    private static void near(float[] expected, float[] actual) {
        double error = 0;
        double energy = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow(actual[i] - expected[i], 2);
            energy += Math.pow(expected[i], 2);
        }
        assertTrue(error <= NMSE * energy, "NMSE " + error / energy);
    }

    private static float[] torch(Supplier<Tensor> work) {
        return Torch.withoutGradients(() -> {
            try (PointerScope scope = new PointerScope()) {
                return Torch.array(work.get());
            }
        });
    }

    @Test
    void pictures() {
        SplittableRandom random = new SplittableRandom(1);
        Resizer resizer = engine.resizer(spec.image().orElseThrow().resize());
        int side = spec.image().orElseThrow().resize().height();
        for (int i = 0; i < 20; i++) {
            int height = random.nextInt(1, 200);
            int width = random.nextInt(1, 200);
            ByteBuffer pixels = ByteBuffer.allocateDirect(height * width * 3);
            while (pixels.hasRemaining()) {
                pixels.put((byte) random.nextInt(256));
            }
            ByteBuffer small = ByteBuffer.allocateDirect(side * side * 3);
            resizer.run(pixels.flip(), height, width, 3, small);
            float[] values = new float[side * side * 3];
            for (int v = 0; v < values.length; v++) {
                values[v] = small.get(v) & 0xFF;
            }
            Inputs.Padded patches = inputs.images(List.of(values), side);
            near(
                    torch(() -> model.embed(
                            "image", model.images(patches.tensor(), inputs.rows(side), inputs.columns(side)))),
                    embedder.image(new Picture(pixels.rewind(), height, width)));
        }
    }

    @Test
    void sounds() {
        SplittableRandom random = new SplittableRandom(2);
        try (LogMel logMel = engine.logMel(spec.audio().orElseThrow().logMel())) {
            for (int i = 0; i < 20; i++) {
                int samples = random.nextInt(1600, 48_000);
                FloatBuffer pcm = floats(samples);
                double pitch = random.nextDouble(50, 400);
                for (int s = 0; s < samples; s++) {
                    pcm.put(s, (float) (0.3 * Math.sin(s * pitch / 2546) + 0.05 * (random.nextDouble() - 0.5)));
                }
                FloatBuffer features = floats(logMel.frames(samples) * logMel.mels());
                logMel.run(pcm, features);
                float[] values = new float[features.rewind().remaining()];
                features.get(values);
                Inputs.Padded patches = inputs.sounds(List.of(values));
                near(
                        torch(() -> model.embed("audio", model.sounds(patches.tensor(), patches.mask()))),
                        embedder.audio(new Sound(pcm, 16000, 1)));
            }
        }
    }

    @Test
    void textsPaddedToOneLength() {
        List<String> texts = List.of("a", "dog", "grinning face with smiling eyes", "Ünïcödé 狗", "🐶");
        Inputs.Ids ids = Inputs.texts(
                texts.stream().map(t -> t.getBytes(StandardCharsets.UTF_8)).toList());
        float[] together = torch(() -> model.embed("text", model.texts(ids.tensor(), ids.mask())));
        for (int i = 0; i < texts.size(); i++) {
            float[] one = java.util.Arrays.copyOfRange(together, i * embedder.dim(), (i + 1) * embedder.dim());
            near(one, embedder.text(texts.get(i)));
        }
    }

    private static FloatBuffer floats(int count) {
        return ByteBuffer.allocateDirect(4 * count)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
