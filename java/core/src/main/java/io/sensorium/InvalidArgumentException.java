package io.sensorium;

import org.jspecify.annotations.Nullable;

/** A value that is never allowed. */
public final class InvalidArgumentException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#INVALID_ARGUMENT}. */
    public InvalidArgumentException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.INVALID_ARGUMENT, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public InvalidArgumentException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
