package io.sensorium.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Faults are flagged within 1,000 items, and health is not. */
class SpaceMonitorTest {
    private static final int N = 500;
    private static final int HEALTHY = 200;
    private static final ToySpace.Fault NONE = raw -> raw;
    private static final ToySpace SPACE = new ToySpace(1, 10);
    private static Baseline baseline;

    @BeforeAll
    static void measure() {
        SpaceMonitor monitor = new SpaceMonitor(settings(3));
        feed(monitor, SPACE.sample(N, 3, NONE, NONE));
        baseline = monitor.baseline();
    }

    private static Settings settings(long seed) {
        return new Settings(ToySpace.DIM, "image", "audio", N, 100, 40, 1e-3, seed);
    }

    private static void feed(SpaceMonitor monitor, float[][][] sample) {
        for (int i = 0; i < sample[0].length; i++) {
            monitor.x(sample[0][i]);
            monitor.y(sample[1][i]);
            monitor.pair(sample[0][i], sample[1][i]);
        }
    }

    /** Healthy traffic up to a full window, then the fault, for as many items as the window holds. */
    private static HealthReport after(float[][][] faulty) {
        SpaceMonitor monitor = new SpaceMonitor(settings(7), baseline);
        feed(monitor, SPACE.sample(N, 77, NONE, NONE));
        assertEquals(List.of(), monitor.report().alarms());
        feed(monitor, faulty);
        return monitor.report();
    }

    private static void flagged(String fault, HealthReport report, String... names) {
        List<String> alarms = report.alarms().stream().map(Figure::name).toList();
        assertTrue(alarms.containsAll(List.of(names)) && !alarms.isEmpty(), fault + ": " + alarms);
    }

    @Test
    void healthyTrafficRaisesHardlyAnyAlarm() {
        int reports = 0;
        for (int seed = 0; seed < 200; seed++) {
            // Each with its own baseline, so that no lucky one decides.
            Settings settings = new Settings(ToySpace.DIM, "image", "audio", HEALTHY, 100, 20, 1e-3, seed);
            SpaceMonitor first = new SpaceMonitor(settings);
            feed(first, SPACE.sample(HEALTHY, 10_000 + seed, NONE, NONE));
            SpaceMonitor monitor = new SpaceMonitor(settings.withSeed(1_000 + seed), first.baseline());
            feed(monitor, SPACE.sample(HEALTHY, 20_000 + seed, NONE, NONE));
            HealthReport report = monitor.report();
            if (!report.alarms().isEmpty()) {
                reports++;
                System.out.println("false alarm, seed " + seed + ": " + report.alarms());
            }
        }
        assertTrue(reports < 2, reports + " false alarms in 200");
    }

    @Test
    void shuffledPairsAreFlagged() {
        float[][][] sample = SPACE.sample(N, 5, NONE, NONE);
        java.util.Collections.rotate(java.util.Arrays.asList(sample[1]), 1);
        flagged("shuffled", after(sample), "image_to_audio.R@1", "audio_to_image.MRR", "margin", "alignment");
    }

    @Test
    void aHeadThatCollapsedIsFlagged() {
        float[][][] sample = SPACE.sample(N, 6, NONE, NONE);
        for (float[] row : sample[0]) {
            for (int k = 0; k < row.length; k++) {
                row[k] = 0.02f * row[k] + (k == 3 ? 1 : 0);
            }
        }
        flagged("collapsed", after(sample), "rankme_image", "mean_std_image", "uniformity_image", "frechet_image");
    }

    @Test
    void aHeadThatGivesOneVectorIsFlagged() {
        float[][][] sample = SPACE.sample(N, 6, NONE, NONE);
        java.util.Arrays.fill(sample[1], sample[1][0]);
        flagged("constant", after(sample), "rankme_audio", "mean_std_audio", "image_to_audio.R@1", "mmd2_audio");
    }

    @Test
    void sensorsThatDriftAreFlagged() {
        ToySpace.Fault gain = raw -> {
            for (int i = 0; i < raw.length; i++) {
                // 20 dB less energy, of which the converter's noise hides the quiet part.
                raw[i] = Math.log(0.01 * Math.exp(raw[i]) + 0.02);
            }
            return raw;
        };
        ToySpace.Fault band = raw -> {
            double[] out = new double[raw.length];
            for (int i = 0; i < raw.length; i++) {
                out[i] = (raw[Math.max(0, i - 1)] + raw[i] + raw[Math.min(raw.length - 1, i + 1)]) / 3;
            }
            return out;
        };
        ToySpace.Fault cast = raw -> {
            for (int i = 0; i < raw.length; i += 3) {
                raw[i] = 1.2 * raw[i] + 0.2;
            }
            return raw;
        };
        flagged("gain", after(SPACE.sample(N, 8, NONE, gain)), "mmd2_audio");
        flagged("band", after(SPACE.sample(N, 9, NONE, band)), "mmd2_audio");
        flagged("cast", after(SPACE.sample(N, 11, cast, NONE)), "mmd2_image");
    }

    @Test
    void anotherCheckpointIsFlagged() {
        // As good as the first one, in a space of its own.
        float[][][] sample = new ToySpace(1, 20).sample(N, 12, NONE, NONE);
        flagged("checkpoint", after(sample), "frechet_image", "frechet_audio");
    }

