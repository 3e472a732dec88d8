package io.sensorium.cli;

import java.awt.Color;

/** Perceptually even colour scales. */
enum ColorMap {
    /** Matplotlib's magma (CC0), every 1/16. */
    MAGMA(
            0x000004, 0x0B0924, 0x20114B, 0x3B0F70, 0x57157E, 0x721F81, 0x8C2981, 0xA8327D, 0xC43C75, 0xDE4968,
            0xF1605D, 0xFA7F5E, 0xFE9F6D, 0xFEBF84, 0xFDDEA0, 0xFCFDBF),
    /** Blue through near-black to amber, for values around zero. */
    DIVERGING(0x7FD3FF, 0x3C9BE0, 0x1F5FA8, 0x173A66, 0x12161F, 0x5C3A12, 0xA8661A, 0xE89C3C, 0xFFD89A);

    private final int[] stops;

    ColorMap(int... stops) {
        this.stops = stops;
    }

    /** The colour at {@code value}, clamped to [0, 1]; NaN is the low end. */
    int rgb(double value) {
        double at = Math.max(0, Math.min(1, value)) * (stops.length - 1);
        int low = (int) Math.min(at, stops.length - 2);
        double share = at - low;
        int rgb = 0;
        for (int shift = 0; shift <= 16; shift += 8) {
            int a = stops[low] >> shift & 255;
            int b = stops[low + 1] >> shift & 255;
            rgb |= (int) Math.round(a + (b - a) * share) << shift;
        }
        return rgb;
    }

    Color color(double value) {
        return new Color(rgb(value));
    }
}
