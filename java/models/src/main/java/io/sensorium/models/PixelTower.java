package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.Modality;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;

/** {@code pixel_values} [batch, channels, height, width] through a vision transformer. */
final class PixelTower implements Tower {
    private final Stages stages;

    PixelTower(Engine engine, ModelSpec spec) {
        this.stages = new Stages(engine, spec);
    }

    @Override
    public List<String> inputs() {
        return List.of("pixel_values");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = "pixel_values" + suffix;
        int[] shape = Tower.shape(in, name, 4);
        FloatBuffer pixels = in.floats(name);
        int tokens = stages.countTokens(Modality.IMAGE, Format.F32_CHW, shape[2], shape[3], shape[1]);
        stages.run(
                shape[0],
                tokens,
                Tower.limits(tokens, (long) shape[2] * shape[3]),
                (session, i) -> session.pixels(
                        Tower.slice(pixels, i, shape[1] * shape[2] * shape[3]), shape[1], shape[2], shape[3]),
                suffix,
                out);
    }

    @Override
    public void close() throws IOException {
        stages.close();
    }
}
