package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avcodec.*;
import static org.bytedeco.ffmpeg.global.avformat.*;
import static org.bytedeco.ffmpeg.global.avutil.*;
import static org.bytedeco.ffmpeg.presets.avutil.AVERROR_EAGAIN;

import io.sensorium.InvalidShapeException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.locks.ReentrantLock;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVCodecParameters;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.avutil.AVFrameSideData;
import org.bytedeco.ffmpeg.avutil.AVRational;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;

/**
 * A file of pictures, sound or both, decoded by FFmpeg in the order of the file: {@link #next} until it gives null. The best
 * stream of each kind is read.
 *
 * <p>Times are exact fractions of the stream's clock with edit lists applied; variable frame rates stay. Zero is the
 * container's own zero; containers whose clocks start anywhere (MPEG program and transport streams, MP3) are moved so that the
 * first stream starts at 0.
 *
 * <p>FFmpeg reads bytes through Java only: it opens no file and no connection. A file that was cut off, or that cannot be
 * decoded, is a {@link io.sensorium.CorruptInputException} that names the byte or the time; one that asks for more than its
 * {@link MediaLimits} is a {@link io.sensorium.LimitExceededException}; a frame of another size than the first is an
 * {@link InvalidShapeException}.
 *
 * <p>One thread at a time; {@link #cancel} and {@link #close} may be called by any thread, and close waits.
 */
