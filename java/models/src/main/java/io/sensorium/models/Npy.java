package io.sensorium.models;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * numpy's {@code .npy} files (versions 1 to 3) of plain numbers: bool, integers and floats of any width and byte order, in
 * C or Fortran order. Nothing is ever unpickled: arrays of objects, strings and structures are refused. The header is
 * checked against the file's size before anything is allocated.
 */
public final class Npy {
    /** Most elements that are read. */
    public static final long MAX_ELEMENTS = 1L << 29;

    private static final int MAX_HEADER = 10_000; // numpy's own
    private static final int CHUNK = 1 << 20;
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final Map<String, DType> TYPES = Map.ofEntries(
            Map.entry("b1", DType.BOOL),
            Map.entry("u1", DType.U8),
            Map.entry("i1", DType.I8),
            Map.entry("u2", DType.U16),
            Map.entry("i2", DType.I16),
            Map.entry("u4", DType.U32),
            Map.entry("i4", DType.I32),
            Map.entry("u8", DType.U64),
            Map.entry("i8", DType.I64),
            Map.entry("f2", DType.F16),
            Map.entry("f4", DType.F32),
            Map.entry("f8", DType.F64));

    private static final Pattern HEADER = Pattern.compile(
            "\\{((?:\\s*+'(?:descr|fortran_order|shape)'\\s*:\\s*(?:'[^']{0,64}'|True|False|\\([^()]{0,999}\\))"
                    + "\\s*+,?+){3}+)\\s*+\\}\\s*+");
    private static final Pattern ENTRY =
            Pattern.compile("'(descr|fortran_order|shape)'\\s*:\\s*('[^']*'|True|False|\\([^()]*\\))");
    private static final Pattern SHAPE =
            Pattern.compile("\\((?:\\s*|\\s*\\d{1,18}\\s*,\\s*|\\s*\\d{1,18}(?:\\s*,\\s*\\d{1,18})+\\s*,?\\s*)\\)");

    private Npy() {}

