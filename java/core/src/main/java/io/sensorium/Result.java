package io.sensorium;

import io.sensorium.internal.ResultBlock;
import io.sensorium.internal.View;
import java.nio.FloatBuffer;

/**
 * What a request gave: a view of the session's memory, valid until the session's next call and reused by it. A use after
 * that is an {@link IllegalStateException}, as far as it is seen; buffers taken from it are not guarded.
 */
public final class Result {
    private final Session session;
    private final ResultBlock block;
    private final Tokens tokens;
    private final Latents latents;
    private final View embedding = new View();
    private boolean valid;

    Result(Session session, ResultBlock block) {
        this.session = session;
        this.block = block;
        this.tokens = new Tokens(this, block);
        this.latents = new Latents(this, block);
    }

    /** The packed tokens of all sequences. */
    public Tokens tokens() {
        ensureValid();
        return tokens;
    }

    /** Whether the model has a compressor. */
    public boolean hasLatents() {
        ensureValid();
        return block.get(ResultBlock.LATENTS) != 0;
    }

    /** The latents of all sequences. Throws {@link IllegalStateException} if the model has no compressor. */
    public Latents latents() {
        if (!hasLatents()) {
            throw new IllegalStateException("the model has no compressor");
        }
        return latents;
    }

    /** Whether the model has projection heads. */
    public boolean hasEmbedding() {
        ensureValid();
        return block.get(ResultBlock.EMBEDDING) != 0;
    }

    /**
     * One vector of length 1 for each sequence, [sequences, {@link HeadConfig#dim()}]; read-only, native order, always the
     * same buffer, rewound. Throws {@link IllegalStateException} if the model has no heads.
     */
    public FloatBuffer embedding() {
        if (!hasEmbedding()) {
            throw new IllegalStateException("the model has no projection heads");
        }
        return embedding.floats(
                block.get(ResultBlock.EMBEDDING),
                block.get(ResultBlock.SEQUENCES) * block.get(ResultBlock.D_EMBEDDING));
    }

    /** Nanoseconds that a stage took. */
    public long nanos(Stage stage) {
        ensureValid();
        return block.get(ResultBlock.IMAGE_NS + stage.ordinal());
    }

    void invalidate() {
        valid = false;
    }

    void update() {
        valid = true;
    }

    void ensureValid() {
        session.ensureOpen();
        if (!valid) {
            throw new IllegalStateException("the session was called since this result: run() gives a new one");
        }
    }
}
