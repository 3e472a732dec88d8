package io.sensorium.health;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A monitor's figures as Micrometer gauges: {@code sensorium.health.figure} and {@code sensorium.health.alarm} (0 or 1)
 * with the tag {@code figure}, and {@code sensorium.health.rejected}. They show the last report given to {@link #update},
 * and NaN before. Needs micrometer-core on the class path.
 */
public final class HealthMetrics implements MeterBinder {
    private final List<String> names;
    private volatile @Nullable HealthReport last;

    /** For monitors with these settings. */
    public HealthMetrics(Settings settings) {
        this.names = SpaceMonitor.names(settings);
    }

    /** What the gauges show from now on. */
    public void update(HealthReport report) {
        last = report;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        for (String name : names) {
            Gauge.builder("sensorium.health.figure", this, m -> m.value(name, false))
                    .tag("figure", name)
                    .register(registry);
            Gauge.builder("sensorium.health.alarm", this, m -> m.value(name, true))
                    .tag("figure", name)
                    .register(registry);
        }
        Gauge.builder("sensorium.health.rejected", this, m -> {
                    HealthReport report = m.last;
                    return report == null ? Double.NaN : report.rejected();
                })
                .register(registry);
    }

    private double value(String name, boolean alarm) {
        HealthReport report = last;
        if (report == null) {
            return Double.NaN;
        }
        return report.figures().stream()
                .filter(f -> f.name().equals(name))
                .findFirst()
                .map(f -> alarm
                        ? (f.state() == Figure.State.ALARM ? 1.0 : 0.0)
                        : f.now().value())
                .orElse(Double.NaN);
    }
}
