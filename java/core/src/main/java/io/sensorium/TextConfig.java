package io.sensorium;

import java.util.Objects;

/**
 * Text: {@code text.embedding} [vocabulary, dModel] and, if learned, {@code text.position} [maxTokens, dModel].
 *
 * @param vocabulary token ids are in [0, vocabulary); must be set
 * @param maxTokens longest text in token ids; must be set
 * @param position how tokens learn where they are
 */
public record TextConfig(int vocabulary, int maxTokens, Position position) {

    /** Rejects null. */
    public TextConfig {
        Objects.requireNonNull(position, "position");
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.vocabulary = vocabulary;
        builder.maxTokens = maxTokens;
        builder.position = position;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int vocabulary = 0;
        private int maxTokens = 0;
        private Position position = Position.NONE;

        private Builder() {}

        /** Sets {@link TextConfig#vocabulary()}. */
        public Builder vocabulary(int value) {
            this.vocabulary = value;
            return this;
        }

        /** Sets {@link TextConfig#maxTokens()}. */
        public Builder maxTokens(int value) {
            this.maxTokens = value;
            return this;
        }

        /** Sets {@link TextConfig#position()}. */
        public Builder position(Position value) {
            this.position = value;
            return this;
        }

        /** The configuration. */
        public TextConfig build() {
            return new TextConfig(vocabulary, maxTokens, position);
        }
    }
}
