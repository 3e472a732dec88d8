package io.sensorium.health;

import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.EigenDecomposition_F64;

/** Singular values, by the eigenvalues of whichever product of the matrix with itself is smaller. */
final class Spectrum {
    private Spectrum() {}

    /**
     * Of the chosen rows, not centred, the largest first.
     *
     * @param dots [n, n] of all rows
     */
    static double[] singularValues(Rows rows, double[] dots, int[] chosen) {
        int m = chosen.length;
        int d = rows.dim();
        DMatrixRMaj product;
        if (m <= d) {
            product = new DMatrixRMaj(m, m);
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < m; j++) {
                    product.set(i, j, dots[chosen[i] * rows.n() + chosen[j]]);
                }
            }
        } else {
            product = moments(rows, chosen, new double[d]);
        }
        return roots(product);
    }

    /** Roots of the eigenvalues of a symmetric matrix, which it may overwrite, the largest first; 0 for those below 0. */
    static double[] roots(DMatrixRMaj symmetric) {
        int n = symmetric.numRows;
        EigenDecomposition_F64<DMatrixRMaj> eigen = DecompositionFactory_DDRM.eig(n, false, true);
        if (!eigen.decompose(symmetric)) {
            throw new IllegalStateException("no eigenvalues found");
        }
        double[] out = new double[n];
        for (int i = 0; i < n; i++) {
            out[i] = -Math.sqrt(Math.max(0, eigen.getEigenvalue(i).real));
        }
        java.util.Arrays.sort(out);
        for (int i = 0; i < n; i++) {
            out[i] = -out[i];
        }
        return out;
    }

    /** RankMe: exp of the entropy of the singular values' shares (Garrido et al. 2023). */
    static double rankMe(double[] singularValues) {
        double sum = 0;
        for (double s : singularValues) {
            sum += s;
        }
        double entropy = 0;
        for (double s : singularValues) {
            double p = s / sum + 1e-7;
            entropy -= p * Math.log(p);
        }
        return Math.exp(entropy);
    }

    /**
     * Fréchet distance of two normal distributions: |a - b|² + tr(A + B - 2 (AB)^½), covariances with n - 1. The trace of
     * the root is the sum of the singular values of the product of the two centred tables, so that singular covariances need
     * no εI.
     */
    static double frechet(Rows a, int[] chosenA, Rows b, int[] chosenB) {
        int d = a.dim();
        double[] meanA = new double[d];
        double[] meanB = new double[d];
        // Any F with F'F = covariance will do; for many rows the Cholesky-like factor of d rows is the smaller one.
        DMatrixRMaj factorA = centred(a, chosenA, meanA);
        DMatrixRMaj factorB = centred(b, chosenB, meanB);
        double distance = 0;
        for (int k = 0; k < d; k++) {
            distance += (meanA[k] - meanB[k]) * (meanA[k] - meanB[k]);
        }
        DMatrixRMaj cross = new DMatrixRMaj(factorA.numRows, factorB.numRows);
        CommonOps_DDRM.multTransB(factorA, factorB, cross);
        DMatrixRMaj square = new DMatrixRMaj(cross.numRows, cross.numRows);
        CommonOps_DDRM.multTransB(cross, cross, square);
        double root = 0;
        for (double s : roots(square)) {
            root += s;
        }
        return Math.max(0, distance + squares(factorA) + squares(factorB) - 2 * root);
    }

    private static DMatrixRMaj centred(Rows rows, int[] chosen, double[] mean) {
        int m = chosen.length;
        int d = rows.dim();
        for (int i : chosen) {
            for (int k = 0; k < d; k++) {
                mean[k] += (double) rows.values()[i * d + k] / m;
            }
        }
        if (m > d) {
            return factor(moments(rows, chosen, mean), m - 1);
        }
        double scale = 1 / Math.sqrt(m - 1);
        DMatrixRMaj out = new DMatrixRMaj(m, d);
        for (int i = 0; i < m; i++) {
            for (int k = 0; k < d; k++) {
                out.set(i, k, (rows.values()[chosen[i] * d + k] - mean[k]) * scale);
            }
        }
        return out;
    }

    /** [d, d]: sum of the outer products of the chosen rows less the mean. */
    private static DMatrixRMaj moments(Rows rows, int[] chosen, double[] mean) {
        int d = rows.dim();
        DMatrixRMaj out = new DMatrixRMaj(d, d);
        double[] row = new double[d];
        for (int i : chosen) {
            for (int k = 0; k < d; k++) {
                row[k] = rows.values()[i * d + k] - mean[k];
            }
            for (int j = 0; j < d; j++) {
                for (int k = j; k < d; k++) {
                    out.data[j * d + k] += row[j] * row[k];
                }
            }
        }
        for (int j = 0; j < d; j++) {
            for (int k = 0; k < j; k++) {
                out.data[j * d + k] = out.data[k * d + j];
            }
        }
        return out;
    }

    /** F with F'F = moments / divisor: roots of the eigenvalues times the eigenvectors. */
    private static DMatrixRMaj factor(DMatrixRMaj moments, double divisor) {
        int d = moments.numRows;
        EigenDecomposition_F64<DMatrixRMaj> eigen = DecompositionFactory_DDRM.eig(d, true, true);
        if (!eigen.decompose(moments)) {
            throw new IllegalStateException("no eigenvectors found");
        }
        DMatrixRMaj out = new DMatrixRMaj(d, d);
        for (int i = 0; i < d; i++) {
            double root = Math.sqrt(Math.max(0, eigen.getEigenvalue(i).real) / divisor);
            DMatrixRMaj vector = eigen.getEigenVector(i);
            for (int k = 0; k < d; k++) {
                out.set(i, k, root * vector.get(k, 0));
            }
        }
        return out;
    }

    private static double squares(DMatrixRMaj matrix) {
        double sum = 0;
        for (int i = 0; i < matrix.numRows * matrix.numCols; i++) {
            sum += matrix.data[i] * matrix.data[i];
        }
        return sum;
    }
}
