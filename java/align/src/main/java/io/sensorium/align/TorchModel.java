package io.sensorium.align;

import io.sensorium.Activation;
import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.Modality;
import io.sensorium.PerceiverConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.models.ModelSpec;
import java.nio.FloatBuffer;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * A model's forward pass in libtorch, from patches, frames and ids to embeddings, written from the same definitions as the
 * engine (sensorium.h) and sharing nothing with it. Batches are padded; a mask says which tokens there are.
 *
 * <p>It covers what {@code train} trains: no prefix tokens, encoders, and a Perceiver, a mean or nothing as compressor.
 */
final class TorchModel implements AutoCloseable {
    /** Added to the scores of what must not be read; its weight is exactly 0. */
    private static final double MASKED = -1e30;

    /** Tokens [b, n, d] and which of them there are: [b, n], 1 or 0. */
    record Batch(Tensor tokens, Tensor present) {}

    private final ModelSpec spec;
    private final Map<String, Tensor> parameters = new LinkedHashMap<>();

    /** Copies the tensors. */
    TorchModel(ModelSpec spec) {
        this.spec = spec;
        boolean prefix = spec.image().map(c -> c.prefixTokens() > 0).orElse(false)
                || spec.audio().map(c -> c.prefixTokens() > 0).orElse(false);
        boolean compressor = spec.perceiverDecoder().isPresent()
                || spec.latentResampler().isPresent()
                || spec.qFormer().isPresent()
                || spec.merge().isPresent()
                || spec.pool()
                        .map(c -> c.kind() != PoolKind.MEAN || c.count() != 1 || c.norm())
                        .orElse(false);
        if (prefix || compressor || spec.head().isEmpty() || spec.adapter().isPresent()) {
            throw new IllegalArgumentException(
                    "only models with heads, without prefix tokens and adapters, and with a Perceiver, a mean or no compressor can be"
                            + " trained");
        }
        try (PointerScope scope = new PointerScope()) {
            spec.tensors().forEach((name, dims) -> {
                Tensor tensor = Torch.of(spec.read(name), dims);
                parameters.put(name, tensor.retainReference());
            });
        }
    }

    /** The same weights for another thread, with gradients of their own. */
    private TorchModel(TorchModel model) {
        this.spec = model.spec;
        try (PointerScope scope = new PointerScope()) {
            model.parameters.forEach(
                    (name, tensor) -> parameters.put(name, tensor.detach().retainReference()));
        }
    }

    TorchModel replica() {
        return new TorchModel(this);
    }

    ModelSpec spec() {
        return spec;
    }

    Map<String, Tensor> parameters() {
        return parameters;
    }

    Collection<Tensor> tensors() {
        return parameters.values();
    }

    FloatBuffer values(String name) {
        return Torch.buffer(parameter(name));
    }

    /** Patches [b, n, channels·height·width] of normalised pixels, all there; n = rows·columns. */
    Batch images(Tensor patches, int rows, int columns) {
        ImageConfig c = spec.image().orElseThrow();
        Tensor x = linear("image.patch", patches, c.hasBias());
        if (c.position() == Position.LEARNED) {
            x = x.add(parameter("image.position"));
        } else if (c.position() == Position.SINCOS) {
            x = x.add(Positions.grid(rows, columns, width()));
        }
        return encode(Modality.IMAGE, x, torch.ones(patches.size(0), patches.size(1)));
    }

    /** Frames [b, n, mels] or patches [b, n, patchFreq·patchTime] of one row of frequencies. */
    Batch sounds(Tensor features, Tensor present) {
        AudioConfig c = spec.audio().orElseThrow();
        boolean frames = c.tokens() == AudioTokens.FRAMES;
        Tensor x = linear(frames ? "audio.frame" : "audio.patch", features, c.hasBias());
        int n = (int) features.size(1);
        if (c.position() == Position.LEARNED) {
            x = x.add(parameter("audio.position").narrow(0, 0, n));
        } else if (c.position() == Position.SINCOS) {
            x = x.add(frames ? Positions.line(n, width()) : Positions.grid(1, n, width()));
        }
        return encode(Modality.AUDIO, x, present);
    }

