package io.sensorium.models;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Collects tensors and writes one safetensors file. The file appears under its name only when it is complete: a killed
 * writer leaves at most a temporary file beside it. Buffers are read from position to limit when {@link #write} runs.
 */
public final class SafetensorsWriter {
    private static final int CHUNK = 1 << 20;

    private interface Filler {
        /** Puts up to {@code into.remaining()} bytes, starting with element {@code at}. */
        void fill(ByteBuffer into, int at);
    }

    private record Entry(String name, DType dtype, long[] shape, int count, Filler filler) {}

    private final List<Entry> entries = new ArrayList<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    /** Adds float32 data; the product of the shape must be the buffer's remaining. */
    public SafetensorsWriter add(String name, FloatBuffer data, long... shape) {
        FloatBuffer view = data.slice();
        return add(name, DType.F32, view.remaining(), shape, (into, at) -> {
            FloatBuffer part = view.duplicate().position(at).limit(at + into.remaining() / 4);
            into.asFloatBuffer().put(part);
        });
    }

    /** Adds bytes without sign. */
    public SafetensorsWriter add(String name, ByteBuffer data, long... shape) {
        ByteBuffer view = data.slice();
        return add(name, DType.U8, view.remaining(), shape, (into, at) -> {
            into.put(view.duplicate().position(at).limit(at + into.remaining()));
        });
    }

    /** Adds int32 data. */
    public SafetensorsWriter add(String name, IntBuffer data, long... shape) {
        IntBuffer view = data.slice();
        return add(name, DType.I32, view.remaining(), shape, (into, at) -> {
            into.asIntBuffer().put(view.duplicate().position(at).limit(at + into.remaining() / 4));
        });
    }

    /** Adds int64 data. */
    public SafetensorsWriter add(String name, LongBuffer data, long... shape) {
        LongBuffer view = data.slice();
        return add(name, DType.I64, view.remaining(), shape, (into, at) -> {
            into.asLongBuffer().put(view.duplicate().position(at).limit(at + into.remaining() / 8));
        });
    }

    /** Adds a string to {@code __metadata__}. */
    public SafetensorsWriter metadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    private SafetensorsWriter add(String name, DType dtype, int count, long[] shape, Filler filler) {
        long product = 1;
        for (long size : shape) {
            product = Math.multiplyExact(product, size);
        }
        if (product != count) {
            throw new IllegalArgumentException(
                    "tensor '" + name + "': shape " + Arrays.toString(shape) + " for " + count + " elements");
        }
        if (name.equals("__metadata__")
                || entries.stream().anyMatch(e -> e.name().equals(name))) {
            throw new IllegalArgumentException("tensor name '" + name + "' is taken");
        }
        entries.add(new Entry(name, dtype, shape.clone(), count, filler));
        return this;
    }

    /** Writes beside {@code file}, forces to disk and moves into place. */
    public void write(Path file) throws IOException {
        Path target = file.toAbsolutePath();
        // Not createTempFile: its owner-only permissions would stay on the finished file.
        Path temporary =
                target.resolveSibling("." + target.getFileName() + "." + Long.toHexString(System.nanoTime()) + ".tmp");
        try {
            try (FileChannel channel =
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                writeTo(channel);
                channel.force(true);
            }
            try {
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            } catch (AtomicMoveNotSupportedException e) {
                Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
            }
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private void writeTo(FileChannel channel) throws IOException {
        // Wide elements first keeps every tensor aligned to its element size.
        List<Entry> order = new ArrayList<>(entries);
        order.sort(Comparator.comparingInt(e -> -e.dtype().bytes()));
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode meta = root.putObject("__metadata__");
            metadata.forEach(meta::put);
        }
        long at = 0;
        for (Entry entry : order) {
            ObjectNode node =
                    root.putObject(entry.name()).put("dtype", entry.dtype().name());
            ArrayNode shape = node.putArray("shape");
            for (long size : entry.shape()) {
                shape.add(size);
            }
            long end = at + (long) entry.count() * entry.dtype().bytes();
            node.putArray("data_offsets").add(at).add(end);
            at = end;
        }
        byte[] json = mapper.writeValueAsBytes(root);
        int padded = (json.length + 7) / 8 * 8;
        ByteBuffer header = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(padded).put(json);
        while (header.hasRemaining()) {
            header.put((byte) ' ');
        }
        drain(channel, header.flip());
        ByteBuffer chunk = ByteBuffer.allocate(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
        for (Entry entry : order) {
            int step = CHUNK / entry.dtype().bytes();
            for (int i = 0; i < entry.count(); i += step) {
                chunk.clear()
                        .limit(Math.min(step, entry.count() - i) * entry.dtype().bytes());
                entry.filler().fill(chunk, i);
                drain(channel, chunk.rewind());
            }
        }
    }

    private static void drain(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
