package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.Modality;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * Finished tokens [batch, n, d] through a compressor of which each item is read without the rows that {@code mask}
 * [batch, n] leaves out: padding is never packed.
 */
final class LatentTower implements Tower {
    /** Whether there is one result, under the mask if there is one, or a masked one beside it. */
    enum Masking {
        ONLY,
        BESIDE
    }

    private final ModelSpec spec;
    private final Runner whole;
    private final String input;
    private final Masking masking;

    LatentTower(Engine engine, ModelSpec spec, String input, Masking masking) {
        this.spec = spec;
        this.whole = new Runner(spec.build(engine));
        this.input = input;
        this.masking = masking;
    }

    @Override
    public List<String> inputs() {
        return List.of(input, "mask");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        int[] shape = Tower.shape(in, input + suffix, 3);
        int d = whole.model().sequence().dModel();
        if (shape[2] != d) {
            throw Tower.misshapen(in, input + suffix, "the model's tokens have " + d + " channels");
        }
        PackedRows rows = PackedRows.of(in, input + suffix, "mask" + suffix);
        if (masking == Masking.BESIDE || !rows.masked()) {
            out.put("latents_out" + suffix, latents(shape, rows.all()));
        }
        if (rows.masked()) {
            out.put("latents_out" + (masking == Masking.BESIDE ? "_masked" : "") + suffix, latents(shape, rows));
        }
    }

    private Tensor latents(int[] shape, PackedRows rows) {
        return whole.run(
                        shape[0],
                        shape[1],
                        Tower.limits(shape[1], 0),
                        (session, i) -> session.tokens(Modality.IMAGE, rows.values(i), rows.count(i)))
                .latents();
    }

    @Override
    public void close() throws IOException {
        try (spec) {
            whole.close();
        }
    }
}
