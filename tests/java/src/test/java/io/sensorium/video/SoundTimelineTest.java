package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sensorium.LimitExceededException;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

class SoundTimelineTest {
    private static final int RATE = 48_000;
    private static final int BLOCK = 480;
    private static final StreamInfo STREAM =
            new StreamInfo(1, "pcm", false, Rational.of(1, RATE), Rational.ZERO, Rational.ZERO, 0, 0, RATE, 1);

    private final List<MediaWarning> warnings = new ArrayList<>();
    private final List<Float> out = new ArrayList<>();
    private SoundTimeline timeline;

    /** Ten milliseconds a block; every sample carries its own number, and block i says that it begins at sample time(i). */
    private void run(int blocks, IntToLongFunction time) {
        run(blocks, false, time);
    }

    private void run(int blocks, boolean paged, IntToLongFunction time) {
        timeline = new SoundTimeline(STREAM, 10_000_000, paged, warnings::add);
        for (int i = 0; i < blocks; i++) {
            FloatBuffer samples = FloatBuffer.allocate(BLOCK);
            for (int s = 0; s < BLOCK; s++) {
                samples.put(s, 1 + i * BLOCK + s);
            }
            timeline.push(new SoundBlock(Rational.of(time.applyAsLong(i), RATE), samples, RATE, i), this::take);
        }
        timeline.finish(this::take);
    }

    private void take(FloatBuffer samples) {
        while (samples.hasRemaining()) {
            out.add(samples.get());
        }
    }

    @Test
    void regularSoundPassesAsItIs() {
        run(100, i -> 7777 + i * BLOCK);
        assertEquals(Rational.of(7777, RATE), timeline.start());
        assertEquals(100 * BLOCK, out.size());
        assertEquals(48_000f, out.get(47_999));
        assertEquals(0, timeline.driftPpm());
        assertEquals(List.of(), warnings);
    }

    @Test
    void theEndOfTheFirstPageTellsTheStart() {
        run(700, true, i -> i * BLOCK + (i < 60 ? 0 : 5000));
        assertEquals(Rational.of(5000, RATE), timeline.start());
        assertEquals(700 * BLOCK, out.size());
        assertEquals(List.of(), warnings);
    }

    @Test
    void gapsOfPagedSoundAfterItsStartAreFilled() {
        run(700, true, i -> i * BLOCK + (i < 500 ? 100 : 5100));
        assertEquals(Rational.of(100, RATE), timeline.start());
        assertEquals(700 * BLOCK + 5000, out.size());
        assertEquals(1, timeline.gaps());
    }

    @Test
    void pagedSoundThatIsShortBeginsWhereItSays() {
        run(60, true, i -> 300 + i * BLOCK);
        assertEquals(Rational.of(300, RATE), timeline.start());
        assertEquals(60 * BLOCK, out.size());
        assertEquals(List.of(), warnings);
    }

    @Test
    void silenceStandsWhereSoundIsMissing() {
        run(100, i -> i * BLOCK + (i < 60 ? 0 : 5000));
        assertEquals(100 * BLOCK + 5000, out.size());
        for (int i = 0; i < out.size(); i++) {
            float expected = i < 60 * BLOCK ? 1 + i : i < 60 * BLOCK + 5000 ? 0 : 1 + i - 5000;
            assertEquals(expected, out.get(i));
        }
        assertEquals(1, timeline.gaps());
        assertEquals(5000L * 1_000_000 / RATE, timeline.silentMicros());
        assertEquals(MediaWarning.Kind.GAP, warnings.get(0).kind());
        assertEquals(60, warnings.get(0).index());
    }

    @Test
    void whatComesTwiceIsCut() {
        run(100, i -> i * BLOCK - (i < 60 ? 0 : 1000));
        assertEquals(100 * BLOCK - 1000, out.size());
        for (int i = 0; i < out.size(); i++) {
            assertEquals(i < 60 * BLOCK ? 1 + i : 1 + i + 1000, out.get(i));
        }
        assertEquals(1, timeline.overlaps());
        assertEquals(1000L * 1_000_000 / RATE, timeline.cutMicros());
    }

    @Test
    void wrongTimesOfSingleBlocksMoveNothing() {
        // Up to 90 ms off for at most 60 ms, as Vorbis in Ogg does.
        run(200, i -> i * BLOCK + (i % 20 < 6 ? (i % 2 == 0 ? 4320 : -2000) : 0));
        assertEquals(200 * BLOCK, out.size());
        assertEquals(List.of(), warnings);
        assertEquals(Rational.ZERO, timeline.start());
    }

    @Test
    void roundedTimesDoNotAddUp() {
        StreamInfo millis =
                new StreamInfo(1, "pcm", false, Rational.of(1, 1000), Rational.ZERO, Rational.ZERO, 0, 0, 44_100, 1);
        timeline = new SoundTimeline(millis, 10_000_000, false, warnings::add);
        for (int i = 0; i < 2000; i++) {
            Rational time = Rational.of(Math.round(i * 1024 * 1000.0 / 44_100), 1000);
            timeline.push(new SoundBlock(time, FloatBuffer.allocate(1024), 44_100, i), this::take);
        }
        timeline.finish(this::take);
        assertEquals(2000 * 1024, out.size());
        assertEquals(List.of(), warnings);
        assertEquals(0, timeline.driftPpm(), 1);
    }

    @Test
    void aClockThatRunsAwayIsDrift() {
        // 100 ppm: below a millisecond for ten seconds.
        run(900, i -> Math.round(i * BLOCK * 1.0001));
        assertEquals(100, timeline.driftPpm(), 2);
        assertEquals(List.of(), warnings);
    }

    @Test
    void aGapBeyondTheLimitIsRefused() {
        assertThrows(LimitExceededException.class, () -> run(100, i -> i * BLOCK + (i < 60 ? 0 : 20L * 10 * RATE)));
    }
}
