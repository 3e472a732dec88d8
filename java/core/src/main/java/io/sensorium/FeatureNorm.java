package io.sensorium;

/** How features are normalised over a clip. The order is that of the C ABI. */
public enum FeatureNorm {
    /** Not at all. */
    NONE,

    /** Zero mean and unit deviation of each mel bin over time. */
    PER_BIN,

    /** Zero mean of each mel bin over time. */
    PER_BIN_MEAN,

    /** Unit deviation of each mel bin over time. */
    PER_BIN_STD
}
