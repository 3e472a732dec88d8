package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_audio_stream_info;
import java.lang.ref.Reference;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.ShortBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongToIntFunction;

/**
 * Log-mel features of sound that comes in chunks of any size and at any rate: {@link #push}, {@link #read}, and {@link
 * #finish} at the end. They are, bit for bit, those that {@link Resampler} and {@link LogMel} give for the whole sound, and
 * a frame can be read as soon as nothing that may still come can change it. Rows are frames, so that they can be handed to
 * {@link Session#features}. On a CUDA engine samples go to the GPU when they are pushed, and are resampled and transformed
 * there.
 *
 * <p>Memory is fixed when the stream is made; with direct buffers in native order no call allocates anything. One thread at
 * a time: two at once are an {@link IllegalStateException}. {@link #close} may be called by any thread.
 */
public final class AudioStream implements AutoCloseable {
    private final Handle handle;
    private final LogMelConfig config;
    private final int inputRate;
    private final long capacity;
    private final long latency;
    private final long bytes;
    private final AtomicBoolean running = new AtomicBoolean();
    private final Staging staging = new Staging();
    /** Where native code writes counts. */
    private final LongBuffer count = Memory.allocate(Long.BYTES).asLongBuffer();

    private final long countAddress = Memory.address(count);

    AudioStream(Handle engine, LogMelConfig config, int inputRate, long address) {
        this.config = config;
        this.inputRate = inputRate;
        this.handle = Handle.of(this, "audio stream", address, Native::sns_audio_stream_destroy, engine);
        try (sns_audio_stream_info info = new sns_audio_stream_info()) {
            info.struct_size(info.sizeof());
            Errors.check(Native.sns_audio_stream_query(address, info));
            this.capacity = info._capacity();
            this.latency = info.latency();
            this.bytes = info.bytes();
        }
    }

    /** Of the features. */
    public LogMelConfig config() {
        return config;
    }

    /** Rate of what is pushed, in Hz. */
    public int inputRate() {
        return inputRate;
    }

    /** Mel bins of a frame. */
    public int mels() {
        return config.nMels();
    }

    /** Samples that can be pushed while no frame is read. */
    public long capacity() {
        return capacity;
    }

    /** A frame can be read once so many input samples past its window's centre were pushed. */
    public long latency() {
        return latency;
    }

    /** Native memory that the stream holds. */
    public long memoryBytes() {
        return bytes;
    }

    /**
     * Takes mono samples in [-1, 1] from the position on, and moves the position past what was taken: at most {@link
     * #capacity} samples, and fewer than that and than there are only while frames wait to be read.
     *
     * @return how many samples were taken
     * @throws OutOfRangeException if a sample is NaN or infinite; nothing is taken
     * @throws IllegalStateException after {@link #finish}
     */
    public int push(FloatBuffer pcm) {
        int limit = (int) Math.min(pcm.remaining(), capacity);
        long stream = enter();
        try {
            long address = Memory.address(pcm);
            if (address == 0) {
                staging.reset();
                address = staging.copy(pcm.slice(pcm.position(), limit));
            }
            int taken = push(stream, address, Format.F32_PCM, limit);
            Reference.reachabilityFence(pcm);
            pcm.position(pcm.position() + taken);
            return taken;
        } finally {
            leave();
        }
    }

    /** As {@link #push(FloatBuffer)} with 16-bit samples, which are divided by 32768. */
    public int push(ShortBuffer pcm) {
        int limit = (int) Math.min(pcm.remaining(), capacity);
        long stream = enter();
        try {
            long address = Memory.address(pcm);
            if (address == 0) {
                staging.reset();
                address = staging.copy(pcm.slice(pcm.position(), limit));
            }
            int taken = push(stream, address, Format.S16_PCM, limit);
            Reference.reachabilityFence(pcm);
            pcm.position(pcm.position() + taken);
            return taken;
        } finally {
            leave();
        }
    }

    private int push(long stream, long samples, Format format, int limit) {
        Errors.check(Native.sns_audio_stream_push(stream, samples, format.ordinal(), limit, countAddress));
        return (int) count.get(0);
    }

    /** Frames that can be read now. */
    public long frames() {
        long address = enter();
        try {
            Errors.check(Native.sns_audio_stream_frames(address, countAddress));
            return count.get(0);
        } finally {
            leave();
        }
    }

    /**
     * Reads as many whole frames as there are and fit between position and limit, {@link #mels} values each, and moves the
     * position past them.
     *
     * @return how many frames were read
     * @throws IllegalArgumentException if {@code out} is read-only
     */
    public int read(FloatBuffer out) {
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("out is read-only", new ReadOnlyBufferException());
        }
        int room = out.remaining() / mels() * mels();
        FloatBuffer target = Memory.target(out);
        long address = enter();
        int frames;
        try {
            Errors.check(Native.sns_audio_stream_read(address, Memory.address(target), room, countAddress));
            frames = (int) count.get(0);
        } finally {
            leave();
        }
        if (target != out) {
            out.put(out.position(), target, 0, frames * mels());
        }
        Reference.reachabilityFence(target);
        out.position(out.position() + frames * mels());
        return frames;
    }

    /** The sound ends here: its last frames see the padding at the end and can then be read. */
    public void finish() {
        call(Native::sns_audio_stream_finish);
    }

    /** As new, for another sound; frames that wait are dropped. */
    public void clear() {
        call(Native::sns_audio_stream_clear);
    }

    private void call(LongToIntFunction function) {
        long address = enter();
        try {
            Errors.check(function.applyAsInt(address));
        } finally {
            leave();
        }
    }

    private long enter() {
        if (!running.compareAndSet(false, true)) {
            throw new IllegalStateException("this audio stream is in use by another thread");
        }
        try {
            return handle.acquire();
        } catch (IllegalStateException e) {
            running.set(false);
            throw e;
        }
    }

    private void leave() {
        handle.release();
        running.set(false);
        Reference.reachabilityFence(this);
    }

    @Override
    public void close() {
        handle.close();
    }
}
