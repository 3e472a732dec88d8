package io.sensorium;

import org.jspecify.annotations.Nullable;

/** The device is lost. Its engine, and all that was made from it, can only be closed. */
public final class DeviceFatalException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#DEVICE_FATAL}. */
    public DeviceFatalException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.DEVICE_FATAL, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public DeviceFatalException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
