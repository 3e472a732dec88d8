package io.sensorium;

import org.jspecify.annotations.Nullable;

/** Bytes that are not what they claim to be: a truncated or malformed image, sound, video or file. */
public final class CorruptInputException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#CORRUPT_INPUT}. */
    public CorruptInputException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.CORRUPT_INPUT, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public CorruptInputException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
