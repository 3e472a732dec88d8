package io.sensorium.internal;

import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import org.bytedeco.javacpp.Pointer;

/** Addresses of buffers and buffers over addresses. */
public final class Memory {
    private Memory() {}

    /** The address of the element at the position, or 0 if native code cannot read the buffer in place. */
    public static long address(ByteBuffer buffer) {
        return buffer.isDirect() ? Native.address(buffer) : 0;
    }

    /** As {@link #address(ByteBuffer)}. */
    public static long address(ShortBuffer buffer) {
        return buffer.isDirect() && buffer.order() == ByteOrder.nativeOrder()
                ? aligned(Native.address(buffer), Short.BYTES)
                : 0;
    }

    /** As {@link #address(ByteBuffer)}. */
    public static long address(FloatBuffer buffer) {
        return buffer.isDirect() && buffer.order() == ByteOrder.nativeOrder()
                ? aligned(Native.address(buffer), Float.BYTES)
                : 0;
    }

    /** As {@link #address(ByteBuffer)}. */
    public static long address(LongBuffer buffer) {
        return buffer.isDirect() && buffer.order() == ByteOrder.nativeOrder()
                ? aligned(Native.address(buffer), Long.BYTES)
                : 0;
    }

    private static long aligned(long address, int bytes) {
        return (address & (bytes - 1)) == 0 ? address : 0;
    }

    /** A direct buffer in native order. */
    public static ByteBuffer allocate(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    /** A view of native memory that does not own it. */
    public static ByteBuffer view(long address, long bytes) {
        return new Foreign(address, bytes).asByteBuffer().order(ByteOrder.nativeOrder());
    }

    /** Where native code shall write what belongs into {@code out}: {@code out} itself or a copy of its size. */
    public static FloatBuffer target(FloatBuffer out) {
        return address(out) != 0
                ? out
                : allocate(Math.multiplyExact(Math.max(1, out.remaining()), Float.BYTES))
                        .asFloatBuffer()
                        .limit(out.remaining());
    }

    /** As {@link #target(FloatBuffer)}. */
    public static LongBuffer target(LongBuffer out) {
        return address(out) != 0
                ? out
                : allocate(Math.multiplyExact(Math.max(1, out.remaining()), Long.BYTES))
                        .asLongBuffer()
                        .limit(out.remaining());
    }

    /** As {@link #finish(FloatBuffer, FloatBuffer)}. */
    public static void finish(LongBuffer target, LongBuffer out) {
        if (target != out) {
            out.put(out.position(), target, 0, out.remaining());
        }
        Reference.reachabilityFence(target);
        Reference.reachabilityFence(out);
    }

    /** Copies a {@link #target} back if it was one, and keeps both reachable until now. */
    public static void finish(FloatBuffer target, FloatBuffer out) {
        if (target != out) {
            out.put(out.position(), target, 0, out.remaining());
        }
        Reference.reachabilityFence(target);
        Reference.reachabilityFence(out);
    }

    private static final class Foreign extends Pointer {
        Foreign(long address, long bytes) {
            super((Pointer) null);
            this.address = address;
            this.limit = bytes;
            this.capacity = bytes;
        }
    }
}
