package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.FloatBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.ShortBuffer;

/** A log-mel front end. Any number of threads may use it at once. */
public final class LogMel implements AutoCloseable {
    private final Handle handle;
    private final LogMelConfig config;

    LogMel(Handle engine, LogMelConfig config, long address) {
        this.config = config;
        this.handle = Handle.of(this, "log-mel", address, Native::sns_log_mel_destroy, engine);
    }

    /** What it was made from. */
    public LogMelConfig config() {
        return config;
    }

    /** Mel bins of a frame. */
    public int mels() {
        return config.nMels();
    }

    /** Frames that so many samples give; 0 if they are too few for one. */
    public int frames(long samples) {
        long address = handle.acquire();
        try {
            long[] out = new long[1];
            Errors.check(Native.sns_log_mel_frames(address, samples, out));
            return Math.toIntExact(out[0]);
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Computes features. Positions and limits are not changed; direct buffers in native order are used in place.
     *
     * @param pcm mono samples in [-1, 1], from position to limit
     * @param out receives {@code frames(pcm.remaining()) · mels()} values, exactly what remains in it: [frames, mels], or
     *     [mels, frames] if {@link LogMelConfig#melMajor()}
     * @throws IllegalArgumentException if {@code out} has another size or is read-only
     * @throws OutOfRangeException if a sample is NaN or infinite
     */
    public void run(FloatBuffer pcm, FloatBuffer out) {
        Staging staging = new Staging();
        long direct = Memory.address(pcm);
        run(direct != 0 ? direct : staging.copy(pcm), Format.F32_PCM, pcm.remaining(), out);
        Reference.reachabilityFence(pcm);
        Reference.reachabilityFence(staging);
    }

    /** As {@link #run(FloatBuffer, FloatBuffer)} with 16-bit samples, which are divided by 32768. */
    public void run(ShortBuffer pcm, FloatBuffer out) {
        Staging staging = new Staging();
        long direct = Memory.address(pcm);
        run(direct != 0 ? direct : staging.copy(pcm), Format.S16_PCM, pcm.remaining(), out);
        Reference.reachabilityFence(pcm);
        Reference.reachabilityFence(staging);
    }

    private void run(long samples, Format format, int count, FloatBuffer out) {
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("out is read-only", new ReadOnlyBufferException());
        }
        long expected = (long) frames(count) * mels();
        if (out.remaining() != expected) {
            throw new IllegalArgumentException(
                    "out has room for " + out.remaining() + " values, the features are " + expected);
        }
        FloatBuffer target = Memory.target(out);
        long address = handle.acquire();
        try {
            Errors.check(Native.sns_log_mel_run(
                    address, samples, format.ordinal(), count, Memory.address(target), expected));
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
        Memory.finish(target, out);
    }

    @Override
    public void close() {
        handle.close();
    }
}
