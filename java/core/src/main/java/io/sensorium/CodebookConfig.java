package io.sensorium;

import java.util.List;
import java.util.Objects;

/**
 * How tokens become ids. {@link Kind#VQ}: the nearest of {@code size} codes; with several stages (residual VQ) each stage
 * quantises what the stages before left over, and a token is {@code stages} ids. {@link Kind#FSQ} (Mentzer et al. 2023):
 * each of at most 16 values is bounded by tanh and rounded to {@code levels} steps, and the steps make one id.
 *
 * @param kind vectors or scalars
 * @param dim width of a token
 * @param stages ids of a token; more than 1 needs {@link Metric#L2}
 * @param size codes of a stage; FSQ: the product of the levels
 * @param metric how codes are compared
 * @param levels FSQ: steps of each value; VQ: empty
 */
public record CodebookConfig(Kind kind, int dim, int stages, int size, Metric metric, List<Integer> levels) {
    /** Vectors or scalars. */
    public enum Kind {
        /** Vector quantisation, with residual stages if there are several. */
        VQ,
        /** Finite scalar quantisation. */
        FSQ
    }

    /** How a token is compared with a code. */
    public enum Metric {
        /** Euclidean distance. */
        L2,
        /** Direction: tokens and codes are L2-normalised first. */
        COSINE
    }

    /** Copies the list; values are checked when the configuration is used. */
    public CodebookConfig {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(metric, "metric");
        levels = List.copyOf(levels);
    }

    /** One codebook compared by Euclidean distance. */
    public static CodebookConfig vq(int size, int dim) {
        return vq(size, dim, Metric.L2);
    }

    /** One codebook. */
    public static CodebookConfig vq(int size, int dim, Metric metric) {
        return new CodebookConfig(Kind.VQ, dim, 1, size, metric, List.of());
    }

    /** Residual codebooks of equal size. */
    public static CodebookConfig residual(int stages, int size, int dim) {
        return new CodebookConfig(Kind.VQ, dim, stages, size, Metric.L2, List.of());
    }

    /** Finite scalars: tokens are as wide as there are levels. */
    public static CodebookConfig fsq(int... levels) {
        List<Integer> list = java.util.Arrays.stream(levels).boxed().toList();
        long size = 1;
        for (int level : levels) {
            size = Math.min(Integer.MAX_VALUE, size * Math.max(1L, level));
        }
        return new CodebookConfig(Kind.FSQ, levels.length, 1, (int) size, Metric.L2, list);
    }
}
