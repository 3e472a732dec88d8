package io.sensorium.health;

/**
 * A figure with its interval, which is wide enough for all figures of a report together.
 *
 * @param value of the whole window
 * @param low end of the interval
 * @param high end of the interval
 */
public record Estimate(double value, double low, double high) {
    static final Estimate NONE = new Estimate(Double.NaN, Double.NaN, Double.NaN);

    boolean known() {
        return Double.isFinite(value) && Double.isFinite(low) && Double.isFinite(high);
    }
}
