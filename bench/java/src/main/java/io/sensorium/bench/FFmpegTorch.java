package io.sensorium.bench;

import static org.bytedeco.ffmpeg.global.avcodec.*;
import static org.bytedeco.ffmpeg.global.avformat.*;
import static org.bytedeco.ffmpeg.global.avutil.*;
import static org.bytedeco.ffmpeg.global.swresample.*;
import static org.bytedeco.ffmpeg.global.swscale.*;

import java.nio.file.Path;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVChannelLayout;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.swresample.SwrContext;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The usual way: FFmpeg decodes, swscale and swresample bring to size and rate, libtorch does the rest op by op. */
final class FFmpegTorch {
    private static final int RATE = 16_000;
    private static final int BYTES = 3 * PatchWorks.SIZE * PatchWorks.SIZE;

    private final Path file;
    private final int threads;
    private final PatchWorks.TorchConv patches;
    private final BytePointer rgb = new BytePointer(BYTES);
    private final Tensor image = torch.from_blob(
            rgb, new long[] {PatchWorks.SIZE, PatchWorks.SIZE, 3}, new TensorOptions(torch.ScalarType.Byte));
    private final Tensor window = LibTorch.tensor(SoundWorks.hann(true), VideoTest.N_FFT);
    private final Tensor filters = LibTorch.tensor(
            MelFilters.dense(MelFilters.slaney(VideoTest.MELS, VideoTest.N_FFT)),
            VideoTest.MELS,
            VideoTest.N_FFT / 2 + 1);
    private final Tensor weight;
    private FloatPointer samples = new FloatPointer(1 << 20);
    private long count;
    private long nanos;
    private long torchNanos;

    FFmpegTorch(Path file, int threads, PatchWorks.Projection pictures, float[] sound) {
        this.file = file;
        this.threads = threads;
        patches = new PatchWorks.TorchConv(pictures, () -> image);
        weight = LibTorch.tensor(sound, PatchWorks.DIM, VideoTest.MELS);
    }

    void run() {
        try (PointerScope scope = new PointerScope()) {
            tokens();
        }
    }

    float[] output() {
        try (PointerScope scope = new PointerScope()) {
            return LibTorch.values(tokens());
        }
    }

    void forget() {
        nanos = 0;
        torchNanos = 0;
    }

    double decodeShare() {
        return 1 - (double) torchNanos / nanos;
    }

    /** Frames' tokens, then the sound's. */
    private Tensor tokens() {
        long begun = System.nanoTime();
        TensorVector parts = new TensorVector();
        decode(parts);
        long decoded = System.nanoTime();
        Tensor power = LibTorch.stft(torch.from_blob(samples, count), VideoTest.N_FFT, VideoTest.HOP, window);
        power = power.narrow(1, 0, power.size(1) - 1).abs().square();
        Tensor mel = torch.matmul(filters, power)
                .clamp_min(new Scalar(VideoTest.FLOOR))
                .log();
        parts.push_back(torch.matmul(mel.transpose(0, 1), weight.transpose(0, 1)));
        Tensor all = torch.cat(parts, 0);
        long end = System.nanoTime();
        torchNanos += end - decoded;
        nanos += end - begun;
        return all;
    }

    private static int check(int code, String what) {
        if (code < 0) {
            throw new IllegalStateException(what + ": error " + code + " of FFmpeg");
        }
        return code;
    }

