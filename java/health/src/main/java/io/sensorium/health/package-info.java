/**
 * Watches a space of embeddings that two modalities share. {@link io.sensorium.health.SpaceMonitor} keeps the last
 * embeddings of served traffic and of pairs that belong together, and says what has changed since a
 * {@link io.sensorium.health.Baseline}. Needs no native library.
 */
package io.sensorium.health;
