package io.sensorium;

/** In which order the tokens of a sequence stand. The order is that of the C ABI. */
public enum TokenOrder {
    /** As their items were added. */
    ITEMS,

    /** By start time; on ties images come before sounds, and else the items' order decides. */
    TIME,

    /** By chunks of time; in a chunk all images come first, then the sounds, each by time. */
    CHUNKS
}
