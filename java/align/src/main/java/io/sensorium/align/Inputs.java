package io.sensorium.align;

import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.ImageConfig;
import io.sensorium.models.ModelSpec;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Views of several examples, padded to one length, in the form of the model's projections. */
final class Inputs {
    /** [b, n, width] with [b, n] of 1 and 0. */
    record Padded(float[] values, float[] present, int b, int n, int width) {
        Tensor tensor() {
            return Torch.of(values, b, n, width);
        }

        Tensor mask() {
            return Torch.of(present, b, n);
        }
    }

    /** [b, n]. */
    record Ids(long[] values, float[] present, int b, int n) {
        Tensor tensor() {
            return Torch.of(values, b, n);
        }

        Tensor mask() {
            return Torch.of(present, b, n);
        }
    }

    private final ImageConfig image;
    private final AudioConfig audio;

    Inputs(ModelSpec spec) {
        image = spec.image().orElseThrow();
        audio = spec.audio().orElseThrow();
    }

    int rows(int side) {
        return (side - image.patchH()) / image.strideH() + 1;
    }

    int columns(int side) {
        return (side - image.patchW()) / image.strideW() + 1;
    }

    /** Normalised patches of pictures [side, side, 3] in [0, 255], channel first. */
    Padded images(List<float[]> pictures, int side) {
        int rows = rows(side);
        int columns = columns(side);
        int width = 3 * image.patchH() * image.patchW();
        float[] out = new float[pictures.size() * rows * columns * width];
        int at = 0;
        for (float[] picture : pictures) {
            for (int row = 0; row < rows; row++) {
                for (int column = 0; column < columns; column++) {
                    for (int c = 0; c < 3; c++) {
                        float mean = image.mean().isEmpty() ? 0 : image.mean().get(c);
                        float std = image.std().isEmpty() ? 1 : image.std().get(c);
                        for (int y = 0; y < image.patchH(); y++) {
                            int from = ((row * image.strideH() + y) * side + column * image.strideW()) * 3 + c;
                            for (int x = 0; x < image.patchW(); x++) {
                                out[at++] = (picture[from + 3 * x] / 255 - mean) / std;
                            }
                        }
                    }
                }
            }
        }
        return new Padded(out, new float[0], pictures.size(), rows * columns, width);
    }

    /** Frames, or patches with the frequency first, of features [frames, mels]. */
    Padded sounds(List<float[]> features) {
        int mels = audio.logMel().nMels();
        boolean whole = audio.tokens() == AudioTokens.FRAMES;
        int span = whole ? 1 : audio.patchTime();
        int step = whole ? 1 : audio.strideTime();
        int longest = 0;
        for (float[] f : features) {
            longest = Math.max(longest, (f.length / mels - span) / step + 1);
        }
        int width = mels * span;
        float[] out = new float[features.size() * longest * width];
        float[] present = new float[features.size() * longest];
        for (int b = 0; b < features.size(); b++) {
            float[] f = features.get(b);
            int n = (f.length / mels - span) / step + 1;
            for (int i = 0; i < n; i++) {
                present[b * longest + i] = 1;
                int at = (b * longest + i) * width;
                for (int m = 0; m < mels; m++) {
                    for (int t = 0; t < span; t++) {
                        out[at++] = f[(i * step + t) * mels + m];
                    }
                }
            }
        }
        return new Padded(out, present, features.size(), longest, width);
    }

    static Ids texts(List<byte[]> texts) {
        int longest = 1;
        for (byte[] text : texts) {
            longest = Math.max(longest, text.length);
        }
        long[] out = new long[texts.size() * longest];
        float[] present = new float[texts.size() * longest];
        for (int b = 0; b < texts.size(); b++) {
            byte[] text = texts.get(b);
            for (int i = 0; i < text.length; i++) {
                out[b * longest + i] = text[i] & 0xFF;
                present[b * longest + i] = 1;
            }
        }
        return new Ids(out, present, texts.size(), longest);
    }
}
