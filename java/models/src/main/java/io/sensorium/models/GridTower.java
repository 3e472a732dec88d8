package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.ImageConfig;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code pixel_values} [patches of all items, channels·frames·patch²] and {@code image_grid_thw} [items, 3] through
 * Qwen2-VL's vision tower. Patches come in blocks of the size that the model merges; each frame is read by itself.
 */
final class GridTower implements Tower {
    private final Stages stages;
    private final Patches patches;

    GridTower(Engine engine, ModelSpec spec, int block) {
        this.stages = new Stages(engine, spec);
        ImageConfig image = spec.image().orElseThrow();
        this.patches = new Patches(image.channels(), image.patchH(), image.patchW(), false, block);
    }

    @Override
    public List<String> inputs() {
        return List.of("pixel_values", "image_grid_thw");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = "pixel_values" + suffix;
        String shapes = "image_grid_thw" + suffix;
        int[] shape = Tower.shape(in, name, 2);
        if (shape[1] != patches.size()) {
            throw Tower.misshapen(in, name, "a patch of the model has " + patches.size() + " numbers");
        }
        int items = Tower.shape(in, shapes, 2)[0];
        int[] grids = Tower.grids(in, shapes, items, 3);
        FloatBuffer values = in.floats(name);
        int first = 0;
        for (int i = 0; i < items; i++) {
            int gridH = grids[3 * i + 1];
            int gridW = grids[3 * i + 2];
            if (gridH % patches.block() != 0 || gridW % patches.block() != 0) {
                throw Tower.misshapen(in, shapes, "grids are multiples of " + patches.block());
            }
            for (int frame = 0; frame < grids[3 * i]; frame++) {
                if (first + (long) gridH * gridW > shape[0]) {
                    throw Tower.misshapen(in, name, shapes + " has more patches");
                }
                frame(values, first, gridH, gridW, shape[0], suffix, out);
                first += gridH * gridW;
            }
        }
        if (first != shape[0]) {
            throw Tower.misshapen(in, name, shapes + " has " + first + " patches");
        }
    }

    private void frame(
            FloatBuffer values, int first, int gridH, int gridW, int total, String suffix, Map<String, Tensor> out) {
        FloatBuffer picture = patches.picture(values, first, gridH, gridW);
        Map<String, Tensor> frame = new LinkedHashMap<>();
        stages.run(
                1,
                gridH * gridW,
                Tower.limits(gridH * gridW, (long) picture.remaining() / patches.channels()),
                (session, j) ->
                        session.pixels(picture, patches.channels(), gridH * patches.patchH(), gridW * patches.patchW()),
                suffix,
                frame);
        frame.forEach((output, tensor) -> {
            int d = (int) tensor.shape()[2];
            Tensor all = out.computeIfAbsent(output, key -> Tensor.zeros(total, d));
            for (int row = 0; row < gridH; row++) {
                for (int column = 0; column < gridW; column++) {
                    int to = first + patches.place(row, column, gridW);
                    all.values().put(to * d, tensor.values(), (row * gridW + column) * d, d);
                }
            }
        });
    }

    @Override
    public void close() throws IOException {
        stages.close();
    }
}
