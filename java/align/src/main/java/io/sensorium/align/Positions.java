package io.sensorium.align;

import org.bytedeco.pytorch.Tensor;

/** Sine-cosine tables, in float64 and rounded once. */
final class Positions {
    private Positions() {}

    /** [count, dim]; Vaswani et al. 2017: sines at even, cosines at odd places. */
    static Tensor line(int count, int dim) {
        float[] y = new float[count * dim];
        for (int p = 0; p < count; p++) {
            for (int i = 0; i < dim; i += 2) {
                double angle = p / Math.pow(10000, i / (double) dim);
                y[p * dim + i] = (float) Math.sin(angle);
                y[p * dim + i + 1] = (float) Math.cos(angle);
            }
        }
        return Torch.of(y, count, dim);
    }

    /** [rows·columns, dim]; MAE's: the column in the first half, the row in the second; sines, then cosines. */
    static Tensor grid(int rows, int columns, int dim) {
        float[] y = new float[rows * columns * dim];
        int quarter = dim / 4;
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                int at = (r * columns + c) * dim;
                for (int i = 0; i < quarter; i++) {
                    double omega = Math.pow(10000, -i / (double) quarter);
                    y[at + i] = (float) Math.sin(c * omega);
                    y[at + quarter + i] = (float) Math.cos(c * omega);
                    y[at + 2 * quarter + i] = (float) Math.sin(r * omega);
                    y[at + 3 * quarter + i] = (float) Math.cos(r * omega);
                }
            }
        }
        return Torch.of(y, (long) rows * columns, dim);
    }
}
