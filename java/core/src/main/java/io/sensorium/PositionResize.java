package io.sensorium;

/** How a learned position table serves other grids than its own; prefix rows are kept. The order is that of the C ABI. */
public enum PositionResize {
    /** Not at all: other sizes are refused. */
    FIXED,

    /** Bicubic, a = −0.75, not antialiased (ViT, CLIP, SigLIP). */
    BICUBIC,

    /** Bilinear, antialiased (SigLIP2-NaFlex). */
    BILINEAR
}
