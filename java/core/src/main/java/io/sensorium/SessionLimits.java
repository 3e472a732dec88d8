package io.sensorium;

/**
 * The largest request that a session takes. Its memory is laid out from these numbers when it is made and nothing is
 * allocated afterwards, so ask for what is needed.
 *
 * @param maxItems items of one request
 * @param maxSequences sequences of one request
 * @param maxTokens tokens over all sequences of one request, special and prefix tokens included
 * @param maxPixels of one image: height·width
 * @param maxSamples of one sound
 */
public record SessionLimits(int maxItems, int maxSequences, int maxTokens, long maxPixels, long maxSamples) {

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.maxItems = maxItems;
        builder.maxSequences = maxSequences;
        builder.maxTokens = maxTokens;
        builder.maxPixels = maxPixels;
        builder.maxSamples = maxSamples;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int maxItems = 1;
        private int maxSequences = 1;
        private int maxTokens = 1024;
        private long maxPixels = 0;
        private long maxSamples = 0;

        private Builder() {}

        /** Sets {@link SessionLimits#maxItems()}. */
        public Builder maxItems(int value) {
            this.maxItems = value;
            return this;
        }

        /** Sets {@link SessionLimits#maxSequences()}. */
        public Builder maxSequences(int value) {
            this.maxSequences = value;
            return this;
        }

        /** Sets {@link SessionLimits#maxTokens()}. */
        public Builder maxTokens(int value) {
            this.maxTokens = value;
            return this;
        }

        /** Sets {@link SessionLimits#maxPixels()}. */
        public Builder maxPixels(long value) {
            this.maxPixels = value;
            return this;
        }

        /** Sets {@link SessionLimits#maxSamples()}. */
        public Builder maxSamples(long value) {
            this.maxSamples = value;
            return this;
        }

        /** The configuration. */
        public SessionLimits build() {
            return new SessionLimits(maxItems, maxSequences, maxTokens, maxPixels, maxSamples);
        }
    }
}
