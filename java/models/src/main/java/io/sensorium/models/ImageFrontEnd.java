package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.InvalidArgumentException;
import io.sensorium.InvalidShapeException;
import io.sensorium.OutOfRangeException;
import io.sensorium.ResizeConfig;
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
     * @param height after resize and crop
     * @param width likewise
     * @param bytes whether the reference gives bytes: nothing was done to those of the picture but the resize
     */
    public record Pixels(
            long[] shape, FloatBuffer values, int gridH, int gridW, int height, int width, boolean bytes) {}

    /** Normalised values of a picture [height, width, 3]. */
    private interface Values {
        float at(int index);
    }

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
        return run(rgb, height, width, 1);
    }

    /**
     * Pixel values of an RGB picture of floats [height, width, 3] from position to limit. To be resized they are made
     * bytes as the reference does: as they are if all are whole numbers in [0, 255], times 255 and back if all are in [0,
     * 1].
     *
     * @throws OutOfRangeException if they are neither
     */
    public Pixels run(FloatBuffer rgb, int height, int width) {
        FloatBuffer in = rgb.slice();
        if (in.remaining() != (long) height * width * CHANNELS) {
            throw new InvalidShapeException(
                    preset.name() + ": " + in.remaining() + " values are no picture of " + height + "×" + width,
                    "values");
        }
        ResizeConfig resize = preset.resize();
        if (resize.mode() != ResizeConfig.Mode.NONE) {
            boolean whole = isWhole(in);
            ByteBuffer bytes = ByteBuffer.allocateDirect(in.remaining());
            for (int i = 0; i < in.remaining(); i++) {
                bytes.put(i, (byte) (int) (whole ? in.get(i) : (float) (in.get(i) * 255.0)));
            }
            return run(bytes, height, width, whole ? 1 : 1 / 255.0);
        }
        int h = resize.cropH() > 0 ? resize.cropH() : height;
        int w = resize.cropH() > 0 ? resize.cropW() : width;
        // The window's corner in the picture, or the picture's in the window.
        int top = height >= h ? (height - h) / 2 : -((h - height + 1) / 2);
        int left = width >= w ? (width - w) / 2 : -((w - width + 1) / 2);
        float[] mean = channels(true);
        float[] std = channels(false);
        return arrange(h, w, false, i -> {
            int y = i / CHANNELS / w + top;
            int x = i / CHANNELS % w + left;
            int c = i % CHANNELS;
            boolean inside = y >= 0 && y < height && x >= 0 && x < width;
            float value = inside ? in.get((y * width + x) * CHANNELS + c) : 0;
            return ((float) (value * preset.rescale()) - mean[c]) / std[c];
        });
    }

    /** @param unit what a byte is multiplied with before everything else */
    private Pixels run(ByteBuffer rgb, int height, int width, double unit) {
        Resizer.Size size = resizer.size(height, width);
        int h = size.height();
        int w = size.width();
        ByteBuffer bytes = ByteBuffer.allocateDirect(
                Math.toIntExact(Math.multiplyExact(Math.multiplyExact((long) h, w), CHANNELS)));
        resizer.run(rgb, height, width, CHANNELS, bytes);
        // What each byte becomes: rescaled in float64, rounded, normalised in float32.
        float[] mean = channels(true);
        float[] std = channels(false);
        float[][] table = new float[CHANNELS][256];
        for (int c = 0; c < CHANNELS; c++) {
            for (int i = 0; i < 256; i++) {
                table[c][i] = ((float) ((float) (i * unit) * preset.rescale()) - mean[c]) / std[c];
            }
        }
        return arrange(h, w, unit == 1 && preset.bytes(), i -> table[i % CHANNELS][bytes.get(i) & 255]);
    }

    private float[] channels(boolean mean) {
        float[] out = new float[CHANNELS];
        for (int c = 0; c < CHANNELS; c++) {
            out[c] = ImagePreset.channel(mean ? preset.mean() : preset.std(), c);
        }
        return out;
    }

    /** numpy's allclose(x, x.astype(int)), then the range. */
    private boolean isWhole(FloatBuffer in) {
        boolean whole = true;
        boolean bytes = true;
        boolean unit = true;
        for (int i = 0; i < in.remaining(); i++) {
            float x = in.get(i);
            double near = (int) x;
            whole = whole && Math.abs(x - near) <= 1e-8 + 1e-5 * Math.abs(near);
            bytes = bytes && x >= 0 && x <= 255;
            unit = unit && x >= 0 && x <= 1;
        }
        if (!(whole ? bytes : unit)) {
            throw new OutOfRangeException(
                    preset.name() + ": to be resized, values must be whole numbers in [0, 255] or lie in [0, 1]",
                    "values");
        }
        return whole;
    }

    private Pixels arrange(int h, int w, boolean bytes, Values values) {
        return switch (preset.layout()) {
            case PIXELS -> pixels(h, w, bytes, values);
            case PATCHES -> patches(h, w, bytes, values);
            case MERGED -> merged(h, w, bytes, values);
        };
    }

    private Pixels pixels(int h, int w, boolean bytes, Values values) {
        FloatBuffer out = direct((long) CHANNELS * h * w);
        for (int c = 0; c < CHANNELS; c++) {
            for (int i = 0; i < h * w; i++) {
                out.put(c * h * w + i, values.at(CHANNELS * i + c));
            }
        }
        return new Pixels(new long[] {CHANNELS, h, w}, out, 0, 0, h, w, bytes);
    }

    private Pixels patches(int h, int w, boolean bytes, Values values) {
        int p = preset.patch();
        multiples(h, w, p);
        int rows = h / p;
        int columns = w / p;
        int size = p * p * CHANNELS;
        // Without a resize there may be more than the most.
        long count = Math.max(preset.maxPatches(), (long) rows * columns);
        FloatBuffer out = direct(count * size);
        int at = 0;
        for (int patch = 0; patch < rows * columns; patch++) {
            int top = patch / columns * p;
            int left = patch % columns * p;
            for (int y = top; y < top + p; y++) {
                for (int i = CHANNELS * (y * w + left); i < CHANNELS * (y * w + left + p); i++) {
                    out.put(at++, values.at(i));
                }
            }
        }
        return new Pixels(new long[] {count, size}, out, rows, columns, h, w, bytes);
    }

    private Pixels merged(int h, int w, boolean bytes, Values values) {
        int p = preset.patch();
        int merge = preset.merge();
        multiples(h, w, p * merge);
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
                                out.put(at++, values.at(CHANNELS * (y * w + x) + c));
                            }
                        }
                    }
                }
            }
        }
        return new Pixels(new long[] {(long) rows * columns, size}, out, rows, columns, h, w, bytes);
    }

    private void multiples(int h, int w, int of) {
        if (h % of != 0 || w % of != 0) {
            throw new InvalidShapeException(
                    preset.name() + ": " + h + "×" + w + " pixels are no multiple of " + of,
                    h % of != 0 ? "height" : "width");
        }
    }

    private static FloatBuffer direct(long count) {
        return ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(count, 4L)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