    /** Ids [b, n]. */
    Batch texts(Tensor ids, Tensor present) {
        Tensor x = torch.embedding(parameter("text.embedding"), ids);
        int n = (int) ids.size(1);
        Position position = spec.text().orElseThrow().position();
        if (position == Position.LEARNED) {
            x = x.add(parameter("text.position").narrow(0, 0, n));
        } else if (position == Position.SINCOS) {
            x = x.add(Positions.line(n, width()));
        }
        return encode(Modality.TEXT, x, present);
    }

    /** Items one after the other in one sequence. */
    static Batch join(Batch a, Batch b) {
        return new Batch(
                torch.cat(new TensorVector(a.tokens, b.tokens), 1),
                torch.cat(new TensorVector(a.present, b.present), 1));
    }

    /** [b, dim], rows of length 1. {@code head}: image, audio, text or joint. */
    Tensor embed(String head, Batch batch) {
        Tensor pooled;
        if (spec.perceiver().isPresent()) {
            pooled = perceive(spec.perceiver().get(), batch).mean(1);
        } else {
            Tensor weights = batch.present.unsqueeze(2);
            pooled = batch.tokens.mul(weights).sum(1).div(batch.present.sum(1).unsqueeze(1));
        }
        Tensor y = linear("head." + head, pooled, spec.head().orElseThrow().hasBias());
        return torch.normalize(y);
    }

    HeadConfig heads() {
        return spec.head().orElseThrow();
    }

    private Batch encode(Modality modality, Tensor body, Tensor present) {
        Tensor x = body;
        if (spec.encoder(modality).isPresent()) {
            x = encoder(name(modality) + ".encoder.", spec.encoder(modality).get(), x, bias(present));
        }
        int row = modality.ordinal();
        if (spec.sequence().modalityEmbedding()) {
            x = x.add(parameter("sequence.modality").narrow(0, row, 1));
        }
        if (!spec.sequence().specialTokens()) {
            return new Batch(x, present);
        }
        // What reads the packed sequence does not ask for its order, so the end may stand behind the padding.
        long b = x.size(0);
        Tensor begin = parameter("sequence.begin").narrow(0, row, 1).expand(b, 1, width());
        Tensor end = parameter("sequence.end").narrow(0, row, 1).expand(b, 1, width());
        Tensor one = torch.ones(b, 1);
        return new Batch(
                torch.cat(new TensorVector(begin, x, end), 1), torch.cat(new TensorVector(one, present, one), 1));
    }

    private Tensor encoder(String stem, EncoderConfig c, Tensor input, Tensor bias) {
        Tensor x = input;
        if (c.preNorm()) {
            x = norm(stem + "pre_norm", x, c.normEps());
        }
        for (int i = 0; i < c.layers(); i++) {
            String name = stem + i + ".";
            Tensor n = norm(name + "norm1", x, c.normEps());
            Tensor read = attention(
                    linear(name + "q", n, c.qkvBias()),
                    linear(name + "k", n, c.qkvBias()),
                    linear(name + "v", n, c.qkvBias()),
                    c.heads(),
                    bias);
            x = x.add(linear(name + "o", read, c.bias()));
            x = x.add(mlp(name + "mlp.", norm(name + "norm2", x, c.normEps()), c.activation(), c.bias()));
        }
        return c.finalNorm() ? norm(stem + "final_norm", x, c.normEps()) : x;
    }

