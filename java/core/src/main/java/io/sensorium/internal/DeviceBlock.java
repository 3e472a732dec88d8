package io.sensorium.internal;

import io.sensorium.internal.binding.sns_device_result;
import java.nio.ByteBuffer;

/** The {@code sns_device_result} that native code fills. All its fields are 8 bytes wide. */
public final class DeviceBlock {
    private static final int FIELDS = 7;

    private final ByteBuffer bytes = Memory.allocate(FIELDS * Long.BYTES);

    static {
        Layout.check(sns_device_result.class, FIELDS, "tokens", 1, "stream", 4, "index", 6);
    }

    /** Ready to be filled. */
    public DeviceBlock() {
        bytes.putLong(0, (long) FIELDS * Long.BYTES);
    }

    /** Where native code writes. */
    public long address() {
        return Memory.address(bytes);
    }

    /** A field of that name. */
    public long tokens() {
        return bytes.getLong(Long.BYTES);
    }

    /** A field of that name. */
    public long latents() {
        return bytes.getLong(2 * Long.BYTES);
    }

    /** A field of that name. */
    public long embedding() {
        return bytes.getLong(3 * Long.BYTES);
    }

    /** A field of that name. */
    public long stream() {
        return bytes.getLong(4 * Long.BYTES);
    }

    /** A field of that name. */
    public long event() {
        return bytes.getLong(5 * Long.BYTES);
    }

    /** A field of that name. */
    public long index() {
        return bytes.getLong(6 * Long.BYTES);
    }
}
