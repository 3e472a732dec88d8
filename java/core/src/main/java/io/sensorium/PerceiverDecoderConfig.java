package io.sensorium;

import java.util.Objects;

/**
 * Decoder of Perceiver IO: learned queries read the latents of a {@link PerceiverConfig}, and their rows replace the
 * latents as the result. Tensors under {@code perceiver.decoder}, Q = dQueries, L = dLatents: queries [numQueries, Q],
 * norm_queries [Q], norm_latents [L], q [qk, Q], k [qk, L], v [v, L], o [Q, v], norm_mlp [Q], mlp.up [widening·Q, Q],
 * mlp.down; all but queries with {@code .weight} and {@code .bias}.
 *
 * @param numQueries rows of the result for one sequence; must be set
 * @param dQueries width of a row; must be set
 * @param heads heads of the cross-attention
 * @param qk channels of queries and keys over all heads; must be set
 * @param v channels of values likewise; must be set
 * @param widening width of the MLP over dQueries
 * @param activation of the MLP
 * @param queryResidual whether the queries are added to the output of the cross-attention
 * @param normEps eps of the layer norms
 */
public record PerceiverDecoderConfig(
        int numQueries,
        int dQueries,
        int heads,
        int qk,
        int v,
        int widening,
        Activation activation,
        boolean queryResidual,
        float normEps) {

    /** Rejects null. */
    public PerceiverDecoderConfig {
        Objects.requireNonNull(activation, "activation");
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.numQueries = numQueries;
        builder.dQueries = dQueries;
        builder.heads = heads;
        builder.qk = qk;
        builder.v = v;
        builder.widening = widening;
        builder.activation = activation;
        builder.queryResidual = queryResidual;
        builder.normEps = normEps;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int numQueries = 0;
        private int dQueries = 0;
        private int heads = 1;
        private int qk = 0;
        private int v = 0;
        private int widening = 1;
        private Activation activation = Activation.GELU;
        private boolean queryResidual = true;
        private float normEps = 1e-5f;

        private Builder() {}

        /** Sets {@link PerceiverDecoderConfig#numQueries()}. */
        public Builder numQueries(int value) {
            this.numQueries = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#dQueries()}. */
        public Builder dQueries(int value) {
            this.dQueries = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#heads()}. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#qk()}. */
        public Builder qk(int value) {
            this.qk = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#v()}. */
        public Builder v(int value) {
            this.v = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#widening()}. */
        public Builder widening(int value) {
            this.widening = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#activation()}. */
        public Builder activation(Activation value) {
            this.activation = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#queryResidual()}. */
        public Builder queryResidual(boolean value) {
            this.queryResidual = value;
            return this;
        }

        /** Sets {@link PerceiverDecoderConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** The configuration. */
        public PerceiverDecoderConfig build() {
            return new PerceiverDecoderConfig(
                    numQueries, dQueries, heads, qk, v, widening, activation, queryResidual, normEps);
        }
    }
}
