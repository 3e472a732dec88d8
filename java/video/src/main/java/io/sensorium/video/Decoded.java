package io.sensorium.video;

/** What {@link MediaFile#next} gives: valid until its next call. */
public sealed interface Decoded permits VideoFrame, SoundBlock {
    /** When it begins, on the file's clock. */
    Rational time();
}
