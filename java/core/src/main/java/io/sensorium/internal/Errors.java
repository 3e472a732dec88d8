package io.sensorium.internal;

import io.sensorium.DeviceFatalException;
import io.sensorium.DeviceUnavailableException;
import io.sensorium.InternalErrorException;
import io.sensorium.InvalidArgumentException;
import io.sensorium.InvalidShapeException;
import io.sensorium.InvalidWeightsException;
import io.sensorium.LimitExceededException;
import io.sensorium.OutOfRangeException;
import io.sensorium.SensoriumOutOfMemoryException;
import io.sensorium.internal.binding.Native;
import java.nio.charset.StandardCharsets;
import org.bytedeco.javacpp.BytePointer;

/** Turns the codes of the C ABI into exceptions. */
public final class Errors {
    private Errors() {}

    /** Throws what {@code code} means; must be called by the thread that got the code, before its next native call. */
    public static void check(int code) {
        if (code != Native.SNS_OK) {
            throw of(code, text(Native.sns_last_error()), text(Native.sns_last_error_field()), limit());
        }
    }

    private static long limit() {
        return Native.sns_last_error_limit();
    }

    /** The exception for a code. */
    static RuntimeException of(int code, String message, String field, long limit) {
        return switch (code) {
            case Native.SNS_ERROR_INVALID_ARGUMENT -> new InvalidArgumentException(message, field, limit, null);
            case Native.SNS_ERROR_INVALID_SHAPE -> new InvalidShapeException(message, field, limit, null);
            case Native.SNS_ERROR_LIMIT_EXCEEDED -> new LimitExceededException(message, field, limit, null);
            case Native.SNS_ERROR_OUT_OF_RANGE -> new OutOfRangeException(message, field, limit, null);
            case Native.SNS_ERROR_INVALID_WEIGHTS -> new InvalidWeightsException(message, field, limit, null);
            case Native.SNS_ERROR_OUT_OF_MEMORY -> new SensoriumOutOfMemoryException(message, field, limit, null);
            case Native.SNS_ERROR_UNAVAILABLE -> new DeviceUnavailableException(message, field, limit, null);
            case Native.SNS_ERROR_ILLEGAL_STATE -> new IllegalStateException(message);
            case Native.SNS_ERROR_DEVICE_FATAL -> new DeviceFatalException(message, field, limit, null);
            case Native.SNS_ERROR_INTERNAL -> new InternalErrorException(message, field, limit, null);
            default -> new InternalErrorException("error code " + code + ": " + message, field, limit, null);
        };
    }

    /** A C string as UTF-8. */
    public static String text(BytePointer chars) {
        return chars == null || chars.isNull() ? "" : chars.getString(StandardCharsets.UTF_8);
    }
}
