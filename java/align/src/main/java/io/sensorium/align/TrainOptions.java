package io.sensorium.align;

import io.sensorium.AlignStep;

/**
 * How to train.
 *
 * @param baseline whether it is linear heads on the mean of raw features and not the whole model
 * @param seed of the initial weights, the batches and the augmentation
 * @param minutes of training in all, over all runs that were resumed; 0 if only steps count
 * @param steps at most; 0 if only minutes count
 * @param batch concepts of a step
 * @param learningRate at its highest
 * @param loss CLIP or SigLIP
 * @param checkpointSeconds between two checkpoints
 * @param patience checkpoints without a better validation after which training ends; 0 = never
 * @param threads workers, each with its part of every batch: what repels it is in its part, so they change the numbers
 */
record TrainOptions(
        boolean baseline,
        long seed,
        double minutes,
        long steps,
        int batch,
        double learningRate,
        AlignStep.Loss loss,
        double checkpointSeconds,
        int patience,
        int threads) {}
