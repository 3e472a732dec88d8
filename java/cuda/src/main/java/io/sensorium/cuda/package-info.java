/**
 * cuFFT for CUDA engines, and a session's streams, events and device memory in the types of the JavaCPP presets.
 */
@NullMarked
package io.sensorium.cuda;

import org.jspecify.annotations.NullMarked;
