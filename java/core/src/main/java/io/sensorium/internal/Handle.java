package io.sensorium.internal;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A native object that is freed exactly once: by {@link #close()}, which waits for running calls, or, if its owner was
 * forgotten, by a cleaner that says where it was made. A parent's memory outlives that of its children, in whatever order
 * they are closed.
 */
public final class Handle {
    private static final Logger LOG = System.getLogger("io.sensorium.leaks");
    private static final Cleaner CLEANER = Cleaner.create();
    private static final AtomicLong LEAKED = new AtomicLong();

    private final State state;
    private final Cleaner.Cleanable cleanable;

    private Handle(Object owner, State state) {
        this.state = state;
        this.cleanable = CLEANER.register(owner, state);
    }

    /**
     * Takes over a native object.
     *
     * @param owner whose garbage collection means that the handle leaked
     * @param parent what the native object was made from, if anything
     */
    public static Handle of(Object owner, String kind, long address, LongConsumer destroy, @Nullable Handle parent) {
        return new Handle(owner, new State(kind, address, destroy, parent == null ? null : parent.state));
    }

    /** How many handles were freed by the cleaner because nobody closed them. */
    public static long leaked() {
        return LEAKED.get();
    }

    /** Begins a call; {@link #release()} must follow. Throws {@link IllegalStateException} after close. */
    public long acquire() {
        if (state.calls.getAndIncrement() < 0) {
            state.release();
            throw closed();
        }
        return state.address;
    }

    /** Ends a call. */
    public void release() {
        state.release();
    }

    /** A native function that returns a status code. */
    public interface Call {
        int run(long address);
    }

    /**
     * One call on the open object; its error code becomes an exception.
     *
     * @param owner kept from being collected until the call returns
     */
    public void call(Object owner, Call call) {
        long address = acquire();
        try {
            Errors.check(call.run(address));
        } finally {
            release();
            Reference.reachabilityFence(owner);
        }
    }

    /** Throws {@link IllegalStateException} after close. */
    public void ensureOpen() {
        if (state.calls.get() < 0) {
            throw closed();
        }
    }

    /** Refuses new calls, waits for the running ones and frees the native object. Later calls do nothing. */
    public void close() {
        state.drain();
        cleanable.clean();
    }

    private IllegalStateException closed() {
        return new IllegalStateException("this " + state.kind + " is closed");
    }

    /** All but the owner, which it must not reference. */
    private static final class State implements Runnable {
        private static final int CLOSED = Integer.MIN_VALUE;

        final String kind;
        final long address;
        /** Running calls; negative once closed. */
        final AtomicInteger calls = new AtomicInteger();

        private final LongConsumer destroy;
        private final @Nullable State parent;
        private final Throwable creation;
        /** One for the handle itself and one for each child. */
        private final AtomicInteger users = new AtomicInteger(1);

        State(String kind, long address, LongConsumer destroy, @Nullable State parent) {
            this.kind = kind;
            this.address = address;
            this.destroy = destroy;
            this.parent = parent;
            this.creation = new Throwable("made here");
            if (parent != null) {
                parent.users.incrementAndGet();
            }
        }

        void release() {
            if (calls.decrementAndGet() == CLOSED) {
                synchronized (this) {
                    notifyAll();
                }
            }
        }

        void drain() {
            calls.getAndUpdate(n -> n | CLOSED);
            boolean interrupted = false;
            synchronized (this) {
                while (calls.get() != CLOSED) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        interrupted = true;
                    }
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        /** Runs once: from close, or from the cleaner when the owner is gone. */
        @Override
        public void run() {
            if (calls.getAndUpdate(n -> n | CLOSED) >= 0) {
                LEAKED.incrementAndGet();
                LOG.log(Level.WARNING, "a " + kind + " was never closed", creation);
            }
            drop();
        }

        private void drop() {
            if (users.decrementAndGet() == 0) {
                destroy.accept(address);
                if (parent != null) {
                    parent.drop();
                }
            }
        }
    }
}
