package io.sensorium.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * The one thread that looks after requests that run on a GPU: it asks each of them whether it is done, spinning at first
 * and in short sleeps when nothing happens.
 */
public final class Completions {
    /** A request that is under way. */
    public interface Pending {
        /** Ends the request if it is done, and says whether it was; must not throw. */
        boolean poll();
    }

    private static final int SPINS = 2_000;
    private static final long NAP_NANOS = 20_000;
    private static final Completions INSTANCE = new Completions();

    private final ConcurrentLinkedQueue<Pending> arrivals = new ConcurrentLinkedQueue<>();
    private final Thread thread = new Thread(this::run, "sensorium-completions");

    private Completions() {
        thread.setDaemon(true);
        thread.start();
    }

    /** Looks after a request from now on. */
    public static void add(Pending pending) {
        INSTANCE.arrivals.add(pending);
        LockSupport.unpark(INSTANCE.thread);
    }

    private void run() {
        List<Pending> active = new ArrayList<>();
        int idle = 0;
        while (true) {
            for (Pending p = arrivals.poll(); p != null; p = arrivals.poll()) {
                active.add(p);
                idle = 0;
            }
            if (active.isEmpty()) {
                LockSupport.park(this);
                continue;
            }
            if (active.removeIf(Pending::poll)) {
                idle = 0;
            } else if (++idle < SPINS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(this, NAP_NANOS);
            }
        }
    }
}
