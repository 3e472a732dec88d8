package io.sensorium.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/** Read-only buffers over an array of native memory, made anew only when the array moved or grew. */
public final class View {
    private long address;
    private long capacity;
    private FloatBuffer floats;
    private IntBuffer ints;
    private LongBuffer longs;

    /** Over nothing. */
    public View() {
        ByteBuffer empty = Memory.allocate(0);
        floats = empty.asFloatBuffer();
        ints = empty.asIntBuffer();
        longs = empty.asLongBuffer();
    }

    /** {@code count} floats at an address. */
    public FloatBuffer floats(long at, long count) {
        cover(at, count * Float.BYTES);
        return floats.clear().limit((int) count);
    }

    /** {@code count} ints at an address. */
    public IntBuffer ints(long at, long count) {
        cover(at, count * Integer.BYTES);
        return ints.clear().limit((int) count);
    }

    /** {@code count} longs at an address. */
    public LongBuffer longs(long at, long count) {
        cover(at, count * Long.BYTES);
        return longs.clear().limit((int) count);
    }

    private void cover(long at, long bytes) {
        if (bytes == 0 || (at == address && bytes <= capacity)) {
            return;
        }
        if (bytes > Integer.MAX_VALUE) {
            throw new IllegalStateException(bytes + " bytes are more than a buffer can span");
        }
        ByteBuffer view = Memory.view(at, bytes).asReadOnlyBuffer().order(ByteOrder.nativeOrder());
        floats = view.asFloatBuffer();
        ints = view.asIntBuffer();
        longs = view.asLongBuffer();
        address = at;
        capacity = bytes;
    }
}
