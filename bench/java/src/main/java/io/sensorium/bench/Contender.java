package io.sensorium.bench;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One of those that do the same work.
 *
 * @param name as it stands in the table; Sensorium's own begins with {@link #OURS}
 * @param run does the work once
 * @param output what the last run gave, to be compared with ours; null where the numbers differ by design (another filter)
 * @param items how many of the work's one run does; times are those of one
 */
record Contender(String name, Runnable run, @Nullable Supplier<float[]> output, int items) {
    static final String OURS = "Sensorium";

    Contender(String name, Runnable run, @Nullable Supplier<float[]> output) {
        this(name, run, output, 1);
    }

    boolean ours() {
        return name.startsWith(OURS);
    }
}
