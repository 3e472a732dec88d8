package io.sensorium.align;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * What a view may look and sound like without being another concept. Pictures: shift, scale, turn, brightness, contrast and
 * colour. Sound: speed that comes and goes, vocal tract length (a warp of the mel axis; Jaitly and Hinton 2013), a room's echo,
 * an equalizer, start, loudness, noise and SpecAugment's masks (Park et al. 2019), all on log-mel features. Text: a word left
 * out.
 */
final class Augment {
    private static final int LONGEST_FRAMES = 320;

    /** Features are half of the common logarithm of power, so 1 is 20 dB, and a frame is 10 ms. */
    private static final double DECIBEL = 1 / 20.0;

    private static final double FRAME_SECONDS = 0.01;

    /** About a sound of speech: its length is what speakers differ in most. */
    private static final int FRAMES_A_TEMPO = 10;

    private static final int BANDS = 5;

    private Augment() {}

    static double gaussian(SplittableRandom random) {
        double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
        return radius * Math.cos(2 * Math.PI * random.nextDouble());
    }

    private static double between(SplittableRandom random, double low, double high) {
        return low + (high - low) * random.nextDouble();
    }

    /** [side, side, 3] in [0, 255]; what comes in from outside is the picture's corner colour. */
    static float[] image(byte[] pixels, int side, double strength, SplittableRandom random) {
        double scale = 1 / between(random, 1 - 0.15 * strength, 1 + 0.12 * strength);
        double angle = Math.toRadians(between(random, -8, 8) * strength);
        double shiftX = between(random, -0.07, 0.07) * strength * side;
        double shiftY = between(random, -0.07, 0.07) * strength * side;
        double cos = Math.cos(angle) * scale;
        double sin = Math.sin(angle) * scale;
        double contrast = between(random, 1 - 0.3 * strength, 1 + 0.3 * strength);
        double[] gain = new double[3];
        double[] lift = new double[3];
        double brightness = between(random, -20, 20) * strength;
        for (int c = 0; c < 3; c++) {
            gain[c] = contrast * between(random, 1 - 0.1 * strength, 1 + 0.1 * strength);
            lift[c] = 128 - 128 * contrast + brightness;
        }
        float[] out = new float[side * side * 3];
        double middle = (side - 1) / 2.0;
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                double sx = cos * (x - middle) - sin * (y - middle) + middle + shiftX;
                double sy = sin * (x - middle) + cos * (y - middle) + middle + shiftY;
                int x0 = (int) Math.floor(sx);
                int y0 = (int) Math.floor(sy);
                double fx = sx - x0;
                double fy = sy - y0;
                for (int c = 0; c < 3; c++) {
                    double top = (1 - fx) * pixel(pixels, side, x0, y0, c) + fx * pixel(pixels, side, x0 + 1, y0, c);
                    double low =
                            (1 - fx) * pixel(pixels, side, x0, y0 + 1, c) + fx * pixel(pixels, side, x0 + 1, y0 + 1, c);
                    double value = gain[c] * ((1 - fy) * top + fy * low) + lift[c];
                    out[(y * side + x) * 3 + c] = (float) Math.max(0, Math.min(255, value));
                }
            }
        }
        return out;
    }

    private static int pixel(byte[] pixels, int side, int x, int y, int c) {
        boolean inside = x >= 0 && x < side && y >= 0 && y < side;
        return pixels[inside ? (y * side + x) * 3 + c : c] & 0xFF;
    }

    /** [frames, mels]; the number of frames changes. */
    static float[] sound(Corpus.Clip clip, int mels, SplittableRandom random) {
        double[] source = walk(clip.frames(), between(random, 0.85, 1.18), random);
        double tract = between(random, 0.85, 1.18);
        double bend = between(random, -0.03, 0.03) * mels;
        int lead = random.nextInt(12) - 5;
        double loudness = 0.5 * between(random, -1, 0.5);
        double tilt = between(random, -6, 6) * DECIBEL;
        double[] bands = new double[BANDS];
        for (int b = 0; b < BANDS; b++) {
            bands[b] = 2 * DECIBEL * gaussian(random);
        }
        boolean room = random.nextInt(3) == 0;
        double reverberation = between(random, 0.15, 0.5);
        double echo = between(random, 6, 15) * DECIBEL;
        double floor = random.nextInt(2) == 0 ? -9 : between(random, -1.8, -0.5);
        int[] mel = new int[mels];
        float[] share = new float[mels];
        float[] gain = new float[mels];
        for (int m = 0; m < mels; m++) {
            double place = m / (mels - 1.0);
            double warped = Math.max(0, Math.min(mels - 1.0, m * tract + bend * Math.sin(Math.PI * place)));
            mel[m] = (int) warped;
            share[m] = (float) (warped - mel[m]);
            gain[m] = (float) (loudness + tilt * (place - 0.5) + between(bands, place));
        }
        int frames = Math.max(4, Math.min(LONGEST_FRAMES, source.length + lead));
        float[] out = new float[frames * mels];
        for (int t = 0; t < frames; t++) {
            int walked = t - lead;
            boolean silent = walked < 0 || walked >= source.length;
            double at = silent ? 0 : source[walked];
            int t0 = (int) at;
            int t1 = Math.min(clip.frames() - 1, t0 + 1);
            float ft = (float) (at - t0);
            for (int m = 0; m < mels; m++) {
                float value = clip.quietest();
                if (!silent) {
                    int m0 = mel[m];
                    int m1 = Math.min(mels - 1, m0 + 1);
                    float fm = share[m];
                    float a = (1 - fm) * clip.at(t0 * mels + m0) + fm * clip.at(t0 * mels + m1);
                    float b = (1 - fm) * clip.at(t1 * mels + m0) + fm * clip.at(t1 * mels + m1);
                    value = (1 - ft) * a + ft * b;
                }
                out[t * mels + m] = value + gain[m];
            }
        }
        if (room) {
            reverberate(out, mels, reverberation, echo);
        }
        if (floor > -9) {
            for (int i = 0; i < out.length; i++) {
                out[i] = Math.max(out[i], (float) (floor + 0.15 * gaussian(random)));
            }
        }
        mask(out, frames, mels, clip.mean(), random);
        return out;
    }

    /** Where each frame is taken from: the speed times a tempo that changes from sound to sound of speech. */
    private static double[] walk(int frames, double speed, SplittableRandom random) {
        double[] source = new double[LONGEST_FRAMES];
        int count = 0;
        double before = between(random, -0.35, 0.35);
        double after = before;
        for (double at = 0; at <= frames - 1 && count < source.length; count++) {
            int phase = count % FRAMES_A_TEMPO;
            if (phase == 0) {
                before = after;
                after = between(random, -0.35, 0.35);
            }
            source[count] = at;
            at += speed * Math.exp(before + (after - before) * phase / FRAMES_A_TEMPO);
        }
        return Arrays.copyOf(source, count);
    }

    /** Between the values, which are evenly spread over [0, 1]. */
    private static double between(double[] values, double place) {
        double at = place * (values.length - 1);
        int low = Math.min(values.length - 2, (int) at);
        return values[low] + (values[low + 1] - values[low]) * (at - low);
    }

    /**
     * A room: what was loud goes on more quietly and dies away. Of sound and echo in one cell the louder stands for their sum,
     * which is at most 3 dB more.
     *
     * @param seconds in which the echo falls by 60 dB
     * @param below how much quieter the echo starts than the sound, in features
     */
    static void reverberate(float[] out, int mels, double seconds, double below) {
        float fall = (float) (60 * DECIBEL * FRAME_SECONDS / seconds);
        for (int m = 0; m < mels; m++) {
            float tail = out[m];
            for (int i = m + mels; i < out.length; i += mels) {
                tail -= fall;
                out[i] = Math.max(out[i], tail - (float) below);
                tail = Math.max(tail, out[i]);
            }
        }
    }

    private static void mask(float[] out, int frames, int mels, float mean, SplittableRandom random) {
        for (int i = 0; i < 2; i++) {
            int width = random.nextInt(mels / 8);
            int from = random.nextInt(mels - width);
            for (int t = 0; t < frames; t++) {
                Arrays.fill(out, t * mels + from, t * mels + from + width, mean);
            }
            int length = random.nextInt(Math.min(12, Math.max(1, frames / 8)));
            int start = random.nextInt(frames - length);
            Arrays.fill(out, start * mels, (start + length) * mels, mean);
        }
    }

    /** One word less, now and then, of a text of several. */
    static byte[] text(byte[] text, SplittableRandom random) {
        if (random.nextInt(5) != 0) {
            return text;
        }
        String[] words = new String(text, StandardCharsets.UTF_8).split(" ");
        if (words.length < 2) {
            return text;
        }
        int without = random.nextInt(words.length);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < words.length; i++) {
            if (i != without) {
                out.append(out.isEmpty() ? "" : " ").append(words[i]);
            }
        }
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }
}
