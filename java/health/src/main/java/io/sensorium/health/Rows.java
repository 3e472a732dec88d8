package io.sensorium.health;

import java.util.Arrays;

/**
 * Vectors of length 1.
 *
 * @param values [n, dim]
 */
record Rows(float[] values, int n, int dim) {
    /** The last ones. */
    Rows last(int count) {
        return count >= n ? this : new Rows(Arrays.copyOfRange(values, (n - count) * dim, n * dim), count, dim);
    }

    double dot(int i, Rows other, int j) {
        double sum = 0;
        int a = i * dim;
        int b = j * dim;
        for (int k = 0; k < dim; k++) {
            sum += (double) values[a + k] * other.values[b + k];
        }
        return sum;
    }

    /** All dot products with others, [n, other.n]. */
    double[] dots(Rows other) {
        double[] out = new double[Math.multiplyExact(n, other.n)];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < other.n; j++) {
                // Both halves of a symmetric table are the same sums, so they are made once.
                out[i * other.n + j] = other == this && j < i ? out[j * n + i] : dot(i, other, j);
            }
        }
        return out;
    }

    /** Mean over the dimensions of the standard deviation (n - 1) of the chosen rows. */
    double meanDeviation(int[] chosen) {
        double[] sum = new double[dim];
        double[] squares = new double[dim];
        for (int i : chosen) {
            for (int k = 0; k < dim; k++) {
                double v = values[i * dim + k];
                sum[k] += v;
                squares[k] += v * v;
            }
        }
        double mean = 0;
        for (int k = 0; k < dim; k++) {
            double variance = (squares[k] - sum[k] * sum[k] / chosen.length) / (chosen.length - 1);
            mean += Math.sqrt(Math.max(0, variance)) / dim;
        }
        return mean;
    }
}
