package io.sensorium.models;

import java.nio.FloatBuffer;
import java.util.Map;

/** Named tensors from which a model is built: a file, or memory. */
interface Weights extends AutoCloseable {
    String name();

    Map<String, TensorInfo> tensors();

    Map<String, String> metadata();

    default TensorInfo info(String tensor) {
        return tensors().get(tensor);
    }

    /** A copy as float32, direct and in native order. */
    FloatBuffer floats(String tensor);

    @Override
    void close() throws java.io.IOException;
}
