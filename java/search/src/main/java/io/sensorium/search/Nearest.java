package io.sensorium.search;

import java.io.IOException;
import java.util.List;

/** The vectors of one modality: which of them have the largest dot products with a query. */
interface Nearest extends AutoCloseable {
    /**
     * A vector that was found.
     *
     * @param id its place among the vectors
     * @param score its dot product with the query, summed in float64
     */
    record Place(int id, float score) {}

    /** At most k, the nearest first. */
    List<Place> search(float[] query, int k) throws IOException;

    @Override
    void close() throws IOException;
}
