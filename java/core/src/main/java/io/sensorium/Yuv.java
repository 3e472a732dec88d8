package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Memory;
import io.sensorium.internal.NativeLibrary;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;

/**
 * Pictures as video has them, luma and halved chroma, to RGB: the bytes that FFmpeg's swscale gives with bicubic chroma,
 * accurate rounding and full chroma resolution.
 */
public final class Yuv {
    /** Pixels that a picture must have on each side. */
    public static final int LEAST = 13;

    private Yuv() {}

    /** Which red, green and blue make luma; the order is that of the C ABI. */
    public enum Matrix {
        /** ITU-R BT.601. */
        BT601,
        /** ITU-R BT.709. */
        BT709,
        /** ITU-R BT.2020, non-constant luminance. */
        BT2020,
        /** SMPTE 240M. */
        SMPTE240M,
        /** FCC 73.682. */
        FCC
    }

    /**
     * A plane of bytes.
     *
     * @param bytes rows from position on
     * @param stride bytes from one row to the next
     */
    public record Plane(ByteBuffer bytes, int stride) {
        private void check(String field, int rows, int width) {
            long needed = (rows - 1L) * stride + width;
            if (stride < width || bytes.remaining() < needed) {
                throw new InvalidShapeException(
                        field + ": " + bytes.remaining() + " bytes, stride " + stride + "; " + rows + " rows of "
                                + width + " have more",
                        field);
            }
        }
    }

    /**
     * Converts a picture, on the caller's thread. Positions and limits are not changed.
     *
     * @param y height rows of width bytes
     * @param u ⌈height/2⌉ rows of ⌈width/2⌉ bytes
     * @param v as {@code u}
     * @param fullRange whether luma is 0 to 255; else it is 16 to 235
     * @param out receives [height, width, 3], exactly what remains in it; must not overlap the planes
     * @throws InvalidShapeException if a side is below {@link #LEAST}, or a buffer does not fit
     * @throws IllegalArgumentException if {@code out} is read-only
     */
    public static void toRgb(
            Plane y, Plane u, Plane v, int height, int width, Matrix matrix, boolean fullRange, ByteBuffer out) {
        NativeLibrary.ensureLoaded();
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("out is read-only", new ReadOnlyBufferException());
        }
        y.check("y", height, width);
        u.check("u", (height + 1) / 2, (width + 1) / 2);
        v.check("v", (height + 1) / 2, (width + 1) / 2);
        Staging staging = new Staging();
        ByteBuffer target = out.isDirect() ? out : Memory.allocate(Math.max(1, out.remaining()));
        Errors.check(Native.sns_yuv_to_rgb(
                address(y, staging),
                y.stride(),
                address(u, staging),
                u.stride(),
                address(v, staging),
                v.stride(),
                height,
                width,
                matrix.ordinal(),
                fullRange ? 1 : 0,
                Memory.address(target),
                out.remaining()));
        Reference.reachabilityFence(y);
        Reference.reachabilityFence(u);
        Reference.reachabilityFence(v);
        Reference.reachabilityFence(staging);
        if (target != out) {
            out.put(out.position(), target, 0, out.remaining());
        }
        Reference.reachabilityFence(target);
        Reference.reachabilityFence(out);
    }

    private static long address(Plane plane, Staging staging) {
        long direct = Memory.address(plane.bytes());
        return direct != 0 ? direct : staging.copy(plane.bytes());
    }
}
