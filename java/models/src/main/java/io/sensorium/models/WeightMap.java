package io.sensorium.models;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * From published tensor names to the canonical ones of sensorium.h. A canonical tensor is one source tensor under
 * another shape, several of them one after the other, a part of one, or zeros where the published model has none.
 */
final class WeightMap {
    /**
     * Part {@code index} of {@code of} equal ones along the first axis of a source tensor, whose whole shape is given.
     */
    record Part(String source, int index, int of, long[] shape) {
        Part(String source, long... shape) {
            this(source, 0, 1, shape);
        }
    }

    /** No parts: zeros. */
    record Weight(String name, List<Part> parts, long[] dims) {}

    private final List<Weight> weights = new ArrayList<>();

    WeightMap add(String name, long[] dims, Part... parts) {
        weights.add(new Weight(name, List.of(parts), dims));
        return this;
    }

    /** A tensor whose source has the canonical shape. */
    WeightMap same(String name, String source, long... dims) {
        return add(name, dims, new Part(source, dims));
    }

    /** A linear or normalisation layer: weight and bias under the same two endings. */
    WeightMap layer(String name, String source, long... dims) {
        same(name + ".weight", source + ".weight", dims);
        return same(name + ".bias", source + ".bias", dims[0]);
    }

    List<Weight> weights() {
        return weights;
    }

    /**
     * Throws one error that lists every missing, misshapen, wrongly typed and unexpected tensor. Tensors for
     * which {@code unused} holds belong to parts of the family that are not run here.
     */
    void check(Weights file, Predicate<String> unused) {
        List<String> problems = new ArrayList<>();
        Set<String> used = new HashSet<>();
        for (Weight weight : weights) {
            for (Part part : weight.parts()) {
                used.add(part.source());
                TensorInfo info = file.tensors().get(part.source());
                if (info == null) {
                    problems.add("missing " + part.source() + " " + Arrays.toString(part.shape()));
                } else if (!Arrays.equals(info.dims(), part.shape())) {
                    problems.add(part.source() + " is " + info.shape() + ", expected " + Arrays.toString(part.shape()));
                } else if (!info.dtype().isFloating()) {
                    problems.add(part.source() + " is " + info.dtype() + ", expected floating-point");
                }
            }
        }
        for (String name : file.tensors().keySet()) {
            if (!used.contains(name) && !unused.test(name)) {
                problems.add("unexpected " + name);
            }
        }
        if (!problems.isEmpty()) {
            // One line a mismatch: InvalidWeightsException.mismatches().
            throw Errors.weights(file.name() + ": " + String.join("\n" + file.name() + ": ", problems));
        }
    }

    static FloatBuffer read(Weights file, Weight weight) {
        if (weight.parts().size() == 1 && weight.parts().get(0).of() == 1) {
            return file.floats(weight.parts().get(0).source());
        }
        long count = 1;
        for (long size : weight.dims()) {
            count = Math.multiplyExact(count, size);
        }
        FloatBuffer out = ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(count, 4L)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        for (Part part : weight.parts()) {
            FloatBuffer whole = file.floats(part.source());
            int size = whole.remaining() / part.of();
            out.put(whole.slice(part.index() * size, size));
        }
        return out.clear();
    }
}
