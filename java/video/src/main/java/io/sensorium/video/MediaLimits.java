package io.sensorium.video;

/**
 * What untrusted files may ask for. FFmpeg parses bytes in native code, so sizes are checked as soon as a header tells them
 * and before a frame is allocated; more is a {@link io.sensorium.LimitExceededException}.
 *
 * @param maxBytes of a file, a stream or an array
 * @param maxPixels of a frame or picture: height·width
 * @param maxMicros of a file's length, and of a gap that is filled with silence
 * @param maxStreams in a container
 * @param maxChannels of sound
 * @param maxSampleRate of sound, in Hz
 * @param threads that decode; 0 = one for each processor, at most 4
 */
public record MediaLimits(
        long maxBytes,
        long maxPixels,
        long maxMicros,
        int maxStreams,
        int maxChannels,
        int maxSampleRate,
        int threads) {
    /** The defaults. */
    public static final MediaLimits DEFAULT = builder().build();

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the fields. */
    public static final class Builder {
        private long maxBytes = 64L << 30;
        private long maxPixels = 8192 * 4352;
        private long maxMicros = 24 * 3600 * 1_000_000L;
        private int maxStreams = 64;
        private int maxChannels = 64;
        private int maxSampleRate = 768_000;
        private int threads = 0;

        private Builder() {}

        /** Sets {@link MediaLimits#maxBytes()}; 64 GiB. */
        public Builder maxBytes(long value) {
            maxBytes = value;
            return this;
        }

        /** Sets {@link MediaLimits#maxPixels()}; 8192·4352. */
        public Builder maxPixels(long value) {
            maxPixels = value;
            return this;
        }

        /** Sets {@link MediaLimits#maxMicros()}; a day. */
        public Builder maxMicros(long value) {
            maxMicros = value;
            return this;
        }

        /** Sets {@link MediaLimits#maxStreams()}; 64. */
        public Builder maxStreams(int value) {
            maxStreams = value;
            return this;
        }

        /** Sets {@link MediaLimits#maxChannels()}; 64. */
        public Builder maxChannels(int value) {
            maxChannels = value;
            return this;
        }

        /** Sets {@link MediaLimits#maxSampleRate()}; 768 kHz. */
        public Builder maxSampleRate(int value) {
            maxSampleRate = value;
            return this;
        }

        /** Sets {@link MediaLimits#threads()}; 0. */
        public Builder threads(int value) {
            threads = value;
            return this;
        }

        /** The limits. */
        public MediaLimits build() {
            return new MediaLimits(maxBytes, maxPixels, maxMicros, maxStreams, maxChannels, maxSampleRate, threads);
        }
    }

    /** FFmpeg counts rows that it has rounded up for its own use; the limit itself is checked here. */
    long decoderPixels() {
        return Math.min(Integer.MAX_VALUE, 2 * Math.min(1L << 40, maxPixels) + (1 << 20));
    }

    int decoderThreads() {
        return threads > 0 ? threads : Math.min(4, Runtime.getRuntime().availableProcessors());
    }
}
