package io.sensorium.models;

import io.sensorium.Activation;
import io.sensorium.Adapter;
import io.sensorium.AdapterConfig;
import io.sensorium.Engine;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;

/**
 * Adapters as safetensors files: {@code adapter.down.weight} [bottleneck, d], {@code adapter.down.bias}, {@code
 * adapter.up.weight} [d, bottleneck], {@code adapter.up.bias}, and the metadata {@code activation} (gelu if missing) and
 * {@code scale} (1 if missing).
 */
public final class Adapters {
    private static final String DOWN = "adapter.down.weight";
    private static final String DOWN_BIAS = "adapter.down.bias";
    private static final String UP = "adapter.up.weight";
    private static final String UP_BIAS = "adapter.up.bias";

    private Adapters() {}

    /** Reads an adapter. Throws {@link io.sensorium.InvalidWeightsException} naming the file and what is wrong. */
    public static Adapter load(Engine engine, Path path) throws IOException {
        try (Safetensors file = Safetensors.open(path)) {
            if (!file.tensors().keySet().equals(Set.of(DOWN, DOWN_BIAS, UP, UP_BIAS))) {
                throw Errors.weights(file.name() + ": an adapter has adapter.{down,up}.{weight,bias}; there are "
                        + file.tensors().keySet());
            }
            long[] down = file.info(DOWN).dims();
            if (down.length != 2 || down[0] < 1 || down[1] < 1 || down[0] > 1 << 24 || down[1] > 1 << 24) {
                throw Errors.weights(file.name() + ": " + file.info(DOWN) + " must be [bottleneck, d]");
            }
            WeightMap map = new WeightMap()
                    .same(DOWN, DOWN, down)
                    .same(DOWN_BIAS, DOWN_BIAS, down[0])
                    .same(UP, UP, down[1], down[0])
                    .same(UP_BIAS, UP_BIAS, down[1]);
            map.check(file, name -> false);
            AdapterConfig config = new AdapterConfig(
                    (int) down[1],
                    (int) down[0],
                    activation(file, file.metadata().getOrDefault("activation", "gelu")),
                    scale(file, file.metadata().getOrDefault("scale", "1")));
            return new Adapter(
                    engine, config, file.floats(DOWN), file.floats(DOWN_BIAS), file.floats(UP), file.floats(UP_BIAS));
        }
    }

    /** Writes an adapter's tensors, each from position to limit; the file appears when it is complete. */
    public static void save(
            Path file, AdapterConfig config, FloatBuffer down, FloatBuffer downBias, FloatBuffer up, FloatBuffer upBias)
            throws IOException {
        new SafetensorsWriter()
                .metadata("activation", config.activation().name().toLowerCase(Locale.ROOT))
                .metadata("scale", Float.toString(config.scale()))
                .add(DOWN, down, config.bottleneck(), config.d())
                .add(DOWN_BIAS, downBias, config.bottleneck())
                .add(UP, up, config.d(), config.bottleneck())
                .add(UP_BIAS, upBias, config.d())
                .write(file);
    }

    private static Activation activation(Safetensors file, String text) {
        for (Activation activation : Activation.values()) {
            if (activation.name().toLowerCase(Locale.ROOT).equals(text)) {
                return activation;
            }
        }
        throw Errors.weights(file.name() + ": activation '" + text + "' is unknown");
    }

    private static float scale(Safetensors file, String text) {
        try {
            return Float.parseFloat(text);
        } catch (NumberFormatException e) {
            throw Errors.weights(file.name() + ": scale '" + text + "' is not a number");
        }
    }
}
