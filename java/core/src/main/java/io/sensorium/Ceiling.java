package io.sensorium;

/**
 * What the engine's threads can do at best, as measured.
 *
 * @param gflops fused multiply-adds in float32, 10⁹ operations a second
 * @param bf16Gflops products of bfloat16 with sums of float32; 0 where there are no units for them
 * @param gbytesPerSecond streaming reads, 10⁹ bytes a second
 */
public record Ceiling(double gflops, double bf16Gflops, double gbytesPerSecond) {}
