package io.sensorium;

/** How exact matrix products are. Sound's transform, resizing, norms and codes are the same in both. */
public enum Precision {
    /** Accuracy of float32: a product's normalised mean squared error is at most 1e-10. */
    STRICT,
    /**
     * Inputs of bfloat16, sums of float32, where the device has units for them (on x86 AVX-512 BF16): at most 2e-5 a
     * product, 1e-4 after attention. Elsewhere as {@link #STRICT}. Patches of bytes meet the same limit otherwise where
     * the CPU has AVX-512 VNNI: the pixels stay exact, and a weight takes two bytes (an error of about 1e-9) or, with VBMI
     * and from 192 outputs on, one byte and a few spare ones (1e-5 in noise, in photographs less than bfloat16).
     */
    FAST
}
