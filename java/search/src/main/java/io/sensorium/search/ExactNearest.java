package io.sensorium.search;

import io.sensorium.Engine;
import io.sensorium.VectorIndex;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/** By the engine's kernel, which looks at every vector. */
final class ExactNearest implements Nearest {
    private final VectorIndex index;

    ExactNearest(Engine engine, FloatBuffer rows, int dim) {
        index = new VectorIndex(engine, rows, dim);
    }

    @Override
    public List<Place> search(float[] query, int k) {
        VectorIndex.Hits hits = index.search(FloatBuffer.wrap(query), k);
        List<Place> places = new ArrayList<>();
        for (int i = 0; i < k && hits.id(0, i) >= 0; i++) {
            places.add(new Place(hits.id(0, i), hits.score(0, i)));
        }
        return places;
    }

    @Override
    public void close() {
        index.close();
    }
}
