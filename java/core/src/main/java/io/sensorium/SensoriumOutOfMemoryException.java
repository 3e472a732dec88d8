package io.sensorium;

import org.jspecify.annotations.Nullable;

/** Memory of the host or of the device ran out; the engine stays usable. */
public final class SensoriumOutOfMemoryException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#OUT_OF_MEMORY}. */
    public SensoriumOutOfMemoryException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.OUT_OF_MEMORY, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public SensoriumOutOfMemoryException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }
}
