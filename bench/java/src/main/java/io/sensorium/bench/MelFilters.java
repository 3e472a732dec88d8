package io.sensorium.bench;

/** The filterbanks that peers are given, [mels][bins]. */
final class MelFilters {
    private static final int RATE = 16000;

    private MelFilters() {}

    private static double[][] triangles(double[] edges, double[] at, boolean slaneyNorm) {
        int mels = edges.length - 2;
        double[][] bank = new double[mels][at.length];
        for (int m = 0; m < mels; m++) {
            double norm = slaneyNorm ? 2 / (edges[m + 2] - edges[m]) : 1;
            for (int k = 0; k < at.length; k++) {
                double up = (at[k] - edges[m]) / (edges[m + 1] - edges[m]);
                double down = (edges[m + 2] - at[k]) / (edges[m + 2] - edges[m + 1]);
                bank[m][k] = norm * Math.max(0, Math.min(up, down));
            }
        }
        return bank;
    }

    private static double slaneyHz(double mel) {
        return mel < 15 ? mel * 200 / 3 : 1000 * Math.exp((mel - 15) * Math.log(6.4) / 27);
    }

    /** librosa's and so Whisper's. */
    static double[][] slaney(int mels, int nFft) {
        double top = 15 + Math.log(8.0) * 27 / Math.log(6.4);
        double[] edges = new double[mels + 2];
        for (int m = 0; m < edges.length; m++) {
            edges[m] = slaneyHz(top * m / (mels + 1));
        }
        double[] at = new double[nFft / 2 + 1];
        for (int k = 0; k < at.length; k++) {
            at[k] = (double) k * RATE / nFft;
        }
        return triangles(edges, at, true);
    }

    /** Kaldi's from 20 Hz. */
    static double[][] kaldi(int mels, int nFft) {
        double low = 1127 * Math.log(1 + 20.0 / 700);
        double high = 1127 * Math.log(1 + 8000.0 / 700);
        double[] edges = new double[mels + 2];
        for (int m = 0; m < edges.length; m++) {
            edges[m] = low + (high - low) * m / (mels + 1);
        }
        double[] at = new double[nFft / 2 + 1];
        for (int k = 0; k < at.length; k++) {
            at[k] = 1127 * Math.log(1 + (double) k * RATE / nFft / 700);
        }
        return triangles(edges, at, false);
    }

    /** [mels · bins]. */
    static float[] dense(double[][] bank) {
        int bins = bank[0].length;
        float[] dense = new float[bank.length * bins];
        for (int i = 0; i < dense.length; i++) {
            dense[i] = (float) bank[i / bins][i % bins];
        }
        return dense;
    }
}
