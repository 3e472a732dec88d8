package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.FloatBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

class VectorIndexTest {
    @Test
    void findsWhatALoopFinds() {
        Random random = new Random(1);
        int n = 1000;
        int dim = 24;
        float[] vectors = new float[n * dim];
        for (int i = 0; i < vectors.length; i++) {
            vectors[i] = random.nextInt(7) - 3;
        }
        try (Engine engine = Engine.builder().threads(2).open();
                VectorIndex index = new VectorIndex(engine, FloatBuffer.wrap(vectors), dim)) {
            float[] query = new float[dim];
            for (int i = 0; i < dim; i++) {
                query[i] = random.nextInt(7) - 3;
            }
            VectorIndex.Hits hits = index.search(FloatBuffer.wrap(query), 50);
            int[] expected = java.util.stream.IntStream.range(0, n)
                    .boxed()
                    .sorted(java.util.Comparator.comparingDouble((Integer v) -> -dot(query, vectors, v)))
                    .limit(50)
                    .mapToInt(Integer::intValue)
                    .toArray();
            for (int i = 0; i < 50; i++) {
                assertEquals(expected[i], hits.id(0, i));
                assertEquals(dot(query, vectors, expected[i]), hits.score(0, i));
            }
        }
    }

    private static double dot(float[] query, float[] vectors, int v) {
        double sum = 0;
        for (int i = 0; i < query.length; i++) {
            sum += query[i] * vectors[v * query.length + i];
        }
        return sum;
    }

    @Test
    void nothingAndWrongSizes() {
        try (Engine engine = Engine.open();
                VectorIndex empty = new VectorIndex(engine, FloatBuffer.allocate(0), 3)) {
            assertEquals(0, empty.size());
            assertEquals(-1, empty.search(FloatBuffer.allocate(3), 2).id(0, 1));
            assertThrows(IllegalArgumentException.class, () -> empty.search(FloatBuffer.allocate(4), 1));
            assertThrows(IllegalArgumentException.class, () -> empty.search(FloatBuffer.allocate(3), 0));
            assertThrows(IllegalArgumentException.class, () -> empty.search(FloatBuffer.allocate(3), 1025));
            assertThrows(IllegalArgumentException.class, () -> new VectorIndex(engine, FloatBuffer.allocate(4), 3));
            FloatBuffer nan = FloatBuffer.wrap(new float[] {1, Float.NaN, 0});
            assertThrows(OutOfRangeException.class, () -> new VectorIndex(engine, nan, 3));
            assertThrows(OutOfRangeException.class, () -> empty.search(nan, 1));
            empty.close();
            assertThrows(IllegalStateException.class, () -> empty.search(FloatBuffer.allocate(3), 1));
        }
    }
}
