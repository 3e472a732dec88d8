package io.sensorium.health;

import java.util.List;

/**
 * What a monitor found.
 *
 * @param settings of the monitor
 * @param figures in a fixed order
 * @param ofX embeddings of the first modality that were looked at
 * @param ofY of the second one
 * @param pairs likewise
 * @param rejected embeddings turned away since the monitor began: not finite, or of length 0
 * @param plots for pages
 */
public record HealthReport(
        Settings settings, List<Figure> figures, int ofX, int ofY, int pairs, long rejected, Plots plots) {
    /**
     * Curves; empty where there are too few items.
     *
     * @param matched shares of the pairs by their cosine, in equal bins from -1 to 1
     * @param unmatched likewise of what does not belong together
     * @param spectrumX singular values of the first modality, the largest first
     * @param spectrumY of the second one
     */
    public record Plots(double[] matched, double[] unmatched, double[] spectrumX, double[] spectrumY) {}

    /** The figures that changed. */
    public List<Figure> alarms() {
        return figures.stream().filter(f -> f.state() == Figure.State.ALARM).toList();
    }

    /** Whether anything was compared with a baseline. */
    public boolean compared() {
        return figures.stream().anyMatch(f -> f.state() == Figure.State.OK || f.state() == Figure.State.ALARM);
    }

    /** By name; throws {@link IllegalArgumentException} if there is none. */
    public Figure figure(String name) {
        return figures.stream()
                .filter(f -> f.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no figure '" + name + "'"));
    }
}
