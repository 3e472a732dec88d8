package io.sensorium.health;

/** The last vectors of a stream, scaled to length 1. Constant memory; guarded by its owner. */
final class Window {
    private final float[] ring;
    private final int capacity;
    private final int dim;
    private long count;

    Window(int capacity, int dim) {
        this.capacity = capacity;
        this.dim = dim;
        this.ring = new float[Math.multiplyExact(capacity, dim)];
    }

    /** One over the length, or NaN if the vector has none that is finite and positive. */
    static double scale(float[] vector) {
        // Four sums, for the additions of one would wait for each other.
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = 0;
        for (; i + 3 < vector.length; i += 4) {
            a += (double) vector[i] * vector[i];
            b += (double) vector[i + 1] * vector[i + 1];
            c += (double) vector[i + 2] * vector[i + 2];
            d += (double) vector[i + 3] * vector[i + 3];
        }
        for (; i < vector.length; i++) {
            a += (double) vector[i] * vector[i];
        }
        double squares = a + b + c + d;
        return squares > 0 && squares < Double.POSITIVE_INFINITY ? 1 / Math.sqrt(squares) : Double.NaN;
    }

    void add(float[] vector, double scale) {
        int at = (int) (count++ % capacity) * dim;
        for (int i = 0; i < dim; i++) {
            ring[at + i] = (float) (vector[i] * scale);
        }
    }

    /** A copy, the oldest first. */
    Rows rows() {
        int n = (int) Math.min(count, capacity);
        float[] out = new float[n * dim];
        int first = count <= capacity ? 0 : (int) (count % capacity) * dim;
        System.arraycopy(ring, first, out, 0, out.length - first);
        System.arraycopy(ring, 0, out, out.length - first, first);
        return new Rows(out, n, dim);
    }
}
