package io.sensorium.align;

import io.sensorium.Modality;
import java.nio.FloatBuffer;
import java.util.Map;

/**
 * A tensor that {@link HeadTrainer} trains, with AdamW's moments: a head's, which one tower has, or the adapter's, which is the
 * same in all towers and gets the sum of their gradients.
 *
 * @param name as the model calls it
 * @param dims sizes
 * @param values of each tower that has it
 * @param gradients likewise
 * @param mean first moment
 * @param square second moment
 */
record HeadParameter(
        String name,
        long[] dims,
        Map<Modality, FloatBuffer> values,
        Map<Modality, FloatBuffer> gradients,
        float[] mean,
        float[] square) {
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.98;
    private static final double WEIGHT_DECAY = 0.05;

    HeadParameter(String name, long[] dims, Map<Modality, FloatBuffer> values, Map<Modality, FloatBuffer> gradients) {
        this(name, dims, values, gradients, new float[count(dims)], new float[count(dims)]);
    }

    private static int count(long[] dims) {
        long count = 1;
        for (long size : dims) {
            count *= size;
        }
        return Math.toIntExact(count);
    }

    FloatBuffer value() {
        return values.values().iterator().next().rewind();
    }

    void set(FloatBuffer from) {
        for (FloatBuffer value : values.values()) {
            value.rewind().put(from.duplicate()).rewind();
        }
    }

    /** Steps down the gradients of the towers that were run, if any has it. */
    void update(Modality[] run, double rate, long step) {
        FloatBuffer value = value();
        FloatBuffer[] slopes = new FloatBuffer[run.length];
        int n = 0;
        for (Modality modality : run) {
            if (gradients.containsKey(modality)) {
                slopes[n++] = gradients.get(modality);
            }
        }
        if (n == 0) {
            return;
        }
        for (int i = 0; i < mean.length; i++) {
            double g = 0;
            for (int k = 0; k < n; k++) {
                g += slopes[k].get(i);
            }
            mean[i] = (float) (BETA1 * mean[i] + (1 - BETA1) * g);
            square[i] = (float) (BETA2 * square[i] + (1 - BETA2) * g * g);
            double first = mean[i] / (1 - Math.pow(BETA1, step));
            double second = square[i] / (1 - Math.pow(BETA2, step));
            double kept = value.get(i) * (1 - rate * WEIGHT_DECAY);
            float next = (float) (kept - rate * first / (Math.sqrt(second) + 1e-8));
            for (FloatBuffer copy : values.values()) {
                copy.put(i, next);
            }
        }
    }
}
