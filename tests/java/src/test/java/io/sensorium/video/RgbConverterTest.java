package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avutil.*;
import static org.bytedeco.ffmpeg.global.swscale.*;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sensorium.Yuv;
import java.nio.ByteBuffer;
import java.util.Random;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Colours are swscale's own bytes, whichever road a frame takes. */
class RgbConverterTest {
    private static final int[] SPACES = {
        AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT709, AVCOL_SPC_BT2020_NCL, AVCOL_SPC_SMPTE240M, AVCOL_SPC_FCC
    };

    private static final int[] COEFFICIENTS = {SWS_CS_ITU601, SWS_CS_ITU709, SWS_CS_BT2020, SWS_CS_SMPTE240M, SWS_CS_FCC
    };

    @BeforeAll
    static void load() {
        FFmpeg.load();
    }

    private static AVFrame frame(int width, int height, int format, Random random) {
        AVFrame frame = av_frame_alloc();
        frame.width(width).height(height).format(format);
        assertEquals(0, av_frame_get_buffer(frame, 0));
        // Noise in half of the pictures; in the others only 0 and 255, which drive sums beyond both bounds.
        boolean extreme = random.nextBoolean();
        for (int plane = 0; plane < 3; plane++) {
            int rows = plane == 0 ? height : (height + 1) / 2;
            byte[] bytes = new byte[rows * frame.linesize(plane)];
            random.nextBytes(bytes);
            for (int i = 0; extreme && i < bytes.length; i++) {
                bytes[i] = (byte) (bytes[i] >> 7);
            }
            frame.data(plane).put(bytes, 0, bytes.length);
        }
        return frame;
    }

    /** Straight from FFmpeg: [height, width, 3]. */
    private static byte[] swscale(AVFrame frame, int coefficients, boolean full) {
        int width = frame.width();
        int height = frame.height();
        int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
        SwsContext context = sws_getContext(
                width, height, frame.format(), width, height, AV_PIX_FMT_RGB24, flags, null, null, (DoublePointer)
                        null);
        IntPointer table = sws_getCoefficients(coefficients);
        sws_setColorspaceDetails(context, table, full ? 1 : 0, table, 1, 0, 1 << 16, 1 << 16);
        AVFrame rgb = av_frame_alloc();
        rgb.width(width).height(height).format(AV_PIX_FMT_RGB24);
        assertEquals(0, av_frame_get_buffer(rgb, 0));
        assertEquals(height, sws_scale(context, frame.data(), frame.linesize(), 0, height, rgb.data(), rgb.linesize()));
        byte[] out = new byte[3 * width * height];
        for (int y = 0; y < height; y++) {
            new BytePointer(rgb.data(0)).position((long) y * rgb.linesize(0)).get(out, y * 3 * width, 3 * width);
        }
        sws_freeContext(context);
        av_frame_free(rgb);
        return out;
    }

    private static void compare(
            int width, int height, int format, int space, boolean full, Random random, String name) {
        try (AVFrame frame = frame(width, height, format, random);
                RgbConverter converter = new RgbConverter()) {
            frame.colorspace(SPACES[space]);
            frame.color_range(full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG);
            byte[] expected = swscale(frame, COEFFICIENTS[space], full);
            ByteBuffer out = ByteBuffer.allocateDirect(expected.length);
            converter.convert(frame, Orientation.UPRIGHT, out);
            for (int i = 0; i < expected.length; i++) {
                if (expected[i] != out.get(i)) {
                    throw new AssertionError(
                            name + ", " + width + "×" + height + ", format " + format + ", space " + space
                                    + (full ? ", full" : ", limited") + ": byte " + i + " is " + (out.get(i) & 255)
                                    + ", FFmpeg's "
                                    + (expected[i] & 255));
                }
            }
            av_frame_free(frame);
        }
    }

    @Test
    void bytesAreThoseOfSwscale() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 400; round++) {
            int least = round % 8 == 0 ? 4 : Yuv.LEAST;
            compare(
                    least + random.nextInt(round % 4 == 0 ? 700 : 60),
                    least + random.nextInt(round % 4 == 0 ? 300 : 60),
                    random.nextBoolean() ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUVJ420P,
                    random.nextInt(SPACES.length),
                    random.nextBoolean(),
                    random,
                    "seed " + seed + ", round " + round);
        }
    }
}
