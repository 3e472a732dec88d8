package io.sensorium.health;

import java.util.Random;

/**
 * A pair of sensors and encoders whose embeddings agree: a concept makes a small picture [8, 3] and a sound [32], each
 * with noise, the sound's numbers being logarithms of energies; an encoder is a random layer with tanh, and a linear map of it to the concept, as training would find it.
 */
final class ToySpace {
    static final int DIM = 16;
    private static final int PICTURE = 24;
    private static final int SOUND = 32;
    private static final int HIDDEN = 48;

    /** What becomes of a sensor's numbers. */
    interface Fault {
        double[] apply(double[] raw);
    }

    private final double[][] scene;
    private final double[][] voice;
    private final double[][][] eye;
    private final double[][][] ear;

    ToySpace(long world, long checkpoint) {
        Random random = new Random(world);
        scene = matrix(random, PICTURE, DIM, 1 / Math.sqrt(DIM));
        voice = matrix(random, SOUND, DIM, 1 / Math.sqrt(DIM));
        // Which space a run of training ends in is up to its seed.
        double[][] target = matrix(new Random(checkpoint), DIM, DIM, 1 / Math.sqrt(DIM));
        eye = encoder(new Random(checkpoint + 1), scene, target);
        ear = encoder(new Random(checkpoint + 2), voice, target);
    }

    /** [2][n][DIM]: pictures and sounds of n new concepts, seen and heard through the faults. */
    float[][][] sample(int n, long seed, Fault picture, Fault sound) {
        Random random = new Random(seed);
        float[][][] out = new float[2][n][];
        for (int i = 0; i < n; i++) {
            double[] concept = gauss(random, DIM);
            out[0][i] = embed(eye, picture.apply(sense(scene, concept, random)));
            out[1][i] = embed(ear, sound.apply(sense(voice, concept, random)));
        }
        return out;
    }

    private static double[] sense(double[][] sensor, double[] concept, Random random) {
        double[] raw = times(sensor, concept);
        for (int i = 0; i < raw.length; i++) {
            raw[i] += 0.5 + 0.15 * random.nextGaussian();
        }
        return raw;
    }

    private static float[] embed(double[][][] encoder, double[] raw) {
        double[] out = times(encoder[1], hidden(encoder[0], raw));
        float[] floats = new float[out.length];
        for (int i = 0; i < out.length; i++) {
            floats[i] = (float) out[i];
        }
        return floats;
    }

    private static double[] hidden(double[][] weights, double[] raw) {
        double[] h = times(weights, raw);
        for (int i = 0; i < h.length; i++) {
            h[i] = Math.tanh(h[i]);
        }
        return h;
    }

    /** Fits the second layer by many steps of normalised least mean squares. */
    private static double[][][] encoder(Random random, double[][] sensor, double[][] target) {
        double[][] first = matrix(random, HIDDEN, sensor.length, 0.8 / Math.sqrt(sensor.length));
        double[][] second = new double[DIM][HIDDEN];
        for (int step = 0; step < 6000; step++) {
            double[] concept = gauss(random, DIM);
            double[] wanted = times(target, concept);
            double[] h = hidden(first, sense(sensor, concept, random));
            double[] got = times(second, h);
            double power = 1e-3;
            for (double v : h) {
                power += v * v;
            }
            for (int o = 0; o < DIM; o++) {
                double rate = (step < 3000 ? 0.5 : 0.1) * (wanted[o] - got[o]) / power;
                for (int k = 0; k < HIDDEN; k++) {
                    second[o][k] += rate * h[k];
                }
            }
        }
        return new double[][][] {first, second};
    }

    private static double[] gauss(Random random, int n) {
        double[] out = new double[n];
        for (int i = 0; i < n; i++) {
            out[i] = random.nextGaussian();
        }
        return out;
    }

    private static double[][] matrix(Random random, int rows, int columns, double scale) {
        double[][] out = new double[rows][];
        for (int i = 0; i < rows; i++) {
            out[i] = gauss(random, columns);
            for (int k = 0; k < columns; k++) {
                out[i][k] *= scale;
            }
        }
        return out;
    }

    private static double[] times(double[][] matrix, double[] vector) {
        double[] out = new double[matrix.length];
        for (int i = 0; i < out.length; i++) {
            for (int k = 0; k < vector.length; k++) {
                out[i] += matrix[i][k] * vector[k];
            }
        }
        return out;
    }
}
