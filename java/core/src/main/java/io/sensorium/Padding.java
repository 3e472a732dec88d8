package io.sensorium;

/** What frames see beyond the ends of a signal of n samples. The order is that of the C ABI. */
public enum Padding {
    /** Frames lie inside the signal: {@code 1 + ⌊(n − span)/hop⌋} of them, where span is the window or, if the window is centred, nFft. */
    NONE,

    /**
     * Centred frames, ⌊nFft/2⌋ samples reflected without the edge (torch, Whisper): {@code 1 + ⌊n/hop⌋} frames, or {@code
     * 1 + ⌊(n − 1)/hop⌋} if nFft is odd.
     */
    REFLECT,

    /** As many centred frames, with zeros (librosa 0.10). */
    ZERO,

    /** Kaldi with {@code snip_edges=false}: {@code ⌊(n + hop/2)/hop⌋} frames, reflected with the edge. */
    KALDI_REFLECT,

    /** As many centred frames, with the first and the last sample repeated. */
    EDGE
}
