package io.sensorium.bench;

import io.sensorium.Activation;
import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.PerceiverConfig;
import io.sensorium.Result;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
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
 * Perceiver encoder: 256 latents attend to 4096 tokens (d = 768, 8 heads, MLP 4×), then {@code layers}
 * self-attention layers over the latents.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class PerceiverBenchmark {
    static final int TOKENS = 4096;
    static final int LATENTS = 256;
    static final int DIM = 768;
    static final int HEADS = 8;
    static final int WIDENING = 4;

    /** Multiply-adds ×2 of the whole encoder as a peer computes it (queries projected per request). */
    static double flops(int layers) {
        double projection = 2.0 * DIM * DIM;
        double mlp = 2.0 * LATENTS * projection * WIDENING;
        double cross = 2 * TOKENS * projection + 2 * LATENTS * projection + 4.0 * LATENTS * TOKENS * DIM + mlp;
        double self = 4 * LATENTS * projection + 4.0 * LATENTS * LATENTS * DIM + mlp;
        return cross + layers * self;
    }

    @Param({"1", "2"})
    int threads;

    @Param({"0", "6"})
    int layers;

    private Engine engine;
    private Model model;
    private Session session;
    private FloatBuffer tokens;

    private Tensor inputs;
    private Tensor latents;
    private final List<Layer> peers = new ArrayList<>();

    private record Layer(Tensor[] norms, Tensor[] weights, Tensor[] biases, LibTorch.Mlp mlp) {}

    @Setup(Level.Trial)
    public void setUp() {
        RandomWeights random = new RandomWeights();
        engine = Engine.builder().threads(threads).open();
        LibTorch.setUp(threads);
        Model.Builder builder = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(DIM).build())
                .perceiver(PerceiverConfig.builder()
                        .numLatents(LATENTS)
                        .dLatents(DIM)
                        .blocks(layers == 0 ? 0 : 1)
                        .layers(layers)
                        .crossHeads(HEADS)
                        .selfHeads(HEADS)
                        .crossWidening(WIDENING)
                        .selfWidening(WIDENING)
                        .channels(DIM)
                        .activation(Activation.GELU)
                        .queryResidual(true)
                        .normEps(1e-5f)
                        .build());
        float[] start = random.normal(0.02, LATENTS * DIM);
        builder.tensor("perceiver.latents", FloatBuffer.wrap(start), LATENTS, DIM);
        latents = LibTorch.tensor(start, LATENTS, DIM);
        peers.add(layer(random, builder, "perceiver.cross", "norm_latents", "norm_inputs"));
        for (int i = 0; i < layers; i++) {
            peers.add(layer(random, builder, "perceiver.self." + i, "norm"));
        }
        model = builder.build();
        session = model.newSession(
                SessionLimits.builder().maxItems(1).maxTokens(TOKENS).build());
        float[] x = random.normal(1, TOKENS * DIM);
        tokens = RandomWeights.direct(x);
        inputs = LibTorch.tensor(x, TOKENS, DIM);
    }

    private static Layer layer(RandomWeights random, Model.Builder builder, String name, String... normNames) {
        Tensor[] norms = new Tensor[2 * normNames.length];
        for (int i = 0; i < normNames.length; i++) {
            norms[2 * i] = vector(random, builder, name + "." + normNames[i] + ".weight", 1, DIM);
            norms[2 * i + 1] = vector(random, builder, name + "." + normNames[i] + ".bias", 0, DIM);
        }
        String[] projections = {"q", "k", "v", "o"};
        Tensor[] weights = new Tensor[4];
        Tensor[] biases = new Tensor[4];
        for (int i = 0; i < 4; i++) {
            weights[i] = matrix(random, builder, name + "." + projections[i] + ".weight", DIM, DIM);
            biases[i] = vector(random, builder, name + "." + projections[i] + ".bias", 0, DIM);
        }
        LibTorch.Mlp mlp = new LibTorch.Mlp(
                vector(random, builder, name + ".norm_mlp.weight", 1, DIM),
                vector(random, builder, name + ".norm_mlp.bias", 0, DIM),
                matrix(random, builder, name + ".mlp.up.weight", WIDENING * DIM, DIM),
                vector(random, builder, name + ".mlp.up.bias", 0, WIDENING * DIM),
                matrix(random, builder, name + ".mlp.down.weight", DIM, WIDENING * DIM),
                vector(random, builder, name + ".mlp.down.bias", 0, DIM));
        return new Layer(norms, weights, biases, mlp);
    }

    private static Tensor vector(RandomWeights random, Model.Builder builder, String name, float mean, int size) {
        float[] values = random.normal(0.02, size);
        for (int i = 0; i < size; i++) {
            values[i] += mean;
        }
        builder.tensor(name, FloatBuffer.wrap(values), size);
        return LibTorch.tensor(values, size);
    }

    private static Tensor matrix(RandomWeights random, Model.Builder builder, String name, int out, int in) {
        float[] values = random.normal(0.02, out * in);
        builder.tensor(name, FloatBuffer.wrap(values), out, in);
        return LibTorch.tensor(values, out, in);
    }

    @TearDown(Level.Trial)
    public void tearDown() {
        session.close();
        model.close();
        engine.close();
    }

    @Benchmark
    public Result sensorium() {
        return session.clear().tokens(Modality.IMAGE, tokens, TOKENS).run();
    }

    @Benchmark
    public float libtorch() {
        try (PointerScope scope = new PointerScope()) {
            Layer cross = peers.get(0);
            Tensor x = block(cross, latents, LibTorch.layerNorm(inputs, cross.norms[2], cross.norms[3]));
            for (Layer self : peers.subList(1, peers.size())) {
                x = block(self, x, null);
            }
            return x.size(0);
        }
    }

    private static Tensor block(Layer layer, Tensor x, Tensor context) {
        Tensor normed = LibTorch.layerNorm(x, layer.norms[0], layer.norms[1]);
        Tensor keys = context == null ? normed : context;
        Tensor q = torch.linear(normed, layer.weights[0], LibTorch.some(layer.biases[0]));
        Tensor k = torch.linear(keys, layer.weights[1], LibTorch.some(layer.biases[1]));
        Tensor v = torch.linear(keys, layer.weights[2], LibTorch.some(layer.biases[2]));
        Tensor y = torch.linear(LibTorch.attention(q, k, v, HEADS), layer.weights[3], LibTorch.some(layer.biases[3]));
        return LibTorch.plusMlp(y.add_(x, new Scalar(1.0)), layer.mlp);
    }
}
