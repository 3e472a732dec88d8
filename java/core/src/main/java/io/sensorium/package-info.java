/**
 * Pixels, sound and text into one token space, compressed to a few latents. An {@link io.sensorium.Engine} is a device
 * and its threads, a {@link io.sensorium.Model} configurations and weights, a {@link io.sensorium.Session} the workspace
 * of one caller at a time.
 */
@NullMarked
package io.sensorium;

import org.jspecify.annotations.NullMarked;
