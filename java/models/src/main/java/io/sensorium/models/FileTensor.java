package io.sensorium.models;

import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * An array as a file holds it.
 *
 * @param dtype of the file's elements
 * @param shape sizes, outermost first
 * @param values as float32, in C order; direct, native order
 */
public record FileTensor(DType dtype, long[] shape, FloatBuffer values) {
    @Override
    public String toString() {
        return dtype + " " + Arrays.toString(shape);
    }
}
