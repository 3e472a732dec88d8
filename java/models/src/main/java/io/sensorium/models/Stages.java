package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.Modality;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.io.IOException;
import java.util.Map;
import java.util.function.ObjIntConsumer;

/** A model twice: its tokenizers alone, whose tokens are the embeddings, and all of it. */
final class Stages implements AutoCloseable {
    private final ModelSpec spec;
    private final Runner tokenizers;
    private final Runner whole;
    private final Runner projected;

    /** Takes the spec over. */
    Stages(Engine engine, ModelSpec spec) {
        this.spec = spec;
        this.tokenizers = new Runner(spec.buildTokenizers(engine));
        this.whole = new Runner(spec.build(engine));
        this.projected = spec.head().isPresent() ? new Runner(spec.buildProjected(engine)) : null;
    }

    ModelSpec spec() {
        return spec;
    }

    int countTokens(Modality modality, Format format, long... dims) {
        return Math.toIntExact(whole.model().countTokens(modality, format, dims));
    }

    /**
     * Writes {@code embeddings}, {@code hidden}, {@code pooled} if the model pools, and {@code projected} if it has a head.
     *
     * @param rows tokens of an item; those that an item lacks are zeros
     * @param limits of one item
     * @param add adds item i to a request
     */
    void run(
            int batch,
            int rows,
            SessionLimits limits,
            ObjIntConsumer<Session> add,
            String suffix,
            Map<String, Tensor> out) {
        out.put("embeddings" + suffix, tokenizers.run(batch, rows, limits, add).tokens());
        Runner.Outputs outputs = whole.run(batch, rows, limits, add);
        out.put("hidden" + suffix, outputs.tokens());
        if (outputs.latents() != null) {
            out.put("pooled" + suffix, outputs.pooled());
        }
        if (projected != null) {
            out.put(
                    "projected" + suffix,
                    projected.run(batch, rows, limits, add).pooled());
        }
    }

    @Override
    public void close() throws IOException {
        try (spec;
                tokenizers;
                projected) {
            whole.close();
        }
    }
}
