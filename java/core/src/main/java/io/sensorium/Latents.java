package io.sensorium;

import io.sensorium.internal.ResultBlock;
import io.sensorium.internal.View;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;

/** Each sequence of a request compressed to a few vectors; a view, valid as its {@link Result} is. */
public final class Latents {
    private final Result result;
    private final ResultBlock block;
    private final View values = new View();
    private final View offsets = new View();

    Latents(Result result, ResultBlock block) {
        this.result = result;
        this.block = block;
    }

    /** Sequences of the request. */
    public int sequences() {
        return get(ResultBlock.SEQUENCES);
    }

    /** Latents of all sequences. */
    public int count() {
        return get(ResultBlock.LATENTS_COUNT);
    }

    /** Latents of a sequence. */
    public int count(int sequence) {
        LongBuffer cu = cuLatents();
        return (int) (cu.get(sequence + 1) - cu.get(sequence));
    }

    /** Latents of one sequence. Throws {@link IllegalStateException} if the sequences have different numbers of them. */
    public int perSequence() {
        int sequences = sequences();
        if (sequences == 0) {
            return 0;
        }
        LongBuffer cu = cuLatents();
        for (int s = 1; s < sequences; s++) {
            if (cu.get(s + 1) - cu.get(s) != cu.get(1)) {
                throw new IllegalStateException("the sequences have different numbers of latents: see cuLatents()");
            }
        }
        return (int) cu.get(1);
    }

    /** [sequences + 1]: sequence s has latents [cu(s), cu(s + 1)); read-only, always the same buffer, rewound. */
    public LongBuffer cuLatents() {
        return offsets.longs(block.get(ResultBlock.CU_LATENTS), get(ResultBlock.SEQUENCES) + 1L);
    }

    /** Width of a latent. */
    public int dim() {
        return get(ResultBlock.D_LATENTS);
    }

    /** [count, dim]; read-only, native order, always the same buffer, rewound. */
    public FloatBuffer values() {
        return values.floats(
                block.get(ResultBlock.LATENTS), (long) get(ResultBlock.LATENTS_COUNT) * get(ResultBlock.D_LATENTS));
    }

    private int get(int field) {
        result.ensureValid();
        return (int) block.get(field);
    }
}
