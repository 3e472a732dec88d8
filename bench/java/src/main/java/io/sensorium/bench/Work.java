package io.sensorium.bench;

import java.util.List;

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
 */
record Work(
        String name,
        String title,
        double flops,
        boolean fast,
        int maxThreads,
        double tolerance,
        List<Reach> reaches,
        Field field) {
    /** Makes the contenders for a number of threads; what must be closed is given to {@code closing}. */
    interface Field {
        List<Contender> open(int threads, Closing closing) throws Exception;
    }
}
