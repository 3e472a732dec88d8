package io.sensorium;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A fixed number of sessions of one model for any number of threads.
 *
 * <pre>{@code
 * try (SessionPool.Lease lease = pool.acquire()) {
 *     Result result = lease.session().clear().image(pixels, 224, 224, 3).run();
 *     // copy what is needed: the result is gone when the lease is
 * }
 * }</pre>
 *
 * <p>All sessions are made at once, so that no request waits for memory. Taking and giving back are lock-free and allocate
 * nothing while a session is free; the one given back last is taken first, as its memory is in the caches. When all are
 * taken, threads wait in order of arrival. The size bounds how many requests run side by side: on the CPU, an engine of one
 * thread and as many sessions as processors serve the most requests a second.
 */
public final class SessionPool implements AutoCloseable {
    /** The right to use a session. Close it once, on any thread: the object is used again for later leases. */
    public final class Lease implements AutoCloseable {
        private final int index;
        private final Session session;
        private final AtomicBoolean taken = new AtomicBoolean();

        private Lease(int index, Session session) {
            this.index = index;
            this.session = session;
        }

        /** The session. Throws {@link IllegalStateException} after {@link #close}. */
        public Session session() {
            if (!taken.get()) {
                throw new IllegalStateException("the lease is closed");
            }
            return session;
        }

        /** Gives the session back as it is; its next user clears it. */
        @Override
        public void close() {
            if (taken.compareAndSet(true, false)) {
                push(index);
                free.release();
            }
        }
    }

    private static final long INDEX = 0xFFFFFFFFL;

    private final Lease[] leases;
    private final Semaphore free;
    /** The stack of free leases: index + 1 of the topmost, 0 if none, and above it a count that makes every state unique. */
    private final AtomicLong top = new AtomicLong();

    private final AtomicIntegerArray below;
    private volatile boolean closed;

    /**
     * A pool of {@code size} sessions.
     *
     * @param limits of each session
     * @throws IllegalArgumentException if size is below 1
     */
    public SessionPool(Model model, SessionLimits limits, int size) {
        Objects.requireNonNull(model, "model");
        Objects.requireNonNull(limits, "limits");
        if (size < 1) {
            throw new IllegalArgumentException("size: " + size + " is below 1");
        }
        leases = new Lease[size];
        below = new AtomicIntegerArray(size);
        free = new Semaphore(size, true);
        try {
            for (int i = 0; i < size; i++) {
                leases[i] = new Lease(i, model.newSession(limits));
                push(i);
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /** How many sessions there are. */
    public int size() {
        return leases.length;
    }

    /** How many are free at this moment. */
    public int available() {
        return closed ? 0 : free.availablePermits();
    }

    /** How many threads wait, about. */
    public int waiting() {
        return free.getQueueLength();
    }

    /** Takes a session, waiting for one if all are taken. Throws {@link IllegalStateException} if the pool is closed. */
    public Lease acquire() throws InterruptedException {
        free.acquire();
        return take();
    }

    /** As {@link #acquire()}, but null when none became free in time. */
    public @Nullable Lease acquire(Duration timeout) throws InterruptedException {
        return free.tryAcquire(timeout.toNanos(), TimeUnit.NANOSECONDS) ? take() : null;
    }

    /** Takes a session if one is free; else null, at once. */
    public @Nullable Lease tryAcquire() {
        return free.tryAcquire() ? take() : null;
    }

    private Lease take() {
        if (closed) {
            free.release(); // the next waiting thread shall hear it, too
            throw new IllegalStateException("the session pool is closed");
        }
        // Permits are given after the push, so there is one on the stack.
        long state;
        int index;
        do {
            state = top.get();
            index = (int) (state & INDEX) - 1;
        } while (!top.compareAndSet(state, next(state, below.get(index))));
        Lease lease = leases[index];
        lease.taken.set(true);
        return lease;
    }

    private void push(int index) {
        long state;
        do {
            state = top.get();
            below.set(index, (int) (state & INDEX));
        } while (!top.compareAndSet(state, next(state, index + 1)));
    }

    private static long next(long state, int value) {
        return (state & ~INDEX) + (INDEX + 1) | value;
    }

    /** Closes all sessions; waits for those that run. Waiting and later {@code acquire}s fail. */
    @Override
    public void close() {
        closed = true;
        free.release();
        for (Lease lease : leases) {
            if (lease != null) {
                lease.session.close();
            }
        }
    }
}
