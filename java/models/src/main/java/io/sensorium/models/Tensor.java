package io.sensorium.models;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

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

    /** The same numbers under another shape. */
    Tensor reshaped(long... other) {
        return new Tensor(values, other);
    }
}
