package io.sensorium.bench;

import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.Engine;
import io.sensorium.LogMelConfig;
import io.sensorium.Model;
import io.sensorium.Result;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.FloatBuffer;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
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

/** Ten seconds of sound to per-frame tokens: MelSpectrogram(16000, n_mels=128) and Linear(128, 768). */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class AudioEncodeBenchmark {
    static final int RATE = 16000;
    static final int SAMPLES = 10 * RATE;
    static final int N_FFT = 400;
    static final int HOP = 200;
    static final int MELS = 128;
    static final int DIM = 768;
    static final int FRAMES = 1 + SAMPLES / HOP;
    /** Counted work: 2.5·n·log₂ n of a real FFT, the power, two filters a bin, and the projection. */
    static final double FLOPS = FRAMES
            * (2.5 * N_FFT * Math.log(N_FFT) / Math.log(2)
                    + 3.0 * (N_FFT / 2 + 1)
                    + 4.0 * (N_FFT / 2 + 1)
                    + 2.0 * MELS * DIM);

    @Param({"1", "2"})
    int threads;

    private Engine engine;
    private Model model;
    private Session session;
    private FloatBuffer pcm;

    private Tensor samples;
    private Tensor window;
    private Tensor filters;
    private Tensor weight;
    private Tensor bias;

    @Setup(Level.Trial)
    public void setUp() {
        RandomWeights random = new RandomWeights();
        float[] w = random.normal(0.02, DIM * MELS);
        float[] b = random.normal(0.02, DIM);
        float[] sound = random.normal(0.1, SAMPLES);
        engine = Engine.builder().threads(threads).open();
        model = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(DIM).build())
                .audio(AudioConfig.builder()
                        .logMel(LogMelConfig.builder().build())
                        .tokens(AudioTokens.FRAMES)
                        .hasBias(true)
                        .build())
                .tensor("audio.frame.weight", FloatBuffer.wrap(w), DIM, MELS)
                .tensor("audio.frame.bias", FloatBuffer.wrap(b), DIM)
                .build();
        session = model.newSession(SessionLimits.builder()
                .maxItems(1)
                .maxTokens(FRAMES)
                .maxSamples(SAMPLES)
                .build());
        pcm = RandomWeights.direct(sound);

        LibTorch.setUp(threads);
        samples = LibTorch.tensor(sound, SAMPLES);
        window = torch.hann_window(N_FFT);
        filters = LibTorch.tensor(htkFilters(), MELS, N_FFT / 2 + 1);
        weight = LibTorch.tensor(w, DIM, MELS);
        bias = LibTorch.tensor(b, DIM);
    }

    /** torchaudio's triangles for HTK mels without normalisation, [mels, bins]. */
    private static float[] htkFilters() {
        int bins = N_FFT / 2 + 1;
        double top = 2595 * Math.log10(1 + RATE / 2.0 / 700);
        double[] edges = new double[MELS + 2];
        for (int m = 0; m < edges.length; m++) {
            edges[m] = 700 * (Math.pow(10, top * m / (MELS + 1) / 2595) - 1);
        }
        float[] filters = new float[MELS * bins];
        for (int m = 0; m < MELS; m++) {
            for (int k = 0; k < bins; k++) {
                double hz = k * (RATE / 2.0) / (bins - 1);
                double up = (hz - edges[m]) / (edges[m + 1] - edges[m]);
                double down = (edges[m + 2] - hz) / (edges[m + 2] - edges[m + 1]);
                filters[m * bins + k] = (float) Math.max(0, Math.min(up, down));
            }
        }
        return filters;
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        session.close();
        model.close();
        engine.close();
    }

    @Benchmark
    public Result sensorium() {
        return session.clear().audio(pcm).run();
    }

    /** torchaudio's own sequence of ops: stft, |.|², dense filterbank, linear. */
    @Benchmark
    public float libtorch() {
        try (PointerScope scope = new PointerScope()) {
            Tensor mel = torch.matmul(filters, LibTorch.powerSpectrum(samples, N_FFT, HOP, window));
            return torch.linear(mel.transpose(0, 1), weight, LibTorch.some(bias))
                    .size(0);
        }
    }
}
