package io.sensorium.bench;

import ai.onnxruntime.OrtException;
import io.sensorium.Activation;
import io.sensorium.Codebook;
import io.sensorium.CodebookConfig;
import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.PerceiverConfig;
import io.sensorium.Precision;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Tokens to latents and to codes: 256 latents attend to 4096 tokens (d = 768, 8 heads, MLP 4×), six self-attention layers
 * over the latents, and 4096 tokens of 64 numbers against 8192 codes.
 */
final class LatentWorks {
    private static final int TOKENS = 4096;
    static final int DIM = 768;
    private static final int HEADS = 8;
    private static final int CODES = 8192;
    private static final int CODE_DIM = 64;

    /** A Perceiver: cross-attention with an MLP {@code widening} times as wide as a latent, then self-attention layers. */
    record Size(int tokens, int latents, int widening, int layers) {
        private int hidden() {
            return widening * DIM;
        }

        /** Multiply-adds ×2 of the whole encoder as a peer computes it (queries projected per request). */
        double flops() {
            double projection = 2.0 * DIM * DIM;
            double mlp = 2.0 * latents * 2 * DIM * hidden();
            double cross = 2 * tokens * projection + 2 * latents * projection + 4.0 * latents * tokens * DIM + mlp;
            double self = 4 * latents * projection + 4.0 * latents * latents * DIM + mlp;
            return cross + layers * self;
        }
    }

    private LatentWorks() {}

    static List<Work> all() {
        List<Work> works = new ArrayList<>();
        for (int layers : new int[] {0, 6}) {
            Size size = new Size(TOKENS, 256, 4, layers);
            String name = "Perceiver 256×4096" + (layers == 0 ? "" : " + 6 layers");
            works.add(new Work(
                            name,
                            "4096 tokens → 256 latents, d 768, 8 heads",
                            size.flops(),
                            false,
                            2,
                            1e-8,
                            List.of(new Reach(1.1)),
                            (threads, closing) -> perceiver(size, Precision.STRICT, threads, closing))
                    .on((batch, closing) -> device(size, Precision.STRICT, batch, closing)));
            works.add(new Work(
                            name + ", FAST",
                            "the same, bfloat16",
                            size.flops(),
                            true,
                            2,
                            1e-3,
                            List.of(new Reach(1.5)),
                            (threads, closing) -> perceiver(size, Precision.FAST, threads, closing))
                    .on((batch, closing) -> device(size, Precision.FAST, batch, closing)));
        }
        works.add(new Work(
                        "VQ 4096×64, 8192 codes",
                        "tokens → ids, those of float64",
                        2.0 * TOKENS * CODES * CODE_DIM,
                        false,
                        2,
                        1e-3,
                        List.of(new Reach(2.5, "ONNX Runtime")),
                        LatentWorks::quantize)
                .on((batch, closing) -> List.of(deviceCodes(closing))));
        return List.copyOf(works);
    }

    private record Affine(float[] weight, float[] bias) {}

    /** norms: of the latents, then of the inputs if it is the cross-attention; linears: q, k, v, o. */
    private record Layer(Affine[] norms, Affine[] linears, Affine normMlp, Affine up, Affine down) {}

    /** The weights, put into the model as they are made. */
    private static final class Weights {
        private final Values values = new Values();
        private final Model.Builder builder;
        final Size size;
        final float[] latents;
        final List<Layer> layers = new ArrayList<>();

        Weights(Model.Builder builder, Size size) {
            this.builder = builder;
            this.size = size;
            latents = values.normal(0.02, size.latents * DIM);
            builder.tensor("perceiver.latents", FloatBuffer.wrap(latents), size.latents, DIM);
            layers.add(layer("perceiver.cross", "norm_latents", "norm_inputs"));
            for (int i = 0; i < size.layers; i++) {
                layers.add(layer("perceiver.self." + i, "norm"));
            }
        }

        private Layer layer(String name, String... norms) {
            Affine[] all = new Affine[norms.length];
            for (int i = 0; i < norms.length; i++) {
                all[i] = norm(name + "." + norms[i]);
            }
            Affine[] linears = new Affine[4];
            for (int i = 0; i < 4; i++) {
                linears[i] = linear(name + "." + "qkvo".charAt(i), DIM, DIM);
            }
            return new Layer(
                    all,
                    linears,
                    norm(name + ".norm_mlp"),
                    linear(name + ".mlp.up", size.hidden(), DIM),
                    linear(name + ".mlp.down", DIM, size.hidden()));
        }

        private Affine norm(String name) {
            float[] weight = values.normal(0.02, DIM);
            for (int i = 0; i < DIM; i++) {
                weight[i] += 1;
            }
            return vector(name, new Affine(weight, values.normal(0.02, DIM)), DIM);
        }

