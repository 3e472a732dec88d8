package io.sensorium.health;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HealthGoldenTest {
    @Test
    void figuresAreThoseOfTheReference() throws Exception {
        JsonNode expected = new ObjectMapper()
                .readTree(Clip.folder().resolve("expected.json").toFile());
        float[][][] clip = Clip.read();
        SpaceMonitor monitor = new SpaceMonitor(new Settings(Clip.DIM, "image", "text", 500, 100, 20, 1e-3, 1));
        for (int i = 0; i < Clip.N; i++) {
            monitor.x(clip[0][i]);
            monitor.y(clip[1][i]);
            monitor.pair(clip[0][i], clip[1][i]);
        }
        HealthReport report = monitor.report();
        for (String way : new String[] {"image_to_text", "text_to_image"}) {
            for (String figure : new String[] {"R@1", "R@5", "R@10", "MRR"}) {
                check(report, way + "." + figure, expected.get(way).get(figure), 1e-5);
            }
        }
        for (String name :
                new String[] {"modality_gap", "alignment", "uniformity_image", "uniformity_text", "linear_cka"}) {
            check(report, name, expected.get(name), 1e-5);
        }
        check(report, "rankme_image", expected.get("rankme_image"), 1e-2);
        check(report, "rankme_text", expected.get("rankme_text"), 1e-2);
        check(report, "antihub_share_k10_image_to_text", expected.get("antihub_share_k10"), 1e-5);
        check(report, "mean_std_image", expected.get("mean_std_image_ddof1"), 1e-5);
        // The reference tells these to three digits.
        check(report, "hubness_skew_k10_image_to_text", expected.get("hubness_skew_k10_image_to_text"), 5e-4);
        check(report, "matched_cosine", expected.get("matched_cosine"), 5e-4);
        check(report, "unmatched_cosine", expected.get("unmatched_cosine"), 5e-4);
    }

    private static void check(HealthReport report, String name, JsonNode expected, double limit) {
        assertEquals(expected.asDouble(), report.figure(name).now().value(), limit, name);
    }

    @Test
    void frechetIsWhatAxesGive() {
        // Covariances with the same axes: the distance is that of the deviations along them, singular ones as well.
        double[][] a = {{3, 0, 0}, {-3, 0, 0}, {0, 2, 0}, {0, -2, 0}};
        double[][] b = {{1, 1, 5}, {-1, 1, 5}, {0, 2, 5}, {0, 0, 5}};
        double expected = 1 + 25 + 2.0 / 3 * (4 + 1);
        int[] all = IntStream.range(0, 4).toArray();
        assertEquals(expected, Spectrum.frechet(rows(a), all, rows(b), all), 1e-6);
        assertEquals(expected, Spectrum.frechet(rows(b), all, rows(a), all), 1e-6);
    }

    private static Rows rows(double[][] values) {
        float[] flat = new float[values.length * values[0].length];
        for (int i = 0; i < flat.length; i++) {
            flat[i] = (float) values[i / values[0].length][i % values[0].length];
        }
        return new Rows(flat, values.length, values[0].length);
    }
}
