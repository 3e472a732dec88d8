package io.sensorium.models;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A file and one tensor more. */
final class ExtraTensor implements Weights {
    private final Weights file;
    private final String name;
    private final FloatBuffer values;
    private final Map<String, TensorInfo> tensors;

    ExtraTensor(Weights file, String name, FloatBuffer values, long... dims) {
        this.file = file;
        this.name = name;
        this.values = values.duplicate();
        List<Long> shape = Arrays.stream(dims).boxed().toList();
        Map<String, TensorInfo> all = new LinkedHashMap<>(file.tensors());
        all.put(name, new TensorInfo(name, DType.F32, shape, 0, 4L * values.remaining()));
        this.tensors = Collections.unmodifiableMap(all);
    }

    @Override
    public String name() {
        return file.name();
    }

    @Override
    public Map<String, TensorInfo> tensors() {
        return tensors;
    }

    @Override
    public Map<String, String> metadata() {
        return file.metadata();
    }

    @Override
    public FloatBuffer floats(String tensor) {
        return tensor.equals(name) ? values.duplicate() : file.floats(tensor);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
