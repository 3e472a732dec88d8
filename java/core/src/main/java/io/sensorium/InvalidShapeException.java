package io.sensorium;

import org.jspecify.annotations.Nullable;

/** Sizes that do not fit each other, are not positive, or overflow. */
public final class InvalidShapeException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#INVALID_SHAPE}. */
    public InvalidShapeException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.INVALID_SHAPE, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public InvalidShapeException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
