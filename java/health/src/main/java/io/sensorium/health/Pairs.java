package io.sensorium.health;

import java.util.List;

/** The figures of pairs that belong together. */
final class Pairs {
    private final Rows x;
    private final double[] xx;
    private final double[] yy;
    private final double[] xy;

    Pairs(Rows x, Rows y) {
        this.x = x;
        this.xx = x.dots(x);
        this.yy = y.dots(y);
        this.xy = x.dots(y);
    }

    static List<String> names(Settings s) {
        String there = s.x() + "_to_" + s.y();
        String back = s.y() + "_to_" + s.x();
        return List.of(
                there + ".R@1",
                there + ".R@5",
                there + ".R@10",
                there + ".MRR",
                back + ".R@1",
                back + ".R@5",
                back + ".R@10",
                back + ".MRR",
                "antihub_share_k10_" + there,
                "antihub_share_k10_" + back,
                "hubness_skew_k10_" + there,
                "hubness_skew_k10_" + back,
                "matched_cosine",
                "unmatched_cosine",
                "margin",
                "alignment",
                "linear_cka");
    }

    /** Shares of n items are not known better than 1 / n. */
    double[] least() {
        double[] out = new double[17];
        java.util.Arrays.fill(out, 0, 10, 1.0 / x.n());
        java.util.Arrays.fill(out, 10, out.length, 1e-6);
        return out;
    }

    double[] figures(int[] chosen) {
        int n = x.n();
        int m = chosen.length;
        Retrieval.Scores there = Retrieval.scores(xy, n, chosen, false);
        Retrieval.Scores back = Retrieval.scores(xy, n, chosen, true);
        double matched = 0;
        double unmatched = 0;
        for (int i : chosen) {
            for (int j : chosen) {
                if (i == j) {
                    matched += xy[i * n + j];
                } else {
                    unmatched += xy[i * n + j];
                }
            }
        }
        matched /= m;
        unmatched /= (double) m * (m - 1);
        return new double[] {
            there.recall1(),
            there.recall5(),
            there.recall10(),
            there.mrr(),
            back.recall1(),
            back.recall5(),
            back.recall10(),
            back.mrr(),
            there.never(),
            back.never(),
            there.skew(),
            back.skew(),
            matched,
            unmatched,
            matched - unmatched,
            2 - 2 * matched,
            cka(chosen)
        };
    }

    /** Linear centred kernel alignment (Kornblith et al. 2019). */
    private double cka(int[] chosen) {
        double[] a = centred(xx, chosen);
        double[] b = centred(yy, chosen);
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += a[i] * b[i];
            aa += a[i] * a[i];
            bb += b[i] * b[i];
        }
        // A side whose rows are all the same agrees with nothing; what is left of it is rounding.
        return Math.min(aa, bb) < 1e-12 * a.length ? 0 : ab / Math.sqrt(aa * bb);
    }

    private double[] centred(double[] dots, int[] chosen) {
        int n = x.n();
        int m = chosen.length;
        double[] means = new double[m];
        double all = 0;
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < m; j++) {
                means[i] += dots[chosen[i] * n + chosen[j]] / m;
            }
            all += means[i] / m;
        }
        double[] out = new double[m * m];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < m; j++) {
                out[i * m + j] = dots[chosen[i] * n + chosen[j]] - means[i] - means[j] + all;
            }
        }
        return out;
    }

    /** How many pairs, or non-pairs, have a cosine in each of the equal bins from -1 to 1. */
    double[] histogram(int bins, boolean matched) {
        int n = x.n();
        double[] out = new double[bins];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                if ((i == j) == matched) {
                    int bin = (int) ((xy[i * n + j] + 1) / 2 * bins);
                    out[Math.max(0, Math.min(bins - 1, bin))] += matched ? 1.0 / n : 1.0 / ((double) n * (n - 1));
                }
            }
        }
        return out;
    }
}
