package io.sensorium.models;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.sensorium.InvalidWeightsException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file, opened for reading. The header is checked whole before any tensor is read: length, JSON,
 * shapes, offsets without overlap, hole or trailing bytes. Tensors are copied out on request, never mapped, so a file
 * that is cut while it is open gives an {@link InvalidWeightsException} and not a SIGBUS.
 *
 * <p>Format: 8 bytes little-endian header length, JSON header, payload
 * (<a href="https://github.com/huggingface/safetensors#format">huggingface/safetensors</a>).
 */
public final class Safetensors implements Weights {
    /** Longest header that is parsed, as in the reference implementation. */
    public static final long MAX_HEADER_BYTES = 100_000_000;

    private static final int MAX_RANK = 16;
    private static final int CHUNK = 1 << 20;

    private interface Source extends AutoCloseable {
        long size() throws IOException;

        /** Fills {@code into} from {@code offset}; false when the file ends before. */
        boolean read(long offset, ByteBuffer into) throws IOException;

        @Override
        void close() throws IOException;
    }

    private final String name;
    private final Source source;
    private final long payload;
    private final Map<String, TensorInfo> tensors;
    private final Map<String, String> metadata;

    private Safetensors(String name, Source source) throws IOException {
        this.name = name;
        this.source = source;
        long size = source.size();
        ByteBuffer prefix = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        if (size < 8 || !source.read(0, prefix)) {
            throw error("has " + size + " bytes; a safetensors file starts with 8 bytes of header length");
        }
        long header = prefix.getLong(0);
        if (header < 0 || header > MAX_HEADER_BYTES) {
            throw error("header of " + Long.toUnsignedString(header) + " bytes; the limit is " + MAX_HEADER_BYTES);
        }
        if (header > size - 8) {
            throw error("header of " + header + " bytes in a file of " + size);
        }
        ByteBuffer text = ByteBuffer.allocate((int) header);
        if (!source.read(8, text)) {
            throw error("ended while the header was read");
        }
        if (header == 0 || text.get(0) != '{') {
            throw error("the header must start with '{'");
        }
        this.payload = 8 + header;
        Map<String, String> meta = new LinkedHashMap<>();
        this.tensors = parseHeader(text.array(), meta);
        this.metadata = Collections.unmodifiableMap(meta);
        checkOffsets(size - payload);
    }

