package io.sensorium;

import java.util.Objects;

/**
 * Audio tokenizer. Frames: one token a frame, {@code audio.frame.weight} [dModel, mels] and {@code audio.frame.bias}.
 * Patches (AST): {@code audio.patch.weight} [dModel, patchFreq·patchTime] and {@code audio.patch.bias}; tokens run
 * frequency-major. Both: {@code audio.prefix} [prefixTokens, dModel] and, if learned, {@code audio.position}
 * [prefixTokens + positions, dModel], where positions is maxFrames (frames) or the exact number of patches.
 *
 * @param logMel the front end
 * @param patchFreq patches only: height in mel bins, else 0
 * @param patchTime patches only: width in frames, else 0
 * @param strideFreq patches only: mel bins between patches, else 0
 * @param strideTime patches only: frames between patches, else 0
 * @param maxFrames frames with learned positions only: rows of the table, else 0
 * @param fixedFrames above 0: features are cut or padded to so many frames
 * @param prefixTokens tokens in front of each sound
 * @param tokens what one token covers
 * @param position how tokens learn where they are
 * @param hasBias whether the projection has a bias
 * @param padValue what frames are padded with, in units of the features
 * @param norm PATCHES with positions: whether a layer norm stands between the projection and the positions
 * @param normEps eps of that layer norm
 */
public record AudioConfig(
        LogMelConfig logMel,
        int patchFreq,
        int patchTime,
        int strideFreq,
        int strideTime,
        int maxFrames,
        int fixedFrames,
        int prefixTokens,
        AudioTokens tokens,
        Position position,
        boolean hasBias,
        float padValue,
        boolean norm,
        float normEps) {

    /** Rejects null. */
    public AudioConfig {
        Objects.requireNonNull(logMel, "logMel");
        Objects.requireNonNull(tokens, "tokens");
        Objects.requireNonNull(position, "position");
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.logMel = logMel;
        builder.patchFreq = patchFreq;
        builder.patchTime = patchTime;
        builder.strideFreq = strideFreq;
        builder.strideTime = strideTime;
        builder.maxFrames = maxFrames;
        builder.fixedFrames = fixedFrames;
        builder.prefixTokens = prefixTokens;
        builder.tokens = tokens;
        builder.position = position;
        builder.hasBias = hasBias;
        builder.padValue = padValue;
        builder.norm = norm;
        builder.normEps = normEps;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private LogMelConfig logMel = LogMelConfig.builder().build();
        private int patchFreq = 0;
        private int patchTime = 0;
        private int strideFreq = 0;
        private int strideTime = 0;
        private int maxFrames = 0;
        private int fixedFrames = 0;
        private int prefixTokens = 0;
        private AudioTokens tokens = AudioTokens.FRAMES;
        private Position position = Position.NONE;
        private boolean hasBias;
        private float padValue;
        private boolean norm = false;
        private float normEps = 1e-5f;

        private Builder() {}

        /** Sets {@link AudioConfig#logMel()}. */
        public Builder logMel(LogMelConfig value) {
            this.logMel = value;
            return this;
        }

        /** Sets {@link AudioConfig#patchFreq()}. */
        public Builder patchFreq(int value) {
            this.patchFreq = value;
            return this;
        }

        /** Sets {@link AudioConfig#patchTime()}. */
        public Builder patchTime(int value) {
            this.patchTime = value;
            return this;
        }

        /** Sets {@link AudioConfig#strideFreq()}. */
        public Builder strideFreq(int value) {
            this.strideFreq = value;
            return this;
        }

        /** Sets {@link AudioConfig#strideTime()}. */
        public Builder strideTime(int value) {
            this.strideTime = value;
            return this;
        }

        /** Sets {@link AudioConfig#maxFrames()}. */
        public Builder maxFrames(int value) {
            this.maxFrames = value;
            return this;
        }

        /** Sets {@link AudioConfig#fixedFrames()}. */
        public Builder fixedFrames(int value) {
            this.fixedFrames = value;
            return this;
        }

        /** Sets {@link AudioConfig#prefixTokens()}. */
        public Builder prefixTokens(int value) {
            this.prefixTokens = value;
            return this;
        }

        /** Sets {@link AudioConfig#tokens()}. */
        public Builder tokens(AudioTokens value) {
            this.tokens = value;
            return this;
        }

        /** Sets {@link AudioConfig#position()}. */
        public Builder position(Position value) {
            this.position = value;
            return this;
        }

        /** Sets {@link AudioConfig#hasBias()}. */
        public Builder hasBias(boolean value) {
            this.hasBias = value;
            return this;
        }

        /** Sets {@link AudioConfig#padValue()}. */
        public Builder padValue(float value) {
            this.padValue = value;
            return this;
        }

        /** Sets patches of so many mel bins × frames and the distances between them; turns patches on. */
        public Builder patches(int freq, int time, int strideFreq, int strideTime) {
            this.patchFreq = freq;
            this.patchTime = time;
            this.strideFreq = strideFreq;
            this.strideTime = strideTime;
            this.tokens = AudioTokens.PATCHES;
            return this;
        }

        /** Sets {@link AudioConfig#norm()}. */
        public Builder norm(boolean value) {
            this.norm = value;
            return this;
        }

        /** Sets {@link AudioConfig#normEps()}. */
        public Builder normEps(float value) {
            this.normEps = value;
            return this;
        }

        /** The configuration. */
        public AudioConfig build() {
            return new AudioConfig(
                    logMel,
                    patchFreq,
                    patchTime,
                    strideFreq,
                    strideTime,
                    maxFrames,
                    fixedFrames,
                    prefixTokens,
                    tokens,
                    position,
                    hasBias,
                    padValue,
                    norm,
                    normEps);
        }
    }
}
