package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avcodec.*;
import static org.bytedeco.ffmpeg.global.avformat.*;
import static org.bytedeco.ffmpeg.global.avutil.*;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVIOContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.javacpp.PointerPointer;

/** Makes small clips with known times by FFmpeg itself. */
final class Clips {
    /** Draws frame {@code index}: values of the three planes. */
    interface Painter {
        int[] yuv(int index);
    }

    /** Pictures of one colour each; {@code pts} in ticks of {@code num/den} seconds. */
    record Video(
            String codec,
            int width,
            int height,
            int num,
            int den,
            long[] pts,
            Painter painter,
            Consumer<AVCodecContext> setup) {
        Video(String codec, int width, int height, int num, int den, long[] pts, Painter painter) {
            this(codec, width, height, num, den, pts, painter, c -> {});
        }
    }

    /** A mono sound; sample {@code jumpAt} and all after it come {@code jump} samples later than they should. */
    record Audio(String codec, int rate, float[] samples, int jumpAt, int jump) {
        Audio(String codec, int rate, float[] samples) {
            this(codec, rate, samples, Integer.MAX_VALUE, 0);
        }
    }

    private final AVFormatContext format = new AVFormatContext(null);
    private final AVPacket packet = av_packet_alloc();

    private Clips() {}

    static long[] regular(int frames) {
        long[] pts = new long[frames];
        for (int i = 0; i < frames; i++) {
            pts[i] = i;
        }
        return pts;
    }

