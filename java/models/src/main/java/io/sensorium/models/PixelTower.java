package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.Modality;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;

/**
 * {@code pixel_values} [batch, channels, height, width], or [batch, channels, frames, height, width] of a model whose
 * patches span frames, through a vision transformer. There a still is repeated.
 */
final class PixelTower implements Tower {
    private final Stages stages;

    private final int frames;

    PixelTower(Engine engine, ModelSpec spec, int frames) {
        this.stages = new Stages(engine, spec);
        this.frames = frames;
    }

    @Override
    public List<String> inputs() {
        return List.of("pixel_values");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = "pixel_values" + suffix;
        FloatBuffer pixels = in.floats(name);
        int[] shape;
        if (frames > 1 && in.info(name).dims().length == 5) {
            int[] dims = Tower.shape(in, name, 5);
            if (dims[2] != frames) {
                throw Tower.misshapen(in, name, "the model's patches span " + frames + " frames");
            }
            shape = new int[] {dims[0], dims[1] * frames, dims[3], dims[4]};
        } else {
            int[] dims = Tower.shape(in, name, 4);
            pixels = repeated(pixels, dims[2] * dims[3]);
            shape = new int[] {dims[0], dims[1] * frames, dims[2], dims[3]};
        }
        run(pixels, shape, suffix, out);
    }

    /** Every plane as often as there are frames. */
    private FloatBuffer repeated(FloatBuffer planes, int size) {
        if (frames == 1) {
            return planes;
        }
        int count = planes.remaining() / size;
        FloatBuffer out = Tensor.zeros(count, frames, size).values();
        for (int i = 0; i < count * frames; i++) {
            out.put(i * size, planes, i / frames * size, size);
        }
        return out;
    }

    private void run(FloatBuffer pixels, int[] shape, String suffix, Map<String, Tensor> out) {
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
