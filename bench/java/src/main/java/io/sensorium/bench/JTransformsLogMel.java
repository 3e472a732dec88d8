package io.sensorium.bench;

import java.util.Arrays;
import org.jtransforms.fft.FloatFFT_1D;

/**
 * The peer in pure Java: JTransforms' real FFT in place, frames read without a copy of the padded sound, the filterbank's
 * non-zero weights only, buffers kept between calls. Float32 throughout, where this project takes float64 for the spectrum.
 */
final class JTransformsLogMel {
    private final int nFft;
    private final int winLength;
    private final int hop;
    private final int mels;
    private final boolean kaldi;
    private final float[] window;
    private final float[] frame;
    private final float[] power;
    private final int[] first;
    private final float[][] weights;
    private final FloatFFT_1D fft;

    /** @param kaldi AST's framing (inside the sound, DC and pre-emphasis), else Whisper's (centred, reflected) */
    JTransformsLogMel(int nFft, int winLength, int hop, float[] window, double[][] filters, boolean kaldi) {
        this.nFft = nFft;
        this.winLength = winLength;
        this.hop = hop;
        this.mels = filters.length;
        this.kaldi = kaldi;
        this.window = window;
        this.frame = new float[nFft];
        this.power = new float[nFft / 2 + 1];
        this.first = new int[mels];
        this.weights = new float[mels][];
        for (int m = 0; m < mels; m++) {
            int begin = 0;
            int end = filters[m].length;
            while (begin < end && filters[m][begin] == 0) {
                begin++;
            }
            while (end > begin && filters[m][end - 1] == 0) {
                end--;
            }
            first[m] = begin;
            weights[m] = new float[end - begin];
            for (int i = begin; i < end; i++) {
                weights[m][i - begin] = (float) filters[m][i];
            }
        }
        this.fft = new FloatFFT_1D(nFft);
    }

    int frames(int samples) {
        return kaldi ? 1 + (samples - winLength) / hop : samples / hop;
    }

    /** out [frames, mels]; Whisper's values are clipped 8 below their maximum. */
    void run(float[] x, float[] out) {
        int frames = frames(x.length);
        float top = transform(x, 0, frames, out);
        finish(frames, kaldi ? Float.NEGATIVE_INFINITY : top - 8, out);
    }

    /** One frame, clipped 8 below a fixed maximum. */
    void frame(float[] x, int frame, float maximum, float[] out) {
        transform(x, frame, 1, out);
        finish(1, maximum - 8, out);
    }

    private float transform(float[] x, int firstFrame, int frames, float[] out) {
        float top = Float.NEGATIVE_INFINITY;
        for (int f = 0; f < frames; f++) {
            load(x, firstFrame + f);
            fft.realForward(frame);
            int half = nFft / 2;
            power[0] = frame[0] * frame[0];
            power[half] = frame[1] * frame[1];
            for (int k = 1; k < half; k++) {
                power[k] = frame[2 * k] * frame[2 * k] + frame[2 * k + 1] * frame[2 * k + 1];
            }
            for (int m = 0; m < mels; m++) {
                float sum = 0;
                float[] w = weights[m];
                int begin = first[m];
                for (int i = 0; i < w.length; i++) {
                    sum += w[i] * power[begin + i];
                }
                float value = kaldi
                        ? (float) Math.log(Math.max(sum, 1.1920929e-7f))
                        : (float) Math.log10(Math.max(sum, 1e-10f));
                top = Math.max(top, value);
                out[f * mels + m] = value;
            }
        }
        return top;
    }

    private void finish(int frames, float low, float[] out) {
        float scale = kaldi ? (float) (1 / (2 * 4.5689974)) : 0.25f;
        float shift = kaldi ? (float) (4.2677393 / (2 * 4.5689974)) : 1;
        for (int i = 0; i < frames * mels; i++) {
            out[i] = Math.max(out[i], low) * scale + shift;
        }
    }

    private void load(float[] x, int f) {
        if (kaldi) {
            int start = f * hop;
            float mean = 0;
            for (int i = 0; i < winLength; i++) {
                mean += x[start + i];
            }
            mean /= winLength;
            float last = x[start] - mean;
            for (int i = 0; i < winLength; i++) {
                float value = x[start + i] - mean;
                frame[i] = (value - 0.97f * last) * window[i];
                last = value;
            }
            Arrays.fill(frame, winLength, nFft, 0);
            return;
        }
        int start = f * hop - nFft / 2;
        if (start >= 0 && start + nFft <= x.length) {
            for (int i = 0; i < nFft; i++) {
                frame[i] = x[start + i] * window[i];
            }
            return;
        }
        for (int i = 0; i < nFft; i++) {
            int at = Math.abs(start + i);
            at = at < x.length ? at : 2 * (x.length - 1) - at;
            frame[i] = x[at] * window[i];
        }
    }
}
