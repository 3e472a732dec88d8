package io.sensorium.video;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The times of all frames of a video, for the report; of the first million only. */
final class FrameClock {
    private static final int MOST = 1 << 20;

    private long[] intervals = new long[256];
    private int count;
    private long frames;
    private @Nullable Rational first;
    private @Nullable Rational last;
    private Rational lastDuration = Rational.ZERO;

    void frame(VideoFrame frame) {
        if (last == null) {
            first = frame.time();
        } else if (count < MOST) {
            if (count == intervals.length) {
                intervals = Arrays.copyOf(intervals, 2 * count);
            }
            intervals[count++] = frame.time().minus(last).micros();
        }
        last = frame.time();
        lastDuration = frame.duration();
        frames++;
    }

    long frames() {
        return frames;
    }

    long start() {
        return first == null ? -1 : first.micros();
    }

    long end() {
        if (last == null) {
            return -1;
        }
        return lastDuration.num() > 0 ? last.plus(lastDuration).micros() : last.micros() + median();
    }

    long median() {
        if (count == 0) {
            return 0;
        }
        long[] sorted = Arrays.copyOf(intervals, count);
        Arrays.sort(sorted);
        return sorted[(count - 1) / 2];
    }

    long longest() {
        return Arrays.stream(intervals, 0, count).max().orElse(0);
    }

    boolean variable() {
        long median = median();
        // A clock of milliseconds rounds by one.
        return Arrays.stream(intervals, 0, count).anyMatch(i -> Math.abs(i - median) > Math.max(1000, median / 10));
    }

    long dropped() {
        long median = Math.max(1, median());
        return Arrays.stream(intervals, 0, count)
                .map(i -> i * 2 > 3 * median ? Math.round((double) i / median) - 1 : 0)
                .sum();
    }
}