    /** Opens and checks a file. */
    public static Safetensors open(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        try {
            return new Safetensors(file.getFileName().toString(), new Source() {
                @Override
                public long size() throws IOException {
                    return channel.size();
                }

                @Override
                public boolean read(long offset, ByteBuffer into) throws IOException {
                    while (into.hasRemaining()) {
                        int n = channel.read(into, offset);
                        if (n < 0) {
                            return false;
                        }
                        offset += n;
                    }
                    return true;
                }

                @Override
                public void close() throws IOException {
                    channel.close();
                }
            });
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** The same from memory; {@code name} is what errors call it. */
    public static Safetensors parse(byte[] bytes, String name) {
        try {
            return new Safetensors(name, new Source() {
                @Override
                public long size() {
                    return bytes.length;
                }

                @Override
                public boolean read(long offset, ByteBuffer into) {
                    if (into.remaining() > bytes.length - offset) {
                        return false;
                    }
                    into.put(bytes, (int) offset, into.remaining());
                    return true;
                }

                @Override
                public void close() {}
            });
        } catch (IOException e) {
            throw new AssertionError("reading memory does no input", e);
        }
    }

    /** What this file is called in messages. */
    @Override
    public String name() {
        return name;
    }

    /** All tensors in the header's order. */
    @Override
    public Map<String, TensorInfo> tensors() {
        return tensors;
    }

    /** The header's {@code __metadata__}. */
    @Override
    public Map<String, String> metadata() {
        return metadata;
    }

    /** The entry of that name. */
    @Override
    public TensorInfo info(String tensor) {
        TensorInfo info = tensors.get(tensor);
        if (info == null) {
            throw error("has no tensor '" + tensor + "'");
        }
        return info;
    }

    /**
     * Copies a floating-point tensor into a new direct buffer in native order. F16 and BF16 convert exactly, F64 is
     * rounded.
     *
     * @throws InvalidWeightsException if it is missing, of another type, over 2^29 elements, or cut off
     */
    @Override
    public FloatBuffer floats(String tensor) {
        TensorInfo info = info(tensor);
        if (!info.dtype().isFloating()) {
            throw error("tensor '" + tensor + "' is " + info.dtype() + "; floating-point is needed");
        }
        FloatBuffer out = ByteBuffer.allocateDirect(Math.multiplyExact(count(info), 4))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        read(info, chunk -> {
            switch (info.dtype()) {
                case F32 -> out.put(chunk.asFloatBuffer());
                case F64 -> {
                    while (chunk.hasRemaining()) out.put((float) chunk.getDouble());
                }
                case BF16 -> {
                    while (chunk.hasRemaining()) out.put(Float.intBitsToFloat(chunk.getShort() << 16));
                }
                default -> {
                    while (chunk.hasRemaining()) out.put(halfToFloat(chunk.getShort()));
                }
            }
        });
        return out.flip();
    }

    /** Copies a tensor of any numeric type; integers and F64 are rounded to float32. Not for weights. */
    public FileTensor tensor(String tensor) {
        TensorInfo info = info(tensor);
        if (info.dtype().isFloating()) {
            return new FileTensor(info.dtype(), info.dims(), floats(tensor));
        }
        double[] values = doubles(tensor);
        FloatBuffer out = ByteBuffer.allocateDirect(Math.multiplyExact(values.length, 4))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        for (double value : values) {
            out.put((float) value);
        }
        return new FileTensor(info.dtype(), info.dims(), out.flip());
    }

    /** Copies a tensor of any numeric type as doubles; for comparisons, not for weights. */
    public double[] doubles(String tensor) {
        TensorInfo info = info(tensor);
        double[] out = new double[count(info)];
        int[] next = {0};
        read(info, chunk -> {
            while (chunk.hasRemaining()) {
                out[next[0]++] = switch (info.dtype()) {
                    case F64 -> chunk.getDouble();
                    case F32 -> chunk.getFloat();
                    case BF16 -> Float.intBitsToFloat(chunk.getShort() << 16);
                    case F16 -> halfToFloat(chunk.getShort());
                    case I64 -> chunk.getLong();
                    case I32 -> chunk.getInt();
                    case U32 -> Integer.toUnsignedLong(chunk.getInt());
                    case I16 -> chunk.getShort();
                    case U16 -> Short.toUnsignedInt(chunk.getShort());
                    case I8 -> chunk.get();
                    case U8, BOOL -> Byte.toUnsignedInt(chunk.get());
                    default -> throw error("tensor '" + tensor + "': " + info.dtype() + " is not read");
                };
            }
        });
        return out;
    }

    @Override
    public void close() throws IOException {
        source.close();
    }

    private int count(TensorInfo info) {
        if (info.count() > 1 << 29) {
            throw error("tensor '" + info.name() + "' has " + info.count() + " elements; the limit is " + (1 << 29));
        }
        return (int) info.count();
    }

    private void read(TensorInfo info, java.util.function.Consumer<ByteBuffer> sink) {
        ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, info.end() - info.begin()))
                .order(ByteOrder.LITTLE_ENDIAN);
        try {
            for (long at = info.begin(); at < info.end(); at += chunk.limit()) {
                chunk.clear().limit((int) Math.min(chunk.capacity(), info.end() - at));
                if (!source.read(payload + at, chunk)) {
                    throw error("ended while tensor '" + info.name() + "' was read");
                }
                sink.accept(chunk.flip());
            }
        } catch (IOException e) {
            throw error("tensor '" + info.name() + "' cannot be read: " + e.getMessage());
        }
    }

