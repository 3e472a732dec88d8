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
import io.sensorium.video.VideoTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Debian's forensics-samples-files (CC-BY-SA-4.0): a telephone's clip of variable rate, and one clip in four containers. */
class RealVideosTest {
    @TempDir
    static Path folder;

    private static Path samples;

    @BeforeAll
    static void fetch() throws IOException, InterruptedException {
        samples = Fetch.debian(folder, "forensics-samples-files").resolve("usr/share/forensics-samples/original-files");
    }

    private static SyncReport run(String file, List<Long> soundStarts, List<Long> frameStarts) throws IOException {
        try (Engine engine = Engine.open();
                ModelSpec spec = RandomModel.spec();
                Model model = spec.build(engine);
                MediaFile media = MediaFile.open(samples.resolve(file))) {
            return VideoTokenizer.builder(model)
                    .sampling(FrameSampling.every(1))
                    .maxSide(32)
                    .build()
                    .run(media, window -> {
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
                    });
        }
    }

    @Test
    void aVariableRateIsKept() throws IOException {
        List<Long> frames = new ArrayList<>();
        SyncReport report = run("movie1/VID_20191220_170832.mp4", new ArrayList<>(), frames);
        assertEquals(41, frames.size());
        // 16610 and 2999 ticks of 1/90000 s.
        assertEquals(16_610 * 1_000_000L / 90_000, frames.get(1) - frames.get(0), 1);
        assertEquals(2_999 * 1_000_000L / 90_000, frames.get(2) - frames.get(1), 1);
        assertTrue(report.variableRate());
        assertEquals(0, report.offset());
        assertEquals(0, report.audioGaps() + report.audioOverlaps());
    }

    @Test
    void fourContainersAgreeAfterTheirOffsets() throws IOException {
        List<Long> expected = new ArrayList<>();
        SyncReport mp4 = run("movie2/movie-hello.mp4", expected, new ArrayList<>());
        assertEquals(33_007, mp4.videoStart());
        assertEquals(42_000, mp4.audioStart());
        for (String container : new String[] {"avi", "mpeg", "ogg"}) {
            List<Long> starts = new ArrayList<>();
            SyncReport report = run("movie2/movie-hello." + container, starts, new ArrayList<>());
            int common = Math.min(expected.size(), starts.size());
            assertTrue(common > 600, container + ": " + common + " tokens");
            for (int i = 0; i < common; i++) {
                long here = starts.get(i) - report.audioStart();
                long there = expected.get(i) - mp4.audioStart();
                assertEquals(there, here, 1_000_000 / 48_000 + 1, container + ", token " + i);
            }
        }
    }
}
