package io.sensorium.bench;

/**
 * How one contender did.
 *
 * @param bestMillis the fastest run
 * @param medianMillis the median run
 * @param p99Millis slower than 99 % of the runs
 * @param ratio its time over ours: the median over the rounds, in each of which both ran
 * @param ratioLow lower quartile of the rounds
 * @param ratioHigh upper quartile
 * @param bytesPerRun allocated on the Java heap
 * @param runs how many were timed
 */
record Timing(
        String contender,
        double bestMillis,
        double medianMillis,
        double p99Millis,
        double ratio,
        double ratioLow,
        double ratioHigh,
        double bytesPerRun,
        int runs) {
    boolean ours() {
        return contender.startsWith(Contender.OURS);
    }
}
