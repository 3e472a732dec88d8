package io.sensorium.internal;

import java.nio.ByteBuffer;

/** An {@code int32_t} that native code writes. */
public final class Flag {
    private final ByteBuffer bytes = Memory.allocate(Integer.BYTES);
    private final long address = Memory.address(bytes);

    /** Where native code writes. */
    public long address() {
        return address;
    }

    /** What it wrote. */
    public int get() {
        return bytes.getInt(0);
    }
}
