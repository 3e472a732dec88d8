package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.LimitExceededException;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Tokens;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

class VideoTokenizerTest {
    private static final int RATE = VideoModels.RATE;

    private static byte[] clip(int num, int den, long... pts) {
        float[] samples = new float[(int) (RATE * (pts[pts.length - 1] * (double) num / den + 0.2))];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = 0.3f * (float) Math.sin(i * 0.05 + 1e-5 * i * (i % 700));
        }
        return Clips.make(
                "mov",
                new Clips.Video("mjpeg", 32, 32, num, den, pts, i -> new int[] {20 + i % 200, 128, 128}),
                new Clips.Audio("pcm_s16le", RATE, samples));
    }

    private static List<Long> frames(FrameSampling sampling, byte[] bytes) {
        List<Long> times = new ArrayList<>();
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = VideoModels.readable(engine);
                MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            VideoTokenizer.builder(model)
                    .sampling(sampling)
                    .build()
                    .run(file, window -> window.images().forEach(image -> times.add(image.micros())));
        }
        return times;
    }

    @Test
    void framesAreChosenByTime() {
        // Ticks of 10 ms, uneven.
        byte[] bytes = clip(1, 100, 0, 3, 9, 40, 48, 52, 95, 100, 140, 150);
        assertEquals(
                List.of(0L, 400_000L, 950_000L),
                frames(FrameSampling.every(3), bytes).subList(0, 3));
        // Of 0, 0.5, 1.0, 1.5 s the nearest; 0.5 lies between 0.48 and 0.52, and the earlier one is as near.
        assertEquals(
                List.of(0L, 480_000L, 1_000_000L, 1_500_000L), frames(FrameSampling.rate(Rational.of(2, 1)), bytes));
        // A rate above the video's takes every frame once.
        assertEquals(10, frames(FrameSampling.rate(Rational.of(1000, 1)), bytes).size());
        List<Long> two = frames(FrameSampling.count(2), bytes);
        assertEquals(2, two.size());
        assertTrue(two.get(0) <= 480_000 && two.get(0) >= 400_000, two.toString());
    }

    /** Everything that a run told about its tokens, sorted by nothing. */
    private static List<String> tokens(Model model, byte[] bytes, VideoTokenizer.Builder builder) {
        List<String> all = new ArrayList<>();
        try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            builder.build().run(file, window -> {
                Tokens t = window.result().tokens();
                for (int i = 0; i < t.count(); i++) {
                    float[] values = new float[t.dim()];
                    t.values().get(i * t.dim(), values);
                    all.add(t.modality(i) + " " + t.startMicros(i) + "–" + t.endMicros(i) + " "
                            + Arrays.toString(values));
                }
            });
        }
        return all;
    }

    @Test
    void windowsChangeNoToken() {
        long[] pts = Clips.regular(60);
        byte[] bytes = clip(1, 25, pts);
        try (Engine engine = Engine.builder().threads(2).open();
                Model model = VideoModels.readable(engine)) {
            List<String> whole =
                    tokens(model, bytes, VideoTokenizer.builder(model).sampling(FrameSampling.every(2)));
            for (long millis : new long[] {40, 333, 1000}) {
                assertEquals(
                        whole,
                        tokens(
                                model,
                                bytes,
                                VideoTokenizer.builder(model)
                                        .sampling(FrameSampling.every(2))
                                        .window(Duration.ofMillis(millis))));
            }
        }
    }

    @Test
    void chunksPutFramesFirst() {
        byte[] bytes = clip(1, 25, Clips.regular(50));
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = VideoModels.readable(engine)) {
            List<String> chunks = tokens(
                    model,
                    bytes,
                    VideoTokenizer.builder(model)
                            .sampling(FrameSampling.every(5))
                            .interleaveByChunks(Duration.ofMillis(500)));
            long chunk = -1;
            boolean heard = false;
            for (String token : chunks) {
                long start = Long.parseLong(token.substring(token.indexOf(' ') + 1, token.indexOf('–')));
                if (start / 500_000 != chunk) {
                    assertTrue(start / 500_000 > chunk);
                    chunk = start / 500_000;
                    heard = false;
                }
                boolean image = token.startsWith("IMAGE");
                assertTrue(!image || !heard, "a frame behind the sound of its chunk: " + token);
                heard |= !image;
            }
            List<String> time =
                    tokens(model, bytes, VideoTokenizer.builder(model).sampling(FrameSampling.every(5)));
            assertEquals(
                    time.stream().sorted().toList(), chunks.stream().sorted().toList());
        }
    }

    @Test
    void temporalPatchesPairFramesAndRepeatTheLast() {
        byte[] bytes = clip(1, 25, Clips.regular(5));
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = VideoModels.readable(engine, 2);
                MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            VideoTokenizer.builder(model)
                    .sampling(FrameSampling.every(1))
                    .build()
                    .run(file, window -> {
                        assertEquals(3, window.images().size());
                        assertEquals(0, window.images().get(0).micros());
                        assertEquals(80_000, window.images().get(0).endMicros());
                        assertEquals(160_000, window.images().get(2).micros());
                        Tokens t = window.result().tokens();
                        double[] brightness = new double[3];
                        for (int i = 0; i < t.count(); i++) {
                            if (t.modality(i) == Modality.IMAGE) {
                                brightness[t.item(i)] = t.values().get(i * t.dim());
                            }
                        }
                        // Luma 20 + i of limited range: pairs average, the last stands alone.
                        double step = 1 / 219.0;
                        assertEquals(brightness[0] + 2 * step, brightness[1], 0.006);
                        assertEquals(brightness[0] + 3.5 * step, brightness[2], 0.006);
                    });
        }
    }

    @Test
    void cancellationAndLimits() {
        byte[] bytes = clip(1, 25, Clips.regular(100));
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = VideoModels.readable(engine)) {
            try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
                VideoTokenizer tokenizer = VideoTokenizer.builder(model)
                        .window(Duration.ofMillis(200))
                        .build();
                int[] windows = {0};
                assertThrows(
                        CancellationException.class,
                        () -> tokenizer.run(file, window -> {
                            if (++windows[0] == 3) {
                                file.cancel();
                            }
                        }));
                assertEquals(3, windows[0]);
            }
            try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
                VideoTokenizer small =
                        VideoTokenizer.builder(model).maxWaitingBytes(10_000).build();
                assertThrows(LimitExceededException.class, () -> small.run(file, window -> {}));
            }
        }
    }
}
