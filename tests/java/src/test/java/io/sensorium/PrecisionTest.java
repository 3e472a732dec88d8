package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The precision that an engine was opened with reaches the kernels of its models. */
class PrecisionTest {
    private static float[][] run(Precision precision, int threads) {
        try (Engine engine =
                        Engine.builder().threads(threads).precision(precision).open();
                Model model = new TinyModels().build(engine);
                Session session = model.newSession(TinyModels.LIMITS)) {
            assertEquals(precision, engine.precision());
            Result result = session.clear()
                    .image(TinyModels.direct(TinyModels.pixels(1)), TinyModels.SIZE, TinyModels.SIZE, 3)
                    .audio(TinyModels.direct(TinyModels.sound(1, 600)))
                    .text(TinyModels.direct(1, 2, 3))
                    .run();
            return new float[][] {
                values(result.tokens().values()), values(result.latents().values())
            };
        }
    }

    private static float[] values(FloatBuffer buffer) {
        float[] values = new float[buffer.remaining()];
        buffer.get(values);
        return values;
    }

    private static double error(float[] y, float[] reference) {
        double difference = 0;
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            difference += Math.pow((double) y[i] - reference[i], 2);
            sum += Math.pow(reference[i], 2);
        }
        return difference / sum;
    }

    @Test
    void fastIsBfloat16WhereTheCpuHasIt() {
        float[][] strict = run(Precision.STRICT, 1);
        float[][] fast = run(Precision.FAST, 1);
        for (int i = 0; i < strict.length; i++) {
            assertTrue(error(fast[i], strict[i]) <= 1e-4, "NMSE " + error(fast[i], strict[i]));
        }
        if (Device.cpu().isa().contains("bf16")) {
            assertFalse(Arrays.equals(strict[1], fast[1]), "FAST changed nothing");
        } else {
            assertArrayEquals(strict[1], fast[1]);
        }
    }

    @Test
    void fastDoesNotDependOnThreads() {
        float[][] one = run(Precision.FAST, 1);
        float[][] three = run(Precision.FAST, 3);
        assertArrayEquals(one[0], three[0]);
        assertArrayEquals(one[1], three[1]);
    }
}
