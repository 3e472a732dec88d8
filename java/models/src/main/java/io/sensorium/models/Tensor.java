package io.sensorium.models;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Map;

/**
 * Dense float32 numbers.
 *
 * @param values direct, in native order, outermost axis first
 * @param shape sizes, outermost first
 */
public record Tensor(FloatBuffer values, long... shape) {
    /** Zeros. */
    static Tensor zeros(long... shape) {
        long count = 1;
        for (long size : shape) {
            count = Math.multiplyExact(count, size);
        }
        FloatBuffer values = ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(count, 4L)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        return new Tensor(values, shape);
    }

    /** Puts this, a batch of one, as an item into the named tensor of a whole batch, which is made if it is absent. */
    void putInto(Map<String, Tensor> tensors, String name, int item, int batch) {
        long[] dims = shape.clone();
        dims[0] = batch;
        int size = values.capacity();
        tensors.computeIfAbsent(name, key -> zeros(dims)).values().put(item * size, values, 0, size);
    }

    /** Divides each row of the last axis by its length. */
    Tensor normalised() {
        int d = Math.toIntExact(shape[shape.length - 1]);
        Tensor out = zeros(shape);
        for (int row = 0; row < values.capacity(); row += d) {
            double square = 0;
            for (int i = row; i < row + d; i++) {
                square += (double) values.get(i) * values.get(i);
            }
            for (int i = row; i < row + d; i++) {
                out.values.put(i, (float) (values.get(i) / Math.sqrt(square)));
            }
        }
        return out;
    }

    /** The same numbers under another shape. */
    Tensor reshaped(long... other) {
        return new Tensor(values, other);
    }
}