    /** Bytes of a file of the muxer {@code container}; either stream may be null. */
    static byte[] make(String container, Video video, Audio audio) {
        FFmpeg.load();
        try {
            Path file = Files.createTempFile("clip", ".bin");
            try {
                new Clips().write(container, file, video, audio);
                return Files.readAllBytes(file);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int check(int code, String what) {
        if (code < 0) {
            throw new IllegalStateException(what + ": " + FFmpeg.text(code));
        }
        return code;
    }

    private void write(String container, Path file, Video video, Audio audio) {
        check(avformat_alloc_output_context2(format, null, container, file.toString()), container);
        AVCodecContext pictures = video == null ? null : open(video);
        AVStream pictureStream = pictures == null ? null : stream(pictures);
        AVCodecContext sounds = audio == null ? null : open(audio);
        AVStream soundStream = sounds == null ? null : stream(sounds);
        if ((format.oformat().flags() & AVFMT_NOFILE) == 0) {
            AVIOContext io = new AVIOContext(null);
            check(avio_open(io, file.toString(), AVIO_FLAG_WRITE), "open");
            format.pb(io);
        }
        check(avformat_write_header(format, (PointerPointer<?>) null), "header");
        int frame = 0;
        int sample = 0;
        while (video != null && frame < video.pts().length || audio != null && sample < audio.samples().length) {
            boolean picture = video != null
                    && frame < video.pts().length
                    && (audio == null
                            || sample >= audio.samples().length
                            || (double) video.pts()[frame] * video.num() / video.den()
                                    <= (double) sample / audio.rate());
            if (picture) {
                paint(pictures, pictureStream, video, frame++);
            } else {
                sample += sing(sounds, soundStream, audio, sample);
            }
        }
        for (AVCodecContext coder : new AVCodecContext[] {pictures, sounds}) {
            if (coder != null) {
                encode(coder, coder == pictures ? pictureStream : soundStream, null);
                avcodec_free_context(coder);
            }
        }
        check(av_write_trailer(format), "trailer");
        if ((format.oformat().flags() & AVFMT_NOFILE) == 0) {
            avio_closep(format.pb());
        }
        avformat_free_context(format);
        av_packet_free(packet);
    }

    private AVCodecContext open(Video video) {
        AVCodec codec = avcodec_find_encoder_by_name(video.codec());
        AVCodecContext c = avcodec_alloc_context3(codec);
        c.width(video.width()).height(video.height());
        c.time_base(av_make_q(video.num(), video.den()));
        c.framerate(av_make_q(video.den(), video.num()));
        c.pix_fmt(
                switch (video.codec()) {
                    case "mjpeg" -> AV_PIX_FMT_YUVJ420P;
                    case "gif" -> AV_PIX_FMT_GRAY8;
                    default -> AV_PIX_FMT_YUV420P;
                });
        c.bit_rate(4_000_000);
        c.gop_size(12);
        c.max_b_frames(0);
        c.thread_count(1);
        video.setup().accept(c);
        return open(codec, c);
    }

    /** FFmpeg's Vorbis is stereo only. */
    private static int channels(Audio audio) {
        return audio.codec().equals("vorbis") ? 2 : 1;
    }

    private AVCodecContext open(Audio audio) {
        AVCodec codec = avcodec_find_encoder_by_name(audio.codec());
        AVCodecContext c = avcodec_alloc_context3(codec);
        c.sample_rate(audio.rate());
        av_channel_layout_default(c.ch_layout(), channels(audio));
        c.sample_fmt(
                switch (audio.codec()) {
                    case "pcm_s16le", "flac", "mp2" -> AV_SAMPLE_FMT_S16;
                    case "libopus" -> AV_SAMPLE_FMT_FLT;
                    default -> AV_SAMPLE_FMT_FLTP;
                });
        c.time_base(av_make_q(1, audio.rate()));
        c.bit_rate(128_000);
        c.strict_std_compliance(-2);
        return open(codec, c);
    }

    private AVCodecContext open(AVCodec codec, AVCodecContext c) {
        if ((format.oformat().flags() & AVFMT_GLOBALHEADER) != 0) {
            c.flags(c.flags() | AV_CODEC_FLAG_GLOBAL_HEADER);
        }
        AVDictionary options = new AVDictionary(null);
        av_dict_set(options, "cpu-used", "8", 0);
        check(avcodec_open2(c, codec, options), codec.name().getString());
        av_dict_free(options);
        return c;
    }

    private AVStream stream(AVCodecContext c) {
        AVStream stream = avformat_new_stream(format, null);
        stream.time_base(c.time_base());
        check(avcodec_parameters_from_context(stream.codecpar(), c), "parameters");
        return stream;
    }

    private void paint(AVCodecContext c, AVStream stream, Video video, int index) {
        AVFrame frame = av_frame_alloc();
        frame.width(video.width()).height(video.height()).format(c.pix_fmt());
        frame.colorspace(c.colorspace());
        frame.color_range(c.color_range());
        check(av_frame_get_buffer(frame, 0), "frame");
        int[] yuv = video.painter().yuv(index);
        for (int plane = 0; plane < (c.pix_fmt() == AV_PIX_FMT_GRAY8 ? 1 : 3); plane++) {
            int rows = plane == 0 ? video.height() : (video.height() + 1) / 2;
            long bytes = (long) rows * frame.linesize(plane);
            frame.data(plane).capacity(bytes).fill(yuv[plane]);
        }
        frame.pts(video.pts()[index]);
        encode(c, stream, frame);
        av_frame_free(frame);
    }

    private int sing(AVCodecContext c, AVStream stream, Audio audio, int at) {
        int most = c.frame_size() > 0 ? c.frame_size() : 480;
        int count = Math.min(most, audio.samples().length - at);
        if (at < audio.jumpAt()) {
            count = Math.min(count, audio.jumpAt() - at);
        }
        AVFrame frame = av_frame_alloc();
        frame.nb_samples(count).format(c.sample_fmt());
        frame.sample_rate(audio.rate());
        av_channel_layout_default(frame.ch_layout(), channels(audio));
        check(av_frame_get_buffer(frame, 0), "frame");
        if (c.sample_fmt() == AV_SAMPLE_FMT_S16) {
            ShortBuffer out = frame.data(0)
                    .capacity(2L * count)
                    .asByteBuffer()
                    .order(ByteOrder.nativeOrder())
                    .asShortBuffer();
            for (int i = 0; i < count; i++) {
                out.put((short) Math.round(audio.samples()[at + i] * 32767));
            }
        } else {
            for (int channel = 0; channel < channels(audio); channel++) {
                FloatBuffer out = frame.data(channel)
                        .capacity(4L * count)
                        .asByteBuffer()
                        .order(ByteOrder.nativeOrder())
                        .asFloatBuffer();
                out.put(audio.samples(), at, count);
            }
        }
        frame.pts(at + (at >= audio.jumpAt() ? audio.jump() : 0));
        encode(c, stream, frame);
        av_frame_free(frame);
        return count;
    }

    private void encode(AVCodecContext c, AVStream stream, AVFrame frame) {
        check(avcodec_send_frame(c, frame), "send");
        while (avcodec_receive_packet(c, packet) >= 0) {
            if (packet.duration() == 0 && c.codec_type() == AVMEDIA_TYPE_VIDEO) {
                packet.duration(1);
            }
            av_packet_rescale_ts(packet, c.time_base(), stream.time_base());
            packet.stream_index(stream.index());
            check(av_interleaved_write_frame(format, packet), "write");
        }
    }
}
