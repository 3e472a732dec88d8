package io.sensorium.health;

import org.jspecify.annotations.Nullable;

/**
 * One line of a report.
 *
 * @param name such as {@code image_to_text.R@1}
 * @param now what the windows give; NaN if there are too few items
 * @param before what the baseline says, or null without one
 * @param state whether it changed
 */
public record Figure(String name, Estimate now, @Nullable Estimate before, State state) {
    /** What a figure tells. */
    public enum State {
        /** The intervals overlap. */
        OK,
        /** The intervals lie apart: it changed by more than chance does. */
        ALARM,
        /** Fewer items than the minimum, or than the baseline was made of. */
        INSUFFICIENT_DATA,
        /** There is nothing to compare it with. */
        NO_BASELINE
    }

    static Figure of(String name, Estimate now, @Nullable Estimate before, boolean enough) {
        State state;
        if (!now.known() || before != null && !enough) {
            state = State.INSUFFICIENT_DATA;
        } else if (before == null || !before.known()) {
            state = State.NO_BASELINE;
        } else {
            // Less drift than by chance is no fault.
            boolean below = now.high() < before.low() && !Drift.is(name);
            state = below || now.low() > before.high() ? State.ALARM : State.OK;
        }
        return new Figure(name, now, before, state);
    }
}
