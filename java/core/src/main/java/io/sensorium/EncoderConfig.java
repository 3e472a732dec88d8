package io.sensorium;

import java.util.Objects;

/**
 * Transformer over each item's tokens, prefix tokens included, before they are packed (ViT, AST, CLIP, SigLIP): {@code x +=
 * o(attention(norm1(x)))}, {@code x += down(act(up(norm2(x))))}. Finished tokens pass it by; a modality embedding is added
 * to its output. Tensors, P = {@code image}, {@code audio} or {@code text}, D = dModel: {@code P.encoder.pre_norm} and
 * {@code P.encoder.final_norm} [D] if set; under {@code P.encoder.N}: norm1, norm2 [D], q, k, v, o [D, D], mlp.up [hidden,
 * D], mlp.down [D, hidden]; each with {@code .weight} and, norms always, {@code .bias}.
 *
 * @param layers how many
 * @param heads heads of the attention; they divide dModel
 * @param hidden width of the MLP; must be set
 * @param activation of the MLP
 * @param preNorm whether a norm stands before the first layer (CLIP)
 * @param finalNorm whether a norm stands after the last layer
 * @param qkvBias whether q, k and v have biases
 * @param bias whether o and the MLP have biases
 * @param normEps eps of the layer norms
 * @param causal whether a token reads only itself and the tokens before it
 * @param rotary whether queries and keys turn by the row and the column of their patch (Qwen2-VL)
 */
public record EncoderConfig(
        int layers,
        int heads,
        int hidden,
        Activation activation,
        boolean preNorm,
        boolean finalNorm,
        boolean qkvBias,
        boolean bias,
        float normEps,
        boolean causal,
        boolean rotary) {

    /** Rejects null. */
    public EncoderConfig {
        Objects.requireNonNull(activation, "activation");
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.layers = layers;
        builder.heads = heads;
        builder.hidden = hidden;
        builder.activation = activation;
        builder.preNorm = preNorm;
        builder.finalNorm = finalNorm;
        builder.qkvBias = qkvBias;
        builder.bias = bias;
        builder.normEps = normEps;
        builder.causal = causal;
        builder.rotary = rotary;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int layers = 0;
        private int heads = 1;
        private int hidden = 0;
        private Activation activation = Activation.GELU;
        private boolean preNorm = false;
        private boolean finalNorm = true;
        private boolean qkvBias = true;
        private boolean bias = true;
        private float normEps = 1e-5f;
        private boolean causal = false;
        private boolean rotary = false;

        private Builder() {}

        /** Sets {@link EncoderConfig#layers()}. */
        public Builder layers(int value) {
            this.layers = value;
            return this;
        }

        /** Sets {@link EncoderConfig#heads()}. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Sets {@link EncoderConfig#hidden()}. */
        public Builder hidden(int value) {
            this.hidden = value;
            return this;
        }

        /** Sets {@link EncoderConfig#activation()}. */
        public Builder activation(Activation value) {
            this.activation = value;
            return this;
        }

        /** Sets {@link EncoderConfig#preNorm()}. */
        public Builder preNorm(boolean value) {
            this.preNorm = value;
            return this;
        }

        /** Sets {@link EncoderConfig#finalNorm()}. */
        public Builder finalNorm(boolean value) {
            this.finalNorm = value;
            return this;
        }

        /** Sets {@link EncoderConfig#qkvBias()}. */
        public Builder qkvBias(boolean value) {
            this.qkvBias = value;
            return this;
        }

        /** Sets {@link EncoderConfig#bias()}. */
        public Builder bias(boolean value) {
            this.bias = value;
            return this;
        }

        /** Sets {@link EncoderConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** Sets {@link EncoderConfig#causal()}. */
        public Builder causal(boolean value) {
            this.causal = value;
            return this;
        }

        /** Sets {@link EncoderConfig#rotary()}. */
        public Builder rotary(boolean value) {
            this.rotary = value;
            return this;
        }

        /** The configuration. */
        public EncoderConfig build() {
            return new EncoderConfig(
                    layers, heads, hidden, activation, preNorm, finalNorm, qkvBias, bias, normEps, causal, rotary);
        }
    }
}
