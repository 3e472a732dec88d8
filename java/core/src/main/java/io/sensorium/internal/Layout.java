package io.sensorium.internal;

import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** Compares what Java believes of a structure of longs with what the C++ compiler made of it. */
final class Layout {
    private Layout() {}

    /** {@code fieldsAndNumbers}: names of fields, each followed by its number. */
    static void check(Class<? extends Pointer> struct, int fields, Object... fieldsAndNumbers) {
        boolean same = Loader.sizeof(struct) == fields * Long.BYTES;
        for (int i = 0; i < fieldsAndNumbers.length; i += 2) {
            int offset = Loader.offsetof(struct, (String) fieldsAndNumbers[i]);
            same &= offset == (Integer) fieldsAndNumbers[i + 1] * Long.BYTES;
        }
        if (!same) {
            throw new ExceptionInInitializerError(struct.getSimpleName() + " is not laid out as this jar expects");
        }
    }
}
