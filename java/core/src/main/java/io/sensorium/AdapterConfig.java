package io.sensorium;

import java.util.Objects;

/**
 * Bottleneck adapter (Houlsby et al. 2019): x + scale·(up(activation(down(x)))).
 *
 * @param d width of the rows: dLatents, or dModel without a compressor
 * @param bottleneck width of the hidden layer
 * @param activation of the hidden layer
 * @param scale of what is added
 */
public record AdapterConfig(int d, int bottleneck, Activation activation, float scale) {
    /** Rejects null; values are checked when the configuration is used. */
    public AdapterConfig {
        Objects.requireNonNull(activation, "activation");
    }

    /** With GELU and a scale of 1. */
    public static AdapterConfig of(int d, int bottleneck) {
        return new AdapterConfig(d, bottleneck, Activation.GELU, 1);
    }
}
