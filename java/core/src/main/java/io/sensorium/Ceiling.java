package io.sensorium;

/**
 * What the engine's threads can do at best, as measured.
 *
 * @param gflops fused multiply-adds in float32, 10⁹ operations a second
 * @param gbytesPerSecond streaming reads, 10⁹ bytes a second
 */
public record Ceiling(double gflops, double gbytesPerSecond) {}