    @Test
    void clipWithFaultsIsFlaggedAndItsHalvesAreNot() throws Exception {
        float[][][] clip = Clip.read();
        SpaceMonitor first = new SpaceMonitor(new Settings(Clip.DIM, "image", "text", 250, 100, 20, 1e-3, 1));
        float[][][] odd = new float[2][250][];
        for (int i = 0; i < 500; i++) {
            if (i % 2 == 0) {
                first.x(clip[0][i]);
                first.y(clip[1][i]);
                first.pair(clip[0][i], clip[1][i]);
            } else {
                odd[0][i / 2] = clip[0][i];
                odd[1][i / 2] = clip[1][i];
            }
        }
        Settings settings = new Settings(Clip.DIM, "image", "text", 250, 100, 20, 1e-3, 2);
        SpaceMonitor monitor = new SpaceMonitor(settings, first.baseline());
        feed(monitor, odd);
        assertEquals(List.of(), monitor.report().alarms());
        java.util.Collections.rotate(java.util.Arrays.asList(odd[1]), 100);
        feed(monitor, odd);
        flagged("clip, shuffled", monitor.report(), "image_to_text.R@1", "margin");
    }

    @Test
    void tooFewItemsAreNoVerdict() {
        SpaceMonitor monitor = new SpaceMonitor(settings(1), baseline);
        HealthReport none = monitor.report();
        assertEquals(SpaceMonitor.names(settings(1)).size(), none.figures().size());
        assertTrue(none.figures().stream().allMatch(f -> f.state() == Figure.State.INSUFFICIENT_DATA));
        assertFalse(none.compared());
        feed(monitor, SPACE.sample(N - 1, 4, NONE, NONE));
        HealthReport some = monitor.report();
        assertTrue(some.figures().stream().allMatch(f -> f.state() == Figure.State.INSUFFICIENT_DATA));
        assertTrue(some.figure("margin").now().value() > 0);
        SpaceMonitor fresh = new SpaceMonitor(settings(1));
        assertThrows(IllegalStateException.class, fresh::baseline);
        assertThrows(IllegalArgumentException.class, () -> fresh.x(new float[ToySpace.DIM + 1]));
        fresh.x(new float[ToySpace.DIM]);
        float[] bad = new float[ToySpace.DIM];
        bad[0] = Float.NaN;
        fresh.pair(bad, bad);
        assertEquals(2, fresh.report().rejected());
        assertEquals(0, fresh.report().ofX());
    }

    @Test
    void figuresFollowTheWindowAndKeepTheirTies() {
        // All the same: the first of equals is found, so that exactly one of n finds its own.
        SpaceMonitor monitor = new SpaceMonitor(settings(1));
        float[] one = new float[ToySpace.DIM];
        one[0] = 2;
        feed(monitor, SPACE.sample(N, 4, NONE, NONE));
        for (int i = 0; i < N; i++) {
            monitor.pair(one, one);
        }
        HealthReport report = monitor.report();
        assertEquals(1.0 / N, report.figure("image_to_audio.R@1").now().value());
        assertEquals(10.0 / N, report.figure("image_to_audio.R@10").now().value());
        assertEquals(
                1 - 10.0 / N,
                report.figure("antihub_share_k10_image_to_audio").now().value());
        assertEquals(Figure.State.NO_BASELINE, report.figure("margin").state());
    }

    @Test
    void aBaselineSurvivesItsFile(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("b.json");
        baseline.write(file);
        SpaceMonitor a = new SpaceMonitor(settings(5), baseline);
        SpaceMonitor b = new SpaceMonitor(settings(5), Baseline.read(file));
        feed(a, SPACE.sample(N, 4, NONE, NONE));
        feed(b, SPACE.sample(N, 4, NONE, NONE));
        assertEquals(a.report().figures(), b.report().figures());
        assertThrows(
                IllegalArgumentException.class,
                () -> new SpaceMonitor(Settings.of(ToySpace.DIM, "image", "text"), baseline));
        assertThrows(
                IllegalArgumentException.class,
                () -> new SpaceMonitor(settings(1).withWindow(N - 1), baseline));
        String text = Files.readString(file);
        Random random = new Random(1);
        for (int i = 0; i < 40; i++) {
            int at = random.nextInt(text.length());
            Files.writeString(
                    file, i % 2 == 0 ? text.substring(0, at) : text.substring(0, at) + "!" + text.substring(at + 1));
            try {
                Baseline.read(file);
            } catch (IllegalArgumentException e) {
                assertTrue(e.getMessage().contains("is not a baseline"), e.getMessage());
            }
        }
    }

    @Test
    void gaugesShowTheLastReport() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        HealthMetrics metrics = new HealthMetrics(settings(1));
        metrics.bindTo(registry);
        String figure = "sensorium.health.figure";
        assertTrue(Double.isNaN(
                registry.get(figure).tag("figure", "margin").gauge().value()));
        HealthReport report = after(SPACE.sample(N, 4, NONE, NONE));
        metrics.update(report);
        assertEquals(
                report.figure("margin").now().value(),
                registry.get(figure).tag("figure", "margin").gauge().value());
        assertEquals(
                0,
                registry.get("sensorium.health.alarm")
                        .tag("figure", "margin")
                        .gauge()
                        .value());
    }
}
