package io.sensorium.health;

import java.util.Arrays;
import java.util.List;

/**
 * How far a sample lies from a reference: Fréchet distance and the unbiased squared maximum mean discrepancy of a
 * Gaussian kernel (Gretton et al. 2012), whose width is the median distance within the reference. Both are means over half
 * samples against half references, because they depend on the number of items: two halves of the reference itself tell
 * what chance gives. What chance gives falls with the number of items and not with its root, so that the mean of all
 * halves is taken to vary half as much as one of them does.
 */
final class Drift {
    private static final String FRECHET = "frechet_";
    private static final String MMD = "mmd2_";

    private final Rows reference;
    private final Rows sample;
    private final double[] rr;
    private final double[] ss;
    private final double[] rs;

    Drift(Rows reference, Rows sample) {
        this.reference = reference;
        this.sample = sample;
        double[] dots = reference.dots(reference);
        double width = median(dots, reference.n());
        this.rr = kernel(dots, width);
        boolean same = reference == sample;
        this.ss = same ? rr : kernel(sample.dots(sample), width);
        this.rs = same ? rr : kernel(reference.dots(sample), width);
    }

    static List<String> names(String side) {
        return List.of(FRECHET + side, MMD + side);
    }

    static boolean is(String name) {
        return name.startsWith(FRECHET) || name.startsWith(MMD);
    }

    /** Both figures with their intervals; the reference against itself gives what chance gives. */
    Estimate[] estimates(int resamples, long seed, double z) {
        Halves halves = new Halves(reference.n(), seed);
        Halves others = new Halves(sample.n(), seed + 1);
        double[][] replicates = new double[resamples][];
        double[] means = new double[2];
        for (int r = 0; r < resamples; r++) {
            int[][] half = halves.next();
            int[] other = reference == sample ? half[1] : others.next()[0];
            replicates[r] =
                    new double[] {Spectrum.frechet(reference, half[0], sample, other), discrepancy(half[0], other)};
            means[0] += replicates[r][0] / resamples;
            means[1] += replicates[r][1] / resamples;
        }
        return Halves.estimates(means, replicates, new double[] {1e-6, 1e-6}, z / 2);
    }

    private double discrepancy(int[] ofReference, int[] ofSample) {
        double across = 0;
        for (int i : ofReference) {
            for (int j : ofSample) {
                across += rs[i * sample.n() + j];
            }
        }
        return within(rr, reference.n(), ofReference)
                + within(ss, sample.n(), ofSample)
                - 2 * across / ((double) ofReference.length * ofSample.length);
    }

    private static double within(double[] kernel, int n, int[] chosen) {
        double sum = 0;
        for (int i : chosen) {
            for (int j : chosen) {
                if (i != j) {
                    sum += kernel[i * n + j];
                }
            }
        }
        return sum / ((double) chosen.length * (chosen.length - 1));
    }

    /** Of the squared distances between different rows. */
    private static double median(double[] dots, int n) {
        double[] distances = new double[n * (n - 1) / 2];
        int at = 0;
        for (int i = 0; i < n; i++) {
            for (int j = i + 1; j < n; j++) {
                distances[at++] = 2 - 2 * dots[i * n + j];
            }
        }
        Arrays.sort(distances);
        // A reference that has collapsed has no width.
        return Math.max(1e-9, distances[at / 2]);
    }

    private static double[] kernel(double[] dots, double width) {
        double[] out = new double[dots.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = Math.exp(-(2 - 2 * dots[i]) / width);
        }
        return out;
    }
}
