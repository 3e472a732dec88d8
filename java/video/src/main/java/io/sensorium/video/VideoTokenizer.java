package io.sensorium.video;

import io.sensorium.Format;
import io.sensorium.ImageConfig;
import io.sensorium.InvalidArgumentException;
import io.sensorium.LimitExceededException;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.ResizeConfig;
import io.sensorium.Resizer;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.TokenOrder;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Makes one sequence of a video's frames and sound, in which every token knows its true time, and compresses it; long files
 * window by window in bounded memory.
 *
 * <p>Times are those of the file, in microseconds rounded down. A frame lasts until the next frame of the video replaces it. A
 * token of sound covers one hop around its window's centre; log-mel frames are those of the whole sound wherever windows cut
 * it, unless the model's front end looks at a clip as a whole (Whisper's range, norms): then each window is a clip.
 * Frames go into the window in which they begin, sound into that of its centre.
 *
 * <p>With {@link ImageConfig#temporalPatch()} above 1, so many chosen frames after each other are one image; the last one stands in
 * for those that are missing at the end.
 *
 * <p>Immutable; each {@link #run} has a session of its own.
 */
public final class VideoTokenizer {
    private final Model model;
    private final FrameSampling sampling;
    private final @Nullable Rational window;
    private final TokenOrder order;
    private final long chunkMicros;
    private final int maxSide;
    private final int latents;
    private final long maxWaitingBytes;

    private VideoTokenizer(Builder builder) {
        model = builder.model;
        sampling = builder.sampling;
        window = builder.window;
        order = builder.order;
        chunkMicros = builder.chunkMicros;
        maxSide = builder.maxSide;
        latents = builder.latents;
        maxWaitingBytes = builder.maxWaitingBytes;
    }

    /** A builder for a model of images, sound or both. */
    public static Builder builder(Model model) {
        return new Builder(model);
    }

    /** Collects what a tokenizer does. */
    public static final class Builder {
        private final Model model;
        private FrameSampling sampling = FrameSampling.rate(Rational.of(2, 1));
        private @Nullable Rational window;
        private TokenOrder order = TokenOrder.TIME;
        private long chunkMicros;
        private int maxSide;
        private int latents = Integer.MAX_VALUE;
        private long maxWaitingBytes = 256L << 20;

        private Builder(Model model) {
            this.model = Objects.requireNonNull(model, "model");
        }

        /** Which frames are used; two a second if it is not set. */
        public Builder sampling(FrameSampling value) {
            sampling = Objects.requireNonNull(value, "value");
            return this;
        }

        /** Length of the windows, counted from time 0; each is a sequence of its own. Not set: the whole file is one. */
        public Builder window(Duration value) {
            if (value.isNegative() || value.isZero()) {
                throw new InvalidArgumentException("window: " + value + " is not positive", "window");
            }
            window = Rational.of(value.toNanos(), 1_000_000_000);
            return this;
        }

        /** Tokens by start time, frames first on ties. This is the default. */
        public Builder interleaveByTime() {
            order = TokenOrder.TIME;
            chunkMicros = 0;
            return this;
        }

        /** Chunks of so much time, counted from time 0; in each the frames come first, then the sound. */
        public Builder interleaveByChunks(Duration chunk) {
            order = TokenOrder.CHUNKS;
            chunkMicros = chunk.toNanos() / 1000;
            if (chunkMicros < 1) {
                throw new InvalidArgumentException("chunk: " + chunk + " is below a microsecond", "chunk");
            }
            return this;
        }

        /** All frames, then all sound. */
        public Builder framesThenSound() {
            order = TokenOrder.ITEMS;
            chunkMicros = 0;
            return this;
        }

        /** Shrinks frames to at most so many pixels on their longer side, before the model's own resizing; 0 = not. */
        public Builder maxSide(int value) {
            maxSide = value;
            return this;
        }

        /** At most so many latents for each window. */
        public Builder latents(int value) {
            latents = value;
            return this;
        }

        /** How much decoded data may wait for its window; more is a {@link LimitExceededException}. 256 MiB if not set. */
        public Builder maxWaitingBytes(long value) {
            maxWaitingBytes = value;
            return this;
        }

        /** The tokenizer. */
        public VideoTokenizer build() {
            if (model.image().isEmpty() && model.audio().isEmpty()) {
                throw new InvalidArgumentException("the model has neither an image nor an audio tokenizer", "model");
            }
            return new VideoTokenizer(this);
        }
    }

    /**
     * Decodes the file to its end. {@link MediaFile#cancel} from any thread ends it with a {@link
     * java.util.concurrent.CancellationException}; windows that were told stay told.
     *
     * @param file of which nothing has been read
     * @return how the two streams go together
     */
    public SyncReport run(MediaFile file, VideoSink sink) {
        try (Run run = new Run(file, sink)) {
            return run.all();
        }
    }

    private record Waiting(Rational time, Rational end, ByteBuffer pixels, int height, int width) {}

    private final class Run implements AutoCloseable {
        private final MediaFile file;
        private final VideoSink sink;
        private final @Nullable FrameSampler sampler;
        private final @Nullable SoundTimeline timeline;
        private final @Nullable SoundQueue sound;
        private final FrameClock clock = new FrameClock();
        private final Deque<Waiting> frames = new ArrayDeque<>();
        private final List<ByteBuffer> free = new ArrayList<>();
        private final int patch;
        private ByteBuffer full = ByteBuffer.allocateDirect(0);
        private ByteBuffer small = ByteBuffer.allocateDirect(0);
        private @Nullable ByteBuffer group;
        private int grouped;
        private Rational groupTime = Rational.ZERO;
        private Rational groupEnd = Rational.ZERO;
        private int groupHeight;
        private int groupWidth;
        private @Nullable Rational firstUsed;
        private @Nullable Rational lastUsed;
        private long farthest = -1;
        private @Nullable Session session;
        private boolean ended;
        private @Nullable Long at;
        private long waitingBytes;
        private long used;
        private long windows;
        private long tokens;
        private long latentCount;
        private long decodeNanos;
        private long kernelNanos;

        Run(MediaFile file, VideoSink sink) {
            this.file = file;
            this.sink = sink;
            patch = model.image().map(ImageConfig::temporalPatch).orElse(1);
            StreamInfo pictures = file.video().orElse(null);
            StreamInfo sounds = file.audio().orElse(null);
            if (pictures != null && model.image().isPresent()) {
                if (model.image().get().channels() != 3) {
                    throw new InvalidArgumentException("the model's images have not 3 channels", "channels");
                }
                Rational length = pictures.duration().num() > 0 ? pictures.duration() : file.duration();
                sampler = new FrameSampler(sampling, length, file.name());
            } else {
                sampler = null;
            }
            if (sounds != null && model.audio().isPresent()) {
                timeline = new SoundTimeline(sounds, file.limits().maxMicros(), file.paged(), file::warn);
                sound = SoundQueue.of(model, sounds.sampleRate());
            } else {
                timeline = null;
                sound = null;
            }
            if (sampler == null && sound == null) {
                throw new InvalidArgumentException(
                        file.name() + ": the model takes neither its pictures nor its sound", "model");
            }
        }

        SyncReport all() {
            while (!ended) {
                long begun = System.nanoTime();
                Decoded decoded = file.next();
                decodeNanos += System.nanoTime() - begun;
                if (decoded == null) {
                    finish();
                } else if (decoded instanceof VideoFrame frame) {
                    picture(frame);
                } else if (decoded instanceof SoundBlock block && timeline != null) {
                    timeline.push(block, this::samples);
                }
                while (window()) {}
                checkWaiting();
            }
            return report();
        }

        private void picture(VideoFrame frame) {
            clock.frame(frame);
            sink.frame(frame.time().micros());
            if (sampler != null) {
                sampler.push(frame, this::take);
            }
        }

        private void samples(java.nio.FloatBuffer samples) {
            long begun = System.nanoTime();
            int rate = file.audio().orElseThrow().sampleRate();
            sink.sound(timeline.end().micros() - samples.remaining() * 1_000_000L / rate, samples.duplicate(), rate);
            sound.push(samples);
            kernelNanos += System.nanoTime() - begun;
        }

        private void finish() {
            ended = true;
            if (sampler != null) {
                sampler.finish(this::take);
                if (grouped > 0) {
                    int bytes = group.capacity() / patch;
                    for (; grouped < patch; grouped++) {
                        group.put(grouped * bytes, group, (grouped - 1) * bytes, bytes);
                    }
                    close(group);
                }
            }
            if (sound != null) {
                timeline.finish(this::samples);
                sound.finish();
            }
        }

        /** A chosen frame: to RGB, to its size, into the group of its temporal patch. */
        private void take(VideoFrame frame, Rational end) {
            long begun = System.nanoTime();
            int height = frame.height();
            int width = frame.width();
            int bytes = Math.multiplyExact(Math.multiplyExact(height, width), 3);
            full = roomFor(full, bytes);
            frame.rgb(full.clear().limit(bytes));
            long decoded = System.nanoTime();
            decodeNanos += decoded - begun;
            ByteBuffer pixels = full;
            for (ResizeConfig step : resizes(height, width)) {
                Resizer resizer = model.engine().resizer(step);
                Resizer.Size size = resizer.size(height, width);
                if (size.height() == height && size.width() == width) {
                    continue;
                }
                ByteBuffer target = roomFor(pixels == full ? small : full, size.height() * size.width() * 3);
                target.clear().limit(size.height() * size.width() * 3);
                resizer.run(pixels, height, width, 3, target);
                if (pixels == full) {
                    small = target;
                } else {
                    full = target;
                }
                pixels = target;
                height = size.height();
                width = size.width();
            }
            if (grouped == 0) {
                group = buffer(pixels.remaining() * patch);
                groupTime = frame.time();
                groupHeight = height;
                groupWidth = width;
            }
            group.put(grouped * pixels.remaining(), pixels, 0, pixels.remaining());
            grouped++;
            groupEnd = end;
            used++;
            nearest(frame.time());
            if (grouped == patch) {
                close(group);
            }
            kernelNanos += System.nanoTime() - decoded;
        }

        private void close(ByteBuffer pixels) {
            frames.add(new Waiting(groupTime, groupEnd, pixels, groupHeight, groupWidth));
            waitingBytes += pixels.capacity();
            grouped = 0;
            group = null;
        }

        private ByteBuffer buffer(int bytes) {
            for (int i = 0; i < free.size(); i++) {
                if (free.get(i).capacity() == bytes) {
                    return free.remove(i).clear();
                }
            }
            free.clear();
            return ByteBuffer.allocateDirect(bytes);
        }

        /**
         * What can be done before a frame waits, so that little waits: the limit of the side, and the model's own resizing
         * where doing it again changes nothing.
         */
        private List<ResizeConfig> resizes(int height, int width) {
            List<ResizeConfig> steps = new ArrayList<>();
            int side = Math.max(height, width);
            if (maxSide > 0 && side > maxSide) {
                steps.add(ResizeConfig.squash(
                        (int) Math.max(1, Math.round((double) height * maxSide / side)),
                        (int) Math.max(1, Math.round((double) width * maxSide / side)),
                        ResizeConfig.Filter.BICUBIC));
            }
            ResizeConfig own = model.image().orElseThrow().resize();
            boolean crops = own.cropH() > 0;
            boolean again = switch (own.mode()) {
                case NONE -> true;
                case SHORTEST_EDGE -> !crops || own.cropH() == own.height() && own.cropW() == own.height();
                default -> !crops;
            };
            if (again && !own.equals(ResizeConfig.NONE)) {
                Resizer resizer = model.engine().resizer(own);
                Resizer.Size once = resizer.size(height, width);
                if (steps.isEmpty() && resizer.size(once.height(), once.width()).equals(once)) {
                    steps.add(own);
                }
            }
            return steps;
        }

        private void nearest(Rational time) {
            firstUsed = firstUsed == null ? time : firstUsed;
            lastUsed = time;
            if (timeline != null && timeline.start() != null) {
                farthest = Math.max(farthest, distance(time, Long.MAX_VALUE));
            }
        }

        /** From {@code time} to the middle of the nearest of the first {@code count} tokens of the sound. */
        private long distance(Rational time, long count) {
            io.sensorium.AudioConfig config = model.audio().orElseThrow();
            long rate = 2L * config.logMel().sampleRate();
            Rational centre = new Rational(SoundQueue.tokenCentre(config), rate);
            Rational step = new Rational(SoundQueue.tokenStep(config), rate);
            Rational since = time.minus(timeline.start()).minus(centre);
            long token = Math.round(since.seconds() / step.seconds());
            token = Math.max(0, Math.min(count - 1, token));
            return since.minus(step.times(token)).abs().micros();
        }

        private Rational windowEnd(long index) {
            return window == null ? Rational.of(Long.MAX_VALUE / 4_000_000, 1) : window.times(index + 1);
        }

        /** Runs the next window if everything that belongs to it is here; false if not. */
        private boolean window() {
            Rational start = timeline == null ? null : timeline.start();
            if (at == null) {
                boolean unknown =
                        !ended && (sampler != null && sampler.decided() == null || timeline != null && start == null);
                if (unknown) {
                    return false;
                }
                Rational first =
                        frames.isEmpty() ? groupOrHeld() : frames.peek().time();
                if (first == null || start != null && start.compareTo(first) < 0) {
                    first = start == null ? Rational.ZERO : start;
                }
                at = window == null ? 0 : Math.floorDiv(first.micros(), window.micros());
            }
            Rational end = windowEnd(at);
            if (!ended) {
                if (window == null) {
                    return false;
                }
                Rational decided = sampler == null ? null : grouped > 0 ? groupTime : sampler.decided();
                if (sampler != null && (decided == null || decided.compareTo(end) < 0)) {
                    return false;
                }
                if (sound != null && (start == null || !sound.complete(start, end))) {
                    return false;
                }
            } else if (frames.isEmpty() && (sound == null || sound.isEmpty())) {
                return false;
            }
            execute(at, start, end);
            at++;
            sink.progress(Math.min(end.micros(), reached()), file.duration().micros());
            return window != null;
        }

        private @Nullable Rational groupOrHeld() {
            return grouped > 0 ? groupTime : sampler == null ? null : sampler.decided();
        }

        private long reached() {
            return Math.max(clock.end(), timeline == null ? 0 : timeline.end().micros());
        }

        private void execute(long index, @Nullable Rational start, Rational end) {
            long begun = System.nanoTime();
            List<Waiting> images = new ArrayList<>();
            while (!frames.isEmpty() && frames.peek().time().compareTo(end) < 0) {
                images.add(frames.poll());
            }
            long soundTokens = sound == null || start == null ? 0 : sound.tokens(start, end);
            if (!images.isEmpty() || soundTokens > 0) {
                Session s = session(images, soundTokens, start, end);
                s.clear();
                List<VideoWindow.Image> told = new ArrayList<>();
                for (Waiting image : images) {
                    s.at(image.time().micros(), image.end().micros());
                    if (patch > 1) {
                        s.frames(image.pixels().clear(), image.height(), image.width(), 3);
                    } else {
                        s.image(image.pixels().clear(), image.height(), image.width(), 3);
                    }
                    told.add(new VideoWindow.Image(
                            image.time().micros(),
                            image.end().micros(),
                            image.pixels(),
                            image.height(),
                            image.width()));
                }
                if (soundTokens > 0) {
                    sound.add(s, start, end);
                }
                Result result = s.run();
                windows++;
                tokens += result.tokens().count();
                latentCount += result.hasLatents() ? result.latents().count() : 0;
                kernelNanos += System.nanoTime() - begun;
                sink.window(new VideoWindow(index, told, result));
            }
            if (sound != null && start != null) {
                sound.release(start, end);
            }
            for (Waiting image : images) {
                waitingBytes -= image.pixels().capacity();
                free.add(image.pixels());
            }
        }

        /** The session, made anew when a window needs more than those before. */
        private Session session(List<Waiting> images, long soundTokens, @Nullable Rational start, Rational end) {
            long count = soundTokens;
            long pixels = 1;
            for (Waiting image : images) {
                count += model.countTokens(Modality.IMAGE, Format.U8_HWC, image.height(), image.width(), 3);
                pixels = Math.max(pixels, (long) image.height() * image.width());
            }
            long samples = soundTokens == 0 ? 1 : sound.maxSamples(start, end);
            int items = images.size() + 1;
            Session have = session;
            if (have != null) {
                SessionLimits l = have.limits();
                if (l.maxItems() >= items
                        && l.maxTokens() >= count
                        && l.maxPixels() >= pixels
                        && l.maxSamples() >= samples) {
                    return have;
                }
                have.close();
                session = null;
            }
            if (count > Integer.MAX_VALUE) {
                throw new LimitExceededException(count + " tokens in one window", "window", Integer.MAX_VALUE, null);
            }
            // Windows differ by a frame or two: room for that spares another session.
            Session made = model.newSession(SessionLimits.builder()
                    .maxItems(items + items / 8 + 1)
                    .maxTokens((int) Math.min(Integer.MAX_VALUE, count + count / 8))
                    .maxPixels(pixels)
                    .maxSamples(samples + samples / 8)
                    .build());
            session = made;
            if (order != TokenOrder.ITEMS) {
                made.order(order, chunkMicros);
            }
            if (latents != Integer.MAX_VALUE) {
                made.latents(latents);
            }
            return made;
        }

        private void checkWaiting() {
            long bytes = waitingBytes + (sound == null ? 0 : sound.bytes());
            if (bytes > maxWaitingBytes) {
                throw new LimitExceededException(
                        file.name() + ": " + bytes
                                + " bytes wait for their window (of the whole file if none is set, or "
                                + "because picture and sound lie far apart in it); the limit is " + maxWaitingBytes,
                        "maxWaitingBytes",
                        maxWaitingBytes,
                        null);
            }
        }

        private SyncReport report() {
            boolean heard = timeline != null && timeline.start() != null;
            if (heard && firstUsed != null) {
                io.sensorium.AudioConfig config = model.audio().orElseThrow();
                Rational step = new Rational(
                        SoundQueue.tokenStep(config), 2L * config.logMel().sampleRate());
                long count = Math.max(
                        1,
                        timeline.end()
                                .minus(timeline.start())
                                .dividedBy(step.num())
                                .times(step.den())
                                .ceil());
                farthest = Math.max(farthest, Math.max(distance(firstUsed, count), distance(lastUsed, count)));
            }
            List<MediaWarning> warnings = file.warnings();
            return new SyncReport(
                    clock.start(),
                    clock.end(),
                    heard ? timeline.start().micros() : -1,
                    heard ? timeline.end().micros() : -1,
                    heard ? timeline.driftPpm() : 0,
                    clock.frames(),
                    used,
                    clock.median(),
                    clock.longest(),
                    clock.variable(),
                    clock.dropped(),
                    heard ? timeline.gaps() : 0,
                    heard ? timeline.silentMicros() : 0,
                    heard ? timeline.overlaps() : 0,
                    heard ? timeline.cutMicros() : 0,
                    file.nonMonotonic(),
                    file.untimed(),
                    farthest,
                    windows,
                    tokens,
                    latentCount,
                    decodeNanos,
                    kernelNanos,
                    warnings);
        }

        @Override
        public void close() {
            if (sampler != null) {
                sampler.close();
            }
            if (session != null) {
                session.close();
            }
            if (sound != null) {
                sound.close();
            }
        }
    }

    private static ByteBuffer roomFor(ByteBuffer buffer, int bytes) {
        return buffer.capacity() >= bytes ? buffer : ByteBuffer.allocateDirect(bytes);
    }
}
