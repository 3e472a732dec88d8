package io.sensorium;

import java.util.Objects;

/**
 * Q-Former (BLIP-2), image path: post-norm layers of self-attention, in every {@code crossFrequency}-th of
 * cross-attention to the sequence, and an MLP. Tensors, D = dModel, L = dLatents: {@code qformer.queries} [numLatents,
 * L], {@code qformer.norm} [L]; under {@code qformer.N}: self.q, self.k, self.v, self.o [L, L], self.norm, cross.q,
 * cross.o [L, L], cross.k, cross.v [L, D], cross.norm, mlp.up [mlpHidden, L], mlp.down, mlp.norm; all but the queries
 * with {@code .weight} and {@code .bias}.
 *
 * @param numLatents queries, and so latents, of one sequence; must be set
 * @param dLatents width of a latent; must be set
 * @param layers how many layers
 * @param heads heads of both attentions
 * @param crossFrequency layers 0, n, 2n, … read the sequence
 * @param mlpHidden width inside the MLP; must be set
 * @param activation of the MLP
 * @param normEps eps of the layer norms
 */
public record QFormerConfig(
        int numLatents,
        int dLatents,
        int layers,
        int heads,
        int crossFrequency,
        int mlpHidden,
        Activation activation,
        float normEps) {

    /** Rejects null. */
    public QFormerConfig {
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
        builder.dLatents = dLatents;
        builder.layers = layers;
        builder.heads = heads;
        builder.crossFrequency = crossFrequency;
        builder.mlpHidden = mlpHidden;
        builder.activation = activation;
        builder.normEps = normEps;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int numLatents = 0;
        private int dLatents = 0;
        private int layers = 1;
        private int heads = 1;
        private int crossFrequency = 1;
        private int mlpHidden = 0;
        private Activation activation = Activation.GELU;
        private float normEps = 1e-12f;

        private Builder() {}

        /** Sets {@link QFormerConfig#numLatents()}. */
        public Builder numLatents(int value) {
            this.numLatents = value;
            return this;
        }

        /** Sets {@link QFormerConfig#dLatents()}. */
        public Builder dLatents(int value) {
            this.dLatents = value;
            return this;
        }

        /** Sets {@link QFormerConfig#layers()}. */
        public Builder layers(int value) {
            this.layers = value;
            return this;
        }

        /** Sets {@link QFormerConfig#heads()}. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Sets {@link QFormerConfig#crossFrequency()}. */
        public Builder crossFrequency(int value) {
            this.crossFrequency = value;
            return this;
        }

        /** Sets {@link QFormerConfig#mlpHidden()}. */
        public Builder mlpHidden(int value) {
            this.mlpHidden = value;
            return this;
        }

        /** Sets {@link QFormerConfig#activation()}. */
        public Builder activation(Activation value) {
            this.activation = value;
            return this;
        }

        /** Sets {@link QFormerConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** The configuration. */
        public QFormerConfig build() {
            return new QFormerConfig(
                    numLatents, dLatents, layers, heads, crossFrequency, mlpHidden, activation, normEps);
        }
    }
}
