package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.ImageConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.PatchOrder;
import io.sensorium.Position;
import io.sensorium.Result;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.RandomModel;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelGoldenTest {
    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    /** A projection by the identity gives the flattened patches themselves. */
    @ParameterizedTest
    @CsvSource({"patches, CHANNEL_LAST", "patches_chw, CHANNEL_FIRST"})
    void patchesAreFlattenedInTheOrderOfEinops(String output, PatchOrder order) throws IOException {
        int d = 3 * 16 * 16;
        FloatBuffer identity = Golden.direct(d * d);
        for (int i = 0; i < d; i++) {
            identity.put(i * d + i, 1);
        }
        ImageConfig image = ImageConfig.builder()
                .channels(3)
                .patch(16)
                .order(order)
                .position(Position.NONE)
                .hasBias(false)
                .mean(0, 0, 0)
                .std(1, 1, 1)
                .build();
        try (Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(d).build())
                        .image(image)
                        .tensor("image.patch.weight", identity, d, d)
                        .build();
                Safetensors expected = Golden.expected("patches-einops")) {
            images(model, expected, "input", output, 1e-10);
        }
    }

    /** What transformers calls embeddings, last_hidden_state and pooler_output. */
    @ParameterizedTest
    @CsvSource({
        "model-vit, embeddings",
        "model-vit, embeddings_interp",
        "model-vit, hidden",
        "model-clip-vision, embeddings",
        "model-clip-vision, hidden",
        "model-clip-vision, pooled",
        "model-siglip-vision, embeddings",
        "model-siglip-vision, hidden",
        "model-siglip-vision, pooled",
        "model-ast, embeddings",
        "model-ast, hidden",
        "model-ast, pooled"
    })
    void modelsEqualTransformers(String name, String output) throws IOException {
        try (ModelSpec spec = ModelLoader.open(Golden.folder(name));
                Model model = output.startsWith("embeddings") ? spec.buildTokenizers(engine) : spec.build(engine);
                Safetensors expected = Golden.expected(name)) {
            if (name.equals("model-ast")) {
                sounds(model, expected, output);
            } else {
                images(
                        model,
                        expected,
                        output.endsWith("_interp") ? "pixel_values_interp" : "pixel_values",
                        output,
                        1e-9);
            }
        }
    }

    private static void sounds(Model model, Safetensors expected, String output) {
        long[] shape = expected.info("input_values").dims();
        FloatBuffer features = expected.floats("input_values");
        int size = (int) (shape[1] * shape[2]);
        SessionLimits limits = SessionLimits.builder()
                .maxItems(2)
                .maxSequences(2)
                .maxTokens(2 * 302)
                .maxSamples(shape[1] * 160 + 400)
                .build();
        try (Session session = model.newSession(limits)) {
            session.clear()
                    .features(features.slice(0, size), 256, 128)
                    .nextSequence()
                    .features(features.slice(size, size), 256, 128);
            Result result = session.run();
            assertArrayEquals(new long[] {0, 302, 604}, cuSeqlens(result));
            Golden.assertNmse(expected.doubles(output), values(result, output), 1e-9);
        }
    }

    private static FloatBuffer values(Result result, String output) {
        return output.equals("pooled")
                ? result.latents().values()
                : result.tokens().values();
    }

    /** The reference masks padding; here padding is never packed. */
    @ParameterizedTest
    @CsvSource({"latents_out, false", "latents_out_masked, true"})
    void perceiverLatentsEqualTransformers(String output, boolean masked) throws IOException {
        try (Model model = ModelLoader.load(engine, Golden.folder("model-perceiver-encoder"));
                Safetensors expected = Golden.expected("model-perceiver-encoder");
                Session session = model.newSession(SessionLimits.builder()
                        .maxItems(2)
                        .maxSequences(2)
                        .maxTokens(400)
                        .build())) {
            int second = 200;
            if (masked) {
                double[] mask = expected.doubles("mask");
                second = (int) Arrays.stream(mask, 200, 400).sum();
                assertEquals(150, second);
            }
            FloatBuffer inputs = expected.floats("inputs");
            session.clear()
                    .tokens(Modality.IMAGE, inputs.slice(0, 200 * 48), 200)
                    .nextSequence()
                    .tokens(Modality.IMAGE, inputs.slice(200 * 48, second * 48), second);
            Result result = session.run();
            assertEquals(2, result.latents().sequences());
            Golden.assertNmse(expected.doubles(output), result.latents().values(), 1e-9);
        }
    }

    /** What RandomModel writes is what it gives in memory, through every tensor. */
    @Test
    void theRandomModelSurvivesItsFiles(@TempDir Path folder) throws IOException {
        RandomModel.write(folder);
        float[][] latents = new float[2][];
        for (int i = 0; i < 2; i++) {
            try (ModelSpec spec = i == 0 ? RandomModel.spec() : ModelLoader.open(folder);
                    Model model = spec.build(engine);
                    Session session = model.newSession(SessionLimits.builder()
                            .maxItems(2)
                            .maxTokens(600)
                            .maxPixels(64 * 64)
                            .maxSamples(8000)
                            .build())) {
                assertEquals(RandomModel.NOTICE, spec.notice());
                FloatBuffer pcm = Golden.direct(8000);
                for (int t = 0; t < 8000; t++) {
                    pcm.put(t, (float) Math.sin(t * 0.1));
                }
                FloatBuffer pixels = Golden.direct(3 * 64 * 64);
                Result result =
                        session.clear().pixels(pixels, 3, 64, 64).audio(pcm).run();
                assertEquals(16 + 2 + 41 + 2, result.tokens().count());
                latents[i] = new float[64 * 192];
                result.latents().values().get(0, latents[i]);
            }
        }
        assertArrayEquals(latents[0], latents[1]);
    }

    private static long[] cuSeqlens(Result result) {
        long[] out = new long[result.tokens().sequences() + 1];
        result.tokens().cuSeqlens().get(0, out);
        return out;
    }

    private static void images(Model model, Safetensors expected, String input, String output, double limit) {
        long[] shape = expected.info(input).dims();
        long tokens = model.countTokens(Modality.IMAGE, Format.F32_CHW, shape[2], shape[3], shape[1]);
        FloatBuffer pixels = expected.floats(input);
        int size = (int) (shape[1] * shape[2] * shape[3]);
        SessionLimits limits = SessionLimits.builder()
                .maxItems((int) shape[0])
                .maxSequences((int) shape[0])
                .maxTokens((int) (shape[0] * tokens))
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
            Golden.assertNmse(expected.doubles(output), values(session.run(), output), limit);
        }
    }
}
