package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.InvalidArgumentException;
import io.sensorium.Resizer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Turns a picture into pixel values exactly as a published PIL processor of transformers does, byte for byte and then in
 * its order of float operations. It allocates per picture; for serving, give bytes to a {@link io.sensorium.Session}.
 * Safe for concurrent use.
 */
public final class ImageFrontEnd {
    private static final int CHANNELS = 3;

    /**
     * One picture.
     *
     * @param shape of the values, as the reference gives it without its batch dimension
     * @param values direct, native order
     * @param gridH patch rows; 0 with {@link ImagePreset.Layout#PIXELS}
     * @param gridW patch columns likewise
     * @param resized the bytes after resize and crop, [height, width, 3]
     * @param height of {@code resized}
     * @param width of {@code resized}
     */
    public record Pixels(
            long[] shape, FloatBuffer values, int gridH, int gridW, ByteBuffer resized, int height, int width) {}

    private final ImagePreset preset;
    private final Resizer resizer;

    /** Resizes on the engine's device. */
    public ImageFrontEnd(Engine engine, ImagePreset preset) {
        for (int values : new int[] {preset.mean().size(), preset.std().size()}) {
            if (values != 1 && values != CHANNELS) {
                throw new InvalidArgumentException(
                        preset.name() + ": mean and std need one value or three, not " + values, "mean");
            }
        }
        this.preset = preset;
        this.resizer = engine.resizer(preset.resize());
    }

    /** What was given to the constructor. */
    public ImagePreset preset() {
        return preset;
    }

    /** Pixel values of an RGB picture, bytes [height, width, 3] from position to limit. */
    public Pixels run(ByteBuffer rgb, int height, int width) {
        Resizer.Size size = resizer.size(height, width);
        int h = size.height();
        int w = size.width();
        ByteBuffer bytes = ByteBuffer.allocateDirect(
                Math.toIntExact(Math.multiplyExact(Math.multiplyExact((long) h, w), CHANNELS)));
        resizer.run(rgb, height, width, CHANNELS, bytes);
        float[][] values = new float[CHANNELS][];
        for (int c = 0; c < CHANNELS; c++) {
            values[c] = normalised(c);
        }
        return switch (preset.layout()) {
            case PIXELS -> pixels(bytes, h, w, values);
            case PATCHES -> patches(bytes, h, w, values);
            case MERGED -> merged(bytes, h, w, values);
        };
    }

    /** What each byte becomes: rescaled in float64, rounded, normalised in float32. */
    private float[] normalised(int channel) {
        float mean = ImagePreset.channel(preset.mean(), channel);
        float std = ImagePreset.channel(preset.std(), channel);
        float[] table = new float[256];
        for (int i = 0; i < 256; i++) {
            table[i] = ((float) (i * preset.rescale()) - mean) / std;
        }
        return table;
    }

    private Pixels pixels(ByteBuffer bytes, int h, int w, float[][] table) {
        FloatBuffer out = direct((long) CHANNELS * h * w);
        for (int c = 0; c < CHANNELS; c++) {
            for (int i = 0; i < h * w; i++) {
                out.put(c * h * w + i, table[c][bytes.get(CHANNELS * i + c) & 255]);
            }
        }
        return new Pixels(new long[] {CHANNELS, h, w}, out, 0, 0, bytes, h, w);
    }

    private Pixels patches(ByteBuffer bytes, int h, int w, float[][] table) {
        int p = preset.patch();
        int rows = h / p;
        int columns = w / p;
        int most = preset.resize().maxPatches();
        int size = p * p * CHANNELS;
        FloatBuffer out = direct((long) most * size);
        int at = 0;
        for (int patch = 0; patch < rows * columns; patch++) {
            int top = patch / columns * p;
            int left = patch % columns * p;
            for (int y = top; y < top + p; y++) {
                for (int i = CHANNELS * (y * w + left); i < CHANNELS * (y * w + left + p); i++) {
                    out.put(at++, table[i % CHANNELS][bytes.get(i) & 255]);
                }
            }
        }
        return new Pixels(new long[] {most, size}, out, rows, columns, bytes, h, w);
    }

    private Pixels merged(ByteBuffer bytes, int h, int w, float[][] table) {
        int p = preset.patch();
        int merge = preset.merge();
        int rows = h / p;
        int columns = w / p;
        int size = CHANNELS * preset.temporal() * p * p;
        FloatBuffer out = direct((long) rows * columns * size);
        int at = 0;
        for (int block = 0; block < rows / merge * (columns / merge); block++) {
            int blockY = block / (columns / merge) * merge;
            int blockX = block % (columns / merge) * merge;
            for (int i = 0; i < merge * merge; i++) {
                int top = (blockY + i / merge) * p;
                int left = (blockX + i % merge) * p;
                for (int c = 0; c < CHANNELS; c++) {
                    for (int t = 0; t < preset.temporal(); t++) {
                        for (int y = top; y < top + p; y++) {
                            for (int x = left; x < left + p; x++) {
                                out.put(at++, table[c][bytes.get(CHANNELS * (y * w + x) + c) & 255]);
                            }
                        }
                    }
                }
            }
        }
        return new Pixels(new long[] {(long) rows * columns, size}, out, rows, columns, bytes, h, w);
    }

    private static FloatBuffer direct(long count) {
        return ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(count, 4L)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
