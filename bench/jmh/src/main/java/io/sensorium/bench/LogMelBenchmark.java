package io.sensorium.bench;

import io.sensorium.AudioStream;
import io.sensorium.ClipRange;
import io.sensorium.Engine;
import io.sensorium.LogKind;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.MelScale;
import io.sensorium.Padding;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Sound to log-mel features: Whisper's front end (80 bins) on 10 s and 30 s, AST's on 10 s, and a stream of Whisper's that
 * takes 10 ms (one frame) a call. JTransforms knows no threads here; the stream's peers make the same frame from the last
 * window of samples.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class LogMelBenchmark {
    static final int RATE = 16000;
    static final int HOP = 160;
    static final int WINDOW = 400;

    @Param({"whisper-10s", "whisper-30s", "ast-10s", "stream-10ms"})
    String work;

    @Param({"1", "2"})
    int threads;

    private boolean ast;
    private Engine engine;
    private LogMel logMel;
    private AudioStream stream;
    private FloatBuffer pcm;
    private FloatBuffer features;

    private JTransformsLogMel peer;
    private float[] heap;
    private float[] heapFeatures;

    private Tensor samples;
    private Tensor window;
    private Tensor filters;

    /** Counted work: 2.5·n·log₂ n of a real FFT, the power, and two filters a bin. */
    static double flops(String work) {
        int nFft = work.startsWith("ast") ? 512 : 400;
        int frames = work.startsWith("stream") ? 1 : work.endsWith("30s") ? 3000 : 1000;
        return frames * (2.5 * nFft * Math.log(nFft) / Math.log(2) + 7.0 * (nFft / 2 + 1));
    }

    private static LogMelConfig whisper() {
        return LogMelConfig.builder()
                .hop(HOP)
                .nMels(80)
                .dropLastFrame(true)
                .melScale(MelScale.SLANEY)
                .slaneyNorm(true)
                .log(LogKind.LOG10)
                .clip(ClipRange.CLIP_MAX)
                .clipRange(8)
                .outScale(0.25)
                .outShift(1)
                .build();
    }

    private static LogMelConfig astConfig() {
        return LogMelConfig.builder()
                .nFft(512)
                .winLength(WINDOW)
                .hop(HOP)
                .windowPeriodic(false)
                .windowCentred(false)
                .padding(Padding.NONE)
                .removeDc(true)
                .preemphasis(0.97)
                .nMels(128)
                .fMin(20)
                .melScale(MelScale.KALDI)
                .log(LogKind.LN)
                .floor(1.1920928955078125e-7)
                .outScale(1 / (2 * 4.5689974))
                .outShift(4.2677393 / (2 * 4.5689974))
                .build();
    }

    @Setup(Level.Trial)
    public void setUp() {
        ast = work.startsWith("ast");
        boolean streamed = work.startsWith("stream");
        int count = work.endsWith("30s") ? 30 * RATE : 10 * RATE;
        float[] sound = new RandomWeights().normal(0.1, count);
        engine = Engine.builder().threads(threads).open();
        LogMelConfig config = ast ? astConfig() : whisper();
        LibTorch.setUp(threads);
        int nFft = config.nFft();
        double[][] bank = ast ? kaldiFilters(128, nFft) : slaneyFilters(80, nFft);
        float[] hann = new float[WINDOW];
        for (int i = 0; i < WINDOW; i++) {
            hann[i] = (float) (0.5 - 0.5 * Math.cos(2 * Math.PI * i / (ast ? WINDOW - 1 : WINDOW)));
        }
        peer = new JTransformsLogMel(nFft, WINDOW, HOP, hann, bank, ast);
        window = LibTorch.tensor(hann, WINDOW);
        float[] dense = new float[bank.length * bank[0].length];
        for (int m = 0; m < bank.length; m++) {
            for (int k = 0; k < bank[0].length; k++) {
                dense[m * bank[0].length + k] = (float) bank[m][k];
            }
        }
        filters = LibTorch.tensor(dense, bank.length, bank[0].length);
        if (streamed) {
            stream = engine.audioStream(config.withFixedMaximum(LogMelConfig.WHISPER_STREAM_MAXIMUM), RATE, 0);
            pcm = RandomWeights.direct(Arrays.copyOf(sound, HOP));
            features = RandomWeights.direct(new float[4 * 80]);
            // The peers are given the window of frame 2, wherever it came from.
            heap = Arrays.copyOf(sound, 2 * HOP + WINDOW);
        } else {
            logMel = engine.logMel(config);
            pcm = RandomWeights.direct(sound);
            features = RandomWeights.direct(new float[logMel.frames(count) * config.nMels()]);
            heap = sound;
        }
        heapFeatures = new float[peer.frames(heap.length) * config.nMels()];
        samples = LibTorch.tensor(heap, heap.length);
        if (streamed) {
            samples = samples.narrow(0, 2 * HOP - WINDOW / 2, WINDOW).clone();
        }
        check();
    }

    /** The peer in Java gives the same features, as far as float32 goes. */
    private void check() {
        if (stream != null) {
            return;
        }
        logMel.run(pcm, features);
        peer.run(heap, heapFeatures);
        for (int i = 0; i < heapFeatures.length; i++) {
            if (!(Math.abs(features.get(i) - heapFeatures[i]) < 1e-2)) {
                throw new IllegalStateException(
                        "JTransforms differs at " + i + ": " + heapFeatures[i] + ", not " + features.get(i));
            }
        }
    }

    private static double[][] triangles(double[] edges, double[] at, boolean slaneyNorm) {
        int mels = edges.length - 2;
        double[][] bank = new double[mels][at.length];
        for (int m = 0; m < mels; m++) {
            double norm = slaneyNorm ? 2 / (edges[m + 2] - edges[m]) : 1;
            for (int k = 0; k < at.length; k++) {
                double up = (at[k] - edges[m]) / (edges[m + 1] - edges[m]);
                double down = (edges[m + 2] - at[k]) / (edges[m + 2] - edges[m + 1]);
                bank[m][k] = norm * Math.max(0, Math.min(up, down));
            }
        }
        return bank;
    }

    private static double slaneyHz(double mel) {
        return mel < 15 ? mel * 200 / 3 : 1000 * Math.exp((mel - 15) * Math.log(6.4) / 27);
    }

    private static double[][] slaneyFilters(int mels, int nFft) {
        double top = 15 + Math.log(8.0) * 27 / Math.log(6.4);
        double[] edges = new double[mels + 2];
        for (int m = 0; m < edges.length; m++) {
            edges[m] = slaneyHz(top * m / (mels + 1));
        }
        double[] at = new double[nFft / 2 + 1];
        for (int k = 0; k < at.length; k++) {
            at[k] = (double) k * RATE / nFft;
        }
        return triangles(edges, at, true);
    }

    private static double[][] kaldiFilters(int mels, int nFft) {
        double low = 1127 * Math.log(1 + 20.0 / 700);
        double high = 1127 * Math.log(1 + 8000.0 / 700);
        double[] edges = new double[mels + 2];
        for (int m = 0; m < edges.length; m++) {
            edges[m] = low + (high - low) * m / (mels + 1);
        }
        double[] at = new double[nFft / 2 + 1];
        for (int k = 0; k < at.length; k++) {
            at[k] = 1127 * Math.log(1 + (double) k * RATE / nFft / 700);
        }
        return triangles(edges, at, false);
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        if (stream != null) {
            stream.close();
        } else {
            logMel.close();
        }
        engine.close();
    }

    @Benchmark
    public float sensorium() {
        if (stream != null) {
            stream.push(pcm.clear());
            return stream.read(features.clear());
        }
        logMel.run(pcm, features);
        return features.get(0);
    }

    @Benchmark
    public float jtransforms() {
        if (stream != null) {
            peer.frame(heap, 2, 1.5f, heapFeatures);
        } else {
            peer.run(heap, heapFeatures);
        }
        return heapFeatures[0];
    }

    private static Tensor rfft(Tensor x, long n, long dim) {
        return torch.fft_rfft(x, new LongOptional(n), dim, new StringViewOptional());
    }

    /** The sequence of ops that the references run: frames or stft, |.|², dense filterbank, logarithm, scaling. */
    @Benchmark
    public float libtorch() {
        try (PointerScope scope = new PointerScope()) {
            if (ast) {
                Tensor frames = samples.unfold(0, WINDOW, HOP);
                frames = frames.sub(frames.mean(new long[] {1}, true, new ScalarTypeOptional()));
                Tensor previous =
                        torch.cat(new TensorVector(frames.narrow(1, 0, 1), frames.narrow(1, 0, WINDOW - 1)), 1);
                frames = frames.sub(previous, new Scalar(0.97)).mul(window);
                Tensor power = rfft(frames, 512, 1).abs().square();
                Tensor mel = torch.matmul(power, filters.transpose(0, 1));
                return mel.clamp_min(new Scalar(1.1920929e-7))
                        .log()
                        .add(new Scalar(4.2677393))
                        .div(new Scalar(2 * 4.5689974))
                        .size(0);
            }
            if (stream != null) {
                Tensor mel = torch.matmul(
                                filters,
                                rfft(samples.mul(window), WINDOW, 0).abs().square())
                        .clamp_min(new Scalar(1e-10))
                        .log10()
                        .clamp_min(new Scalar(1.5 - 8));
                return mel.add(new Scalar(4)).div(new Scalar(4)).size(0);
            }
            Tensor power = LibTorch.powerSpectrum(samples, WINDOW, HOP, window);
            power = power.narrow(1, 0, power.size(1) - 1);
            Tensor mel =
                    torch.matmul(filters, power).clamp_min(new Scalar(1e-10)).log10();
            mel = torch.maximum(mel, mel.max().sub(new Scalar(8)));
            return mel.add(new Scalar(4)).div(new Scalar(4)).size(0);
        }
    }
}
