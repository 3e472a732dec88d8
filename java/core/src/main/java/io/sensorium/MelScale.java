package io.sensorium;

/** Which formula takes Hz to mel. The order is that of the C ABI. */
public enum MelScale {
    /** {@code 2595·log10(1 + f/700)}. */
    HTK,

    /** Linear below 1 kHz, logarithmic above (librosa, Whisper). */
    SLANEY,

    /** {@code 1127·ln(1 + f/700)}, triangles in mel space. */
    KALDI
}
