package io.sensorium.search;

import io.sensorium.Engine;
import io.sensorium.VectorIndex;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * How often the right concept is found: shares of queries whose concept is the nearest (at 1), among the five nearest (at 5),
 * and the mean of 1/rank (MRR; a rank below 100 counts as 0).
 *
 * @param queries how many were asked
 * @param gallery how many vectors there were to choose from
 * @param chance what guessing gives at 1: the mean share of the gallery that is of a query's concept
 * @param at1 in [0, 1]
 * @param at5 in [0, 1]
 * @param mrr in [0, 1]
 */
public record Recall(int queries, int gallery, double chance, double at1, double at5, double mrr) {
    private static final int DEPTH = 100;

    /** An embedding with its concept. */
    public record Labelled(String concept, float[] vector) {}

    /** Asks the gallery for each query; NaN figures without queries. */
    public static Recall of(Engine engine, List<Labelled> queries, List<Labelled> gallery) {
        if (queries.isEmpty() || gallery.isEmpty()) {
            return new Recall(queries.size(), gallery.size(), Double.NaN, Double.NaN, Double.NaN, Double.NaN);
        }
        Map<String, Long> shown =
                gallery.stream().collect(Collectors.groupingBy(Labelled::concept, Collectors.counting()));
        double right = 0;
        for (Labelled query : queries) {
            right += shown.getOrDefault(query.concept(), 0L);
        }
        int dim = gallery.get(0).vector().length;
        int k = Math.min(DEPTH, gallery.size());
        int first = 0;
        int five = 0;
        double reciprocal = 0;
        try (VectorIndex index = new VectorIndex(engine, rows(gallery, dim), dim)) {
            VectorIndex.Hits hits = index.search(rows(queries, dim), k);
            for (int q = 0; q < queries.size(); q++) {
                for (int rank = 0; rank < k; rank++) {
                    if (gallery.get(hits.id(q, rank))
                            .concept()
                            .equals(queries.get(q).concept())) {
                        first += rank == 0 ? 1 : 0;
                        five += rank < 5 ? 1 : 0;
                        reciprocal += 1.0 / (rank + 1);
                        break;
                    }
                }
            }
        }
        double n = queries.size();
        return new Recall(
                queries.size(), gallery.size(), right / n / gallery.size(), first / n, five / n, reciprocal / n);
    }

    private static FloatBuffer rows(List<Labelled> vectors, int dim) {
        FloatBuffer rows = FloatBuffer.allocate(Math.multiplyExact(vectors.size(), dim));
        for (Labelled one : vectors) {
            rows.put(one.vector());
        }
        return rows.flip();
    }
}
