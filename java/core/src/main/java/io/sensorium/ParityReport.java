package io.sensorium;

/**
 * One random case of a kernel compared with its float64 oracle.
 *
 * @param op name of the kernel family
 * @param shape what was run, readable
 * @param measure how the error is measured, such as NMSE
 * @param error the error
 * @param limit the largest error that is allowed
 * @param ok whether the error is within the limit and no byte around the output was touched
 */
public record ParityReport(String op, String shape, String measure, double error, double limit, boolean ok) {}
