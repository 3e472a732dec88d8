package io.sensorium.models;

import java.nio.FloatBuffer;

/** The rows of a batch [batch, n, d] that a mask [batch, n] keeps, item by item. */
final class PackedRows {
    private final FloatBuffer values;
    private final int n;
    private final int d;
    private final double[] mask;

    private PackedRows(FloatBuffer values, int n, int d, double[] mask) {
        this.values = values;
        this.n = n;
        this.d = d;
        this.mask = mask;
    }

    /** @param mask name of the mask, which may be absent; any type, zero leaves out */
    static PackedRows of(Safetensors in, String name, String mask) {
        int[] shape = Tower.shape(in, name, 3);
        return new PackedRows(in.floats(name), shape[1], shape[2], mask(in, mask, shape[0], shape[1]));
    }

    /** A mask [batch, n], or null where there is none. */
    static double[] mask(Safetensors in, String name, int batch, int n) {
        if (!in.tensors().containsKey(name)) {
            return null;
        }
        int[] shape = Tower.shape(in, name, 2);
        if (shape[0] != batch || shape[1] != n) {
            throw Tower.misshapen(in, name, "a mask of [" + batch + ", " + n + "] is needed");
        }
        return in.doubles(name);
    }

    boolean masked() {
        return mask != null;
    }

    /** The same without the mask. */
    PackedRows all() {
        return new PackedRows(values, n, d, null);
    }

    private boolean kept(int item, int row) {
        return mask == null || mask[item * n + row] != 0;
    }

    int count(int item) {
        int count = 0;
        for (int row = 0; row < n; row++) {
            count += kept(item, row) ? 1 : 0;
        }
        return count;
    }

    /** [count, d], direct. */
    FloatBuffer values(int item) {
        int count = count(item);
        if (count == n) {
            return Tower.slice(values, item, n * d);
        }
        FloatBuffer kept = Tensor.zeros(count, d).values();
        int at = 0;
        for (int row = 0; row < n; row++) {
            if (kept(item, row)) {
                kept.put(at * d, values, (item * n + row) * d, d);
                at++;
            }
        }
        return kept;
    }
}
