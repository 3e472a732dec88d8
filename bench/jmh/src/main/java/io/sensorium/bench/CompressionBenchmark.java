package io.sensorium.bench;

import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.PerceiverConfig;
import io.sensorium.Result;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.FloatBuffer;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
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

/**
 * Tokens to latents: norm, keys and values, cross-attention, output projection, MLP (d = 768, 8 heads, MLP 1×), beside
 * libtorch's scaled_dot_product_attention with the same layers around it. Tokens per second are tokens over the time of a
 * row; the session's memory is printed once a trial.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class CompressionBenchmark {
    static final int DIM = 768;
    static final int HEADS = 8;

    /** Multiply-adds ×2 as a peer computes it (queries projected per request). */
    static double flops(int tokens, int latents) {
        double projection = 2.0 * DIM * DIM;
        return 2 * tokens * projection + 4.0 * latents * tokens * DIM + 4 * latents * projection;
    }

    @Param({"1", "2"})
    int threads;

    @Param({"1024", "4096", "16384", "65536"})
    int tokens;

    @Param({"64", "256"})
    int latents;

    private Engine engine;
    private Model model;
    private Session session;
    private FloatBuffer values;

    private Tensor inputs;
    private Tensor start;
    private Tensor one;
    private Tensor zero;
    private final Tensor[] weights = new Tensor[4];
    private LibTorch.Mlp mlp;

    @Setup(Level.Trial)
    public void setUp() {
        RandomWeights random = new RandomWeights();
        engine = Engine.builder().threads(threads).open();
        LibTorch.setUp(threads);
        Model.Builder builder = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(DIM).build())
                .perceiver(PerceiverConfig.builder()
                        .numLatents(latents)
                        .dLatents(DIM)
                        .blocks(0)
                        .layers(0)
                        .crossHeads(HEADS)
                        .build());
        float[] learned = random.normal(1, latents * DIM);
        builder.tensor("perceiver.latents", FloatBuffer.wrap(learned), latents, DIM);
        start = LibTorch.tensor(learned, latents, DIM);
        float[] ones = RandomWeights.ones(DIM);
        float[] zeros = new float[DIM];
        one = LibTorch.tensor(ones, DIM);
        zero = LibTorch.tensor(zeros, DIM);
        for (String norm : new String[] {"norm_latents", "norm_inputs", "norm_mlp"}) {
            builder.tensor("perceiver.cross." + norm + ".weight", FloatBuffer.wrap(ones), DIM);
            builder.tensor("perceiver.cross." + norm + ".bias", FloatBuffer.wrap(zeros), DIM);
        }
        String[] names = {"q", "k", "v", "o", "mlp.up", "mlp.down"};
        Tensor[] all = new Tensor[names.length];
        for (int i = 0; i < names.length; i++) {
            float[] matrix = random.normal(0.02, DIM * DIM);
            builder.tensor("perceiver.cross." + names[i] + ".weight", FloatBuffer.wrap(matrix), DIM, DIM);
            builder.tensor("perceiver.cross." + names[i] + ".bias", FloatBuffer.wrap(zeros), DIM);
            all[i] = LibTorch.tensor(matrix, DIM, DIM);
        }
        System.arraycopy(all, 0, weights, 0, weights.length);
        mlp = new LibTorch.Mlp(one, zero, all[4], zero, all[5], zero);
        model = builder.build();
        session = model.newSession(
                SessionLimits.builder().maxItems(1).maxTokens(tokens).build());
        System.out.printf("# session: %.1f MiB%n", session.workspaceBytes() / 1048576.0);
        float[] x = random.normal(1, tokens * DIM);
        values = RandomWeights.direct(x);
        inputs = LibTorch.tensor(x, tokens, DIM);
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        session.close();
        model.close();
        engine.close();
    }

    @Benchmark
    public Result sensorium() {
        return session.clear().tokens(Modality.IMAGE, values, tokens).run();
    }

    @Benchmark
    public float libtorch() {
        try (PointerScope scope = new PointerScope()) {
            Tensor context = LibTorch.layerNorm(inputs, one, zero);
            Tensor q = linear(LibTorch.layerNorm(start, one, zero), 0);
            Tensor y = LibTorch.attention(q, linear(context, 1), linear(context, 2), HEADS);
            return LibTorch.plusMlp(torch.linear(y, weights[3], LibTorch.some(zero)).add_(start, new Scalar(1.0)), mlp)
                    .size(0);
        }
    }

    private Tensor linear(Tensor x, int weight) {
        return torch.linear(x, weights[weight], LibTorch.some(zero));
    }
}
