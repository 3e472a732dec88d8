package io.sensorium.models;

import io.sensorium.Latents;
import io.sensorium.Model;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.FloatBuffer;
import java.util.function.ObjIntConsumer;

/** A model that runs the items of a batch one by one: what an item gives does not depend on its neighbours. */
final class Runner implements AutoCloseable {
    /**
     * What a batch gave.
     *
     * @param tokens [batch, rows, d]
     * @param latents [batch, k, dLatents], null without a compressor
     */
    record Outputs(Tensor tokens, Tensor latents) {
        /** The one latent of each item [batch, dLatents]. */
        Tensor pooled() {
            return latents.reshaped(latents.shape()[0], latents.shape()[2]);
        }
    }

    private final Model model;

    /** Takes the model over. */
    Runner(Model model) {
        this.model = model;
    }

    Model model() {
        return model;
    }

    /**
     * @param rows tokens of an item; those that an item lacks are zeros
     * @param limits of one item
     * @param add adds item i to a request
     */
    Outputs run(int batch, int rows, SessionLimits limits, ObjIntConsumer<Session> add) {
        int d = model.sequence().dModel();
        Tensor tokens = Tensor.zeros(batch, rows, d);
        Tensor latents = null;
        try (Session session = model.newSession(limits)) {
            for (int i = 0; i < batch; i++) {
                session.clear();
                add.accept(session, i);
                Result result = session.run();
                put(tokens, i, result.tokens().values());
                if (result.hasLatents()) {
                    Latents got = result.latents();
                    if (latents == null) {
                        latents = Tensor.zeros(batch, got.count(), got.dim());
                    }
                    put(latents, i, got.values());
                }
            }
        }
        return new Outputs(tokens, latents);
    }

    private static void put(Tensor to, int item, FloatBuffer values) {
        int size = Math.toIntExact(to.shape()[1] * to.shape()[2]);
        to.values().put(item * size, values, values.position(), values.remaining());
    }

    @Override
    public void close() {
        model.close();
    }
}
