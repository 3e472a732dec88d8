package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.Modality;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * {@code query} [batch or 1, n, hidden] reads {@code encoder_hidden} [batch, tokens, d] through a Q-Former. Queries are
 * weights of the engine's model: it is made anew for an item whose queries differ from those before.
 */
final class QueryTower implements Tower {
    /** Opens the Q-Former with these queries [n, hidden], null for those of its file. */
    interface Source {
        ModelSpec open(FloatBuffer queries) throws IOException;
    }

    private final Engine engine;
    private final Source source;

    QueryTower(Engine engine, Source source) {
        this.engine = engine;
        this.source = source;
    }

    @Override
    public List<String> inputs() {
        return List.of("encoder_hidden", "query", "mask");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) throws IOException {
        String name = "encoder_hidden" + suffix;
        int[] shape = Tower.shape(in, name, 3);
        PackedRows rows = PackedRows.of(in, name, "mask" + suffix);
        FloatBuffer[] queries = queries(in, "query" + suffix, shape[0]);
        Tensor hidden = null;
        Runner runner = null;
        try {
            for (int item = 0; item < shape[0]; item++) {
                if (runner == null || !Objects.equals(queries[item], queries[item - 1])) {
                    if (runner != null) {
                        runner.close();
                    }
                    runner = open(in, name, shape[2], queries[item]);
                }
                int at = item;
                Tensor latents = runner.run(
                                1,
                                shape[1],
                                Tower.limits(shape[1], 0),
                                (session, i) -> session.tokens(Modality.IMAGE, rows.values(at), rows.count(at)))
                        .latents();
                long[] dims = latents.shape();
                hidden = hidden == null ? Tensor.zeros(shape[0], dims[1], dims[2]) : hidden;
                hidden.values()
                        .put(item * latents.values().remaining(), latents.values(), 0, (int) (dims[1] * dims[2]));
            }
        } finally {
            if (runner != null) {
                runner.close();
            }
        }
        out.put("hidden" + suffix, hidden);
        out.put("pooled" + suffix, first(hidden));
    }

    /** Those of each item; all null when the file's own are meant. */
    private static FloatBuffer[] queries(Safetensors in, String name, int batch) {
        FloatBuffer[] queries = new FloatBuffer[batch];
        if (!in.tensors().containsKey(name)) {
            return queries;
        }
        int[] shape = Tower.shape(in, name, 3);
        if (shape[0] != 1 && shape[0] != batch) {
            throw Tower.misshapen(in, name, "a batch of 1 or " + batch + " is needed");
        }
        FloatBuffer values = in.floats(name);
        for (int i = 0; i < batch; i++) {
            queries[i] = Tower.slice(values, shape[0] == 1 ? 0 : i, shape[1] * shape[2]);
        }
        return queries;
    }

    private Runner open(Safetensors in, String name, int d, FloatBuffer queries) throws IOException {
        try (ModelSpec spec = source.open(queries)) {
            if (spec.sequence().dModel() != d) {
                throw Tower.misshapen(
                        in, name, "the model's tokens have " + spec.sequence().dModel() + " channels");
            }
            return new Runner(spec.build(engine));
        }
    }

    /** The first row of each item: what the reference pools. */
    private static Tensor first(Tensor rows) {
        int batch = (int) rows.shape()[0];
        int d = (int) rows.shape()[2];
        Tensor first = Tensor.zeros(batch, d);
        for (int i = 0; i < batch; i++) {
            first.values().put(i * d, rows.values(), i * (int) rows.shape()[1] * d, d);
        }
        return first;
    }

    @Override
    public void close() {}
}
