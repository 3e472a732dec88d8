package io.sensorium.video;

import java.nio.FloatBuffer;

/**
 * Decoded sound.
 *
 * @param time of the first sample
 * @param samples mono, the mean of the channels; direct, native order, valid until the next call of {@link MediaFile#next}
 * @param sampleRate in Hz
 * @param index of the block in its stream, from 0
 */
public record SoundBlock(Rational time, FloatBuffer samples, int sampleRate, long index) implements Decoded {}
