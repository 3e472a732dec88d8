package io.sensorium.health;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Watches a space of embeddings that two modalities share, in constant memory. Serving threads call {@link #x}, {@link
 * #y} and {@link #pair}, which copy one vector and allocate nothing; another thread asks for a {@link #report} now and then,
 * which costs the more the larger windows and vectors are (seconds at 500 vectors of 512), and is kept to itself.
 *
 * <p>Traffic gives the modality gap, uniformity, RankMe, the deviation per dimension and drift. Pairs that belong together,
 * as a fixed set of canaries that is embedded again from time to time, give recall, margin, alignment and hubness.
 *
 * <p>An alarm tells of a change and not of a level: the interval of a figure lies apart from that of the baseline. Intervals
 * are by half samples and so wide that in healthy traffic all figures together raise an alarm as seldom as {@link
 * Settings#falseAlarms} says. As figures depend on the number of items, only as many are compared as the baseline had.
 */
public final class SpaceMonitor {
    private static final int BINS = 80;

    private final Settings settings;
    private final @Nullable Baseline baseline;
    private final double z;
    private final Object lock = new Object();
    private final Window trafficX;
    private final Window trafficY;
    private final Window pairsX;
    private final Window pairsY;
    private long rejected;

    /** Without a baseline: figures, but no alarms. */
    public SpaceMonitor(Settings settings) {
        this(settings, null);
    }

    /** Throws {@link IllegalArgumentException} if the baseline is of another space, or larger than the windows. */
    public SpaceMonitor(Settings settings, @Nullable Baseline baseline) {
        if (baseline != null) {
            baseline.check(settings);
        }
        this.settings = settings;
        this.baseline = baseline;
        this.z = Halves.quantile(settings.falseAlarms() / names(settings).size());
        this.trafficX = new Window(settings.window(), settings.dim());
        this.trafficY = new Window(settings.window(), settings.dim());
        this.pairsX = new Window(settings.window(), settings.dim());
        this.pairsY = new Window(settings.window(), settings.dim());
    }

    /** Names of all figures, in the order of a report. */
    public static List<String> names(Settings settings) {
        List<String> names = new ArrayList<>(Pairs.names(settings));
        names.addAll(Traffic.names(settings));
        names.addAll(Drift.names(settings.x()));
        names.addAll(Drift.names(settings.y()));
        return names;
    }

    /** Takes an embedding of the first modality, of any length but 0. One that is not finite is counted and left out. */
    public void x(float[] embedding) {
        add(trafficX, embedding);
    }

    /** Likewise of the second modality. */
    public void y(float[] embedding) {
        add(trafficY, embedding);
    }

    /** Takes two embeddings that belong together; they are not taken for traffic. */
    public void pair(float[] x, float[] y) {
        checkDim(x);
        checkDim(y);
        double scaleX = Window.scale(x);
        double scaleY = Window.scale(y);
        synchronized (lock) {
            if (Double.isNaN(scaleX) || Double.isNaN(scaleY)) {
                rejected++;
            } else {
                pairsX.add(x, scaleX);
                pairsY.add(y, scaleY);
            }
        }
    }

    private void add(Window window, float[] embedding) {
        checkDim(embedding);
        double scale = Window.scale(embedding);
        synchronized (lock) {
            if (Double.isNaN(scale)) {
                rejected++;
            } else {
                window.add(embedding, scale);
            }
        }
    }

    private void checkDim(float[] embedding) {
        if (embedding.length != settings.dim()) {
            throw new IllegalArgumentException(
                    "an embedding of " + embedding.length + " values; the space has " + settings.dim());
        }
    }

    /** What the windows tell now. */
    public HealthReport report() {
        Snapshot s = snapshot();
        boolean enoughPairs = true;
        boolean enoughTraffic = true;
        if (baseline != null) {
            enoughPairs = s.pairsX.n() >= baseline.pairs();
            enoughTraffic =
                    s.x.n() >= baseline.x().n() && s.y.n() >= baseline.y().n();
            s = s.last(baseline);
        }
        HealthReport.Plots[] plots = new HealthReport.Plots[1];
        Map<String, Estimate> now = estimates(s, baseline, plots);
        List<Figure> figures = new ArrayList<>();
        List<String> ofPairs = Pairs.names(settings);
        for (String name : names(settings)) {
            figures.add(Figure.of(
                    name,
                    now.getOrDefault(name, Estimate.NONE),
                    baseline == null ? null : baseline.estimates().getOrDefault(name, Estimate.NONE),
                    ofPairs.contains(name) ? enoughPairs : enoughTraffic));
        }
        if (baseline == null) {
            figures.removeIf(f -> Drift.is(f.name()));
        }
        return new HealthReport(settings, List.copyOf(figures), s.x.n(), s.y.n(), s.pairsX.n(), s.rejected, plots[0]);
    }

    /** What later windows are to be compared with. Throws {@link IllegalStateException} if there are too few items. */
    public Baseline baseline() {
        Snapshot s = snapshot();
        int least = Math.min(s.x.n(), s.y.n());
        if (least < settings.minimum()) {
            throw new IllegalStateException(
                    "insufficient data: " + least + " embeddings; a baseline needs " + settings.minimum());
        }
        Map<String, Estimate> estimates = estimates(s, null, new HealthReport.Plots[1]);
        drift(estimates, settings.x(), s.x, s.x);
        drift(estimates, settings.y(), s.y, s.y);
        return new Baseline(settings.x(), settings.y(), s.pairsX.n(), estimates, s.x, s.y);
    }

    private Map<String, Estimate> estimates(Snapshot s, @Nullable Baseline against, HealthReport.Plots[] plots) {
        Map<String, Estimate> out = new LinkedHashMap<>();
        double[] none = {};
        double[] matched = none;
        double[] unmatched = none;
        int repeats = settings.resamples();
        if (s.pairsX.n() >= settings.minimum()) {
            Pairs pairs = new Pairs(s.pairsX, s.pairsY);
            Halves halves = new Halves(s.pairsX.n(), settings.seed());
            double[][] replicates = new double[repeats][];
            for (int r = 0; r < repeats; r++) {
                replicates[r] = pairs.figures(halves.next()[0]);
            }
            put(out, Pairs.names(settings), pairs.figures(Halves.all(s.pairsX.n())), replicates, pairs.least());
            matched = pairs.histogram(BINS, true);
            unmatched = pairs.histogram(BINS, false);
        }
        double[] spectrumX = none;
        double[] spectrumY = none;
        if (Math.min(s.x.n(), s.y.n()) >= settings.minimum()) {
            Traffic traffic = new Traffic(s.x, s.y);
            Halves ofX = new Halves(s.x.n(), settings.seed() + 1);
            Halves ofY = new Halves(s.y.n(), settings.seed() + 2);
            double[][] replicates = new double[repeats][];
            for (int r = 0; r < repeats; r++) {
                replicates[r] = traffic.figures(ofX.next()[0], ofY.next()[0]);
            }
            double[] whole = traffic.figures(Halves.all(s.x.n()), Halves.all(s.y.n()));
            Traffic.level(whole, replicates);
            put(out, Traffic.names(settings), whole, replicates, traffic.least());
            spectrumX = traffic.spectrum(true);
            spectrumY = traffic.spectrum(false);
            if (against != null) {
                drift(out, settings.x(), against.x(), s.x);
                drift(out, settings.y(), against.y(), s.y);
            }
        }
        plots[0] = new HealthReport.Plots(matched, unmatched, spectrumX, spectrumY);
        return out;
    }

    private void drift(Map<String, Estimate> out, String side, Rows reference, Rows sample) {
        List<String> names = Drift.names(side);
        Estimate[] found =
                new Drift(reference, sample).estimates(settings.resamples(), settings.seed() + side.hashCode(), z);
        for (int i = 0; i < found.length; i++) {
            out.put(names.get(i), found[i]);
        }
    }

    private void put(
            Map<String, Estimate> out, List<String> names, double[] whole, double[][] replicates, double[] least) {
        Estimate[] found = Halves.estimates(whole, replicates, least, z);
        for (int i = 0; i < found.length; i++) {
            out.put(names.get(i), found[i]);
        }
    }

    private Snapshot snapshot() {
        synchronized (lock) {
            return new Snapshot(trafficX.rows(), trafficY.rows(), pairsX.rows(), pairsY.rows(), rejected);
        }
    }

    private record Snapshot(Rows x, Rows y, Rows pairsX, Rows pairsY, long rejected) {
        Snapshot last(Baseline b) {
            int pairs = b.pairs() == 0 ? pairsX.n() : b.pairs();
            return new Snapshot(x.last(b.x().n()), y.last(b.y().n()), pairsX.last(pairs), pairsY.last(pairs), rejected);
        }
    }
}
