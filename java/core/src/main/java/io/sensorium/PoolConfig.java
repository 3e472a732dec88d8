package io.sensorium;

import java.util.Objects;

/**
 * Pools. ATTENTION (SigLIP's head): a learned probe reads the sequence; one latent. MEAN: the means of {@code count}
 * equal runs of tokens. PREFIX: the mean of the first {@code count} tokens (class tokens), SUFFIX: of the last, one
 * latent. A latent is dModel = D wide, or {@code dense} if set. Tensors of ATTENTION: {@code pool.probe} [1, D], {@code pool.in} [3D, D] (q, k, v), {@code pool.o}
 * [D, D], {@code pool.norm} [D], {@code pool.mlp.up} [mlpHidden, D], {@code pool.mlp.down}; of the others {@code
 * pool.norm} [D] if {@code norm} and {@code pool.dense} [dense, D]; all but the probe with {@code .weight} and {@code
 * .bias}.
 *
 * @param kind which
 * @param count runs (MEAN) or tokens (PREFIX, SUFFIX); 1 for ATTENTION
 * @param heads ATTENTION only
 * @param mlpHidden ATTENTION only: width inside the MLP
 * @param activation ATTENTION: of the MLP; else of the dense layer
 * @param norm all but ATTENTION: a layer norm of the means
 * @param normEps eps of the layer norm
 * @param dense width of a linear layer behind the mean, whose activation is {@code activation}; 0 = none, as for ATTENTION
 * @param denseBias whether that layer has a bias
 */
public record PoolConfig(
        PoolKind kind,
        int count,
        int heads,
        int mlpHidden,
        Activation activation,
        boolean norm,
        float normEps,
        int dense,
        boolean denseBias) {

    /** Rejects null. */
    public PoolConfig {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(activation, "activation");
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.kind = kind;
        builder.count = count;
        builder.heads = heads;
        builder.mlpHidden = mlpHidden;
        builder.activation = activation;
        builder.norm = norm;
        builder.normEps = normEps;
        builder.dense = dense;
        builder.denseBias = denseBias;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private PoolKind kind = PoolKind.MEAN;
        private int count = 1;
        private int heads = 0;
        private int mlpHidden = 0;
        private Activation activation = Activation.NONE;
        private boolean norm = false;
        private float normEps = 1e-6f;
        private int dense = 0;
        private boolean denseBias = false;

        private Builder() {}

        /** Sets {@link PoolConfig#kind()}. */
        public Builder kind(PoolKind value) {
            this.kind = value;
            return this;
        }

        /** Sets {@link PoolConfig#count()}. */
        public Builder count(int value) {
            this.count = value;
            return this;
        }

        /** Sets {@link PoolConfig#heads()}. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Sets {@link PoolConfig#mlpHidden()}. */
        public Builder mlpHidden(int value) {
            this.mlpHidden = value;
            return this;
        }

        /** Sets {@link PoolConfig#activation()}. */
        public Builder activation(Activation value) {
            this.activation = value;
            return this;
        }

        /** Sets {@link PoolConfig#norm()}. */
        public Builder norm(boolean value) {
            this.norm = value;
            return this;
        }

        /** Sets {@link PoolConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** Sets {@link PoolConfig#dense()}. */
        public Builder dense(int value) {
            this.dense = value;
            return this;
        }

        /** Sets {@link PoolConfig#denseBias()}. */
        public Builder denseBias(boolean value) {
            this.denseBias = value;
            return this;
        }

        /** The configuration. */
        public PoolConfig build() {
            return new PoolConfig(kind, count, heads, mlpHidden, activation, norm, normEps, dense, denseBias);
        }
    }
}