        private Affine linear(String name, int out, int in) {
            Affine a = new Affine(values.normal(0.02, out * in), values.normal(0.02, out));
            builder.tensor(name + ".weight", FloatBuffer.wrap(a.weight), out, in);
            builder.tensor(name + ".bias", FloatBuffer.wrap(a.bias), out);
            return a;
        }

        private Affine vector(String name, Affine a, int size) {
            builder.tensor(name + ".weight", FloatBuffer.wrap(a.weight), size);
            builder.tensor(name + ".bias", FloatBuffer.wrap(a.bias), size);
            return a;
        }
    }

    /** A session for a size, its weights, and the tokens that it reads, here and there. */
    record Opened(Session session, Weights weights, FloatBuffer tokens, Tensor inputs) {
        Contender ours() {
            int count = weights.size.tokens;
            return new Contender(
                    Contender.OURS,
                    () -> session.clear().tokens(Modality.IMAGE, tokens, count).run(),
                    () -> Values.of(session.clear()
                            .tokens(Modality.IMAGE, tokens, count)
                            .run()
                            .latents()
                            .values()));
        }

        Contender torch() {
            TorchPerceiver torch = new TorchPerceiver(weights, false, false);
            return LibTorch.contender("fp32", () -> torch.run(inputs));
        }
    }

    static Opened open(Size size, Precision precision, int threads, Closing closing) {
        LibTorch.setUp(threads);
        Engine engine = closing.add(
                Engine.builder().threads(threads).precision(precision).open());
        Built built = build(engine, size, closing);
        Session session = closing.add(built.model.newSession(limits(size)));
        float[] x = new Values().normal(1, size.tokens * DIM);
        return new Opened(session, built.weights, Values.direct(x), LibTorch.tensor(x, size.tokens, DIM));
    }

    private record Built(Model model, Weights weights) {}

