package io.sensorium.video;

import io.sensorium.CorruptInputException;
import org.jspecify.annotations.Nullable;

/** Chooses frames of one video. A frame is decided when the next one tells how long it was shown. */
final class FrameSampler implements AutoCloseable {
    /** Takes a chosen frame and the time at which the next frame of the video replaces it. */
    interface Sink {
        void frame(VideoFrame frame, Rational end);
    }

    private final FrameSampling sampling;
    private final Rational length;
    private @Nullable VideoFrame held;
    private @Nullable Rational first;
    private Rational lastDelta = Rational.ZERO;
    private long target;

    /** {@code length} of the video as its container tells it, which {@link FrameSampling.Count} needs. */
    FrameSampler(FrameSampling sampling, Rational length, String name) {
        this.sampling = sampling;
        this.length = length;
        if (sampling instanceof FrameSampling.Count && length.num() <= 0) {
            throw new CorruptInputException(name + ": its container does not tell its length", name);
        }
    }

    /** Frames before this time are decided. */
    @Nullable
    Rational decided() {
        return held == null ? null : held.time();
    }

    void push(VideoFrame frame, Sink sink) {
        VideoFrame before = held;
        if (first == null) {
            first = frame.time();
        }
        if (before != null) {
            lastDelta = frame.time().minus(before.time());
            // Halfway between the two, the earlier one is still the nearest.
            Rational middle = before.time().plus(frame.time()).dividedBy(2);
            decide(before, middle, frame.time(), sink);
            before.close();
        }
        held = frame.keep();
    }

    void finish(Sink sink) {
        VideoFrame last = held;
        if (last != null) {
            Rational end = last.time().plus(last.duration().num() > 0 ? last.duration() : lastDelta);
            // What is left of N frames over the clip belongs to its last frame; a rate ends with the video.
            Rational until = sampling instanceof FrameSampling.Count ? Rational.of(Long.MAX_VALUE / 4_000_000, 1) : end;
            decide(last, until, end, sink);
            close();
        }
    }

    private void decide(VideoFrame frame, Rational until, Rational end, Sink sink) {
        boolean chosen = false;
        if (sampling instanceof FrameSampling.Every every) {
            chosen = target++ % every.step() == 0;
        } else {
            while (more() && time(target).compareTo(until) <= 0) {
                chosen = true;
                target++;
            }
        }
        if (chosen) {
            sink.frame(frame, end);
        }
    }

    private boolean more() {
        return !(sampling instanceof FrameSampling.Count count) || target < count.frames();
    }

    private Rational time(long i) {
        if (sampling instanceof FrameSampling.Rate rate) {
            return first.plus(new Rational(rate.rate().den(), rate.rate().num()).times(i));
        }
        int frames = ((FrameSampling.Count) sampling).frames();
        return first.plus(length.times(2 * i + 1).dividedBy(2L * frames));
    }

    @Override
    public void close() {
        if (held != null) {
            held.close();
            held = null;
        }
    }
}
