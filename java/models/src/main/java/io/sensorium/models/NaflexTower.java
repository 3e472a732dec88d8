package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.ImageConfig;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code pixel_values} [batch, n, channels·patch²] and {@code spatial_shapes} [batch, 2] through SigLIP2's NaFlex tower:
 * item i has the patches of its grid first, the others are padding and come out as zeros.
 */
final class NaflexTower implements Tower {
    private final Stages stages;
    private final Patches patches;

    NaflexTower(Engine engine, ModelSpec spec) {
        this.stages = new Stages(engine, spec);
        ImageConfig image = spec.image().orElseThrow();
        this.patches = new Patches(image.channels(), image.patchH(), image.patchW(), true, 1);
    }

    @Override
    public List<String> inputs() {
        return List.of("pixel_values", "spatial_shapes", "pixel_attention_mask");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = "pixel_values" + suffix;
        String shapes = "spatial_shapes" + suffix;
        int[] shape = Tower.shape(in, name, 3);
        if (shape[2] != patches.size()) {
            throw Tower.misshapen(in, name, "a patch of the model has " + patches.size() + " numbers");
        }
        int[] grids = Tower.grids(in, shapes, shape[0], 2);
        double[] mask = PackedRows.mask(in, "pixel_attention_mask" + suffix, shape[0], shape[1]);
        FloatBuffer values = in.floats(name);
        for (int i = 0; i < shape[0]; i++) {
            int gridH = grids[2 * i];
            int gridW = grids[2 * i + 1];
            int count = gridH * gridW;
            if ((long) gridH * gridW > shape[1]) {
                throw Tower.misshapen(in, name, "the grid of item " + i + " is " + gridH + "×" + gridW);
            }
            for (int row = 0; mask != null && row < shape[1]; row++) {
                if (mask[i * shape[1] + row] != 0 != row < count) {
                    throw Tower.misshapen(in, shapes, "the mask of item " + i + " is not that of its grid");
                }
            }
            FloatBuffer picture = patches.picture(values, i * shape[1], gridH, gridW);
            Map<String, Tensor> item = new LinkedHashMap<>();
            stages.run(
                    1,
                    shape[1],
                    Tower.limits(count, (long) picture.remaining() / patches.channels()),
                    (session, j) -> session.pixels(
                            picture, patches.channels(), gridH * patches.patchH(), gridW * patches.patchW()),
                    suffix,
                    item);
            int at = i;
            item.forEach((output, tensor) -> tensor.putInto(out, output, at, shape[0]));
        }
    }

    @Override
    public void close() throws IOException {
        stages.close();
    }
}
