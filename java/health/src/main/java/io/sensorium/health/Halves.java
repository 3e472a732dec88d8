package io.sensorium.health;

import java.util.Random;

/**
 * The bootstrap by half samples: halves drawn without replacement vary among each other as whole samples do (Politis and
 * Romano 1994), and unlike resampling with replacement they hold no item twice, which ranks, hubness and distances
 * between items would take for real.
 */
final class Halves {
    private final int n;
    private final Random random;
    private final int[] order;

    Halves(int n, long seed) {
        this.n = n;
        this.random = new Random(seed);
        this.order = all(n);
    }

    static int[] all(int n) {
        int[] out = new int[n];
        for (int i = 0; i < n; i++) {
            out[i] = i;
        }
        return out;
    }

    /** Draws a half and the half that is left over. */
    int[][] next() {
        for (int i = n - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int held = order[i];
            order[i] = order[j];
            order[j] = held;
        }
        int[][] halves = {new int[n / 2], new int[n / 2]};
        System.arraycopy(order, 0, halves[0], 0, n / 2);
        System.arraycopy(order, n / 2, halves[1], 0, n / 2);
        // In their order, so that ties go to the lowest index.
        java.util.Arrays.sort(halves[0]);
        java.util.Arrays.sort(halves[1]);
        return halves;
    }

    /**
     * Intervals from what half samples gave.
     *
     * @param whole the figures of the whole
     * @param replicates the figures of each half
     * @param least the smallest deviation believed of each figure
     * @param z half the interval, in deviations
     */
    static Estimate[] estimates(double[] whole, double[][] replicates, double[] least, double z) {
        Estimate[] out = new Estimate[whole.length];
        for (int f = 0; f < whole.length; f++) {
            double mean = 0;
            for (double[] replicate : replicates) {
                mean += replicate[f] / replicates.length;
            }
            double squares = 0;
            for (double[] replicate : replicates) {
                squares += (replicate[f] - mean) * (replicate[f] - mean);
            }
            double deviation = Math.max(least[f], Math.sqrt(squares / (replicates.length - 1)));
            out[f] = new Estimate(whole[f], whole[f] - z * deviation, whole[f] + z * deviation);
        }
        return out;
    }

    /** The z that a normal number exceeds, up or down, with a small probability (below 2 %). */
    static double quantile(double probability) {
        double low = 2;
        double high = 40;
        while (high - low > 1e-9) {
            double z = (low + high) / 2;
            // Laplace's continued fraction of the upper tail.
            double fraction = z;
            for (int k = 100; k > 0; k--) {
                fraction = z + k / fraction;
            }
            double tail = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) / fraction;
            if (2 * tail > probability) {
                low = z;
            } else {
                high = z;
            }
        }
        return high;
    }
}
