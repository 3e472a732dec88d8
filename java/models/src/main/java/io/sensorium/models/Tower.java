package io.sensorium.models;

import io.sensorium.InvalidShapeException;
import io.sensorium.SessionLimits;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** One way into a published model: the tensors that it reads, under the reference's names, and what it makes of them. */
interface Tower extends AutoCloseable {
    /** Names of what it reads: the one that it cannot do without, then those that may be absent. */
    List<String> inputs();

    /**
     * Runs a batch.
     *
     * @param suffix ending of the names of what is read and written ("_interp"), mostly empty
     */
    void run(Safetensors in, String suffix, Map<String, Tensor> out) throws IOException;

    @Override
    void close() throws IOException;

    /** Sizes of a tensor that must have this rank. */
    static int[] shape(Safetensors in, String name, int rank) {
        long[] dims = in.info(name).dims();
        if (dims.length != rank || Arrays.stream(dims).anyMatch(size -> size < 1 || size > Integer.MAX_VALUE)) {
            throw misshapen(in, name, "a shape of " + rank + " sizes, each at least 1, is needed");
        }
        return Arrays.stream(dims).mapToInt(size -> (int) size).toArray();
    }

    static InvalidShapeException misshapen(Safetensors in, String name, String needed) {
        return new InvalidShapeException(
                in.name() + ": " + name + " is " + Arrays.toString(in.info(name).dims()) + "; " + needed, name);
    }

    /** Sizes [items, n] of grids, one after the other. */
    static int[] grids(Safetensors in, String name, int items, int n) {
        int[] shape = shape(in, name, 2);
        if (shape[0] != items || shape[1] != n) {
            throw misshapen(in, name, "[" + items + ", " + n + "] is needed");
        }
        return Arrays.stream(in.doubles(name))
                .mapToInt(size -> {
                    if (!(size >= 1 && size <= 1 << 14)) {
                        throw new InvalidShapeException(in.name() + ": " + name + " holds " + size, name);
                    }
                    return (int) size;
                })
                .toArray();
    }

    /** Entry i of the outermost axis. */
    static FloatBuffer slice(FloatBuffer values, int i, int size) {
        return values.slice(Math.multiplyExact(i, size), size);
    }

    /** Those of a request of one item. */
    static SessionLimits limits(int tokens, long pixels) {
        return SessionLimits.builder().maxTokens(tokens).maxPixels(pixels).build();
    }
}
