package io.sensorium;

import org.jspecify.annotations.Nullable;

/** The device, or the native library, cannot be used; the message says why. */
public final class DeviceUnavailableException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#DEVICE_UNAVAILABLE}. */
    public DeviceUnavailableException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.DEVICE_UNAVAILABLE, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public DeviceUnavailableException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
