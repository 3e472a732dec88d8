package io.sensorium;

/** What one audio token covers. The order is that of the C ABI. */
public enum AudioTokens {
    /** One frame of log-mel features. */
    FRAMES,

    /** A rectangle of the log-mel spectrogram (AST, Gong et al. 2021). */
    PATCHES,

    /** Two frames of log-mel features after two convolutions (Whisper, Radford et al. 2022). */
    CONVOLVED
}
