package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.HeadConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.FloatBuffer;
import org.junit.jupiter.api.Test;

class AlignGoldenTest {
    @Test
    void embeddingsLogitsAndLossesEqualTorch() throws IOException {
        try (Engine engine = Engine.open();
                Safetensors expected = Golden.expected("align-contrastive")) {
            FloatBuffer a = embed(engine, expected, "x", "wx", 64);
            FloatBuffer b = embed(engine, expected, "y", "wy", 48);
            Golden.assertNmse(expected.doubles("a"), a, 1e-9);
            Golden.assertNmse(expected.doubles("b"), b, 1e-9);
            float scale = expected.floats("logit_scale").get(0);
            FloatBuffer logits = Golden.direct(32 * 32);
            AlignStep.logits(engine, a, b, 40, scale, 0, logits);
            Golden.assertNmse(expected.doubles("logits"), logits, 1e-9);

            AlignStep.Tower x = new AlignStep.Tower(64, 40, null);
            AlignStep.Tower y = new AlignStep.Tower(48, 40, null);
            x.weight().put(expected.floats("wx"));
            y.weight().put(expected.floats("wy"));
            FloatBuffer rowsX = expected.floats("x");
            FloatBuffer rowsY = expected.floats("y");
            AlignStep.Gradients clip = new AlignStep(engine, AlignStep.Loss.CLIP, x, y).run(rowsX, rowsY, scale, 0);
            assertEquals(0, clip.logitBias());
            Golden.assertNmse(expected.doubles("clip_loss"), one(clip.loss()), 1e-9);
            AlignStep step = new AlignStep(engine, AlignStep.Loss.SIGLIP, x, y);
            AlignStep.Gradients siglip = step.run(rowsX, rowsY, scale, -10);
            Golden.assertNmse(expected.doubles("siglip_loss"), one(siglip.loss()), 1e-9);

            // Down the gradient the loss falls as its first order says.
            double square = 0;
            float rate = 1e-4f;
            for (AlignStep.Tower tower : new AlignStep.Tower[] {x, y}) {
                FloatBuffer weight = tower.weight();
                FloatBuffer gradient = tower.gradients()[0];
                for (int i = 0; i < weight.remaining(); i++) {
                    square += gradient.get(i) * (double) gradient.get(i);
                    weight.put(i, weight.get(i) - rate * gradient.get(i));
                }
            }
            double fell = siglip.loss() - step.run(rowsX, rowsY, scale, -10).loss();
            assertTrue(square > 0);
            assertEquals(1, fell / (rate * square), 0.05);
        }
    }

    private static FloatBuffer one(double value) {
        return Golden.direct(1).put(0, (float) value);
    }

    private static FloatBuffer embed(Engine engine, Safetensors expected, String rows, String weight, int d) {
        FloatBuffer values = expected.floats(rows);
        try (Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(d).build())
                        .head(HeadConfig.builder().dim(40).joint(true).build())
                        .tensor("head.joint.weight", expected.floats(weight), 40, d)
                        .build();
                Session session = model.newSession(SessionLimits.builder()
                        .maxItems(32)
                        .maxSequences(32)
                        .maxTokens(32)
                        .build())) {
            session.clear();
            for (int i = 0; i < 32; i++) {
                if (i > 0) {
                    session.nextSequence();
                }
                session.tokens(Modality.TEXT, values.slice(i * d, d), 1);
            }
            return Golden.direct(32 * 40).put(0, session.run().embedding(), 0, 32 * 40);
        }
    }
}
