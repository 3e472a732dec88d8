package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Tokens;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.RandomModel;
import io.sensorium.video.FrameSampling;
import io.sensorium.video.MediaFile;
import io.sensorium.video.SyncReport;
import io.sensorium.video.VideoSink;
import io.sensorium.video.VideoTokenizer;
import io.sensorium.video.VideoWindow;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Debian's forensics-samples-files (CC-BY-SA-4.0): a telephone's clip of variable rate, and one clip in four containers. */
class RealVideosTest {
    private static final int RATE = 48_000;
    private static final int MOST_LAG = 8000;

    @TempDir
    static Path folder;

    private static Path samples;

    @BeforeAll
    static void fetch() throws IOException, InterruptedException {
        samples = Fetch.debian(folder, "forensics-samples-files").resolve("usr/share/forensics-samples/original-files");
    }

    /** What a run told. */
    private static final class Heard implements VideoSink {
        final List<Long> soundStarts = new ArrayList<>();
        final List<Long> frameStarts = new ArrayList<>();
        float[] samples = new float[1 << 19];
        int count;
        long firstMicros = -1;

        @Override
        public void sound(long micros, FloatBuffer part, int sampleRate) {
            assertEquals(RATE, sampleRate);
            firstMicros = firstMicros < 0 ? micros : firstMicros;
            int length = part.remaining();
            part.get(samples, count, length);
            count += length;
        }

        @Override
        public void window(VideoWindow window) {
            Tokens tokens = window.result().tokens();
            long last = Long.MIN_VALUE;
            for (int i = 0; i < tokens.count(); i++) {
                assertTrue(tokens.gridColumn(i) < 0 || tokens.startMicros(i) >= last, "not by time");
                last = tokens.gridColumn(i) < 0 ? last : tokens.startMicros(i);
                if (tokens.modality(i) == Modality.AUDIO && tokens.gridColumn(i) >= 0) {
                    soundStarts.add(tokens.startMicros(i));
                }
            }
            window.images().forEach(image -> frameStarts.add(image.micros()));
        }
    }

    private static SyncReport run(String file, Heard heard) throws IOException {
        try (Engine engine = Engine.open();
                ModelSpec spec = RandomModel.spec();
                Model model = spec.build(engine);
                MediaFile media = MediaFile.open(samples.resolve(file))) {
            return VideoTokenizer.builder(model)
                    .sampling(FrameSampling.every(1))
                    .maxSide(32)
                    .build()
                    .run(media, heard);
        }
    }

    @Test
    void aVariableRateIsKept() throws IOException {
        Heard heard = new Heard();
        List<Long> frames = heard.frameStarts;
        SyncReport report = run("movie1/VID_20191220_170832.mp4", heard);
        assertEquals(41, frames.size());
        // 16610 and 2999 ticks of 1/90000 s.
        assertEquals(16_610 * 1_000_000L / 90_000, frames.get(1) - frames.get(0), 1);
        assertEquals(2_999 * 1_000_000L / 90_000, frames.get(2) - frames.get(1), 1);
        assertTrue(report.variableRate());
        assertEquals(0, report.offset());
        assertEquals(0, report.audioGaps() + report.audioOverlaps());
    }

    /** By how many samples of `a` the sound of `b` is earlier, in the part of a second that begins at `from` in b. */
    private static int lag(Heard a, Heard b, int from) {
        int best = -1;
        double most = 0;
        for (int lag = 0; lag < MOST_LAG; lag++) {
            double sum = 0;
            double power = 0;
            for (int i = from; i < from + RATE; i++) {
                sum += a.samples[i + lag] * (double) b.samples[i];
                power += a.samples[i + lag] * (double) a.samples[i + lag];
            }
            double likeness = sum / Math.sqrt(power + 1e-30);
            if (likeness > most) {
                most = likeness;
                best = lag;
            }
        }
        return best;
    }

    /**
     * Each was cut from the same sound at another place, which is the same wherever one listens: were a sample lost, doubled or
     * filled in, it would move. The Ogg file's writer counted 64 samples for every call of its encoder, most of which gave a
     * packet of no bytes; its pages tell how much went in, which is 896 to 3,008 samples more than what comes out up to there
     * (and so do the last 2,432, which it never flushed). Their first is sample 0 of what went in: 255 packets, granule
     * 255·64. So its sound begins at 0, not where the last page's end less the samples would put it.
     */
    @ParameterizedTest
    @CsvSource({"avi, 6750, 0", "mpeg, 3833, 0", "ogg, 2075, 0"})
    void containersAgreeAfterTheirOffsets(String container, int samplesLater, long audioStart) throws IOException {
        Heard expected = new Heard();
        SyncReport mp4 = run("movie2/movie-hello.mp4", expected);
        assertEquals(33_007, mp4.videoStart());
        assertEquals(42_000, mp4.audioStart());
        assertEquals(mp4.audioStart(), expected.firstMicros);
        assertEquals(0, mp4.audioGaps() + mp4.audioOverlaps(), mp4.warnings().toString());
        Heard here = new Heard();
        SyncReport report = run("movie2/movie-hello." + container, here);
        assertEquals(
                0,
                report.audioGaps() + report.audioOverlaps(),
                report.warnings().toString());
        assertEquals(audioStart, report.audioStart());
        assertEquals(audioStart, here.firstMicros);
        for (int second = 1; second < 7; second++) {
            assertEquals(samplesLater, lag(expected, here, second * RATE), 1, container + ", second " + second);
        }
        int common = Math.min(expected.soundStarts.size(), here.soundStarts.size());
        assertTrue(common > 600, container + ": " + common + " tokens");
        for (int i = 0; i < common; i++) {
            long there = expected.soundStarts.get(i) - mp4.audioStart();
            assertEquals(there, here.soundStarts.get(i) - audioStart, 1_000_000 / RATE + 1, container + ", token " + i);
        }
    }
}
