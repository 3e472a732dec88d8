package io.sensorium;

/** Kinds of {@link SensoriumException}, one a class. */
public enum ErrorCode {
    /** {@link InvalidArgumentException}. */
    INVALID_ARGUMENT,
    /** {@link InvalidShapeException}. */
    INVALID_SHAPE,
    /** {@link LimitExceededException}. */
    LIMIT_EXCEEDED,
    /** {@link OutOfRangeException}. */
    OUT_OF_RANGE,
    /** {@link InvalidWeightsException}. */
    INVALID_WEIGHTS,
    /** {@link CorruptInputException}. */
    CORRUPT_INPUT,
    /** {@link SensoriumOutOfMemoryException}. */
    OUT_OF_MEMORY,
    /** {@link DeviceUnavailableException}. */
    DEVICE_UNAVAILABLE,
    /** {@link DeviceFatalException}. */
    DEVICE_FATAL,
    /** {@link InternalErrorException}. */
    INTERNAL
}
