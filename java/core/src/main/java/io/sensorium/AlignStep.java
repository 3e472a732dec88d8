package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One step of contrastive training of heads and adapters over frozen encoders: the loss of n pairs and its gradients, by the
 * engine's own kernels. It changes no parameter: what to do with the gradients is the caller's. Used by one thread.
 */
public final class AlignStep {
    /** The loss. */
    public enum Loss {
        /** Mean of the cross-entropies over rows and over columns; it does not depend on the logit bias. */
        CLIP,
        /** −Σ log σ(z·logit)/n, z = 1 for pairs and −1 for all others. */
        SIGLIP
    }

    /**
     * What a step gave, beside the gradients in the towers.
     *
     * @param loss of the pairs
     * @param logitScale gradient
     * @param logitBias gradient; 0 for CLIP
     */
    public record Gradients(double loss, double logitScale, double logitBias) {}

    /**
     * One side's parameters and their gradients, all direct buffers in native order, rewound: rows → adapter (optional) → mean
     * of an example's rows → head → L2 normalisation, as a session computes its embeddings. All zero when made.
     */
    public static final class Tower {
        private final int d;
        private final int dim;
        private final @Nullable AdapterConfig adapter;
        private final FloatBuffer[] values = new FloatBuffer[6];
        private final FloatBuffer[] gradients = new FloatBuffer[6];

        /**
         * @param d width of the rows
         * @param dim of the shared space
         * @param adapter its d is this d; null for none
         */
        public Tower(int d, int dim, @Nullable AdapterConfig adapter) {
            if (d < 1 || dim < 1 || (adapter != null && (adapter.d() != d || adapter.bottleneck() < 1))) {
                throw new IllegalArgumentException("no tower from " + d + " to " + dim + " with " + adapter);
            }
            this.d = d;
            this.dim = dim;
            this.adapter = adapter;
            int r = adapter == null ? 0 : adapter.bottleneck();
            long[] counts = {(long) dim * d, dim, (long) r * d, r, (long) d * r, r == 0 ? 0 : d};
            for (int i = 0; i < 6; i++) {
                int bytes = Math.toIntExact(Math.max(1, counts[i]) * Float.BYTES);
                values[i] = Memory.allocate(bytes).asFloatBuffer().limit((int) counts[i]);
                gradients[i] = Memory.allocate(bytes).asFloatBuffer().limit((int) counts[i]);
            }
        }

        /** The head's weight [dim, d]. */
        public FloatBuffer weight() {
            return values[0].rewind();
        }

        /** The head's bias [dim]. */
        public FloatBuffer bias() {
            return values[1].rewind();
        }

        /** The adapter's [bottleneck, d]; empty without an adapter. */
        public FloatBuffer down() {
            return values[2].rewind();
        }

        /** The adapter's [bottleneck]. */
        public FloatBuffer downBias() {
            return values[3].rewind();
        }

        /** The adapter's [d, bottleneck]. */
        public FloatBuffer up() {
            return values[4].rewind();
        }

        /** The adapter's [d]. */
        public FloatBuffer upBias() {
            return values[5].rewind();
        }

        /** All parameters: weight, bias, down, downBias, up, upBias. */
        public FloatBuffer[] parameters() {
            for (FloatBuffer value : values) {
                value.rewind();
            }
            return values.clone();
        }

        /** The last step's gradients, in the order of {@link #parameters()}. */
        public FloatBuffer[] gradients() {
            for (FloatBuffer gradient : gradients) {
                gradient.rewind();
            }
            return gradients.clone();
        }

        /** The adapter as it is now. Throws {@link IllegalStateException} if there is none. */
        public Adapter toAdapter(Engine engine) {
            if (adapter == null) {
                throw new IllegalStateException("this tower has no adapter");
            }
            return new Adapter(engine, adapter, down(), downBias(), up(), upBias());
        }
    }

    private static final int SIDE_FIELDS = 20;

    private final Engine engine;
    private final Loss loss;
    private final Tower x;
    private final Tower y;
    private final ByteBuffer config = Memory.allocate(5 * Long.BYTES);
    private final ByteBuffer result = Memory.allocate(4 * Long.BYTES);
    private final ByteBuffer sideX = Memory.allocate(SIDE_FIELDS * Long.BYTES);
    private final ByteBuffer sideY = Memory.allocate(SIDE_FIELDS * Long.BYTES);
    private final Staging staging = new Staging();

    /** Towers must lead to the same dimension. */
    public AlignStep(Engine engine, Loss loss, Tower x, Tower y) {
        this.engine = Objects.requireNonNull(engine, "engine");
        this.loss = Objects.requireNonNull(loss, "loss");
        if (x.dim != y.dim) {
            throw new IllegalArgumentException("towers to " + x.dim + " and " + y.dim + " dimensions");
        }
        this.x = x;
        this.y = y;
    }

    /** {@link #run(FloatBuffer, LongBuffer, FloatBuffer, LongBuffer, float, float)} with one row an example. */
    public Gradients run(FloatBuffer rowsX, FloatBuffer rowsY, float logitScale, float logitBias) {
        return run(rowsX, null, rowsY, null, logitScale, logitBias);
    }