    private Map<String, TensorInfo> parseHeader(byte[] text, Map<String, String> meta) throws IOException {
        Map<String, TensorInfo> found = new LinkedHashMap<>();
        try (JsonParser json = Json.factory(4, MAX_HEADER_BYTES).createParser(text)) {
            expect(json.nextToken(), JsonToken.START_OBJECT, "the header");
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String key = json.currentName();
                expect(json.nextToken(), JsonToken.START_OBJECT, "entry '" + key + "'");
                if (key.equals("__metadata__")) {
                    while (json.nextToken() == JsonToken.FIELD_NAME) {
                        String field = json.currentName();
                        expect(json.nextToken(), JsonToken.VALUE_STRING, "metadata '" + field + "'");
                        meta.put(field, json.getText());
                    }
                } else {
                    found.put(key, parseEntry(json, key));
                }
            }
            if (json.nextToken() != null) {
                throw error("text after the header's object");
            }
        } catch (JsonProcessingException e) {
            throw Json.malformed(name + ": header", e);
        }
        return Collections.unmodifiableMap(found);
    }

    private TensorInfo parseEntry(JsonParser json, String key) throws IOException {
        DType dtype = null;
        List<Long> shape = null;
        List<Long> offsets = null;
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String field = json.currentName();
            json.nextToken();
            switch (field) {
                case "dtype" -> {
                    expect(json.currentToken(), JsonToken.VALUE_STRING, "dtype of '" + key + "'");
                    String value = json.getText();
                    try {
                        dtype = DType.valueOf(value);
                    } catch (IllegalArgumentException e) {
                        throw error("tensor '" + key + "': unknown dtype '" + clip(value) + "'");
                    }
                }
                case "shape" -> shape = integers(json, key, field);
                case "data_offsets" -> offsets = integers(json, key, field);
                default -> throw error("tensor '" + key + "': unknown field '" + clip(field) + "'");
            }
        }
        if (dtype == null || shape == null || offsets == null || offsets.size() != 2) {
            throw error("tensor '" + key + "' needs dtype, shape and two data_offsets");
        }
        long begin = offsets.get(0);
        long end = offsets.get(1);
        long bytes;
        try {
            bytes = dtype.bytes();
            for (long size : shape) {
                bytes = Math.multiplyExact(bytes, size);
            }
        } catch (ArithmeticException e) {
            throw error("tensor '" + key + "': the product of shape " + shape + " overflows");
        }
        if (end < begin || end - begin != bytes) {
            throw error("tensor '" + key + "': data_offsets " + offsets + " do not hold " + bytes + " bytes of " + dtype
                    + " " + shape);
        }
        return new TensorInfo(key, dtype, shape, begin, end);
    }

    private List<Long> integers(JsonParser json, String key, String field) throws IOException {
        expect(json.currentToken(), JsonToken.START_ARRAY, field + " of '" + key + "'");
        List<Long> out = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
                    || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                    || json.getLongValue() < 0) {
                throw error("tensor '" + key + "': " + field + " must hold integers in [0, 2^63)");
            }
            if (out.size() == MAX_RANK) {
                throw error("tensor '" + key + "': " + field + " has more than " + MAX_RANK + " entries");
            }
            out.add(json.getLongValue());
        }
        return out;
    }

    private void checkOffsets(long payloadBytes) {
        List<TensorInfo> order = new ArrayList<>(tensors.values());
        order.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
        long at = 0;
        for (TensorInfo info : order) {
            if (info.begin() != at) {
                throw error("tensor '" + info.name() + "' begins at " + info.begin() + " where " + at + " is expected ("
                        + (info.begin() < at ? "overlap" : "hole") + ")");
            }
            at = info.end();
        }
        if (at != payloadBytes) {
            throw error(
                    at < payloadBytes
                            ? (payloadBytes - at) + " trailing bytes after the last tensor"
                            : "cut off: tensors need " + at + " bytes, the file has " + payloadBytes);
        }
    }

    private void expect(JsonToken token, JsonToken wanted, String what) {
        if (token != wanted) {
            throw error(what + " must be "
                    + (wanted == JsonToken.VALUE_STRING
                            ? "a string"
                            : wanted == JsonToken.START_ARRAY ? "an array" : "an object"));
        }
    }

    private InvalidWeightsException error(String what) {
        return Errors.weights(name + ": " + what);
    }

    private static String clip(String text) {
        return text.length() <= 40 ? text : text.substring(0, 40) + "…";
    }

    /** IEEE 754 binary16 to binary32, exact. */
    static float halfToFloat(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = half >>> 10 & 0x1F;
        int fraction = half & 0x3FF;
        if (exponent == 0x1F) {
            return Float.intBitsToFloat(sign | 0x7F800000 | fraction << 13);
        }
        if (exponent == 0) {
            float value = fraction * 0x1p-24f;
            return sign == 0 ? value : -value;
        }
        return Float.intBitsToFloat(sign | (exponent + 112) << 23 | fraction << 13);
    }
}
