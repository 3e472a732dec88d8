package io.sensorium.health;

import java.util.List;

/** The figures of two streams whose items need not belong together. */
final class Traffic {
    private final Rows x;
    private final Rows y;
    private final double[] xx;
    private final double[] yy;

    Traffic(Rows x, Rows y) {
        this.x = x;
        this.y = y;
        this.xx = x.dots(x);
        this.yy = y.dots(y);
    }

    static List<String> names(Settings s) {
        return List.of(
                "modality_gap",
                "uniformity_" + s.x(),
                "uniformity_" + s.y(),
                "rankme_" + s.x(),
                "rankme_" + s.y(),
                "mean_std_" + s.x(),
                "mean_std_" + s.y());
    }

    double[] least() {
        return new double[] {1e-6, 1e-6, 1e-6, 1e-3, 1e-3, 1e-6, 1e-6};
    }

    double[] figures(int[] ofX, int[] ofY) {
        return new double[] {
            gap(ofX, ofY),
            uniformity(xx, x.n(), ofX),
            uniformity(yy, y.n(), ofY),
            Spectrum.rankMe(Spectrum.singularValues(x, xx, ofX)),
            Spectrum.rankMe(Spectrum.singularValues(y, yy, ofY)),
            x.meanDeviation(ofX),
            y.meanDeviation(ofY)
        };
    }

    /** RankMe grows with the number of rows and its deviation with it: brings that of halves to the level of the whole. */
    static void level(double[] whole, double[][] replicates) {
        for (int f = 3; f <= 4; f++) {
            double mean = 0;
            for (double[] replicate : replicates) {
                mean += replicate[f] / replicates.length;
            }
            for (double[] replicate : replicates) {
                replicate[f] *= whole[f] / mean;
            }
        }
    }

    /** Singular values of all rows. */
    double[] spectrum(boolean ofX) {
        return ofX
                ? Spectrum.singularValues(x, xx, Halves.all(x.n()))
                : Spectrum.singularValues(y, yy, Halves.all(y.n()));
    }

    /** Distance of the means (Liang et al. 2022). */
    private double gap(int[] ofX, int[] ofY) {
        int d = x.dim();
        double[] difference = new double[d];
        for (int i : ofX) {
            for (int k = 0; k < d; k++) {
                difference[k] += (double) x.values()[i * d + k] / ofX.length;
            }
        }
        for (int i : ofY) {
            for (int k = 0; k < d; k++) {
                difference[k] -= (double) y.values()[i * d + k] / ofY.length;
            }
        }
        double squares = 0;
        for (double v : difference) {
            squares += v * v;
        }
        return Math.sqrt(squares);
    }

    /** log of the mean of exp(-2 |a - b|²) over the pairs of different rows (Wang and Isola 2020). */
    private static double uniformity(double[] dots, int n, int[] chosen) {
        double sum = 0;
        for (int i = 0; i < chosen.length; i++) {
            for (int j = i + 1; j < chosen.length; j++) {
                sum += Math.exp(-4 + 4 * dots[chosen[i] * n + chosen[j]]);
            }
        }
        return Math.log(sum / (0.5 * chosen.length * (chosen.length - 1)));
    }
}
