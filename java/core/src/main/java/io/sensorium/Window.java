package io.sensorium;

/** The window of a short-time Fourier transform. The order is that of the C ABI. */
public enum Window {
    /** Raised cosine. */
    HANN,

    /** 0.54 − 0.46·cos. */
    HAMMING,

    /** Kaldi: symmetric Hann to the power of 0.85. */
    POVEY,

    /** All ones. */
    RECTANGULAR,

    /** 0.42 − 0.5·cos + 0.08·cos 2x. */
    BLACKMAN
}
