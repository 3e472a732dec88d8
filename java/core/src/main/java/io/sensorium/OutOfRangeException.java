package io.sensorium;

import org.jspecify.annotations.Nullable;

/** A token id outside the vocabulary, or a sample that is NaN or infinite. */
public final class OutOfRangeException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#OUT_OF_RANGE}. */
    public OutOfRangeException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.OUT_OF_RANGE, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public OutOfRangeException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
