package io.sensorium.internal;

import io.sensorium.internal.binding.Native;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Direct memory for copies of buffers that native code cannot read in place. Addresses stay valid until {@link #reset};
 * what a request needed is kept for the next one.
 */
public final class Staging {
    private static final int ALIGNMENT = 64;
    private static final int SMALLEST = 1 << 16;

    private final List<Block> blocks = new ArrayList<>();
    private int current;
    private int used;
    private long replaced;

    /** Forgets all copies. */
    public void reset() {
        current = 0;
        used = 0;
        replaced = 0;
    }

    /** Copies what is between position and limit and returns its address. */
    public long copy(ByteBuffer source) {
        Block block = reserve(source.remaining());
        block.bytes.put(used, source, source.position(), source.remaining());
        return advance(block, source.remaining());
    }

    /** As {@link #copy(ByteBuffer)}. */
    public long copy(ShortBuffer source) {
        long bytes = (long) source.remaining() * Short.BYTES;
        Block block = reserve(bytes);
        block.shorts.put(used / Short.BYTES, source, source.position(), source.remaining());
        return advance(block, bytes);
    }

    /** As {@link #copy(ByteBuffer)}. */
    public long copy(FloatBuffer source) {
        long bytes = (long) source.remaining() * Float.BYTES;
        Block block = reserve(bytes);
        block.floats.put(used / Float.BYTES, source, source.position(), source.remaining());
        return advance(block, bytes);
    }

    /** As {@link #copy(ByteBuffer)}, with 0 for what is NaN or infinite. */
    public long copyFinite(FloatBuffer source) {
        long address = copy(source);
        Block block = blocks.get(current);
        int first = (int) (address - block.address) / Float.BYTES;
        for (int i = first; i < first + source.remaining(); i++) {
            if (!Float.isFinite(block.floats.get(i))) {
                block.floats.put(i, 0);
                replaced++;
            }
        }
        return address;
    }

    /** How many values {@link #copyFinite} replaced since the last {@link #reset}. */
    public long replaced() {
        return replaced;
    }

    /** As {@link #copy(ByteBuffer)}. */
    public long copy(LongBuffer source) {
        long bytes = (long) source.remaining() * Long.BYTES;
        Block block = reserve(bytes);
        block.longs.put(used / Long.BYTES, source, source.position(), source.remaining());
        return advance(block, bytes);
    }

    private Block reserve(long bytes) {
        if (bytes > Integer.MAX_VALUE - ALIGNMENT) {
            throw new IllegalArgumentException(
                    bytes + " bytes are too many to be copied: pass a direct buffer in native order");
        }
        while (current < blocks.size() && blocks.get(current).bytes.capacity() - used < bytes) {
            current++;
            used = 0;
        }
        if (current == blocks.size()) {
            blocks.add(new Block((int) Math.max(bytes, SMALLEST)));
        }
        return blocks.get(current);
    }

    private long advance(Block block, long bytes) {
        long address = block.address + used;
        used = (int) Math.min(block.bytes.capacity(), (used + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        return address;
    }

    private static final class Block {
        final ByteBuffer bytes;
        final ShortBuffer shorts;
        final FloatBuffer floats;
        final LongBuffer longs;
        final long address;

        Block(int size) {
            bytes = Memory.allocate(size);
            shorts = bytes.asShortBuffer();
            floats = bytes.asFloatBuffer();
            longs = bytes.asLongBuffer();
            address = Native.address(bytes);
        }
    }
}
