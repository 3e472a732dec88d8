package io.sensorium;

import io.sensorium.internal.Handle;
import io.sensorium.internal.binding.Native;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/**
 * One result of a request on the GPU as a DLPack tensor. It keeps its memory, even past the session's close; what it holds
 * changes with the session's next request. Close it once, or hand {@link #release()} to a consumer that calls the tensor's
 * own deleter.
 */
public final class DeviceTensor implements AutoCloseable {
    /** Which result; the order is that of the C ABI. */
    public enum Kind {
        /** The packed tokens [tokens, dModel]. */
        TOKENS,
        /** The latents [latents, width]. */
        LATENTS,
        /** The embeddings [sequences, dim]. */
        EMBEDDING
    }

    private final Handle handle;
    private final AtomicLong owned;

    DeviceTensor(long address) {
        this.owned = new AtomicLong(address);
        this.handle = Handle.of(this, "device tensor", address, new Deleter(owned), null);
    }

    /** The address of the {@code DLManagedTensor}; valid until {@link #close}. */
    public long address() {
        handle.ensureOpen();
        return owned.get();
    }

    /** Gives the {@code DLManagedTensor} away: whoever takes it calls its deleter, and this object is closed. */
    public long release() {
        handle.ensureOpen();
        long address = owned.getAndSet(0);
        handle.close();
        if (address == 0) {
            throw new IllegalStateException("this device tensor was released");
        }
        return address;
    }

    @Override
    public void close() {
        handle.close();
    }

    private record Deleter(AtomicLong owned) implements LongConsumer {
        @Override
        public void accept(long address) {
            long left = owned.getAndSet(0);
            if (left != 0) {
                Native.sns_dlpack_delete(left);
            }
        }
    }
}
