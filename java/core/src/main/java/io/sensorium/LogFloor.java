package io.sensorium;

/** How the logarithm of zero is avoided. The order is that of the C ABI. */
public enum LogFloor {
    /** {@code log(max(x, floor))}. */
    MAX,

    /** {@code log(x + floor)}. */
    ADD
}
