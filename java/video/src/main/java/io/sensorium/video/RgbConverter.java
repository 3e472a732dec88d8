package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avutil.*;
import static org.bytedeco.ffmpeg.global.swscale.*;

import io.sensorium.SensoriumOutOfMemoryException;
import java.nio.ByteBuffer;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
import org.jspecify.annotations.Nullable;

/**
 * Any pixel format to RGB bytes by swscale's exact paths. The frame's own tags choose matrix and range; without a matrix it is
 * BT.601 whatever the size, and without a range limited, as FFmpeg's own conversion does.
 */
final class RgbConverter implements AutoCloseable {
    private static final int FLAGS =
            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

    private final AVFrame rgb = av_frame_alloc();
    private @Nullable SwsContext context;
    private long key = -1;

    /** Upright bytes [height, width, 3] of {@code frame}. */
    void convert(AVFrame frame, Orientation orientation, ByteBuffer out) {
        int width = frame.width();
        int height = frame.height();
        prepare(frame, width, height);
        int rows = sws_scale(context, frame.data(), frame.linesize(), 0, height, rgb.data(), rgb.linesize());
        if (rows != height) {
            throw new IllegalStateException("swscale gave " + rows + " of " + height + " rows");
        }
        int stride = rgb.linesize(0);
        ByteBuffer from =
                new BytePointer(rgb.data(0)).capacity((long) stride * height).asByteBuffer();
        if (orientation.equals(Orientation.UPRIGHT)) {
            for (int y = 0; y < height; y++) {
                out.put(out.position() + y * width * 3, from, y * stride, width * 3);
            }
            return;
        }
        int w = orientation.swaps() ? height : width;
        int h = orientation.swaps() ? width : height;
        int at = out.position();
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
        boolean full = frame.color_range() == AVCOL_RANGE_JPEG;
        int matrix = matrix(frame.colorspace());
        long wanted = ((long) width << 40 | (long) height << 16 | frame.format()) * 64 + matrix * 2L + (full ? 1 : 0);
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
        IntPointer coefficients = sws_getCoefficients(matrix);
        sws_setColorspaceDetails(context, coefficients, full ? 1 : 0, coefficients, 1, 0, 1 << 16, 1 << 16);
        key = wanted;
    }

    private static int matrix(int colorspace) {
        if (colorspace == AVCOL_SPC_BT709) {
            return SWS_CS_ITU709;
        }
        if (colorspace == AVCOL_SPC_BT2020_NCL || colorspace == AVCOL_SPC_BT2020_CL) {
            return SWS_CS_BT2020;
        }
        if (colorspace == AVCOL_SPC_SMPTE240M) {
            return SWS_CS_SMPTE240M;
        }
        if (colorspace == AVCOL_SPC_FCC) {
            return SWS_CS_FCC;
        }
        return SWS_CS_ITU601;
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
