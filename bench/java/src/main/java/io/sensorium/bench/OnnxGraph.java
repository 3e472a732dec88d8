package io.sensorium.bench;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Writes an ONNX model (opset 20) op by op: the few protobuf messages of onnx.proto that a peer's graph needs, so that no
 * binary lies in the tree.
 */
final class OnnxGraph {
    static final int FLOAT = 1;
    static final int UINT8 = 2;
    static final int INT64 = 7;
    private static final int OPSET = 20;
    private static final int IR_VERSION = 9;

    /** A protobuf message: fields of wire type 0 (varint), 2 (bytes) and 5 (32 bits). */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Message number(int field, long value) {
            varint((long) field << 3);
            varint(value);
            return this;
        }

        Message real(int field, float value) {
            varint((long) field << 3 | 5);
            out.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putFloat(value)
                    .array());
            return this;
        }

        Message bytes(int field, byte[] value) {
            varint((long) field << 3 | 2);
            varint(value.length);
            out.writeBytes(value);
            return this;
        }

        Message text(int field, String value) {
            return bytes(field, value.getBytes(StandardCharsets.UTF_8));
        }

        Message message(int field, Message value) {
            return bytes(field, value.out.toByteArray());
        }

        private void varint(long value) {
            while ((value & ~0x7FL) != 0) {
                out.write((int) (value & 0x7F | 0x80));
                value >>>= 7;
            }
            out.write((int) value);
        }
    }

    /** Of a node; make them with {@link #axis} and its like. */
    record Attribute(String name, long[] ints, float real) {}

    private final Message graph = new Message().text(2, "graph");
    private int names;

    static Attribute attribute(String name, long value) {
        return new Attribute(name, new long[] {value}, Float.NaN);
    }

    static Attribute list(String name, long... values) {
        return new Attribute(name + "[]", values, Float.NaN);
    }

    static Attribute real(String name, float value) {
        return new Attribute(name, new long[0], value);
    }

    String input(String name, int type, long... dims) {
        graph.message(11, value(name, type, dims));
        return name;
    }

    String constant(float[] values, long... dims) {
        ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(values);
        return tensor(FLOAT, raw.array(), dims);
    }

    String constant(long... values) {
        ByteBuffer raw = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        raw.asLongBuffer().put(values);
        return tensor(INT64, raw.array(), values.length);
    }

    private String tensor(int type, byte[] raw, long... dims) {
        Message tensor = new Message();
        for (long dim : dims) {
            tensor.number(1, dim);
        }
        String name = "c" + names++;
        graph.message(5, tensor.number(2, type).text(8, name).bytes(9, raw));
        return name;
    }

    /** Adds a node of ONNX's own domain and returns the name of its output. */
    String node(String op, String[] inputs, Attribute... attributes) {
        return node("", op, inputs, attributes);
    }

    String node(String op, String input, Attribute... attributes) {
        return node("", op, new String[] {input}, attributes);
    }

    String node(String domain, String op, String[] inputs, Attribute... attributes) {
        Message node = new Message();
        for (String input : inputs) {
            node.text(1, input);
        }
        String output = "n" + names++;
        node.text(2, output).text(3, output).text(4, op);
        for (Attribute a : attributes) {
            node.message(5, message(a));
        }
        if (!domain.isEmpty()) {
            node.text(7, domain);
        }
        graph.message(1, node);
        return output;
    }

    private static Message message(Attribute a) {
        boolean list = a.name.endsWith("[]");
        Message message = new Message().text(1, list ? a.name.substring(0, a.name.length() - 2) : a.name);
        if (list) {
            for (long value : a.ints) {
                message.number(8, value);
            }
            return message.number(20, 7);
        }
        return a.ints.length == 0
                ? message.real(2, a.real).number(20, 1)
                : message.number(3, a.ints[0]).number(20, 2);
    }

    String reshape(String x, long... dims) {
        return node("Reshape", new String[] {x, constant(dims)});
    }

    String transpose(String x, long... order) {
        return node("Transpose", x, list("perm", order));
    }

    /** x·Wᵀ, W given as [out, in]. */
    String product(String x, float[] weight, int out, int in) {
        float[] transposed = new float[weight.length];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                transposed[i * out + o] = weight[o * in + i];
            }
        }
        return node("MatMul", new String[] {x, constant(transposed, in, out)});
    }

    /** x·Wᵀ + b. */
    String linear(String x, float[] weight, float[] bias, int out, int in) {
        return node("Add", new String[] {product(x, weight, out, in), constant(bias, out)});
    }

    /** The finished model. */
    byte[] model(String output, int type, long... dims) {
        graph.message(12, value(output, type, dims));
        return new Message()
                .number(1, IR_VERSION)
                .message(7, graph)
                .message(8, new Message().text(1, "").number(2, OPSET))
                .message(8, new Message().text(1, "com.microsoft").number(2, 1))
                .out
                .toByteArray();
    }

    private static Message value(String name, int type, long... dims) {
        Message shape = new Message();
        for (long dim : dims) {
            shape.message(1, new Message().number(1, dim));
        }
        Message tensor = new Message().number(1, type).message(2, shape);
        return new Message().text(1, name).message(2, new Message().message(1, tensor));
    }
}
