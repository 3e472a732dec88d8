package io.sensorium;

/** What a token was made from. The order is that of the C ABI's {@code SNS_MODALITY_*}. */
public enum Modality {
    /** Pixels. */
    IMAGE,
    /** Sound. */
    AUDIO,
    /** Token ids. */
    TEXT;
}
