package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.InvalidArgumentException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code input_ids} [batch, n] through a text transformer. CLIP pools at a text's first end token, SigLIP at its last
 * token. {@code attention_mask} [batch, n] may leave out the end of a text: its rows are then zeros.
 */
final class TextTower implements Tower {
    private final Stages stages;
    private final int end;

    /** @param end id of the token that is pooled; negative: the last one, whatever it is */
    TextTower(Engine engine, ModelSpec spec, int end) {
        this.stages = new Stages(engine, spec);
        this.end = end;
    }

    @Override
    public List<String> inputs() {
        return List.of("input_ids", "attention_mask");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = "input_ids" + suffix;
        int[] shape = Tower.shape(in, name, 2);
        double[] ids = in.doubles(name);
        double[] mask = PackedRows.mask(in, "attention_mask" + suffix, shape[0], shape[1]);
        for (int i = 0; i < shape[0]; i++) {
            int valid = 0;
            for (int t = 0; t < shape[1]; t++) {
                if (mask == null || mask[i * shape[1] + t] != 0) {
                    if (valid < t) {
                        throw new InvalidArgumentException(
                                in.name() + ": attention_mask" + suffix + " leaves out more than the end of item " + i,
                                "attention_mask");
                    }
                    valid++;
                }
            }
            if (end < 0 && valid < shape[1]) {
                throw new InvalidArgumentException(
                        in.name() + ": attention_mask" + suffix + ": this model reads and pools its padding",
                        "attention_mask");
            }
            LongBuffer all = ByteBuffer.allocateDirect(8 * Math.max(1, valid))
                    .order(ByteOrder.nativeOrder())
                    .asLongBuffer();
            for (int t = 0; t < valid; t++) {
                all.put(t, (long) ids[i * shape[1] + t]);
            }
            item(all.limit(valid), i, shape, suffix, out);
        }
    }

    private void item(LongBuffer ids, int item, int[] shape, String suffix, Map<String, Tensor> out) {
        Map<String, Tensor> whole = new LinkedHashMap<>();
        run(ids, shape[1], suffix, whole);
        int pooled = pooled(ids);
        if (pooled < ids.limit()) {
            // What comes after the end token changes nothing before it, but it would be pooled.
            Map<String, Tensor> cut = new LinkedHashMap<>();
            run(ids.slice(0, pooled), shape[1], suffix, cut);
            whole.put("pooled" + suffix, cut.get("pooled" + suffix));
            whole.computeIfPresent("projected" + suffix, (key, tensor) -> cut.get(key));
        }
        whole.forEach((output, tensor) -> tensor.putInto(out, output, item, shape[0]));
    }

    private void run(LongBuffer ids, int rows, String suffix, Map<String, Tensor> out) {
        stages.run(1, rows, Tower.limits(rows, 0), (session, i) -> session.text(ids), suffix, out);
    }

    /** Tokens up to the one that is pooled. The first CLIP files name 2 as the end: there it is the largest id. */
    private int pooled(LongBuffer ids) {
        if (end < 0) {
            return ids.limit();
        }
        int largest = 0;
        for (int t = 0; t < ids.limit(); t++) {
            if (end != 2 && ids.get(t) == end) {
                return t + 1;
            }
            largest = ids.get(t) > ids.get(largest) ? t : largest;
        }
        // A text without its end: the reference then takes the first token.
        return end == 2 ? largest + 1 : 1;
    }

    @Override
    public void close() throws IOException {
        stages.close();
    }
}
