package io.sensorium;

import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.Structs;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_codebook_config;
import io.sensorium.internal.binding.sns_codebook_learning;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ReadOnlyBufferException;

/**
 * Turns tokens into ids and back; immutable. Any number of threads may use it at once. Buffers are used from position to
 * limit, which stay as they are; direct buffers in native order are used in place.
 */
public final class Codebook implements AutoCloseable {
    private final Handle handle;
    private final CodebookConfig config;

    private Codebook(Engine engine, CodebookConfig config, long address) {
        this.config = config;
        this.handle = Handle.of(this, "codebook", address, Native::sns_codebook_destroy, engine.handle());
    }

    /**
     * What learning gave.
     *
     * @param codebook the learned codes; to be closed
     * @param iterations of k-means, over all stages
     * @param revived codes without tokens that were put on the farthest ones
     * @param meanSquare mean squared distance of a token to what it is decoded to (cosine: of its direction)
     */
    public record Learned(Codebook codebook, long iterations, long revived, double meanSquare) {}

    /**
     * A codebook of given codes, which are copied.
     *
     * @param codes [stages, size, dim]; for FSQ empty
     */
    public static Codebook of(Engine engine, CodebookConfig config, FloatBuffer codes) {
        boolean fsq = config.kind() == CodebookConfig.Kind.FSQ;
        long expected = fsq ? 0 : (long) config.stages() * config.size() * config.dim();
        expect("codes", codes.remaining(), expected);
        Staging staging = new Staging();
        long address = fsq ? 0 : read(codes, staging);
        ByteBuffer out = Memory.allocate(Long.BYTES);
        try (sns_codebook_config c = Structs.of(config)) {
            engine.handle().call(engine, e -> Native.sns_codebook_create(e, c.address(), address, Memory.address(out)));
        }
        Reference.reachabilityFence(codes);
        Reference.reachabilityFence(staging);
        return new Codebook(engine, config, out.getLong(0));
    }

    /** Finite scalars: {@link #of} without codes. */
    public static Codebook fsq(Engine engine, int... levels) {
        return of(engine, CodebookConfig.fsq(levels), FloatBuffer.allocate(0));
    }

    /**
     * Learns the codes of a VQ, stage by stage: k-means with k-means++ seeding, codes that lose all tokens are put on the
     * farthest ones. The same seed gives the same codes, whatever the threads and the device.
     *
     * @param tokens [rows, dim], at least as many rows as codes
     * @param maxIterations of each stage
     */
    public static Learned learn(
            Engine engine, CodebookConfig config, FloatBuffer tokens, int maxIterations, long seed) {
        long rows = rows("tokens", tokens.remaining(), config.dim());
        Staging staging = new Staging();
        long address = read(tokens, staging);
        ByteBuffer out = Memory.allocate(Long.BYTES);
        try (sns_codebook_config c = Structs.of(config);
                sns_codebook_learning learning = new sns_codebook_learning()) {
            learning.struct_size(learning.sizeof());
            engine.handle()
                    .call(
                            engine,
                            e -> Native.sns_codebook_learn(
                                    e,
                                    c.address(),
                                    address,
                                    rows,
                                    maxIterations,
                                    seed,
                                    learning.address(),
                                    Memory.address(out)));
            return new Learned(
                    new Codebook(engine, config, out.getLong(0)),
                    learning.iterations(),
                    learning.revived(),
                    learning.mean_square());
        } finally {
            Reference.reachabilityFence(tokens);
            Reference.reachabilityFence(staging);
        }
    }

    /** How tokens become ids. */
    public CodebookConfig config() {
        return config;
    }

    /** The codes [stages, size, dim], with cosine L2-normalised; for FSQ empty. */
    public FloatBuffer codes() {
        boolean fsq = config.kind() == CodebookConfig.Kind.FSQ;
        int count = fsq ? 0 : Math.multiplyExact(Math.multiplyExact(config.stages(), config.size()), config.dim());
        FloatBuffer out = Memory.allocate(Math.multiplyExact(Math.max(1, count), Float.BYTES))
                .asFloatBuffer()
                .limit(count);
        handle.call(this, address -> Native.sns_codebook_codes(address, Memory.address(out), count));
        return out;
    }

    /**
     * Ids of tokens: those that float64 arithmetic gives, the lowest on ties. {@code encode(tokens, rows)} of a session's
     * {@link Tokens#values()} needs no copy.
     *
     * @param tokens [rows, dim]
     * @return [rows, stages], direct and in native order
     */
    public LongBuffer encode(FloatBuffer tokens, int rows) {
        LongBuffer ids = Memory.allocate(
                        Math.multiplyExact(Math.max(1, Math.multiplyExact(rows, config.stages())), Long.BYTES))
                .asLongBuffer()
                .limit(rows * config.stages());
        encode(tokens, rows, ids);
        return ids;
    }

    /** As {@link #encode(FloatBuffer, int)} into {@code ids}, whose remaining must be rows · stages. */
    public void encode(FloatBuffer tokens, int rows, LongBuffer ids) {
        expect("tokens", tokens.remaining(), (long) rows * config.dim());
        expect("ids", ids.remaining(), (long) rows * config.stages());
        if (ids.isReadOnly()) {
            throw new IllegalArgumentException("ids is read-only", new ReadOnlyBufferException());
        }
        Staging staging = new Staging();
        long in = read(tokens, staging);
        LongBuffer target = Memory.target(ids);
        handle.call(this, address -> Native.sns_codebook_encode(address, in, rows, Memory.address(target)));
        Memory.finish(target, ids);
        Reference.reachabilityFence(tokens);
        Reference.reachabilityFence(staging);
    }

    /**
     * What ids stand for: the sum of the chosen codes; for FSQ the steps scaled to [-1, 1].
     *
     * @param ids [rows, stages]
     * @param tokens receives [rows, dim], exactly what remains in it
     * @throws OutOfRangeException if an id is not one of this codebook's
     */
    public void decode(LongBuffer ids, FloatBuffer tokens) {
        long rows = rows("ids", ids.remaining(), config.stages());
        expect("tokens", tokens.remaining(), rows * config.dim());
        if (tokens.isReadOnly()) {
            throw new IllegalArgumentException("tokens is read-only", new ReadOnlyBufferException());
        }
        Staging staging = new Staging();
        long direct = Memory.address(ids);
        long in = direct != 0 ? direct : staging.copy(ids);
        FloatBuffer target = Memory.target(tokens);
        handle.call(this, address -> Native.sns_codebook_decode(address, in, rows, Memory.address(target)));
        Memory.finish(target, tokens);
        Reference.reachabilityFence(ids);
        Reference.reachabilityFence(staging);
    }

    @Override
    public void close() {
        handle.close();
    }

    private static long read(FloatBuffer values, Staging staging) {
        long direct = Memory.address(values);
        return direct != 0 ? direct : staging.copy(values);
    }

    private static long rows(String what, int remaining, int width) {
        if (width < 1 || remaining % width != 0) {
            throw new IllegalArgumentException(what + " has " + remaining + " values, not rows of " + width);
        }
        return remaining / width;
    }

    private static void expect(String what, long remaining, long expected) {
        if (remaining != expected) {
            throw new IllegalArgumentException(what + " has " + remaining + " values, the sizes say " + expected);
        }
    }
}
