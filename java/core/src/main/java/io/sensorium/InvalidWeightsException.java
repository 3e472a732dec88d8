package io.sensorium;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Missing, extra or misshapen tensors, or a malformed file of weights. The message lists all that is wrong. */
public final class InvalidWeightsException extends SensoriumException {
    private static final long serialVersionUID = 1;

    /** As {@link SensoriumException} with {@link ErrorCode#INVALID_WEIGHTS}. */
    public InvalidWeightsException(String message, String field, long limit, @Nullable Throwable cause) {
        super(ErrorCode.INVALID_WEIGHTS, message, field, limit, cause);
    }

    /** Without a limit and a cause. */
    public InvalidWeightsException(String message, String field) {
        this(message, field, NO_LIMIT, null);
    }

    /** The lines of the message: one for each mismatch. */
    public List<String> mismatches() {
        String message = getMessage();
        return message == null ? List.of() : message.lines().toList();
    }
}
