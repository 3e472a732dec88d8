package io.sensorium;

/** How log values are bounded from below. The order is that of the C ABI. */
public enum ClipRange {
    /** Not at all. */
    NONE,

    /** {@code max(x, m − range)}, where m is the largest value of the clip (Whisper). */
    CLIP_MAX,

    /** {@code max(x, clipMaximum − range)}: frames do not depend on each other, as streams need it. */
    FIXED_MAX
}
