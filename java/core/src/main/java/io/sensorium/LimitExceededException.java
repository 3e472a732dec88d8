package io.sensorium;

import org.jspecify.annotations.Nullable;

/** More than a limit of the session, the engine or a decoder allows; {@link #limit()} is the limit. */
public final class LimitExceededException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#LIMIT_EXCEEDED}. */
    public LimitExceededException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.LIMIT_EXCEEDED, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public LimitExceededException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
