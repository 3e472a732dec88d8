package io.sensorium;

import java.util.Objects;

/**
 * Perceiver encoder (Jaegle et al. 2021, as in transformers): latents cross-attend the packed sequence once, then {@code
 * blocks} times the same {@code layers} self-attention layers; pre-norm. Tensors, D = dModel, L = dLatents: {@code
 * perceiver.latents} [numLatents, L]; under {@code perceiver.cross}: norm_latents, norm_inputs, q [crossQk, L], k
 * [crossQk, D], v [crossV, D], o [L, crossV], norm_mlp, mlp.up [crossWidening·L, L], mlp.down; under {@code
 * perceiver.self.N}: norm, q [selfQk, L], k, v [selfV, L], o [L, selfV], norm_mlp, mlp.up, mlp.down; each with
 * {@code .weight} and {@code .bias}.
 *
 * @param numLatents latents of one sequence; must be set
 * @param dLatents width of a latent; must be set
 * @param blocks how often the layers are repeated
 * @param layers self-attention layers of a block
 * @param crossHeads heads of the cross-attention
 * @param selfHeads heads of the self-attention
 * @param crossQk channels of queries and keys over all heads; 0 in the builder means dLatents
 * @param crossV channels of values likewise
 * @param selfQk likewise for the self-attention
 * @param selfV likewise for the self-attention
 * @param crossWidening width of the MLP over dLatents after the cross-attention
 * @param selfWidening likewise after a self-attention
 * @param activation of the MLPs
 * @param queryResidual whether the latents are added to the output of the cross-attention
 * @param normEps eps of the layer norms
 */
public record PerceiverConfig(
        int numLatents,
        int dLatents,
        int blocks,
        int layers,
        int crossHeads,
        int selfHeads,
        int crossQk,
        int crossV,
        int selfQk,
        int selfV,
        int crossWidening,
        int selfWidening,
        Activation activation,
        boolean queryResidual,
        float normEps) {

    /** Rejects null. */
    public PerceiverConfig {
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
        builder.blocks = blocks;
        builder.layers = layers;
        builder.crossHeads = crossHeads;
        builder.selfHeads = selfHeads;
        builder.crossQk = crossQk;
        builder.crossV = crossV;
        builder.selfQk = selfQk;
        builder.selfV = selfV;
        builder.crossWidening = crossWidening;
        builder.selfWidening = selfWidening;
        builder.activation = activation;
        builder.queryResidual = queryResidual;
        builder.normEps = normEps;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int numLatents = 0;
        private int dLatents = 0;
        private int blocks = 1;
        private int layers = 1;
        private int crossHeads = 1;
        private int selfHeads = 1;
        private int crossQk = 0;
        private int crossV = 0;
        private int selfQk = 0;
        private int selfV = 0;
        private int crossWidening = 1;
        private int selfWidening = 1;
        private Activation activation = Activation.GELU;
        private boolean queryResidual = true;
        private float normEps = 1e-5f;

        private Builder() {}

        /** Sets {@link PerceiverConfig#numLatents()}. */
        public Builder numLatents(int value) {
            this.numLatents = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#dLatents()}. */
        public Builder dLatents(int value) {
            this.dLatents = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#blocks()}. */
        public Builder blocks(int value) {
            this.blocks = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#layers()}. */
        public Builder layers(int value) {
            this.layers = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#crossHeads()}. */
        public Builder crossHeads(int value) {
            this.crossHeads = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#selfHeads()}. */
        public Builder selfHeads(int value) {
            this.selfHeads = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#crossQk()}. */
        public Builder crossQk(int value) {
            this.crossQk = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#crossV()}. */
        public Builder crossV(int value) {
            this.crossV = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#selfQk()}. */
        public Builder selfQk(int value) {
            this.selfQk = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#selfV()}. */
        public Builder selfV(int value) {
            this.selfV = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#crossWidening()}. */
        public Builder crossWidening(int value) {
            this.crossWidening = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#selfWidening()}. */
        public Builder selfWidening(int value) {
            this.selfWidening = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#activation()}. */
        public Builder activation(Activation value) {
            this.activation = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#queryResidual()}. */
        public Builder queryResidual(boolean value) {
            this.queryResidual = value;
            return this;
        }

        /** Sets {@link PerceiverConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** Sets all four channel counts. */
        public Builder channels(int value) {
            crossQk = value;
            crossV = value;
            selfQk = value;
            selfV = value;
            return this;
        }

        /** The configuration. */
        public PerceiverConfig build() {
            return new PerceiverConfig(
                    numLatents,
                    dLatents,
                    blocks,
                    layers,
                    crossHeads,
                    selfHeads,
                    crossQk == 0 ? dLatents : crossQk,
                    crossV == 0 ? dLatents : crossV,
                    selfQk == 0 ? dLatents : selfQk,
                    selfV == 0 ? dLatents : selfV,
                    crossWidening,
                    selfWidening,
                    activation,
                    queryResidual,
                    normEps);
        }
    }
}
