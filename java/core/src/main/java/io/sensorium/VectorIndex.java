package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;

/**
 * Exact search: of all vectors those with the largest dot products with a query (for embeddings, which have length 1, their
 * cosine). Immutable; any number of threads may search. One pass over all vectors: for up to about 10⁶ of them.
 */
public final class VectorIndex implements AutoCloseable {
    /** Most neighbours of one search. */
    public static final int MAX_K = 1024;

    private final Handle handle;
    private final int dim;
    private final int size;

    /**
     * What a search found, nearest first; of equal scores the lowest id first.
     *
     * @param k neighbours of a query
     * @param ids [queries, k]; -1 where there are fewer vectors than k
     * @param scores [queries, k]: dot products, summed in float64
     */
    public record Hits(int k, LongBuffer ids, FloatBuffer scores) {
        /** The place of a neighbour among the vectors; -1 if there are not so many. */
        public int id(int query, int rank) {
            return Math.toIntExact(ids.get(query * k + rank));
        }

        /** Its dot product with the query. */
        public float score(int query, int rank) {
            return scores.get(query * k + rank);
        }
    }

    /**
     * Copies the vectors.
     *
     * @param vectors [n, dim] from position to limit, finite; n may be 0
     * @param dim at least 1
     */
    public VectorIndex(Engine engine, FloatBuffer vectors, int dim) {
        if (dim < 1 || vectors.remaining() % dim != 0) {
            throw new IllegalArgumentException(vectors.remaining() + " values are not rows of " + dim);
        }
        this.dim = dim;
        this.size = vectors.remaining() / dim;
        Staging staging = new Staging();
        ByteBuffer out = Memory.allocate(Long.BYTES);
        long address = engine.handle().acquire();
        try {
            Errors.check(Native.sns_index_create(address, read(vectors, staging), size, dim, Memory.address(out)));
        } finally {
            engine.handle().release();
            Reference.reachabilityFence(vectors);
            Reference.reachabilityFence(staging);
        }
        this.handle = Handle.of(this, "vector index", out.getLong(0), Native::sns_index_destroy, engine.handle());
    }

    /** Number of vectors. */
    public int size() {
        return size;
    }

    /** Values of a vector. */
    public int dim() {
        return dim;
    }

    /**
     * The k nearest of each query.
     *
     * @param queries [n, dim] from position to limit, finite
     * @param k in [1, {@link #MAX_K}]
     */
    public Hits search(FloatBuffer queries, int k) {
        if (queries.remaining() % dim != 0) {
            throw new IllegalArgumentException(queries.remaining() + " values are not rows of " + dim);
        }
        if (k < 1 || k > MAX_K) {
            throw new IllegalArgumentException("k is " + k + ", not in [1, " + MAX_K + "]");
        }
        int n = queries.remaining() / dim;
        LongBuffer ids = Memory.allocate(Math.max(1, Math.multiplyExact(n, k * Long.BYTES)))
                .asLongBuffer()
                .limit(n * k);
        FloatBuffer scores = Memory.allocate(Math.max(1, Math.multiplyExact(n, k * Float.BYTES)))
                .asFloatBuffer()
                .limit(n * k);
        Staging staging = new Staging();
        long address = handle.acquire();
        try {
            Errors.check(Native.sns_index_search(
                    address, read(queries, staging), n, k, Memory.address(ids), Memory.address(scores)));
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(queries);
            Reference.reachabilityFence(staging);
        }
        return new Hits(k, ids, scores);
    }

    @Override
    public void close() {
        handle.close();
    }

    private static long read(FloatBuffer values, Staging staging) {
        long direct = Memory.address(values);
        return direct != 0 ? direct : staging.copy(values);
    }
}
