package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class AugmentTest {
    private static final int MELS = 80;
    private static final int FRAMES = 60;

    private static Corpus.Clip clip() {
        short[] features = new short[FRAMES * MELS];
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < features.length; i++) {
            features[i] = (short) random.nextInt(-4096, 4096);
        }
        return Corpus.Clip.of(features, FRAMES);
    }

    @Test
    void aSeedIsAView() {
        float[] first = Augment.sound(clip(), MELS, new SplittableRandom(5));
        assertArrayEquals(first, Augment.sound(clip(), MELS, new SplittableRandom(5)));
        assertFalse(Arrays.equals(first, Augment.sound(clip(), MELS, new SplittableRandom(6))));
    }

    @Test
    void everyViewIsFiniteAndWhole() {
        for (int seed = 0; seed < 300; seed++) {
            float[] view = Augment.sound(clip(), MELS, new SplittableRandom(seed));
            assertEquals(0, view.length % MELS);
            assertTrue(view.length >= 4 * MELS, "seed " + seed);
            for (float value : view) {
                assertTrue(Math.abs(value) < 5, "seed " + seed + ": " + value);
            }
        }
    }

    @Test
    void anEchoDiesAway() {
        float[] click = new float[FRAMES * MELS];
        Arrays.fill(click, -2);
        click[2 * MELS + 7] = 1;
        Augment.reverberate(click, MELS, 0.3, 0.5);
        assertEquals(1, click[2 * MELS + 7], 0, "the sound itself stays");
        assertEquals(-2, click[MELS + 7], 0, "nothing sounds before it");
        assertEquals(-2, click[5 * MELS + 8], 0, "nor beside it");
        // 60 dB, which is 3, in 30 frames.
        assertEquals(0.4f, click[3 * MELS + 7], 1e-5);
        assertEquals(-0.5f, click[12 * MELS + 7], 1e-5);
        assertEquals(-2, click[40 * MELS + 7], 0);
    }
}
