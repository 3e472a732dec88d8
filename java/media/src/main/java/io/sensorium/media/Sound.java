package io.sensorium.media;

import java.nio.FloatBuffer;

/**
 * A mono clip.
 *
 * @param samples in [−1, 1], direct, native order
 * @param sampleRate in Hz
 * @param channels of the file; they were averaged
 */
public record Sound(FloatBuffer samples, int sampleRate, int channels) {
    /** Length in microseconds, rounded down. */
    public long micros() {
        return samples.remaining() * 1_000_000L / sampleRate;
    }
}
