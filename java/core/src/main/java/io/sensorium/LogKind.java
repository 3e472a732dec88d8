package io.sensorium;

/** Which logarithm is taken of the mel spectrogram. The order is that of the C ABI. */
public enum LogKind {
    /** None. */
    NONE,

    /** Natural. */
    LN,

    /** Base 10. */
    LOG10,

    /** {@code 10·log10}. */
    DECIBEL
}
