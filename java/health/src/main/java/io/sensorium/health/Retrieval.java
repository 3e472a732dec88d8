package io.sensorium.health;

/** Who finds whom, by the similarities of every x to every y. Ties go to the lowest index. */
final class Retrieval {
    /** Neighbours that hubness counts. */
    static final int K = 10;

    /**
     * Share of queries whose partner is among the first 1, 5 and 10, mean reciprocal rank, skewness of how often an item is
     * among the first {@link #K}, and share of the items that never are.
     */
    record Scores(double recall1, double recall5, double recall10, double mrr, double skew, double never) {}

    private Retrieval() {}

    /**
     * Row i looks for column i among the chosen ones.
     *
     * @param similarity [n, n]
     * @param columns whether columns look for rows instead
     */
    static Scores scores(double[] similarity, int n, int[] chosen, boolean columns) {
        int m = chosen.length;
        int[] within = new int[3];
        double reciprocal = 0;
        int[] occurrences = new int[m];
        double[] row = new double[m];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < m; j++) {
                row[j] = columns ? similarity[chosen[j] * n + chosen[i]] : similarity[chosen[i] * n + chosen[j]];
            }
            int rank = 1;
            for (int j = 0; j < m; j++) {
                if (row[j] > row[i] || row[j] == row[i] && j < i) {
                    rank++;
                }
            }
            within[0] += rank <= 1 ? 1 : 0;
            within[1] += rank <= 5 ? 1 : 0;
            within[2] += rank <= 10 ? 1 : 0;
            reciprocal += 1.0 / rank;
            countNearest(row, occurrences);
        }
        return new Scores(
                (double) within[0] / m,
                (double) within[1] / m,
                (double) within[2] / m,
                reciprocal / m,
                skewness(occurrences),
                never(occurrences));
    }

    private static void countNearest(double[] row, int[] occurrences) {
        int k = Math.min(K, row.length);
        int[] best = new int[k];
        int held = 0;
        for (int j = 0; j < row.length; j++) {
            if (held == k && row[best[k - 1]] >= row[j]) {
                continue;
            }
            int at = held < k ? held++ : k - 1;
            for (; at > 0 && row[best[at - 1]] < row[j]; at--) {
                best[at] = best[at - 1];
            }
            best[at] = j;
        }
        for (int j : best) {
            occurrences[j]++;
        }
    }

    /** Third central moment over the cubed standard deviation, both of the population; 0 if all are equal. */
    static double skewness(int[] counts) {
        double mean = 0;
        for (int c : counts) {
            mean += (double) c / counts.length;
        }
        double second = 0;
        double third = 0;
        for (int c : counts) {
            second += (c - mean) * (c - mean) / counts.length;
            third += Math.pow(c - mean, 3) / counts.length;
        }
        return second == 0 ? 0 : third / Math.pow(second, 1.5);
    }

    private static double never(int[] counts) {
        int zeros = 0;
        for (int c : counts) {
            zeros += c == 0 ? 1 : 0;
        }
        return (double) zeros / counts.length;
    }
}
