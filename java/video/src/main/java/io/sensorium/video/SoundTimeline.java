package io.sensorium.video;

import io.sensorium.LimitExceededException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Puts blocks of sound where their times say: silence fills what is missing, what comes twice is cut. Every sample's place
 * is counted from the first one, so that nothing adds up. Times are believed when they agree with the number of samples for a
 * tenth of a second: those of single blocks can be wrong (Vorbis in Ogg). If none agree, the stream's start counts. Differences of no more than
 * a tick of the stream's clock (at least 1 ms, at most 25 ms) are its rounding.
 */
final class SoundTimeline {
    private static final long LEAST_MICROS = 1000;
    private static final long MOST_MICROS = 25_000;
    private static final int BELIEVED_PER_SECOND = 10;
    private static final int MOST_PENDING_SECONDS = 4;

    private record Pending(long index, long micros, FloatBuffer samples) {}

    private final FloatBuffer silence =
            ByteBuffer.allocateDirect(4 * 4096).order(ByteOrder.nativeOrder()).asFloatBuffer();
    private final StreamInfo stream;
    private final long tolerance;
    private final long maxMicros;
    private final boolean paged;
    private final Consumer<MediaWarning> warnings;
    /** Blocks whose times do not agree with the samples before; the last ones agree with each other. */
    private final ArrayDeque<Pending> pending = new ArrayDeque<>();

    private long pendingSamples;
    private int runBlocks;
    private long runSamples;
    private long runLate;
    private boolean runsDiffer;
    private @Nullable Rational zero;
    private @Nullable Rational start;
    private long samples;
    private long gaps;
    private long silent;
    private long overlaps;
    private long cut;
    // Sums of a straight line through how far the times run away from the samples.
    private long points;
    private double sumT;
    private double sumE;
    private double sumTt;
    private double sumTe;

    /**
     * With {@code paged}, only the ends of pages tell times (Ogg) and FFmpeg counts the first page's from 0: the first times
     * that differ from those tell the start, if they come within seconds.
     */
    SoundTimeline(StreamInfo stream, long maxMicros, boolean paged, Consumer<MediaWarning> warnings) {
        this.stream = stream;
        this.maxMicros = maxMicros;
        this.paged = paged;
        this.warnings = warnings;
        long micros =
                Math.max(LEAST_MICROS, Math.min(MOST_MICROS, stream.timeBase().micros()));
        this.tolerance = Math.max(1, micros * stream.sampleRate() / 1_000_000);
    }

    void push(SoundBlock block, Consumer<FloatBuffer> sink) {
        if (zero == null) {
            zero = block.time();
        }
        long late =
                block.time().minus(start == null ? zero : start).count(stream.sampleRate()) - samples - pendingSamples;
        FloatBuffer data = block.samples();
        if (start != null && Math.abs(late) <= tolerance) {
            // Whatever was wrong before was only its times.
            flush(pending.size(), sink);
            point(late);
            emit(data, sink);
            return;
        }
        if (runBlocks == 0 || Math.abs(late - runLate) > tolerance) {
            runsDiffer |= runBlocks > 0;
            runBlocks = 0;
            runSamples = 0;
            runLate = late;
        }
        FloatBuffer copy = FloatBuffer.allocate(data.remaining()).put(data).flip();
        pending.add(new Pending(block.index(), block.time().micros(), copy));
        pendingSamples += copy.remaining();
        runBlocks++;
        runSamples += copy.remaining();
        boolean full = pendingSamples > (long) MOST_PENDING_SECONDS * stream.sampleRate();
        boolean firstPage = paged && start == null && !runsDiffer && !full;
        if (runSamples * BELIEVED_PER_SECOND >= stream.sampleRate() && !firstPage) {
            believe(sink);
        } else if (full) {
            start = start == null ? stream.start() : start;
            flush(pending.size(), sink);
        }
    }

    /** The sound ends. */
    void finish(Consumer<FloatBuffer> sink) {
        boolean whole = pending.size() == runBlocks;
        if (start == null && zero != null) {
            start = whole ? zero : stream.start();
        }
        flush(pending.size(), sink);
    }

    /** The last blocks agree with each other: they are where they say. */
    private void believe(Consumer<FloatBuffer> sink) {
        if (start == null) {
            start = zero.plus(new Rational(runLate, stream.sampleRate()));
            flush(pending.size(), sink);
            return;
        }
        flush(pending.size() - runBlocks, sink);
        Pending first = pending.peek();
        if (runLate > 0) {
            insert(runLate, first, sink);
        } else {
            drop(-runLate, first);
        }
        flush(pending.size(), sink);
    }

    private void insert(long late, Pending before, Consumer<FloatBuffer> sink) {
        long micros = late * 1_000_000 / stream.sampleRate();
        if (micros > maxMicros) {
            throw new LimitExceededException(
                    "stream " + stream.index() + ": " + micros + " µs without sound before block " + before.index()
                            + "; the limit is " + maxMicros,
                    "block " + before.index(),
                    maxMicros,
                    null);
        }
        gaps++;
        silent += late;
        warn(MediaWarning.Kind.GAP, before, micros, micros + " µs without sound; filled with silence");
        for (long left = late; left > 0; left -= silence.limit()) {
            emit(silence.clear().limit((int) Math.min(left, silence.capacity())), sink);
            silence.position(0);
        }
    }

    private void drop(long early, Pending from) {
        long left = early;
        for (Pending block : pending) {
            int drop = (int) Math.min(left, block.samples().remaining());
            block.samples().position(block.samples().position() + drop);
            left -= drop;
        }
        overlaps++;
        cut += early - left;
        long micros = (early - left) * 1_000_000L / stream.sampleRate();
        warn(MediaWarning.Kind.OVERLAP, from, micros, micros + " µs of sound come twice; the second is cut");
    }

    private void flush(int blocks, Consumer<FloatBuffer> sink) {
        for (int i = 0; i < blocks; i++) {
            FloatBuffer data = pending.remove().samples();
            pendingSamples -= data.capacity();
            emit(data, sink);
        }
        if (pending.isEmpty()) {
            runBlocks = 0;
            runSamples = 0;
        }
    }

    private void emit(FloatBuffer data, Consumer<FloatBuffer> sink) {
        samples += data.remaining();
        if (data.hasRemaining()) {
            sink.accept(data);
        }
    }

    private void point(long late) {
        double t = (double) samples / stream.sampleRate();
        double e = (double) late / stream.sampleRate();
        points++;
        sumT += t;
        sumE += e;
        sumTt += t * t;
        sumTe += t * e;
    }

    private void warn(MediaWarning.Kind kind, Pending block, long length, String text) {
        warnings.accept(new MediaWarning(kind, stream.index(), block.index(), block.micros(), length, text));
    }

    /** Of the first sample; null before there is one. */
    @Nullable
    Rational start() {
        return start;
    }

    /** Samples so far, silence included. */
    long samples() {
        return samples;
    }

    /** End of the last sample. */
    Rational end() {
        return start == null ? Rational.ZERO : start.plus(new Rational(samples, stream.sampleRate()));
    }

    long gaps() {
        return gaps;
    }

    long silentMicros() {
        return silent * 1_000_000 / stream.sampleRate();
    }

    long overlaps() {
        return overlaps;
    }

    long cutMicros() {
        return cut * 1_000_000 / stream.sampleRate();
    }

    /** How much faster the times run than the samples, in millionths. */
    double driftPpm() {
        double spread = points * sumTt - sumT * sumT;
        return spread <= 0 ? 0 : (points * sumTe - sumT * sumE) / spread * 1e6;
    }
}
