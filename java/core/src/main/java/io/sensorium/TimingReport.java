package io.sensorium;

/**
 * The speed of a kernel at one representative shape.
 *
 * @param op name of the kernel family
 * @param shape what was run, readable
 * @param seconds median of the repeats
 * @param gflops useful floating-point operations, 10⁹ a second
 * @param gbytesPerSecond compulsory traffic, 10⁹ bytes a second
 * @param ceilingShare share of the nearer of the two measured ceilings, 0 to 1
 */
public record TimingReport(
        String op, String shape, double seconds, double gflops, double gbytesPerSecond, double ceilingShare) {}
