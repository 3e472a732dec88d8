package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Whatever buffers a picture comes in; its bytes are held to FFmpeg's in {@code RgbConverterTest}. */
class YuvTest {
    private static final int HEIGHT = 17;
    private static final int WIDTH = 22;

    private static ByteBuffer noise(boolean direct, int bytes, int seed) {
        byte[] random = new byte[bytes];
        new Random(seed).nextBytes(random);
        ByteBuffer buffer = direct ? ByteBuffer.allocateDirect(bytes + 3) : ByteBuffer.allocate(bytes + 3);
        buffer.position(3).put(random).position(3);
        return buffer;
    }

    private static ByteBuffer rgb(boolean direct, ByteBuffer out) {
        Yuv.toRgb(
                new Yuv.Plane(noise(direct, HEIGHT * WIDTH, 1).asReadOnlyBuffer(), WIDTH),
                new Yuv.Plane(noise(direct, 9 * 12, 2), 12),
                new Yuv.Plane(noise(direct, 8 * 13 + 11, 3), 13),
                HEIGHT,
                WIDTH,
                Yuv.Matrix.BT709,
                false,
                out);
        return out;
    }

    @Test
    void anyBufferGivesTheSame() {
        ByteBuffer expected = rgb(true, ByteBuffer.allocateDirect(HEIGHT * WIDTH * 3));
        assertEquals(expected, rgb(false, ByteBuffer.allocate(HEIGHT * WIDTH * 3)));
        ByteBuffer part = ByteBuffer.allocateDirect(5 + HEIGHT * WIDTH * 3).position(5);
        assertEquals(expected, rgb(true, part));
        assertEquals(5, part.position());
        assertEquals(0, part.getInt(0));
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertThrows(
                IllegalArgumentException.class,
                () -> rgb(true, ByteBuffer.allocateDirect(HEIGHT * WIDTH * 3).asReadOnlyBuffer()));
        assertThrows(InvalidShapeException.class, () -> rgb(true, ByteBuffer.allocateDirect(HEIGHT * WIDTH * 3 - 1)));
        Yuv.Plane plane = new Yuv.Plane(ByteBuffer.allocateDirect(20 * 20), 20);
        ByteBuffer out = ByteBuffer.allocateDirect(20 * 20 * 3);
        Yuv.toRgb(plane, plane, plane, 20, 20, Yuv.Matrix.BT601, true, out);
        Yuv.Plane cut = new Yuv.Plane(ByteBuffer.allocateDirect(9 * 20 + 9), 20);
        Yuv.Plane narrow = new Yuv.Plane(ByteBuffer.allocateDirect(400), 9);
        for (Yuv.Plane bad : new Yuv.Plane[] {cut, narrow, new Yuv.Plane(ByteBuffer.allocateDirect(400), -20)}) {
            InvalidShapeException e = assertThrows(
                    InvalidShapeException.class,
                    () -> Yuv.toRgb(plane, plane, bad, 20, 20, Yuv.Matrix.BT601, true, out));
            assertEquals("v", e.field());
        }
        InvalidShapeException small = assertThrows(
                InvalidShapeException.class, () -> Yuv.toRgb(plane, plane, plane, 12, 20, Yuv.Matrix.BT601, true, out));
        assertEquals(Yuv.LEAST, small.limit());
    }
}