    /**
     * Reads a file.
     *
     * @throws CorruptInputException naming what is wrong with it
     * @throws LimitExceededException above {@link #MAX_ELEMENTS}
     */
    public static FileTensor read(Path file) throws IOException {
        String name = file.getFileName().toString();
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer start = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
            if (!fill(channel, start.limit(10)) || !ByteBuffer.wrap(MAGIC).equals(start.slice(0, MAGIC.length))) {
                throw corrupt(name, "not a .npy file");
            }
            int version = start.get(6);
            if (version < 1 || version > 3 || start.get(7) != 0) {
                throw corrupt(name, "version " + version + "." + start.get(7) + " is not known");
            }
            long length = Short.toUnsignedInt(start.getShort(8));
            if (version > 1) {
                if (!fill(channel, start.limit(12).position(10))) {
                    throw corrupt(name, "cut off in its header");
                }
                length = Integer.toUnsignedLong(start.getInt(8));
            }
            if (length > MAX_HEADER) {
                throw corrupt(name, "a header of " + length + " bytes; the limit is " + MAX_HEADER);
            }
            ByteBuffer text = ByteBuffer.allocate((int) length);
            if (!fill(channel, text)) {
                throw corrupt(name, "cut off in its header");
            }
            return new Reader(name, channel, new String(text.array(), StandardCharsets.ISO_8859_1)).read();
        }
    }

    private static final class Reader {
        private final String name;
        private final FileChannel channel;
        private final DType dtype;
        private final ByteOrder order;
        private final boolean fortran;
        private final long[] shape;

        Reader(String name, FileChannel channel, String header) {
            this.name = name;
            this.channel = channel;
            String descr = null;
            String sizes = null;
            String columns = null;
            if (HEADER.matcher(header).matches()) {
                Matcher entries = ENTRY.matcher(header);
                while (entries.find()) {
                    String value = entries.group(2);
                    switch (entries.group(1)) {
                        case "descr" -> descr = value;
                        case "shape" -> sizes = value;
                        default -> columns = value;
                    }
                }
            }
            if (descr == null
                    || !descr.startsWith("'")
                    || sizes == null
                    || !SHAPE.matcher(sizes).matches()
                    || !("True".equals(columns) || "False".equals(columns))) {
                throw corrupt(name, "its header is no dictionary of descr, fortran_order and shape for plain numbers");
            }
            String type = descr.substring(1, descr.length() - 1);
            this.dtype = type.length() < 2 || "<>|=".indexOf(type.charAt(0)) < 0 ? null : TYPES.get(type.substring(1));
            if (dtype == null) {
                throw corrupt(name, "elements of type " + descr + "; plain numbers are read");
            }
            this.order = type.charAt(0) == '>' ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
            this.fortran = columns.equals("True");
            List<Long> dims = new ArrayList<>();
            Matcher numbers = Pattern.compile("\\d+").matcher(sizes);
            while (numbers.find()) {
                dims.add(Long.parseLong(numbers.group()));
            }
            this.shape = dims.stream().mapToLong(Long::longValue).toArray();
        }

        FileTensor read() throws IOException {
            long count = 1;
            try {
                for (long size : shape) {
                    count = Math.multiplyExact(count, size);
                }
                long held = channel.size() - channel.position();
                if (Math.multiplyExact(count, (long) dtype.bytes()) != held) {
                    throw corrupt(name, count + " elements of " + dtype.bytes() + " bytes in a payload of " + held);
                }
            } catch (ArithmeticException e) {
                throw corrupt(name, "its shape is beyond 64 bits");
            }
            if (count > MAX_ELEMENTS) {
                throw new LimitExceededException(
                        name + ": " + count + " elements; the limit is " + MAX_ELEMENTS, name, MAX_ELEMENTS, null);
            }
            FloatBuffer out = ByteBuffer.allocateDirect(Math.toIntExact(4 * count))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, count * dtype.bytes()))
                    .order(order);
            for (long at = 0; at < count; at += chunk.limit() / dtype.bytes()) {
                chunk.clear().limit((int) Math.min(chunk.capacity(), (count - at) * dtype.bytes()));
                if (!fill(channel, chunk)) {
                    throw corrupt(name, "cut off");
                }
                while (chunk.hasRemaining()) {
                    out.put((float) next(chunk));
                }
            }
            return new FileTensor(dtype, shape, fortran ? rows(out.flip()) : out.flip());
        }

        private double next(ByteBuffer in) {
            return switch (dtype) {
                case F64 -> in.getDouble();
                case F32 -> in.getFloat();
                case F16 -> Safetensors.halfToFloat(in.getShort());
                case I64 -> in.getLong();
                case U64 -> {
                    long value = in.getLong();
                    yield value < 0 ? 2.0 * (value >>> 1) : value;
                }
                case I32 -> in.getInt();
                case U32 -> Integer.toUnsignedLong(in.getInt());
                case I16 -> in.getShort();
                case U16 -> Short.toUnsignedInt(in.getShort());
                case I8 -> in.get();
                default -> Byte.toUnsignedInt(in.get());
            };
        }

        /** From Fortran order, where the first index runs fastest, to C order. */
        private FloatBuffer rows(FloatBuffer columns) {
            FloatBuffer out = ByteBuffer.allocateDirect(4 * columns.remaining())
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            long[] index = new long[shape.length];
            for (int i = 0; i < out.capacity(); i++) {
                long at = 0;
                for (int d = shape.length - 1; d >= 0; d--) {
                    at = at * shape[d] + index[d];
                }
                out.put(i, columns.get((int) at));
                for (int d = shape.length - 1; d >= 0 && ++index[d] == shape[d]; d--) {
                    index[d] = 0;
                }
            }
            return out;
        }
    }

    private static boolean fill(FileChannel channel, ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            if (channel.read(into) < 0) {
                return false;
            }
        }
        into.flip();
        return true;
    }

    private static CorruptInputException corrupt(String name, String what) {
        return new CorruptInputException(name + ": " + what, name);
    }
}
