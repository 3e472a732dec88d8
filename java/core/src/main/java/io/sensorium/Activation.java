package io.sensorium;

/** What stands between the two layers of an MLP. The order is that of the C ABI. */
public enum Activation {
    /** The identity. */
    NONE,

    /** {@code x·Φ(x)} with the error function. */
    GELU,

    /** The tanh approximation of GELU (GPT-2, SigLIP). */
    GELU_TANH,

    /** {@code x·σ(1.702·x)} (CLIP). */
    QUICK_GELU,

    /** {@code max(x, 0)}. */
    RELU,

    /** {@code x·σ(x)}. */
    SILU,

    /** The hyperbolic tangent (ViT's pooler). */
    TANH
}
