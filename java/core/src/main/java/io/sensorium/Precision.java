package io.sensorium;

/** How exact matrix products are. Sound's transform, resizing, norms and codes are the same in both. */
public enum Precision {
    /** Accuracy of float32: a product's normalised mean squared error is at most 1e-10. */
    STRICT,
    /**
     * Inputs of bfloat16, sums of float32, where the device has units for them (on x86 AVX-512 BF16): at most 2e-5 a
     * product, 1e-4 after attention. Elsewhere as {@link #STRICT}.
     */
    FAST
}
