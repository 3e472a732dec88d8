package io.sensorium;

/** What the data of an item hold. The order is that of the C ABI. */
public enum Format {
    /** Image: bytes [height, width, channels]. */
    U8_HWC,

    /** Image: floats [channels, height, width], already normalised. */
    F32_CHW,

    /** Sound: 16-bit samples, mono. */
    S16_PCM,

    /** Sound: float samples in [-1, 1], mono. */
    F32_PCM,

    /** Sound: log-mel features [frames, mels]. */
    F32_FEATURES,

    /** Text: token ids. */
    I64_IDS,

    /** Any modality: finished tokens [count, dModel]. */
    F32_TOKENS,

    /** Image: the frames of one temporal patch, bytes [temporalPatch, height, width, channels]. */
    U8_THWC
}
