package io.sensorium;

import java.util.Objects;

/**
 * Latents that attend to [sequence; latents] in every layer. Idefics2: RMS norms, gated MLP, fewer heads of keys than of
 * queries; Flamingo and IDEFICS-1: layer norms, plain MLP. A latent is dModel = D wide. Tensors: {@code
 * resampler.latents} [numLatents, D]; under {@code resampler.N}: norm_latents, norm_context, norm_mlp [D], q
 * [heads·headDim, D], k, v [kvHeads·headDim, D], o [D, heads·headDim], mlp.gate (gated) and mlp.up [mlpHidden, D],
 * mlp.down; {@code resampler.norm} [D]. Each has {@code .weight}; layer norms have {@code .bias}.
 *
 * @param numLatents latents of one sequence; must be set
 * @param layers how many layers
 * @param heads heads of the queries
 * @param kvHeads heads of keys and values; divides heads
 * @param headDim channels of one head; must be set
 * @param mlpHidden width inside the MLP; must be set
 * @param rmsNorm RMS norms instead of layer norms
 * @param gatedMlp down(activation(gate)·up) instead of down(activation(up))
 * @param activation of the MLP
 * @param normEps eps of the norms
 */
public record LatentResamplerConfig(
        int numLatents,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        int mlpHidden,
        boolean rmsNorm,
        boolean gatedMlp,
        Activation activation,
        float normEps) {

    /** Rejects null. */
    public LatentResamplerConfig {
        Objects.requireNonNull(activation, "activation");
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.numLatents = numLatents;
        builder.layers = layers;
        builder.heads = heads;
        builder.kvHeads = kvHeads;
        builder.headDim = headDim;
        builder.mlpHidden = mlpHidden;
        builder.rmsNorm = rmsNorm;
        builder.gatedMlp = gatedMlp;
        builder.activation = activation;
        builder.normEps = normEps;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int numLatents = 0;
        private int layers = 1;
        private int heads = 1;
        private int kvHeads = 1;
        private int headDim = 0;
        private int mlpHidden = 0;
        private boolean rmsNorm = true;
        private boolean gatedMlp = true;
        private Activation activation = Activation.SILU;
        private float normEps = 1e-6f;

        private Builder() {}

        /** Sets {@link LatentResamplerConfig#numLatents()}. */
        public Builder numLatents(int value) {
            this.numLatents = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#layers()}. */
        public Builder layers(int value) {
            this.layers = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#heads()}. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#kvHeads()}. */
        public Builder kvHeads(int value) {
            this.kvHeads = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#headDim()}. */
        public Builder headDim(int value) {
            this.headDim = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#mlpHidden()}. */
        public Builder mlpHidden(int value) {
            this.mlpHidden = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#rmsNorm()}. */
        public Builder rmsNorm(boolean value) {
            this.rmsNorm = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#gatedMlp()}. */
        public Builder gatedMlp(boolean value) {
            this.gatedMlp = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#activation()}. */
        public Builder activation(Activation value) {
            this.activation = value;
            return this;
        }

        /** Sets {@link LatentResamplerConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** The configuration. */
        public LatentResamplerConfig build() {
            return new LatentResamplerConfig(
                    numLatents, layers, heads, kvHeads, headDim, mlpHidden, rmsNorm, gatedMlp, activation, normEps);
        }
    }
}
