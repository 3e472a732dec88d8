package io.sensorium.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is timed: our contender and its peers on the same input.
 *
 * @param name as it stands in the table
 * @param title what it does, for the chart
 * @param flops useful floating-point operations of one run
 * @param fast whether it is held against the bfloat16 ceiling
 * @param maxThreads runs with 1 to so many
 * @param tolerance normalised mean squared error that a peer's output may have against ours
 * @param reaches what is wanted
 * @param field makes the contenders
 * @param onDevice makes ours on the GPU; null where it has no form there
 */
record Work(
        String name,
        String title,
        double flops,
        boolean fast,
        int maxThreads,
        double tolerance,
        List<Reach> reaches,
        Field field,
        @Nullable OnDevice onDevice) {
    /** Makes the contenders for a number of threads; what must be closed is given to {@code closing}. */
    interface Field {
        List<Contender> open(int threads, Closing closing) throws Exception;
    }

    /** Makes our contenders on the GPU: one of the work's, and {@code batch} at once where that is a request. */
    interface OnDevice {
        List<Contender> open(int batch, Closing closing) throws Exception;
    }

    Work(
            String name,
            String title,
            double flops,
            boolean fast,
            int maxThreads,
            double tolerance,
            List<Reach> reaches,
            Field field) {
        this(name, title, flops, fast, maxThreads, tolerance, reaches, field, null);
    }

    Work on(OnDevice device) {
        return new Work(name, title, flops, fast, maxThreads, tolerance, reaches, field, device);
    }
}
