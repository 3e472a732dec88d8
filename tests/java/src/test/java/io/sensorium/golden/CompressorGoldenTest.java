package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.InvalidWeightsException;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class CompressorGoldenTest {
    private static final double LIMIT = 1e-9;
    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    private static SessionLimits limits(int sequences, int tokens) {
        return SessionLimits.builder()
                .maxItems(sequences)
                .maxSequences(sequences)
                .maxTokens(tokens)
                .build();
    }

    /** The padding of item 0 is not handed over: packing has none. */
    @Test
    void idefics2Resampler() throws IOException {
        String name = "model-idefics2-resampler";
        try (Safetensors expected = Golden.expected(name);
                Model model = ModelLoader.load(engine, Golden.folder(name));
                Session session = model.newSession(limits(2, 100))) {
            int first = (int) Arrays.stream(expected.doubles("mask"), 0, 50).sum();
            assertEquals(40, first);
            FloatBuffer context = expected.floats("context");
            Result result = session.clear()
                    .tokens(Modality.IMAGE, context.slice(0, first * 64), first)
                    .nextSequence()
                    .tokens(Modality.IMAGE, context.slice(50 * 64, 50 * 64), 50)
                    .run();
            assertEquals(8, result.latents().perSequence());
            Golden.assertNmse(expected.doubles("latents_out"), result.latents().values(), LIMIT);
        }
    }

    @Test
    void qFormer() throws IOException {
        String name = "model-qformer";
        assertTrue(assertThrows(InvalidWeightsException.class, () -> ModelLoader.open(Golden.folder(name)))
                .getMessage()
                .contains("query_tokens"));
        try (Safetensors expected = Golden.expected(name);
                ModelSpec spec = ModelLoader.openQFormer(Golden.folder(name), expected.floats("query"));
                Model model = spec.build(engine);
                Session session = model.newSession(limits(1, 40))) {
            FloatBuffer hidden = expected.floats("encoder_hidden");
            Result result = session.clear().tokens(Modality.IMAGE, hidden, 40).run();
            Golden.assertNmse(expected.doubles("hidden"), result.latents().values(), LIMIT);
        }
    }
}
