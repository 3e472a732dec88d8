package io.sensorium;

/** Stages of a request that are timed. */
public enum Stage {
    /** Image tokenizer. */
    IMAGE,

    /** Resampling-free front end and audio tokenizer. */
    AUDIO,

    /** Embedding of token ids. */
    TEXT,

    /** Assembling the sequences. */
    PACK,

    /** The Perceiver. */
    LATENTS,

    /** The adapter and the projection heads. */
    EMBEDDING,

    /** The whole native call. */
    TOTAL
}
