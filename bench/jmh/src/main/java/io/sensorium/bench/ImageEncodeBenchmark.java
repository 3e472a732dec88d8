package io.sensorium.bench;

import io.sensorium.Engine;
import io.sensorium.ImageConfig;
import io.sensorium.Model;
import io.sensorium.Position;
import io.sensorium.Result;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
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

/** One 224×224 RGB photo in bytes to the 196 tokens of ViT-B/16 (d = 768), positions added. */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ImageEncodeBenchmark {
    static final int SIZE = 224;
    static final int PATCH = 16;
    static final int GRID = SIZE / PATCH;
    static final int DIM = 768;
    static final double FLOPS = 2.0 * GRID * GRID * DIM * 3 * PATCH * PATCH;

    @Param({"1", "2"})
    int threads;

    private Engine engine;
    private Model model;
    private Session session;
    private ByteBuffer pixels;

    private Tensor image;
    private Tensor weight;
    private Tensor foldedWeight;
    private Tensor bias;
    private Tensor foldedBias;
    private Tensor position;
    private Tensor mean;
    private Tensor deviation;

    @Setup(Level.Trial)
    public void setUp() {
        RandomWeights random = new RandomWeights();
        float[] w = random.normal(0.02, DIM * 3 * PATCH * PATCH);
        float[] b = random.normal(0.02, DIM);
        float[] p = random.normal(0.02, GRID * GRID * DIM);
        byte[] rgb = random.bytes(SIZE * SIZE * 3);

        engine = Engine.builder().threads(threads).open();
        model = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(DIM).build())
                .image(ImageConfig.builder()
                        .patch(PATCH)
                        .grid(GRID, GRID)
                        .position(Position.LEARNED)
                        .hasBias(true)
                        .mean(0.5f, 0.5f, 0.5f)
                        .std(0.5f, 0.5f, 0.5f)
                        .build())
                .tensor("image.patch.weight", FloatBuffer.wrap(w), DIM, 3 * PATCH * PATCH)
                .tensor("image.patch.bias", FloatBuffer.wrap(b), DIM)
                .tensor("image.position", FloatBuffer.wrap(p), GRID * GRID, DIM)
                .build();
        session = model.newSession(SessionLimits.builder()
                .maxItems(1)
                .maxTokens(GRID * GRID)
                .maxPixels(SIZE * SIZE)
                .build());
        pixels = RandomWeights.direct(rgb);

        LibTorch.setUp(threads);
        image = torch.from_blob(
                        new BytePointer(rgb), new long[] {SIZE, SIZE, 3}, new TensorOptions(torch.ScalarType.Byte))
                .clone();
        weight = LibTorch.tensor(w, DIM, 3, PATCH, PATCH);
        bias = LibTorch.tensor(b, DIM);
        position = LibTorch.tensor(p, GRID * GRID, DIM);
        mean = LibTorch.tensor(new float[] {127.5f, 127.5f, 127.5f}, 3, 1, 1);
        deviation = LibTorch.tensor(new float[] {127.5f, 127.5f, 127.5f}, 3, 1, 1);
        // The strongest form: (x/127.5 − 1)·Wᵀ + b = x·(W/127.5)ᵀ + (b − Σ W).
        float[] scaled = new float[w.length];
        float[] shifted = b.clone();
        for (int o = 0; o < DIM; o++) {
            for (int i = 0; i < 3 * PATCH * PATCH; i++) {
                scaled[o * 3 * PATCH * PATCH + i] = w[o * 3 * PATCH * PATCH + i] / 127.5f;
                shifted[o] -= w[o * 3 * PATCH * PATCH + i];
            }
        }
        foldedWeight = LibTorch.tensor(scaled, DIM, 3 * PATCH * PATCH);
        foldedBias = LibTorch.tensor(shifted, DIM);
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        session.close();
        model.close();
        engine.close();
    }

    @Benchmark
    public Result sensorium() {
        return session.clear().image(pixels, SIZE, SIZE, 3).run();
    }

    /** As usually written: float, normalise, Conv2d, flatten, add. */
    @Benchmark
    public float libtorchConv() {
        try (PointerScope scope = new PointerScope()) {
            Tensor x = image.permute(2, 0, 1).to(torch.ScalarType.Float).contiguous();
            x = x.sub_(mean, new Scalar(1.0)).div_(deviation).unsqueeze(0);
            Tensor y = torch.conv2d(
                    x, weight, LibTorch.some(bias), new long[] {PATCH, PATCH}, new long[] {0, 0}, new long[] {1, 1}, 1);
            y = y.reshape(DIM, GRID * GRID).transpose(0, 1).contiguous().add_(position, new Scalar(1.0));
            return y.size(0);
        }
    }

    /** libtorch's best form: normalisation folded into the weights, bytes rearranged, one linear layer. */
    @Benchmark
    public float libtorchFolded() {
        try (PointerScope scope = new PointerScope()) {
            Tensor x = image.reshape(GRID, PATCH, GRID, PATCH, 3)
                    .permute(0, 2, 4, 1, 3)
                    .contiguous()
                    .to(torch.ScalarType.Float)
                    .reshape(GRID * GRID, 3 * PATCH * PATCH);
            Tensor y = torch.linear(x, foldedWeight, LibTorch.some(foldedBias)).add_(position, new Scalar(1.0));
            return y.size(0);
        }
    }
}
