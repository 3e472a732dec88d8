package io.sensorium;

import org.jspecify.annotations.Nullable;

/**
 * Every error that is not a misuse of the API in Java ({@link IllegalArgumentException} for a buffer that does not fit,
 * {@link IllegalStateException} for a use after close).
 */
public abstract sealed class SensoriumException extends RuntimeException
        permits InvalidArgumentException,
                InvalidShapeException,
                LimitExceededException,
                OutOfRangeException,
                InvalidWeightsException,
                CorruptInputException,
                SensoriumOutOfMemoryException,
                DeviceUnavailableException,
                DeviceFatalException,
                InternalErrorException {
    /** What {@link #limit()} is where there is none. */
    public static final long NO_LIMIT = -1;

    private static final long serialVersionUID = 1;

    private final ErrorCode code;
    private final String field;
    private final long limit;

    SensoriumException(ErrorCode code, String message, String field, long limit, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.field = field;
        this.limit = limit;
    }

    /** What kind of error this is. */
    public final ErrorCode code() {
        return code;
    }

    /** The argument or field that caused it, such as {@code items[2].height}; empty if there is none. */
    public final String field() {
        return field;
    }

    /** The bound that was broken, or {@link #NO_LIMIT}. */
    public final long limit() {
        return limit;
    }
}
