package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avutil.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.javacpp.BytePointer;

/** Decoded sound of any sample format and layout as mono floats in [−1, 1]: the mean of the channels. */
final class SoundReader {
    private FloatBuffer out = FloatBuffer.allocate(0);

    /** Valid until the next call. */
    FloatBuffer mono(AVFrame frame, String name) {
        int samples = frame.nb_samples();
        int channels = frame.ch_layout().nb_channels();
        int format = frame.format();
        boolean planar = av_sample_fmt_is_planar(format) != 0;
        int width = av_get_bytes_per_sample(format);
        if (out.capacity() < samples) {
            out = ByteBuffer.allocateDirect(Math.multiplyExact(4, samples))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
        }
        out.clear();
        int packed = av_get_packed_sample_fmt(format);
        for (int c = 0; c < channels; c++) {
            BytePointer plane = new BytePointer(frame.extended_data().get(planar ? c : 0));
            ByteBuffer bytes = plane.capacity((long) samples * width * (planar ? 1 : channels))
                    .asByteBuffer()
                    .order(ByteOrder.nativeOrder());
            add(bytes, packed, planar ? 0 : c * width, planar ? width : width * channels, samples, c == 0, name);
        }
        if (channels > 1) {
            for (int i = 0; i < samples; i++) {
                out.put(i, out.get(i) / channels);
            }
        }
        return out.limit(samples);
    }

    private void add(ByteBuffer bytes, int format, int at, int step, int samples, boolean first, String name) {
        for (int i = 0; i < samples; i++, at += step) {
            float value;
            if (format == AV_SAMPLE_FMT_FLT) {
                value = bytes.getFloat(at);
            } else if (format == AV_SAMPLE_FMT_S16) {
                value = bytes.getShort(at) / 32768f;
            } else if (format == AV_SAMPLE_FMT_S32) {
                value = bytes.getInt(at) / 2147483648f;
            } else if (format == AV_SAMPLE_FMT_DBL) {
                value = (float) bytes.getDouble(at);
            } else if (format == AV_SAMPLE_FMT_U8) {
                value = ((bytes.get(at) & 255) - 128) / 128f;
            } else if (format == AV_SAMPLE_FMT_S64) {
                value = bytes.getLong(at) / 9223372036854775808f;
            } else {
                throw FFmpeg.corrupt(name, "samples of format " + format);
            }
            out.put(i, first ? value : out.get(i) + value);
        }
    }
}
