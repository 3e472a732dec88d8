package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avutil.*;
import static org.bytedeco.ffmpeg.global.swscale.*;

import io.sensorium.SensoriumOutOfMemoryException;
import io.sensorium.Yuv;
import java.nio.ByteBuffer;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
import org.jspecify.annotations.Nullable;

/**
 * Any pixel format to RGB bytes as swscale's exact paths give them; those of nearly all video by {@link Yuv}, which is many
 * times as fast. The frame's own tags choose matrix and range; without a matrix it is BT.601 whatever the size, and without a
 * range limited, as FFmpeg's own conversion does.
 */
final class RgbConverter implements AutoCloseable {
    private static final int FLAGS =
            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

    private final AVFrame rgb = av_frame_alloc();
    private @Nullable SwsContext context;
    private long key = -1;
    /** Before they stand upright. */
    private ByteBuffer turned = ByteBuffer.allocateDirect(0);

    /** Upright bytes [height, width, 3] of {@code frame} to {@code out}'s position on. */
    void convert(AVFrame frame, Orientation orientation, ByteBuffer out) {
        int width = frame.width();
        int height = frame.height();
        int bytes = 3 * width * height;
        ByteBuffer upright = out.slice(out.position(), bytes);
        boolean straight = orientation.equals(Orientation.UPRIGHT);
        if (fits(frame)) {
            if (!straight && turned.capacity() < bytes) {
                turned = ByteBuffer.allocateDirect(bytes);
            }
            ByteBuffer target = straight ? upright : turned.clear().limit(bytes);
            Yuv.toRgb(
                    plane(frame, 0, height, width),
                    plane(frame, 1, (height + 1) / 2, (width + 1) / 2),
                    plane(frame, 2, (height + 1) / 2, (width + 1) / 2),
                    height,
                    width,
                    matrix(frame.colorspace()),
                    fullRange(frame),
                    target);
            if (!straight) {
                turn(target, 3 * width, width, height, orientation, upright);
            }
            return;
        }
        ByteBuffer scaled = scale(frame, width, height);
        int stride = rgb.linesize(0);
        if (straight) {
            for (int y = 0; y < height; y++) {
                upright.put(y * width * 3, scaled, y * stride, width * 3);
            }
        } else {
            turn(scaled, stride, width, height, orientation, upright);
        }
    }

    /** Whether {@link Yuv} takes it: planes of bytes whose chroma is halved on both axes, top row first. */
    private static boolean fits(AVFrame frame) {
        boolean halved = frame.format() == AV_PIX_FMT_YUV420P || frame.format() == AV_PIX_FMT_YUVJ420P;
        return halved
                && Math.min(frame.width(), frame.height()) >= Yuv.LEAST
                && frame.linesize(0) > 0
                && frame.linesize(1) > 0
                && frame.linesize(2) > 0;
    }

    private static Yuv.Plane plane(AVFrame frame, int i, int rows, int width) {
        int stride = frame.linesize(i);
        long bytes = (rows - 1L) * stride + width;
        return new Yuv.Plane(frame.data(i).capacity(bytes).asByteBuffer(), stride);
    }

    /** By swscale, into {@link #rgb}. */
    private ByteBuffer scale(AVFrame frame, int width, int height) {
        prepare(frame, width, height);
        int rows = sws_scale(context, frame.data(), frame.linesize(), 0, height, rgb.data(), rgb.linesize());
        if (rows != height) {
            throw new IllegalStateException("swscale gave " + rows + " of " + height + " rows");
        }
        return new BytePointer(rgb.data(0))
                .capacity((long) rgb.linesize(0) * height)
                .asByteBuffer();
    }

    private static void turn(
            ByteBuffer from, int stride, int width, int height, Orientation orientation, ByteBuffer out) {
        int w = orientation.swaps() ? height : width;
        int h = orientation.swaps() ? width : height;
        int at = 0;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++, at += 3) {
                int pixel = orientation.source(x, y, width, height);
                int source = pixel / width * stride + pixel % width * 3;
                out.put(at, from.get(source));
                out.put(at + 1, from.get(source + 1));
                out.put(at + 2, from.get(source + 2));
            }
        }
    }

    private void prepare(AVFrame frame, int width, int height) {
        boolean full = fullRange(frame);
        Yuv.Matrix matrix = matrix(frame.colorspace());
        long wanted = ((long) width << 40 | (long) height << 16 | frame.format()) * 64
                + matrix.ordinal() * 2L
                + (full ? 1 : 0);
        if (wanted == key) {
            return;
        }
        close(false);
        rgb.width(width);
        rgb.height(height);
        rgb.format(AV_PIX_FMT_RGB24);
        // swscale writes whole vectors: frames of its own have room for that, a caller's buffer has not.
        context = sws_getContext(
                width, height, frame.format(), width, height, AV_PIX_FMT_RGB24, FLAGS, null, null, (DoublePointer)
                        null);
        if (context == null || av_frame_get_buffer(rgb, 0) < 0) {
            close(false);
            throw new SensoriumOutOfMemoryException(
                    "no conversion from pixel format " + frame.format() + " at " + width + "×" + height, "", -1, null);
        }
        IntPointer coefficients = sws_getCoefficients(coefficients(matrix));
        sws_setColorspaceDetails(context, coefficients, full ? 1 : 0, coefficients, 1, 0, 1 << 16, 1 << 16);
        key = wanted;
    }

    private static boolean fullRange(AVFrame frame) {
        return frame.color_range() == AVCOL_RANGE_JPEG;
    }

    private static Yuv.Matrix matrix(int colorspace) {
        if (colorspace == AVCOL_SPC_BT709) {
            return Yuv.Matrix.BT709;
        }
        if (colorspace == AVCOL_SPC_BT2020_NCL || colorspace == AVCOL_SPC_BT2020_CL) {
            return Yuv.Matrix.BT2020;
        }
        if (colorspace == AVCOL_SPC_SMPTE240M) {
            return Yuv.Matrix.SMPTE240M;
        }
        if (colorspace == AVCOL_SPC_FCC) {
            return Yuv.Matrix.FCC;
        }
        return Yuv.Matrix.BT601;
    }

    private static int coefficients(Yuv.Matrix matrix) {
        return switch (matrix) {
            case BT601 -> SWS_CS_ITU601;
            case BT709 -> SWS_CS_ITU709;
            case BT2020 -> SWS_CS_BT2020;
            case SMPTE240M -> SWS_CS_SMPTE240M;
            case FCC -> SWS_CS_FCC;
        };
    }

    private void close(boolean all) {
        key = -1;
        av_frame_unref(rgb);
        if (context != null) {
            sws_freeContext(context);
            context = null;
        }
        if (all) {
            av_frame_free(rgb);
        }
    }

    @Override
    public void close() {
        close(true);
    }
}
