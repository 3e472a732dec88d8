package io.sensorium;

/** Where a session of a CUDA engine leaves its results; the order is that of the C ABI. */
public enum Output {
    /** In page-locked memory: {@link Result#tokens()} and the others are buffers. */
    HOST,
    /** On the GPU: {@link Session#deviceResult()} has their addresses, and {@link Session#run()} does not wait. */
    DEVICE
}
