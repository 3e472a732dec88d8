package io.sensorium.health;

/**
 * How a space is watched.
 *
 * @param dim values of an embedding
 * @param x name of the first modality, such as {@code image}
 * @param y name of the second one, such as {@code text}
 * @param window embeddings kept of each modality, and pairs kept: the last ones. Memory is 16 · dim · window bytes
 * @param minimum fewer than these give no figures but 'insufficient data'
 * @param resamples half samples that an interval is made from
 * @param falseAlarms probability that healthy traffic raises any alarm in one report, shared among all figures
 * @param seed of the resampling
 */
public record Settings(
        int dim, String x, String y, int window, int minimum, int resamples, double falseAlarms, long seed) {
    /** Throws {@link IllegalArgumentException} naming what is out of range. */
    public Settings {
        check(dim >= 2 && dim <= 1 << 16, "dim must be in [2, 65536]");
        check(!x.isBlank() && !y.isBlank() && !x.equals(y), "the two modalities need different names");
        check(minimum >= 2 * Retrieval.K + 2, "minimum must be at least " + (2 * Retrieval.K + 2));
        check(window >= minimum && window <= 10_000, "window must be in [minimum, 10000]");
        check(resamples >= 20 && resamples <= 10_000, "resamples must be in [20, 10000]");
        check(falseAlarms > 0 && falseAlarms < 0.5, "falseAlarms must be in (0, 0.5)");
    }

    /** Windows of 500, at least 100, 50 half samples, one false alarm in a thousand reports. */
    public static Settings of(int dim, String x, String y) {
        return new Settings(dim, x, y, 500, 100, 50, 1e-3, 1);
    }

    /** The same with another window. */
    public Settings withWindow(int size) {
        return new Settings(dim, x, y, size, minimum, resamples, falseAlarms, seed);
    }

    /** The same with another seed. */
    public Settings withSeed(long other) {
        return new Settings(dim, x, y, window, minimum, resamples, falseAlarms, other);
    }

    private static void check(boolean holds, String message) {
        if (!holds) {
            throw new IllegalArgumentException(message);
        }
    }
}