    private Tensor perceive(PerceiverConfig c, Batch batch) {
        String stem = "perceiver.cross.";
        long b = batch.tokens.size(0);
        Tensor start = parameter("perceiver.latents");
        Tensor q = linear(stem + "q", norm(stem + "norm_latents", start, c.normEps()), true)
                .unsqueeze(0)
                .expand(b, c.numLatents(), c.crossQk());
        Tensor inputs = norm(stem + "norm_inputs", batch.tokens, c.normEps());
        Tensor read = attention(
                q,
                linear(stem + "k", inputs, true),
                linear(stem + "v", inputs, true),
                c.crossHeads(),
                bias(batch.present));
        Tensor x = linear(stem + "o", read, true);
        if (c.queryResidual()) {
            x = x.add(start);
        }
        x = x.add(mlp(stem + "mlp.", norm(stem + "norm_mlp", x, c.normEps()), c.activation(), true));
        for (int block = 0; block < c.blocks(); block++) {
            for (int i = 0; i < c.layers(); i++) {
                String name = "perceiver.self." + i + ".";
                Tensor n = norm(name + "norm", x, c.normEps());
                Tensor self = attention(
                        linear(name + "q", n, true),
                        linear(name + "k", n, true),
                        linear(name + "v", n, true),
                        c.selfHeads(),
                        null);
                x = x.add(linear(name + "o", self, true));
                x = x.add(mlp(name + "mlp.", norm(name + "norm_mlp", x, c.normEps()), c.activation(), true));
            }
        }
        return x;
    }

    private Tensor mlp(String stem, Tensor x, Activation activation, boolean hasBias) {
        Tensor hidden = linear(stem + "up", x, hasBias);
        Tensor y = switch (activation) {
            case NONE -> hidden;
            case GELU -> torch.gelu(hidden);
            case GELU_TANH -> torch.gelu(hidden, "tanh");
            case RELU -> torch.relu(hidden);
            case SILU -> torch.silu(hidden);
            default -> throw new IllegalArgumentException("activation " + activation + " cannot be trained");
        };
        return linear(stem + "down", y, hasBias);
    }

    /** [b, q, heads·d] of queries, keys and values; bias [b, 1, 1, k] is added to the scores. */
    private static Tensor attention(
            Tensor q, Tensor k, Tensor v, int heads, @org.jspecify.annotations.Nullable Tensor bias) {
        Tensor y = bias == null
                ? torch.scaled_dot_product_attention(split(q, heads), split(k, heads), split(v, heads))
                : torch.scaled_dot_product_attention(
                        split(q, heads),
                        split(k, heads),
                        split(v, heads),
                        Torch.some(bias.expand(q.size(0), 1, q.size(1), k.size(1))),
                        0,
                        false,
                        new DoubleOptional(),
                        false);
        return y.transpose(1, 2).reshape(q.size(0), q.size(1), v.size(2));
    }

    private static Tensor split(Tensor x, int heads) {
        return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
    }

    private static Tensor bias(Tensor present) {
        return present.sub(Torch.scalar(1))
                .mul(Torch.scalar(-MASKED))
                .unsqueeze(1)
                .unsqueeze(1);
    }

    private Tensor norm(String name, Tensor x, double eps) {
        Tensor weight = parameter(name + ".weight");
        return torch.layer_norm(
                x, new long[] {weight.size(0)}, Torch.some(weight), Torch.some(parameter(name + ".bias")), eps, false);
    }

    private Tensor linear(String name, Tensor x, boolean hasBias) {
        Tensor weight = parameter(name + ".weight");
        return hasBias ? torch.linear(x, weight, Torch.some(parameter(name + ".bias"))) : torch.linear(x, weight);
    }

    private Tensor parameter(String name) {
        Tensor tensor = parameters.get(name);
        if (tensor == null) {
            throw new IllegalStateException("no tensor " + name);
        }
        return tensor;
    }

    private int width() {
        return spec.sequence().dModel();
    }

    static String name(Modality modality) {
        return modality.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public void close() {
        parameters.values().forEach(Tensor::close);
        parameters.clear();
    }
}
