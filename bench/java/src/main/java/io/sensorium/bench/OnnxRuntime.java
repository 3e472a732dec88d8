package io.sensorium.bench;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.Map;

/** The peer of Java servers, used as its documentation advises: direct buffers in and out, made once. */
final class OnnxRuntime implements AutoCloseable {
    private final OrtSession session;
    private final Map<String, OnnxTensor> inputs;
    private final Map<String, OnnxTensor> outputs;
    private final Buffer input;
    private final Buffer result;

    /**
     * @param input direct: bytes, floats or longs, fed as "x"
     * @param output direct: floats or longs
     * @param outputName of the graph's output
     */
    OnnxRuntime(
            byte[] model, int threads, Buffer input, long[] dims, String outputName, Buffer output, long[] outputDims)
            throws OrtException {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
            // Its idle threads would go on spinning into the next contender's turn.
            options.addConfigEntry("session.force_spinning_stop", "1");
            session = environment.createSession(model, options);
        }
        this.input = input;
        inputs = Map.of("x", tensor(environment, input, dims));
        outputs = Map.of(outputName, tensor(environment, output, outputDims));
        result = output;
    }

    private static OnnxTensor tensor(OrtEnvironment environment, Buffer values, long[] dims) throws OrtException {
        if (values instanceof FloatBuffer floats) {
            return OnnxTensor.createTensor(environment, floats, dims);
        }
        return values instanceof LongBuffer longs
                ? OnnxTensor.createTensor(environment, longs, dims)
                : OnnxTensor.createTensor(environment, (ByteBuffer) values, dims, OnnxJavaType.UINT8);
    }

    void run() {
        try {
            session.run(inputs, outputs).close();
        } catch (OrtException e) {
            throw new IllegalStateException(e);
        }
    }

    Contender contender(String name) {
        return new Contender("ONNX Runtime " + name, this::run, this::output);
    }

    /** What is fed. */
    FloatBuffer floats() {
        return (FloatBuffer) input;
    }

    float[] output() {
        return Values.of(result);
    }

    @Override
    public void close() throws OrtException {
        for (OnnxTensor tensor : inputs.values()) {
            tensor.close();
        }
        for (OnnxTensor tensor : outputs.values()) {
            tensor.close();
        }
        session.close();
    }
}
