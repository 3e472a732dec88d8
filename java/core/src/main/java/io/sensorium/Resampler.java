package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.FloatBuffer;
import java.nio.ReadOnlyBufferException;

/** Changes the sample rate of mono sound. Any number of threads may use it at once. */
public final class Resampler implements AutoCloseable {
    private final Handle handle;

    Resampler(Handle engine, long address) {
        this.handle = Handle.of(this, "resampler", address, Native::sns_resampler_destroy, engine);
    }

    /** How many samples {@code n} samples become: ⌈n·target/orig⌉. */
    public long outputLength(long n) {
        long address = handle.acquire();
        try {
            long[] out = new long[1];
            Errors.check(Native.sns_resampler_length(address, n, out));
            return out[0];
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Resamples a whole sound. Positions and limits are not changed; direct buffers in native order are used in place.
     *
     * @param in samples from position to limit
     * @param out receives {@code outputLength(in.remaining())} samples, exactly what remains in it; must not overlap
     *     {@code in}
     * @throws IllegalArgumentException if {@code out} has another size or is read-only
     */
    public void run(FloatBuffer in, FloatBuffer out) {
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("out is read-only", new ReadOnlyBufferException());
        }
        long expected = outputLength(in.remaining());
        if (out.remaining() != expected) {
            throw new IllegalArgumentException(
                    "out has room for " + out.remaining() + " samples, the result has " + expected);
        }
        Staging staging = new Staging();
        long direct = Memory.address(in);
        long samples = direct != 0 ? direct : staging.copy(in);
        FloatBuffer target = Memory.target(out);
        long address = handle.acquire();
        try {
            Errors.check(Native.sns_resampler_run(address, samples, in.remaining(), Memory.address(target), expected));
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(in);
            Reference.reachabilityFence(staging);
        }
        Memory.finish(target, out);
    }

    @Override
    public void close() {
        handle.close();
    }
}
