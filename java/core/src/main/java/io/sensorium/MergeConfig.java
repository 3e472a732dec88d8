package io.sensorium;

/**
 * Token merging (ToMe): rounds of bipartite soft matching by the tokens' cosine, sizes carried along, until a sequence has
 * at most {@code numLatents} tokens; a latent is the mean of the tokens in it. No tensors.
 *
 * @param numLatents tokens that are left of one sequence; must be set
 * @param protectFirst whether the first token of a sequence (cls) is never merged
 */
public record MergeConfig(int numLatents, boolean protectFirst) {

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.numLatents = numLatents;
        builder.protectFirst = protectFirst;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int numLatents = 0;
        private boolean protectFirst = false;

        private Builder() {}

        /** Sets {@link MergeConfig#numLatents()}. */
        public Builder numLatents(int value) {
            this.numLatents = value;
            return this;
        }

        /** Sets {@link MergeConfig#protectFirst()}. */
        public Builder protectFirst(boolean value) {
            this.protectFirst = value;
            return this;
        }

        /** The configuration. */
        public MergeConfig build() {
            return new MergeConfig(numLatents, protectFirst);
        }
    }
}
