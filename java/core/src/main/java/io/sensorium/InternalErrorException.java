package io.sensorium;

import org.jspecify.annotations.Nullable;

/** A fault of this library. Please report it. */
public final class InternalErrorException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#INTERNAL}. */
    public InternalErrorException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.INTERNAL, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public InternalErrorException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