public final class MediaFile implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final System.Logger LOG = System.getLogger(MediaFile.class.getName());

    /** Containers of single files; formats that name other files are not among them. */
    private static final String FORMATS =
            "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flac,mp3,wav,w64,aiff,caf,au,aac,ac3,asf,flv,nut,"
                    + "gif,ivf,webp_pipe,png_pipe,jpeg_pipe,bmp_pipe,tiff_pipe";

    private static final int ATTEMPTS = 1 << 16;

    private final String name;
    private final MediaLimits limits;
    private final ReentrantLock lock = new ReentrantLock();
    private final State state;
    private final Cleaner.Cleanable cleanable;
    private final List<StreamInfo> streams;
    private final @Nullable Track video;
    private final @Nullable Track audio;
    private final Rational origin;
    private final Rational duration;
    private final List<MediaWarning> warnings = new ArrayList<>();
    private long nonMonotonic;
    private long untimed;
    private final SoundReader sound = new SoundReader();
    private final @Nullable TileGrid grid;
    private boolean assembled;
    private @Nullable Track pending;
    private int draining = -1;

    /** What native memory belongs to a file; it knows nothing of the file, so that an unreachable one can be cleaned. */
    private static final class State implements Runnable {
        final SourceIo io;
        final String name;
        final AVFormatContext format = avformat_alloc_context();
        final AVPacket packet = av_packet_alloc();
        final AVFrame frame = av_frame_alloc();
        final RgbConverter rgb = new RgbConverter();
        final List<AVCodecContext> decoders = new ArrayList<>();
        boolean open;
        boolean closed;

        State(Source source, String name) {
            this.name = name;
            io = new SourceIo(source);
            io.attach(format);
            format.flags(format.flags() | AVFormatContext.AVFMT_FLAG_CUSTOM_IO);
        }

        void free() {
            if (closed) {
                return;
            }
            closed = true;
            decoders.forEach(decoder -> avcodec_free_context(decoder));
            if (open) {
                avformat_close_input(format);
            } else {
                avformat_free_context(format);
            }
            rgb.close();
            av_frame_free(frame);
            av_packet_free(packet);
            io.close();
        }

        @Override
        public void run() {
            if (!closed) {
                LOG.log(System.Logger.Level.WARNING, "{0} was never closed", name);
                free();
            }
        }
    }

    /** A stream that is decoded. */
    private final class Track {
        final StreamInfo info;
        final AVCodecContext decoder;
        final long tickNum;
        final long tickDen;
        boolean timeless;
        long index;

        @Nullable
        Rational last;

        Rational lastDuration = Rational.ZERO;

        Track(StreamInfo info, AVStream stream, AVCodecContext decoder) {
            this.info = info;
            this.decoder = decoder;
            this.tickNum = stream.time_base().num();
            this.tickDen = stream.time_base().den();
        }

        Rational time(long ticks) {
            return new Rational(tickNum, tickDen).times(ticks).minus(origin);
        }
    }

    /** Opens a file with the default limits. */
    public static MediaFile open(Path file) throws IOException {
        return open(file, MediaLimits.DEFAULT);
    }

    /** Opens a file. */
    public static MediaFile open(Path file, MediaLimits limits) throws IOException {
        FFmpeg.load();
        String name = String.valueOf(file.getFileName());
        return new MediaFile(Source.of(file, name, limits.maxBytes()), name, limits);
    }

    /**
     * Reads a stream to its end into a temporary file, and opens that.
     *
     * @param name what errors call it
     */
    public static MediaFile open(InputStream in, String name, MediaLimits limits) throws IOException {
        FFmpeg.load();
        return new MediaFile(Source.of(in, name, limits.maxBytes()), name, limits);
    }

    /**
     * Opens what is in memory; the bytes must not change.
     *
     * @param name what errors call it
     */
    public static MediaFile open(byte[] bytes, String name, MediaLimits limits) {
        FFmpeg.load();
        return new MediaFile(Source.of(bytes, name, limits.maxBytes()), name, limits);
    }

    private MediaFile(Source source, String name, MediaLimits limits) {
        this.name = name;
        this.limits = limits;
        try {
            Containers.check(source, name);
            state = new State(source, name);
        } catch (RuntimeException | Error e) {
            source.close();
            throw e;
        }
        try {
            probe();
            streams = new ArrayList<>();
            for (int i = 0; i < state.format.nb_streams(); i++) {
                streams.add(info(i));
            }
            grid = TileGrid.of(state.format, name, limits);
            AVStream pictures = grid == null ? best(AVMEDIA_TYPE_VIDEO, -1) : state.format.streams(grid.first());
            AVStream sounds = grid == null ? best(AVMEDIA_TYPE_AUDIO, pictures == null ? -1 : pictures.index()) : null;
            if (pictures == null && sounds == null) {
                throw FFmpeg.corrupt(name, "no picture and no sound in " + streams.size() + " streams");
            }
            for (int i = 0; i < state.format.nb_streams(); i++) {
                AVStream stream = state.format.streams(i);
                boolean used = pictures != null && pictures.index() == i || sounds != null && sounds.index() == i;
                used |= grid != null && grid.contains(i);
                stream.discard(used ? AVDISCARD_DEFAULT : AVDISCARD_ALL);
            }
            origin = origin(pictures, sounds);
            streams.replaceAll(info -> info.startingAt(info.start().minus(origin)));
            if (grid != null) {
                streams.set(grid.first(), streams.get(grid.first()).sized(grid.width(), grid.height()));
            }
            video = pictures == null ? null : track(pictures);
            audio = sounds == null ? null : track(sounds);
            duration = longest();
        } catch (RuntimeException | Error e) {
            state.free();
            throw e;
        }
        cleanable = CLEANER.register(this, state);
    }

    private void probe() {
        AVDictionary options = new AVDictionary(null);
        av_dict_set(options, "format_whitelist", FORMATS, 0);
        av_dict_set(options, "protocol_whitelist", "none", 0);
        av_dict_set(options, "max_streams", Integer.toString(Math.addExact(limits.maxStreams(), 1)), 0);
        int error = avformat_open_input(state.format, "", null, options);
        av_dict_free(options);
        state.open = error >= 0;
        if (state.open) {
            checkStreams(state.format.nb_streams());
        }
        if (error < 0) {
            throw FFmpeg.error(name, "not a media file that can be read", error, state.io);
        }
        int count = state.format.nb_streams();
        checkStreams(count);
        for (int i = 0; i < count; i++) {
            checkParameters(state.format.streams(i));
        }
        error = findStreamInfo(count);
        if (error < 0) {
            throw FFmpeg.error(name, "its streams cannot be read", error, state.io);
        }
        checkStreams(state.format.nb_streams());
        for (int i = 0; i < state.format.nb_streams(); i++) {
            checkParameters(state.format.streams(i));
        }
    }

    /** Frames are decoded here when the container says too little: with the same limits. */
    private int findStreamInfo(int count) {
        if (count == 0) {
            return avformat_find_stream_info(state.format, (PointerPointer<?>) null);
        }
        List<AVDictionary> each = new ArrayList<>();
        try (PointerPointer<AVDictionary> options = new PointerPointer<>(count)) {
            for (int i = 0; i < count; i++) {
                AVDictionary option = new AVDictionary(null);
                av_dict_set(option, "max_pixels", Long.toString(limits.decoderPixels()), 0);
                av_dict_set(option, "threads", "1", 0);
                options.put(i, option);
                each.add(option);
            }
            int error = avformat_find_stream_info(state.format, options);
            for (int i = 0; i < count; i++) {
                // FFmpeg takes out what it used and writes the rest back.
                AVDictionary rest = options.get(AVDictionary.class, i);
                if (rest != null) {
                    av_dict_free(rest);
                }
            }
            return error;
        }
    }

    private void checkStreams(int count) {
        if (count > limits.maxStreams()) {
            throw FFmpeg.exceeded(name, count + " streams", limits.maxStreams());
        }
    }

    private void checkParameters(AVStream stream) {
        AVCodecParameters p = stream.codecpar();
        long pixels = (long) p.width() * p.height();
        if (pixels > limits.maxPixels()) {
            throw FFmpeg.exceeded(
                    name, "frames of " + p.width() + "×" + p.height() + " = " + pixels + " pixels", limits.maxPixels());
        }
        if (p.ch_layout().nb_channels() > limits.maxChannels()) {
            throw FFmpeg.exceeded(name, p.ch_layout().nb_channels() + " channels", limits.maxChannels());
        }
        if (p.sample_rate() > limits.maxSampleRate()) {
            throw FFmpeg.exceeded(name, "a sample rate of " + p.sample_rate() + " Hz", limits.maxSampleRate());
        }
    }

    private StreamInfo info(int i) {
        AVStream stream = state.format.streams(i);
        AVCodecParameters p = stream.codecpar();
        AVRational base = stream.time_base();
        Rational tick = base.den() > 0 && base.num() > 0 ? new Rational(base.num(), base.den()) : Rational.ofMicros(1);
        return new StreamInfo(
                i,
                avcodec_get_name(p.codec_id()).getString(),
                p.codec_type() == AVMEDIA_TYPE_VIDEO,
                tick,
                stream.start_time() == AV_NOPTS_VALUE ? Rational.ZERO : tick.times(stream.start_time()),
                stream.duration() == AV_NOPTS_VALUE ? Rational.ZERO : tick.times(Math.max(0, stream.duration())),
                p.width(),
                p.height(),
                p.sample_rate(),
                p.ch_layout().nb_channels());
    }

    private @Nullable AVStream best(int type, int related) {
        int index = av_find_best_stream(state.format, type, -1, related, (PointerPointer<?>) null, 0);
        return index < 0 ? null : state.format.streams(index);
    }

    private Rational origin(@Nullable AVStream pictures, @Nullable AVStream sounds) {
        Rational first = null;
        for (AVStream stream : new @Nullable AVStream[] {pictures, sounds}) {
            if (stream != null && stream.start_time() != AV_NOPTS_VALUE) {
                Rational start = streams.get(stream.index()).start();
                first = first == null || start.compareTo(first) < 0 ? start : first;
            }
        }
        if (first == null) {
            return Rational.ZERO;
        }
        String container = state.format.iformat().name().getString();
        if (container.equals("ogg") && first.micros() <= limits.maxMicros()) {
            return Rational.ZERO; // its clock has a zero, unless it was cut out of days of radio
        }
        boolean anywhere = (state.format.iformat().flags() & AVFMT_TS_DISCONT) != 0;
        // An MP3's first sample has the time of those in front of it that its encoder tells to drop.
        return anywhere || container.equals("mp3") ? first : Rational.ZERO;
    }

    private Track track(AVStream stream) {
        return new Track(streams.get(stream.index()), stream, decoder(stream));
    }

    private AVCodecContext decoder(AVStream stream) {
        StreamInfo info = streams.get(stream.index());
        AVCodecParameters p = stream.codecpar();
        AVCodec codec = avcodec_find_decoder(p.codec_id());
        if (codec == null) {
            throw FFmpeg.corrupt(name, "stream " + info.index() + ": there is no decoder for " + info.codec());
        }
        AVCodecContext decoder = avcodec_alloc_context3(codec);
        state.decoders.add(decoder);
        int error = avcodec_parameters_to_context(decoder, p);
        if (error >= 0) {
            decoder.pkt_timebase(stream.time_base());
            decoder.thread_count(info.video() ? limits.decoderThreads() : 1);
            decoder.max_pixels(limits.decoderPixels());
            error = avcodec_open2(decoder, codec, (PointerPointer<?>) null);
        }
        if (error < 0) {
            throw FFmpeg.error(name, "stream " + info.index() + " (" + info.codec() + ")", error, state.io);
        }
        return decoder;
    }

    private Rational longest() {
        Rational longest = Rational.ZERO;
        for (Track track : new @Nullable Track[] {video, audio}) {
            if (track != null && track.info.duration().compareTo(longest) > 0) {
                longest = track.info.duration();
            }
        }
        if (longest.equals(Rational.ZERO) && state.format.duration() != AV_NOPTS_VALUE) {
            longest = Rational.ofMicros(Math.max(0, state.format.duration()));
        }
        if (longest.micros() > limits.maxMicros()) {
            throw FFmpeg.exceeded(name, "a length of " + longest.micros() + " µs", limits.maxMicros());
        }
        return longest;
    }

    /** What errors call it. */
    public String name() {
        return name;
    }

    /** What it may ask for. */
    public MediaLimits limits() {
        return limits;
    }

    /** Name of the container, such as "mov,mp4,m4a,3gp,3g2,mj2". */
    public String container() {
        return locked(() -> state.format.iformat().name().getString());
    }

    /** Whether only the ends of its pages tell times. */
    boolean paged() {
        return container().equals("ogg");
    }

    /** All streams of the container. */
    public List<StreamInfo> streams() {
        return List.copyOf(streams);
    }

    /** The stream of pictures that is decoded. */
    public Optional<StreamInfo> video() {
        return Optional.ofNullable(video).map(track -> track.info);
    }

    /** The stream of sound that is decoded. */
    public Optional<StreamInfo> audio() {
        return Optional.ofNullable(audio).map(track -> track.info);
    }

    /** Length as the container tells it, of the longer stream; 0 if it does not. */
    public Rational duration() {
        return duration;
    }

    /** What was put right so far. */
    public List<MediaWarning> warnings() {
        return List.copyOf(warnings);
    }

    /** Makes a call that runs, and all later ones, end with a {@link CancellationException}; any thread. */
    public void cancel() {
        state.io.cancel();
    }

    /**
     * The next frame or block of sound, in the order of the file: those of one stream by time, the streams about as they are
     * interleaved.
     *
     * @return null at the end
     */
    public @Nullable Decoded next() {
        return locked(grid == null ? this::decode : this::assemble);
    }

    /** The one picture of a grid of tiles. */
    private @Nullable Decoded assemble() {
        if (assembled) {
            return null;
        }
        TileGrid tiles = grid;
        List<Integer> missing = tiles.streams();
        AVFrame part = av_frame_alloc();
        try {
            while (!missing.isEmpty()) {
                int error = av_read_frame(state.format, state.packet);
                if (error < 0) {
                    throw error == AVERROR_EOF && state.io.failure() == null
                            ? FFmpeg.corrupt(name, missing.size() + " tiles are missing")
                            : FFmpeg.error(name, "reading tiles", error, state.io);
                }
                int stream = state.packet.stream_index();
                if (missing.remove((Object) stream)) {
                    tile(stream, part);
                    tiles.place(part, stream, state.frame);
                    av_frame_unref(part);
                }
                av_packet_unref(state.packet);
            }
        } finally {
            av_packet_unref(state.packet);
            av_frame_free(part);
        }
        tiles.crop(state.frame);
        assembled = true;
        return new VideoFrame(this, state.frame, Rational.ZERO, Rational.ZERO, 0, tiles.orientation(), false);
    }

    /** Decodes the packet that was read. */
    private void tile(int stream, AVFrame part) {
        AVCodecContext decoder = decoder(state.format.streams(stream));
        int error = avcodec_send_packet(decoder, state.packet);
        if (error >= 0) {
            avcodec_send_packet(decoder, new AVPacket(null));
            error = avcodec_receive_frame(decoder, part);
        }
        state.decoders.remove(decoder);
        avcodec_free_context(decoder);
        if (error < 0) {
            throw FFmpeg.error(name, "tile of stream " + stream, error, state.io);
        }
    }

    private interface Work<T extends @Nullable Object> {
        T run();
    }

    private <T extends @Nullable Object> T locked(Work<T> work) {
        if (!lock.tryLock()) {
            throw new IllegalStateException(name + " is in use by another thread");
        }
        try {
            if (state.closed) {
                throw new IllegalStateException(name + " is closed");
            }
            return work.run();
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Decoded decode() {
        for (int attempt = 0; attempt < ATTEMPTS; ) {
            if (state.io.cancelled()) {
                throw new CancellationException(name + ": cancelled");
            }
            Track track = pending;
            if (track != null) {
                int error = avcodec_receive_frame(track.decoder, state.frame);
                if (error >= 0) {
                    Decoded decoded = track.info.video() ? picture(track) : block(track);
                    if (decoded != null) {
                        return decoded;
                    }
                    attempt++;
                    continue;
                }
                if (error != AVERROR_EAGAIN() && error != AVERROR_EOF) {
                    throw broken(track, error);
                }
                pending = null;
            }
            if (draining >= 0) {
                if (!drain()) {
                    return null;
                }
            } else {
                read();
            }
        }
        throw FFmpeg.corrupt(name, "no frame with a time in " + ATTEMPTS + " frames");
    }

    private void read() {
        AVPacket packet = state.packet;
        int error = av_read_frame(state.format, packet);
        if (error == AVERROR_EOF) {
            if (state.io.failure() != null) {
                throw FFmpeg.error(name, "reading", error, state.io);
            }
            draining = 0;
            return;
        }
        if (error < 0) {
            throw FFmpeg.error(name, "at byte " + avio_tell(state.format.pb()), error, state.io);
        }
        try {
            Track track = null;
            for (Track each : new @Nullable Track[] {video, audio}) {
                track = each != null && each.info.index() == packet.stream_index() ? each : track;
            }
            if (track == null) {
                return;
            }
            if (packet.size() == 0) {
                // Ogg has empty packets, which would read as the end. In sound they come from writers that count what
                // goes
                // into an encoder, not what comes out: then no page's time is that of its samples.
                track.timeless |= !track.info.video();
                return;
            }
            if ((packet.flags() & AV_PKT_FLAG_CORRUPT) != 0) {
                throw FFmpeg.corrupt(
                        name,
                        "at byte " + packet.pos() + ": stream " + track.info.index() + " is cut off or damaged after "
                                + told(track));
            }
            error = avcodec_send_packet(track.decoder, packet);
            if (error < 0 && error != AVERROR_EAGAIN()) {
                throw broken(track, error);
            }
            pending = track;
        } finally {
            av_packet_unref(packet);
        }
    }

    /** Takes the last frames out of one decoder after the other; false when all are empty. */
    private boolean drain() {
        List<Track> tracks = new ArrayList<>();
        if (video != null) {
            tracks.add(video);
        }
        if (audio != null) {
            tracks.add(audio);
        }
        if (draining == tracks.size()) {
            tracks.forEach(this::checkEnd);
            return false;
        }
        Track track = tracks.get(draining++);
        avcodec_send_packet(track.decoder, new AVPacket(null));
        pending = track;
        return true;
    }

    /** FLAC tells how many samples there are; a stream that gives fewer was cut off. */
    private void checkEnd(Track track) {
        if (track.index == 0) {
            throw FFmpeg.corrupt(name, "stream " + track.info.index() + " (" + track.info.codec() + ") has no frames");
        }
        Rational end = track.last;
        boolean counted = track.info.codec().equals("flac") && streams.size() == 1;
        if (counted && end != null && end.plus(track.lastDuration).compareTo(track.info.duration()) < 0) {
            throw FFmpeg.corrupt(
                    name,
                    "cut off after " + told(track) + " of "
                            + track.info.duration().micros() + " µs");
        }
    }

    private RuntimeException broken(Track track, int error) {
        AVCodecContext decoder = track.decoder;
        long pixels = (long) Math.max(decoder.width(), decoder.coded_width())
                * Math.max(decoder.height(), decoder.coded_height());
        if (pixels > limits.maxPixels()) {
            return FFmpeg.exceeded(name, "frames of " + pixels + " pixels", limits.maxPixels());
        }
        return FFmpeg.error(
                name,
                "stream " + track.info.index() + " (" + track.info.codec() + ") after " + told(track),
                error,
                state.io);
    }

    private static String told(Track track) {
        Rational last = track.last;
        return last == null ? "no frame" : "frame " + (track.index - 1) + " at " + last.micros() + " µs";
    }

    /** The frame's time, or what follows the frame before; null if it goes back. */
    private @Nullable Rational time(Track track, long ticks, Rational length, boolean forward) {
        Rational last = track.last;
        Rational time;
        if (ticks != AV_NOPTS_VALUE) {
            try {
                time = track.time(ticks);
                time.micros();
            } catch (ArithmeticException e) {
                throw FFmpeg.corrupt(
                        name, "stream " + track.info.index() + ", frame " + track.index + ": time " + ticks + " ticks");
            }
        } else {
            time = last == null ? track.info.start() : last.plus(track.lastDuration);
            if (forward) {
                warn(MediaWarning.Kind.NO_TIME, track, time, "no time; " + time.micros() + " µs is taken");
            }
        }
        long limit = limits.maxMicros();
        if (Math.abs(time.micros()) > limit) {
            throw FFmpeg.exceeded(
                    name,
                    "stream " + track.info.index() + ", frame " + track.index + " at " + time.micros() + " µs",
                    limit);
        }
        if (forward && last != null && time.compareTo(last) <= 0) {
            warn(
                    MediaWarning.Kind.NON_MONOTONIC,
                    track,
                    time,
                    time.micros() + " µs is not after " + last.micros() + " µs; left out");
            track.index++;
            return null;
        }
        track.last = time;
        track.lastDuration = length;
        track.index++;
        return time;
    }

    private void warn(MediaWarning.Kind kind, Track track, Rational time, String text) {
        warn(new MediaWarning(kind, track.info.index(), track.index, time.micros(), 0, text));
    }

    private static final int MOST_WARNINGS = 1000;

    /** How many frames were left out because their time went back; warnings tell of the first ones only. */
    long nonMonotonic() {
        return nonMonotonic;
    }

    /** How many frames had no time of their own; likewise. */
    long untimed() {
        return untimed;
    }

    void warn(MediaWarning warning) {
        if (warning.kind() == MediaWarning.Kind.NON_MONOTONIC) {
            nonMonotonic++;
        } else if (warning.kind() == MediaWarning.Kind.NO_TIME) {
            untimed++;
        }
        if (warnings.size() < MOST_WARNINGS) {
            warnings.add(warning);
        }
    }

    private @Nullable Decoded picture(Track track) {
        AVFrame frame = state.frame;
        long index = track.index;
        if (frame.width() != track.info.width() || frame.height() != track.info.height()) {
            String field = "frame " + index;
            throw new InvalidShapeException(
                    name + ": " + field + " after " + told(track) + ": " + frame.width() + "×" + frame.height()
                            + " in a video of " + track.info.width() + "×" + track.info.height(),
                    field);
        }
        Rational length = frame.duration() > 0
                ? new Rational(track.tickNum, track.tickDen).times(frame.duration())
                : Rational.ZERO;
        Rational time = time(track, frame.best_effort_timestamp(), length, true);
        if (time == null) {
            return null;
        }
        AVFrameSideData matrix = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
        Orientation orientation = matrix == null || matrix.size() < 36
                ? Orientation.UPRIGHT
                : Orientation.of(new IntPointer(matrix.data()).capacity(9));
        return new VideoFrame(this, frame, time, length, index, orientation, false);
    }

    private Decoded block(Track track) {
        AVFrame frame = state.frame;
        long index = track.index;
        int rate = frame.sample_rate();
        if (rate != track.info.sampleRate() || frame.ch_layout().nb_channels() != track.info.channels()) {
            String field = "block " + index;
            throw new InvalidShapeException(
                    name + ": " + field + " of stream " + track.info.index() + ": "
                            + frame.ch_layout().nb_channels() + " channels at " + rate + " Hz in a sound of "
                            + track.info.channels() + " at " + track.info.sampleRate(),
                    field);
        }
        Rational length = new Rational(frame.nb_samples(), rate);
        long ticks = track.timeless ? AV_NOPTS_VALUE : frame.best_effort_timestamp();
        Rational time = time(track, ticks, length, false);
        return new SoundBlock(time, sound.mono(frame, name), rate, index);
    }

    void convert(AVFrame frame, Orientation orientation, ByteBuffer out) {
        locked(() -> {
            state.rgb.convert(frame, orientation, out);
            return out;
        });
    }

    /** Frees everything; waits for a call that runs, which ends as if it were cancelled. */
    @Override
    public void close() {
        state.io.cancel();
        lock.lock();
        try {
            state.free();
        } finally {
            lock.unlock();
        }
        cleanable.clean();
    }
}
