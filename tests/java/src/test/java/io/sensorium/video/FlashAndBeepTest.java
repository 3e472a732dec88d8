package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Tokens;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A flash and a beep that begin together stand side by side in the sequence: within half a hop, at every frame rate. */
class FlashAndBeepTest {
    private static final int RATE = VideoModels.RATE;
    private static final int HOP = VideoModels.HOP;
    private static final double SECONDS = 2.5;

    private record Clip(byte[] bytes, List<Long> flashes) {}

    /**
     * Flashes at every 11th frame; variable rates hold each frame for 15 to 90 ms. AAC smears the onset of a beep, so with it
     * a flash comes a frame later where it would begin within an eighth of a token's edge, and its token be the neighbour.
     */
    private static Clip clip(
            String container, String videoCodec, String audioCodec, int num, int den, boolean variable) {
        long[] pts;
        if (variable) {
            Random random = new Random(5);
            pts = random.longs(200, 15 * 90, 90 * 90).toArray();
            for (int i = 1; i < pts.length; i++) {
                pts[i] += pts[i - 1];
            }
            pts[0] = 0;
            pts = Arrays.stream(pts)
                    .filter(p -> (double) p * num / den < SECONDS)
                    .toArray();
        } else {
            pts = Clips.regular((int) (SECONDS * den / num));
        }
        float[] samples = new float[(int) (SECONDS * RATE)];
        List<Long> flashes = new ArrayList<>();
        int last = pts.length - 5;
        boolean[] bright = new boolean[pts.length];
        for (int i = 7; i < last; i += 11) {
            long sample = sample(pts[i], num, den);
            // Tokens begin half a hop before the multiples of a hop.
            while (lossy(audioCodec) && i < last && Math.abs(Math.floorMod(sample, HOP) - HOP / 2) < HOP / 8) {
                sample = sample(pts[++i], num, den);
            }
            bright[i] = true;
            flashes.add(sample * 1_000_000 / RATE);
            for (int s = 0; s < 1440 && sample + s < samples.length; s++) {
                samples[(int) sample + s] = 0.5f * (float) Math.cos(2 * Math.PI * 3000 * s / RATE);
            }
        }
        byte[] bytes = Clips.make(
                container,
                new Clips.Video(videoCodec, 32, 32, num, den, pts, i -> new int[] {bright[i] ? 235 : 16, 128, 128}),
                new Clips.Audio(audioCodec, RATE, samples));
        return new Clip(bytes, flashes);
    }

    private static long sample(long pts, int num, int den) {
        return Math.round((double) pts * num / den * RATE);
    }

    private static boolean lossy(String audioCodec) {
        return audioCodec.equals("aac");
    }

    /** Power of a token's sound about the beep's pitch: its loudest bin. */
    private static double power(Tokens tokens, int i) {
        double most = Double.NEGATIVE_INFINITY;
        for (int m = 0; m < VideoModels.DIM; m++) {
            most = Math.max(most, tokens.values().get(i * VideoModels.DIM + m));
        }
        return Math.exp(most);
    }

    /**
     * Middles of the tokens that beeps begin in: the first ones with any sound, and of a lossy codec those with a twentieth of
     * a whole beep's power, since what it spreads before an onset stays below that.
     */
    private static List<Long> beeps(List<Long> middles, List<Double> powers, boolean lossy) {
        double most = powers.stream().mapToDouble(Double::doubleValue).max().orElse(0);
        double loud = lossy ? most / 20 : Math.exp(-9);
        List<Long> beeps = new ArrayList<>();
        for (int i = 1; i < powers.size(); i++) {
            if (powers.get(i) >= loud && powers.get(i - 1) < loud) {
                beeps.add(middles.get(i));
            }
        }
        return beeps;
    }

    @ParameterizedTest
    @CsvSource({
        "mov, mpeg4, pcm_s16le, 1001, 24000, false",
        "mov, mpeg4, pcm_s16le, 1, 25, false",
        "mov, mpeg4, pcm_s16le, 1001, 30000, false",
        "mov, mpeg4, pcm_s16le, 1, 60, false",
        "mov, mpeg4, pcm_s16le, 1, 90000, true",
        "matroska, ffv1, flac, 1001, 24000, false",
        "matroska, ffv1, flac, 1, 90000, true",
        "avi, mjpeg, pcm_s16le, 1001, 30000, false",
        "mp4, mpeg4, aac, 1001, 24000, false",
        "mp4, mpeg4, aac, 1, 25, false",
        "mp4, mpeg4, aac, 1001, 30000, false",
        "mp4, mpeg4, aac, 1, 60, false",
        "mp4, mpeg4, aac, 1, 90000, true"
    })
    void standTogether(String container, String video, String audio, int num, int den, boolean variable) {
        if (variable && video.equals("mpeg4")) {
            video = "mjpeg"; // MPEG-4's own clock ends at 65535 ticks a second
        }
        Clip clip = clip(container, video, audio, num, den, variable);
        List<Long> flashes = new ArrayList<>();
        List<Long> middles = new ArrayList<>();
        List<Double> powers = new ArrayList<>();
        long[] last = {Long.MIN_VALUE, 0};
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = VideoModels.readable(engine);
                MediaFile file = MediaFile.open(clip.bytes(), container, MediaLimits.DEFAULT)) {
            SyncReport report = VideoTokenizer.builder(model)
                    .sampling(FrameSampling.every(1))
                    .window(Duration.ofMillis(700))
                    .build()
                    .run(file, window -> {
                        Tokens tokens = window.result().tokens();
                        int flash = -1;
                        for (int i = 0; i < tokens.count(); i++) {
                            assertTrue(tokens.startMicros(i) >= last[0], "sorted by time, across windows too");
                            last[0] = tokens.startMicros(i);
                            if (tokens.modality(i) == Modality.IMAGE) {
                                boolean bright = tokens.values().get(i * VideoModels.DIM) > 0.5;
                                if (bright && flash != tokens.item(i)) {
                                    flashes.add(tokens.startMicros(i));
                                    flash = tokens.item(i);
                                }
                            } else {
                                middles.add((tokens.startMicros(i) + tokens.endMicros(i)) / 2);
                                powers.add(power(tokens, i));
                            }
                        }
                    });
            assertEquals(
                    0,
                    report.audioGaps() + report.audioOverlaps(),
                    report.warnings().toString());
            assertEquals(variable, report.variableRate());
            if (!variable) {
                assertEquals(0, report.droppedFrames());
            }
            assertTrue(report.frameToAudio() <= VideoModels.HOP_MICROS / 2 + 1, report.frameToAudio() + " µs");
        }
        List<Long> beeps = beeps(middles, powers, lossy(audio));
        assertEquals(clip.flashes().size(), flashes.size());
        assertEquals(clip.flashes().size(), beeps.size(), "beeps " + beeps + " flashes " + flashes);
        // A beep begins at a whole sample, 21 µs; Matroska's clock has milliseconds.
        long clock = container.equals("matroska") ? 500 : 1;
        for (int i = 0; i < flashes.size(); i++) {
            assertEquals(clip.flashes().get(i), flashes.get(i), clock + 21, "flash " + i);
            assertTrue(
                    Math.abs(flashes.get(i) - beeps.get(i)) <= VideoModels.HOP_MICROS / 2 + clock + 21,
                    "flash at " + flashes.get(i) + ", beep's token at " + beeps.get(i));
        }
    }
}
