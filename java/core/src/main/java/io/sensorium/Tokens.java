package io.sensorium;

import io.sensorium.internal.ResultBlock;
import io.sensorium.internal.View;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Objects;

/**
 * The packed token sequence of a request; a view, valid as its {@link Result} is. Rows follow the order of the items,
 * or that of {@link Session#order}. The buffers are read-only, in native order, and each method gives always the same buffer, rewound.
 */
public final class Tokens {
    private static final Modality[] MODALITIES = Modality.values();

    private final Result result;
    private final ResultBlock block;
    private final View values = new View();
    private final View modalities = new View();
    private final View items = new View();
    private final View grid = new View();
    private final View spans = new View();
    private final View positions = new View();
    private final View cuSeqlens = new View();

    Tokens(Result result, ResultBlock block) {
        this.result = result;
        this.block = block;
    }

    /** Tokens N of all sequences. */
    public int count() {
        return get(ResultBlock.TOKENS_COUNT);
    }

    /** Width of a token. */
    public int dim() {
        return get(ResultBlock.D_MODEL);
    }

    /** Sequences S of the request. */
    public int sequences() {
        return get(ResultBlock.SEQUENCES);
    }

    /** The tokens [N, dim]. */
    public FloatBuffer values() {
        return values.floats(at(ResultBlock.TOKENS), (long) count() * dim());
    }

    /** The ordinal of each token's {@link Modality} [N]. */
    public IntBuffer modalities() {
        return modalities.ints(at(ResultBlock.MODALITY), count());
    }

    /** The number of each token's item in the request [N]. */
    public IntBuffer items() {
        return items.ints(at(ResultBlock.ITEM), count());
    }

    /**
     * Where each token lies in its item [N, 2]. Images: patch row and column; audio patches: frequency and time; audio frames
     * and text: 0 and index; prefix, begin and end tokens: -1 and -1.
     */
    public IntBuffer grid() {
        return grid.ints(at(ResultBlock.GRID), 2L * count());
    }

    /** Start and end time of each token in microseconds [N, 2]; prefix, begin and end tokens carry their item's. */
    public LongBuffer spans() {
        return spans.longs(at(ResultBlock.SPAN), 2L * count());
    }

    /**
     * Rotary positions (time, height, width) of each token [N, 3], for an engine that turns queries and keys by them: M-RoPE
     * (Qwen2-VL) and, where items have times, TMRoPE (Qwen2.5-Omni) by the true times. Each sequence starts at 0. Text and
     * finished tokens count on with all three. A picture without duration stands still in time; height and width follow its
     * rows and columns. Sounds and pictures with a duration that follow each other share one clock, {@link
     * SequenceConfig#idsPerSecond()} ids a second from the earliest of them; sound frames have three equal ids, spectrogram
     * patches follow the frequency with height and the time with width. What comes next starts past the largest id so far.
     */
    public IntBuffer positions() {
        return positions.ints(at(ResultBlock.POSITION), 3L * count());
    }

    /** Where each sequence begins, and the end of the last [S + 1]. */
    public LongBuffer cuSeqlens() {
        return cuSeqlens.longs(at(ResultBlock.CU_SEQLENS), sequences() + 1L);
    }

    /** What token {@code i} was made from. */
    public Modality modality(int i) {
        return MODALITIES[modalities().get(row(i))];
    }

    /** The number of the item of token {@code i} in the request. */
    public int item(int i) {
        return items().get(row(i));
    }

    /** The first of {@link #grid()} of token {@code i}. */
    public int gridRow(int i) {
        return grid().get(2 * row(i));
    }

    /** The second of {@link #grid()} of token {@code i}. */
    public int gridColumn(int i) {
        return grid().get(2 * row(i) + 1);
    }

    /** When token {@code i} begins, in microseconds. */
    public long startMicros(int i) {
        return spans().get(2 * row(i));
    }

    /** When token {@code i} ends, in microseconds. */
    public long endMicros(int i) {
        return spans().get(2 * row(i) + 1);
    }

    private int row(int i) {
        return Objects.checkIndex(i, count());
    }

    private int get(int field) {
        return (int) at(field);
    }

    private long at(int field) {
        result.ensureValid();
        return block.get(field);
    }
}
