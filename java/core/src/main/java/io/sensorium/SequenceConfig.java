package io.sensorium;

/**
 * The packed sequence that all modalities share. Tensors: {@code sequence.modality} [3, dModel] if {@code
 * modalityEmbedding}; {@code sequence.begin} and {@code sequence.end} [3, dModel] if {@code specialTokens}.
 *
 * @param dModel width of a token; must be set
 * @param modalityEmbedding whether a vector of the modality is added to each item's tokens
 * @param specialTokens whether a begin and an end token of the modality stand around each item
 * @param idsPerSecond how fast {@link Tokens#positions()} run with time, at most a million
 */
public record SequenceConfig(int dModel, boolean modalityEmbedding, boolean specialTokens, double idsPerSecond) {

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.dModel = dModel;
        builder.modalityEmbedding = modalityEmbedding;
        builder.specialTokens = specialTokens;
        builder.idsPerSecond = idsPerSecond;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int dModel = 0;
        private boolean modalityEmbedding;
        private boolean specialTokens;
        private double idsPerSecond = 25;

        private Builder() {}

        /** Sets {@link SequenceConfig#dModel()}. */
        public Builder dModel(int value) {
            this.dModel = value;
            return this;
        }

        /** Sets {@link SequenceConfig#modalityEmbedding()}. */
        public Builder modalityEmbedding(boolean value) {
            this.modalityEmbedding = value;
            return this;
        }

        /** Sets {@link SequenceConfig#specialTokens()}. */
        public Builder specialTokens(boolean value) {
            this.specialTokens = value;
            return this;
        }

        /** Sets {@link SequenceConfig#idsPerSecond()}; Qwen2.5-Omni's 25 if it is not set. */
        public Builder idsPerSecond(double value) {
            this.idsPerSecond = value;
            return this;
        }

        /** The configuration. */
        public SequenceConfig build() {
            return new SequenceConfig(dModel, modalityEmbedding, specialTokens, idsPerSecond);
        }
    }
}