    private static Built build(Engine engine, Size size, Closing closing) {
        Model.Builder builder = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(DIM).build())
                .perceiver(PerceiverConfig.builder()
                        .numLatents(size.latents)
                        .dLatents(DIM)
                        .blocks(size.layers == 0 ? 0 : 1)
                        .layers(size.layers)
                        .crossHeads(HEADS)
                        .selfHeads(HEADS)
                        .crossWidening(size.widening)
                        .selfWidening(size.widening)
                        .channels(DIM)
                        .activation(Activation.GELU)
                        .queryResidual(true)
                        .normEps(1e-5f)
                        .build());
        Weights weights = new Weights(builder, size);
        return new Built(closing.add(builder.build()), weights);
    }

    private static SessionLimits limits(Size size) {
        return SessionLimits.builder().maxItems(1).maxTokens(size.tokens).build();
    }

    private static List<Contender> device(Size size, Precision precision, int batch, Closing closing) {
        return DeviceRequests.of(
                build(DeviceRequests.engine(precision, closing), size, closing).model,
                limits(size),
                batch,
                DeviceRequests.bytes(new Values().normal(1, size.tokens * DIM)),
                data -> {
                    FloatBuffer tokens = data.asFloatBuffer();
                    return session -> session.tokens(Modality.IMAGE, tokens, size.tokens);
                },
                result -> result.latents().values(),
                closing);
    }

    private static Contender deviceCodes(Closing closing) {
        Values values = new Values();
        float[] x = values.normal(1, TOKENS * CODE_DIM);
        float[] codes = values.normal(1, CODES * CODE_DIM);
        return codes(DeviceRequests.OURS, DeviceRequests.engine(Precision.STRICT, closing), x, codes, closing);
    }

    private static Contender codes(String name, Engine engine, float[] x, float[] codes, Closing closing) {
        Codebook codebook =
                closing.add(Codebook.of(engine, CodebookConfig.vq(CODES, CODE_DIM), FloatBuffer.wrap(codes)));
        FloatBuffer tokens = Values.direct(x);
        LongBuffer ids = Values.longs(TOKENS);
        codebook.encode(tokens, TOKENS, ids);
        checkIds(x, codes, ids);
        return new Contender(name, () -> codebook.encode(tokens, TOKENS, ids), () -> Values.of(ids));
    }

    private static List<Contender> perceiver(Size size, Precision precision, int threads, Closing closing)
            throws OrtException {
        Opened opened = open(size, precision, threads, closing);
        Weights weights = opened.weights;
        List<Contender> all = new ArrayList<>();
        all.add(opened.ours());
        if (precision == Precision.STRICT) {
            all.add(opened.torch());
            all.add(onnx(weights, threads, opened.tokens, false, closing).contender("MatMul, Softmax"));
            all.add(onnx(weights, threads, opened.tokens, true, closing).contender("MultiHeadAttention"));
        } else {
            // Its bfloat16 attention is slow in this build; the mixed form is its best.
            TorchPerceiver mixed = new TorchPerceiver(weights, true, false);
            all.add(LibTorch.contender("bf16, attention fp32", () -> mixed.run(opened.inputs)));
            TorchPerceiver half = new TorchPerceiver(weights, true, true);
            all.add(LibTorch.contender("bf16", () -> half.run(opened.inputs)));
        }
        return all;
    }

    /** Linear layers in bfloat16 if {@code half}; attention too if {@code halfAttention}. */
    private static final class TorchPerceiver {
        private record Weight(Tensor weight, Tensor bias) {}

        private record Block(Weight[] norms, Weight[] linears, Weight normMlp, Weight up, Weight down) {}

        private final List<Block> blocks = new ArrayList<>();
        private final Tensor latents;
        private final boolean half;
        private final boolean halfAttention;

        TorchPerceiver(Weights weights, boolean half, boolean halfAttention) {
            this.half = half;
            this.halfAttention = halfAttention;
            int hidden = weights.size.hidden();
            latents = cast(LibTorch.tensor(weights.latents, weights.size.latents, DIM));
            for (Layer l : weights.layers) {
                Weight[] norms = new Weight[l.norms.length];
                for (int i = 0; i < norms.length; i++) {
                    norms[i] = vector(l.norms[i]);
                }
                Weight[] linears = new Weight[4];
                for (int i = 0; i < 4; i++) {
                    linears[i] = matrix(l.linears[i], DIM, DIM);
                }
                blocks.add(new Block(
                        norms, linears, vector(l.normMlp), matrix(l.up, hidden, DIM), matrix(l.down, DIM, hidden)));
            }
        }

        private Weight vector(Affine a) {
            return new Weight(cast(LibTorch.tensor(a.weight, DIM)), cast(LibTorch.tensor(a.bias, DIM)));
        }

        private Weight matrix(Affine a, int out, int in) {
            return new Weight(cast(LibTorch.tensor(a.weight, out, in)), cast(LibTorch.tensor(a.bias, out)));
        }

        private Tensor cast(Tensor x) {
            return half ? LibTorch.halved(x) : x;
        }

        private static Tensor linear(Tensor x, Weight w) {
            return LibTorch.linear(x, w.weight, w.bias);
        }

        private static Tensor norm(Tensor x, Weight w) {
            return LibTorch.layerNorm(x, w.weight, w.bias);
        }

        Tensor run(Tensor inputs) {
            Tensor x = latents;
            Tensor context = norm(cast(inputs), blocks.get(0).norms[1]);
            for (Block b : blocks) {
                Tensor normed = norm(x, b.norms[0]);
                Tensor keys = b == blocks.get(0) ? context : normed;
                Tensor q = linear(normed, b.linears[0]);
                Tensor k = linear(keys, b.linears[1]);
                Tensor v = linear(keys, b.linears[2]);
                Tensor y = half && !halfAttention
                        ? LibTorch.halved(LibTorch.attention(
                                LibTorch.widened(q), LibTorch.widened(k), LibTorch.widened(v), HEADS))
                        : LibTorch.attention(q, k, v, HEADS);
                x = LibTorch.plus(linear(y, b.linears[3]), x);
                Tensor hidden = torch.gelu(linear(norm(x, b.normMlp), b.up));
                x = LibTorch.plus(linear(hidden, b.down), x);
            }
            return LibTorch.widened(x);
        }
    }

    private static OnnxRuntime onnx(Weights weights, int threads, FloatBuffer tokens, boolean fused, Closing closing)
            throws OrtException {
        Size size = weights.size;
        OnnxGraph g = new OnnxGraph();
        String input = g.input("x", OnnxGraph.FLOAT, size.tokens, DIM);
        String x = g.constant(weights.latents, size.latents, DIM);
        for (Layer l : weights.layers) {
            boolean cross = l.norms.length == 2;
            String normed = norm(g, x, l.norms[0]);
            String keys = cross ? norm(g, input, l.norms[1]) : normed;
            int count = cross ? size.tokens : size.latents;
            String q = linear(g, normed, l.linears[0], DIM, DIM);
            String k = linear(g, keys, l.linears[1], DIM, DIM);
            String v = linear(g, keys, l.linears[2], DIM, DIM);
            String y = fused
                    ? fusedAttention(g, q, k, v, size.latents, count)
                    : attention(g, q, k, v, size.latents, count);
            x = g.node("Add", new String[] {linear(g, y, l.linears[3], DIM, DIM), x});
            String hidden = g.node("Gelu", linear(g, norm(g, x, l.normMlp), l.up, size.hidden(), DIM));
            x = g.node("Add", new String[] {linear(g, hidden, l.down, DIM, size.hidden()), x});
        }
        return closing.add(new OnnxRuntime(
                g.model(x, OnnxGraph.FLOAT, size.latents, DIM),
                threads,
                tokens,
                new long[] {size.tokens, DIM},
                x,
                Values.floats(size.latents * DIM),
                new long[] {size.latents, DIM}));
    }

    private static String linear(OnnxGraph g, String x, Affine a, int out, int in) {
        return g.linear(x, a.weight, a.bias, out, in);
    }

    private static String norm(OnnxGraph g, String x, Affine a) {
        return g.node(
                "LayerNormalization",
                new String[] {x, g.constant(a.weight, DIM), g.constant(a.bias, DIM)},
                OnnxGraph.real("epsilon", 1e-5f));
    }

    private static String attention(OnnxGraph g, String q, String k, String v, int queries, int count) {
        int width = DIM / HEADS;
        String scale = g.constant(new float[] {(float) (1 / Math.sqrt(width))}, 1);
        String qs = g.transpose(g.reshape(g.node("Mul", new String[] {q, scale}), queries, HEADS, width), 1, 0, 2);
        String ks = g.transpose(g.reshape(k, count, HEADS, width), 1, 2, 0);
        String vs = g.transpose(g.reshape(v, count, HEADS, width), 1, 0, 2);
        String scores = g.node("Softmax", g.node("MatMul", new String[] {qs, ks}), OnnxGraph.attribute("axis", -1));
        return g.reshape(g.transpose(g.node("MatMul", new String[] {scores, vs}), 1, 0, 2), queries, DIM);
    }

    /** ONNX Runtime's own operator, which has a flash attention. */
    private static String fusedAttention(OnnxGraph g, String q, String k, String v, int queries, int count) {
        String y = g.node(
                "com.microsoft",
                "MultiHeadAttention",
                new String[] {g.reshape(q, 1, queries, DIM), g.reshape(k, 1, count, DIM), g.reshape(v, 1, count, DIM)},
                OnnxGraph.attribute("num_heads", HEADS));
        return g.reshape(y, queries, DIM);
    }

    private static List<Contender> quantize(int threads, Closing closing) throws OrtException {
        LibTorch.setUp(threads);
        Values values = new Values();
        float[] x = values.normal(1, TOKENS * CODE_DIM);
        float[] codes = values.normal(1, CODES * CODE_DIM);
        float[] norms = new float[CODES];
        for (int i = 0; i < codes.length; i++) {
            norms[i / CODE_DIM] += codes[i] * codes[i];
        }
        Engine engine = closing.add(Engine.builder().threads(threads).open());
        Contender ours = codes(Contender.OURS, engine, x, codes, closing);
        FloatBuffer tokens = Values.direct(x);

        OnnxGraph g = new OnnxGraph();
        float[] doubled = new float[codes.length];
        for (int i = 0; i < codes.length; i++) {
            doubled[i] = -2 * codes[i];
        }
        String product = g.linear(g.input("x", OnnxGraph.FLOAT, TOKENS, CODE_DIM), doubled, norms, CODES, CODE_DIM);
        String nearest = g.node("ArgMin", product, OnnxGraph.attribute("axis", 1), OnnxGraph.attribute("keepdims", 0));
        OnnxRuntime onnx = closing.add(new OnnxRuntime(
                g.model(nearest, OnnxGraph.INT64, TOKENS),
                threads,
                tokens,
                new long[] {TOKENS, CODE_DIM},
                nearest,
                Values.longs(TOKENS),
                new long[] {TOKENS}));
        Tensor input = LibTorch.tensor(x, TOKENS, CODE_DIM);
        Tensor transposed = LibTorch.tensor(codes, CODES, CODE_DIM).transpose(0, 1);
        Tensor squares = LibTorch.tensor(norms, CODES);
        return List.of(
                ours,
                onnx.contender("MatMul, ArgMin"),
                LibTorch.contender(
                        "addmm, argmin",
                        () -> torch.addmm(squares, input, transposed, new Scalar(1.0), new Scalar(-2.0))
                                .argmin(new LongOptional(1), false)));
    }

    /** Our ids are those of float64, the lowest on ties. */
    private static void checkIds(float[] x, float[] codes, LongBuffer ids) {
        for (int t = 0; t < TOKENS; t += 16) {
            double best = Double.POSITIVE_INFINITY;
            int id = -1;
            for (int c = 0; c < CODES; c++) {
                double distance = 0;
                for (int i = 0; i < CODE_DIM; i++) {
                    double d = (double) x[t * CODE_DIM + i] - codes[c * CODE_DIM + i];
                    distance += d * d;
                }
                if (distance < best) {
                    best = distance;
                    id = c;
                }
            }
            if (ids.get(t) != id) {
                throw new IllegalStateException("token " + t + ": id " + ids.get(t) + ", float64 says " + id);
            }
        }
    }
}
