package io.sensorium.internal;

import io.sensorium.internal.binding.sns_item;
import java.nio.ByteBuffer;

/** An array of {@code sns_item}, filled as longs. */
public final class ItemTable {
    private static final int MODALITY = 0,
            FORMAT = 1,
            SEQUENCE = 2,
            DATA = 3,
            BYTES = 4,
            DIMS = 5,
            START = 8,
            END = 9,
            FIELDS = 10;
    private static final int SIZE = FIELDS * Long.BYTES;
    /** Items that fit into one direct buffer. */
    public static final int MOST = Integer.MAX_VALUE / SIZE;

    private final ByteBuffer bytes;
    private final long address;

    static {
        Layout.check(
                sns_item.class,
                FIELDS,
                "sequence",
                SEQUENCE,
                "data",
                DATA,
                "bytes",
                BYTES,
                "dims",
                DIMS,
                "start_us",
                START,
                "end_us",
                END);
    }

    /** Room for so many items. */
    public ItemTable(int items) {
        bytes = Memory.allocate(items * SIZE);
        address = Memory.address(bytes);
    }

    /** Where native code reads. */
    public long address() {
        return address;
    }

    /** Writes item {@code index}. */
    public void set(
            int index,
            int modality,
            int format,
            int sequence,
            long data,
            long size,
            long dim0,
            long dim1,
            long dim2,
            long start,
            long end) {
        int at = index * SIZE;
        put(at, MODALITY, modality);
        put(at, FORMAT, format);
        put(at, SEQUENCE, sequence);
        put(at, DATA, data);
        put(at, BYTES, size);
        put(at, DIMS, dim0);
        put(at, DIMS + 1, dim1);
        put(at, DIMS + 2, dim2);
        put(at, START, start);
        put(at, END, end);
    }

    /** Which sequence item {@code index} belongs to. */
    public int sequence(int index) {
        return (int) get(index, SEQUENCE);
    }

    /** Number of a modality. */
    public int modality(int index) {
        return (int) get(index, MODALITY);
    }

    /** Number of a format. */
    public int format(int index) {
        return (int) get(index, FORMAT);
    }

    /** The three sizes. */
    public long[] dims(int index) {
        return new long[] {get(index, DIMS), get(index, DIMS + 1), get(index, DIMS + 2)};
    }

    private long get(int index, int field) {
        return bytes.getLong(index * SIZE + field * Long.BYTES);
    }

    private void put(int at, int field, long value) {
        bytes.putLong(at + field * Long.BYTES, value);
    }
}
