package io.sensorium;

/** In which order the values of a patch run along a row of the patch weights. The order is that of the C ABI. */
public enum PatchOrder {
    /** Channel, row, column: the weight of a PyTorch {@code Conv2d}, flattened. */
    CHANNEL_FIRST,

    /** Row, column, channel. */
    CHANNEL_LAST
}
