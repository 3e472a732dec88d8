package io.sensorium;

/** How tokens learn where they are. The order is that of the C ABI. */
public enum Position {
    /** Nothing is added. */
    NONE,

    /** A table of the weights is added; it fixes the largest size. */
    LEARNED,

    /** Fixed sine-cosine vectors, 1-D (Vaswani et al. 2017) or 2-D (MAE, He et al. 2021); any size. */
    SINCOS,

    /** Images only: Fourier features of row and column (Perceiver) are projected and added; any size. */
    FOURIER_ADD,

    /** Images only: Fourier features of row and column are the last channels of a token; any size. */
    FOURIER_CONCAT
}
