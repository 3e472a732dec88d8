package io.sensorium.bench;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Seeded weights and inputs, the same for every contender, and their buffers. */
final class Values {
    private final SplittableRandom random = new SplittableRandom(42);

    float[] normal(double deviation, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        return values;
    }

    /** A smooth picture with grain, [height, width, 3]. */
    byte[] picture(int height, int width) {
        byte[] values = new byte[3 * height * width];
        for (int i = 0; i < values.length; i++) {
            int x = i / 3 % width;
            int y = i / 3 / width;
            double wave = Math.sin(x * 0.031 + i % 3) + Math.cos(y * 0.023 - i % 3);
            values[i] = (byte) Math.max(0, Math.min(255, 128 + 50 * wave + 12 * random.nextGaussian()));
        }
        return values;
    }

    static float[] filled(float value, int count) {
        float[] values = new float[count];
        Arrays.fill(values, value);
        return values;
    }

    static FloatBuffer direct(float[] values) {
        return floats(values.length).put(values).flip();
    }

    static ByteBuffer direct(byte[] values) {
        return ByteBuffer.allocateDirect(values.length).put(values).flip();
    }

    static FloatBuffer floats(int count) {
        return ByteBuffer.allocateDirect(4 * count)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }

    static LongBuffer longs(int count) {
        return ByteBuffer.allocateDirect(8 * count)
                .order(ByteOrder.nativeOrder())
                .asLongBuffer();
    }

    /** What a buffer holds, from 0 to its limit. */
    static float[] of(Buffer buffer) {
        float[] values = new float[buffer.limit()];
        for (int i = 0; i < values.length; i++) {
            values[i] = buffer instanceof FloatBuffer floats
                    ? floats.get(i)
                    : buffer instanceof LongBuffer longs ? longs.get(i) : ((ByteBuffer) buffer).get(i) & 0xFF;
        }
        return values;
    }

    /** Σ(a−b)²/Σb²; infinite if they have different sizes. */
    static double error(float[] a, float[] b) {
        if (a.length != b.length) {
            return Double.POSITIVE_INFINITY;
        }
        double difference = 0;
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            difference += Math.pow((double) a[i] - b[i], 2);
            sum += (double) b[i] * b[i];
        }
        return difference == 0 ? 0 : difference / sum;
    }
}