    private void decode(TensorVector parts) {
        AVFormatContext format = new AVFormatContext(null);
        check(avformat_open_input(format, file.toString(), null, (AVDictionary) null), "open");
        check(avformat_find_stream_info(format, (PointerPointer<?>) null), "streams");
        AVStream video = stream(format, AVMEDIA_TYPE_VIDEO);
        AVStream audio = stream(format, AVMEDIA_TYPE_AUDIO);
        AVCodecContext pictures = decoder(video);
        AVCodecContext sounds = decoder(audio);
        SwsContext scaler = sws_getContext(
                pictures.width(),
                pictures.height(),
                pictures.pix_fmt(),
                PatchWorks.SIZE,
                PatchWorks.SIZE,
                AV_PIX_FMT_RGB24,
                SWS_BILINEAR,
                null,
                null,
                (DoublePointer) null);
        AVChannelLayout mono = new AVChannelLayout();
        av_channel_layout_default(mono, 1);
        SwrContext resampler = new SwrContext(null);
        check(
                swr_alloc_set_opts2(
                        resampler,
                        mono,
                        AV_SAMPLE_FMT_FLT,
                        RATE,
                        sounds.ch_layout(),
                        sounds.sample_fmt(),
                        sounds.sample_rate(),
                        0,
                        null),
                "resampler");
        check(swr_init(resampler), "resampler");
        AVPacket packet = av_packet_alloc();
        AVFrame frame = av_frame_alloc();
        Pictures taken = new Pictures(parts, scaler);
        count = 0;
        boolean more = true;
        while (more) {
            more = av_read_frame(format, packet) >= 0;
            for (AVCodecContext codec : new AVCodecContext[] {pictures, sounds}) {
                AVStream stream = codec == pictures ? video : audio;
                if (more && packet.stream_index() != stream.index()) {
                    continue;
                }
                check(avcodec_send_packet(codec, more ? packet : null), "packet");
                while (avcodec_receive_frame(codec, frame) >= 0) {
                    if (codec == pictures) {
                        taken.frame(frame);
                    } else {
                        resample(resampler, frame);
                    }
                }
            }
            av_packet_unref(packet);
        }
        resample(resampler, null);
        sws_freeContext(scaler);
        swr_free(resampler);
        av_frame_free(frame);
        av_packet_free(packet);
        avcodec_free_context(pictures);
        avcodec_free_context(sounds);
        avformat_close_input(format);
    }

    private static AVStream stream(AVFormatContext format, int type) {
        return format.streams(check(av_find_best_stream(format, type, -1, -1, (PointerPointer<?>) null, 0), "stream"));
    }

    private AVCodecContext decoder(AVStream stream) {
        AVCodecContext c =
                avcodec_alloc_context3(avcodec_find_decoder(stream.codecpar().codec_id()));
        check(avcodec_parameters_to_context(c, stream.codecpar()), "parameters");
        c.thread_count(threads);
        c.pkt_timebase(stream.time_base());
        check(avcodec_open2(c, c.codec(), (AVDictionary) null), "decoder");
        return c;
    }

    private void resample(SwrContext resampler, @Nullable AVFrame frame) {
        int in = frame == null ? 0 : frame.nb_samples();
        int room = check(swr_get_out_samples(resampler, in), "samples");
        if (count + room > samples.capacity()) {
            FloatPointer larger = new FloatPointer(2 * (count + room)).retainReference();
            larger.put(samples.limit(count));
            samples.deallocate();
            samples = larger.limit(larger.capacity());
        }
        PointerPointer<?> out = new PointerPointer<>(1).put(samples.getPointer(count));
        count += check(
                swr_convert(resampler, out, room, frame == null ? null : frame.extended_data(), in), "resampling");
    }

    /** Tokens of every twelfth frame. */
    private final class Pictures {
        private final TensorVector parts;
        private final SwsContext scaler;
        private final PointerPointer<?> planes = new PointerPointer<>(1).put(rgb);
        private final IntPointer stride = new IntPointer(new int[] {3 * PatchWorks.SIZE});
        private int seen;

        Pictures(TensorVector parts, SwsContext scaler) {
            this.parts = parts;
            this.scaler = scaler;
        }

        void frame(AVFrame frame) {
            if (seen++ % VideoTest.EVERY != 0) {
                return;
            }
            sws_scale(scaler, new PointerPointer<>(frame.data()), frame.linesize(), 0, frame.height(), planes, stride);
            long begun = System.nanoTime();
            parts.push_back(patches.run());
            torchNanos += System.nanoTime() - begun;
        }
    }
}
