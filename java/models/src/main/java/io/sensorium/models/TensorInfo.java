package io.sensorium.models;

import java.util.Arrays;
import java.util.List;

/**
 * One entry of a safetensors header, already checked: the shape's product times the element size is
 * {@code end - begin}.
 *
 * @param name as written in the file
 * @param dtype element type
 * @param shape sizes, outermost first; empty for a scalar
 * @param begin first byte, counted from the end of the header
 * @param end byte after the last one
 */
public record TensorInfo(String name, DType dtype, List<Long> shape, long begin, long end) {
    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /** Number of elements. */
    public long count() {
        return (end - begin) / dtype.bytes();
    }

    /** The shape as an array. */
    public long[] dims() {
        return shape.stream().mapToLong(Long::longValue).toArray();
    }

    @Override
    public String toString() {
        return name + " " + dtype + " " + Arrays.toString(dims());
    }
}