    /**
     * Computes the loss of the pairs and writes the towers' gradients.
     *
     * @param rowsX [rows, d] of the frozen encoder: latents or tokens
     * @param cuX [n + 1] where each example's rows begin, from 0 to the number of rows; null for one row an example
     * @param rowsY the other side's
     * @param cuY likewise
     * @param logitScale natural logarithm of the inverse temperature, in [-20, 20]
     * @param logitBias added to logits
     */
    public Gradients run(
            FloatBuffer rowsX,
            @Nullable LongBuffer cuX,
            FloatBuffer rowsY,
            @Nullable LongBuffer cuY,
            float logitScale,
            float logitBias) {
        staging.reset();
        long n = fill(sideX, x, rowsX, cuX);
        if (n != fill(sideY, y, rowsY, cuY)) {
            throw new IllegalArgumentException("x has " + n + " examples, y another number");
        }
        config.putLong(0, config.capacity()).putLong(8, n).putLong(16, x.dim);
        config.putInt(24, loss.ordinal()).putFloat(28, logitScale).putFloat(32, logitBias);
        result.putLong(0, result.capacity());
        long address = engine.handle().acquire();
        try {
            Errors.check(Native.sns_align_step(
                    address,
                    Memory.address(config),
                    Memory.address(sideX),
                    Memory.address(sideY),
                    Memory.address(result)));
        } finally {
            engine.handle().release();
            Reference.reachabilityFence(rowsX);
            Reference.reachabilityFence(rowsY);
            Reference.reachabilityFence(cuX);
            Reference.reachabilityFence(cuY);
            Reference.reachabilityFence(this);
        }
        return new Gradients(result.getDouble(8), result.getDouble(16), result.getDouble(24));
    }

    private long fill(ByteBuffer side, Tower tower, FloatBuffer rows, @Nullable LongBuffer cu) {
        if (rows.remaining() % tower.d != 0) {
            throw new IllegalArgumentException(rows.remaining() + " values are not rows of " + tower.d);
        }
        long count = rows.remaining() / tower.d;
        long directRows = Memory.address(rows);
        long offsets = 0;
        if (cu != null) {
            if (cu.remaining() < 1) {
                throw new IllegalArgumentException("offsets need n + 1 values");
            }
            long direct = Memory.address(cu);
            offsets = direct != 0 ? direct : staging.copy(cu);
        }
        side.clear();
        side.putLong(side.capacity()).putLong(count).putLong(tower.d);
        side.putLong(directRows != 0 ? directRows : staging.copy(rows)).putLong(offsets);
        FloatBuffer[] values = tower.parameters();
        FloatBuffer[] gradients = tower.gradients();
        AdapterConfig adapter = tower.adapter;
        side.putLong(Memory.address(values[0])).putLong(Memory.address(values[1]));
        side.putLong(adapter == null ? 0 : adapter.bottleneck());
        side.putLong(adapter == null ? 0 : adapter.activation().ordinal());
        side.putDouble(adapter == null ? 1 : adapter.scale());
        for (int i = 2; i < 6; i++) {
            side.putLong(adapter == null ? 0 : Memory.address(values[i]));
        }
        for (int i = 0; i < 6; i++) {
            side.putLong(adapter == null && i >= 2 ? 0 : Memory.address(gradients[i]));
        }
        side.clear();
        return cu == null ? count : cu.remaining() - 1;
    }

    /**
     * exp(logitScale)·a·bᵀ + logitBias.
     *
     * @param a [n, dim], used as it is (a session's embeddings have length 1 already)
     * @param b [m, dim]
     * @param out receives [n, m], exactly what remains in it
     */
    public static void logits(
            Engine engine, FloatBuffer a, FloatBuffer b, int dim, float logitScale, float logitBias, FloatBuffer out) {
        if (dim < 1 || a.remaining() % dim != 0 || b.remaining() % dim != 0) {
            throw new IllegalArgumentException(
                    a.remaining() + " and " + b.remaining() + " values are not rows of " + dim);
        }
        long n = a.remaining() / dim;
        long m = b.remaining() / dim;
        if (out.remaining() != n * m) {
            throw new IllegalArgumentException("out has " + out.remaining() + " values, the logits are " + n * m);
        }
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("out is read-only", new ReadOnlyBufferException());
        }
        Staging staging = new Staging();
        long directA = Memory.address(a);
        long directB = Memory.address(b);
        FloatBuffer target = Memory.target(out);
        long address = engine.handle().acquire();
        try {
            Errors.check(Native.sns_contrastive_logits(
                    address,
                    directA != 0 ? directA : staging.copy(a),
                    n,
                    directB != 0 ? directB : staging.copy(b),
                    m,
                    dim,
                    logitScale,
                    logitBias,
                    Memory.address(target)));
        } finally {
            engine.handle().release();
            Reference.reachabilityFence(engine);
            Reference.reachabilityFence(a);
            Reference.reachabilityFence(b);
            Reference.reachabilityFence(staging);
        }
        Memory.finish(target, out);
    }
}
