package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.LongBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sessions shared by threads: never two users at once, never more than there are, no allocation. */
@Timeout(60)
class SessionPoolTest {
    private Engine engine;
    private Model model;

    @BeforeEach
    void open() {
        engine = Engine.builder().threads(1).open();
        model = new TinyModels().build(engine);
    }

    @AfterEach
    void close() {
        model.close();
        engine.close();
    }

    @Test
    void lendsEachSessionToOneAtATime() {
        try (SessionPool pool = new SessionPool(model, TinyModels.LIMITS, 2)) {
            assertEquals(2, pool.size());
            SessionPool.Lease first = pool.tryAcquire();
            SessionPool.Lease second = pool.tryAcquire();
            assertNotNull(first);
            assertNotNull(second);
            assertTrue(first.session() != second.session());
            assertEquals(0, pool.available());
            assertNull(pool.tryAcquire());
            Session last = second.session();
            first.close();
            second.close();
            assertEquals(2, pool.available());
            try (SessionPool.Lease again = pool.tryAcquire()) {
                assertSame(last, again.session(), "the session given back last is the warmest");
            }
        }
    }

    @Test
    void waitsInVainForATime() throws InterruptedException {
        try (SessionPool pool = new SessionPool(model, TinyModels.LIMITS, 1);
                SessionPool.Lease lease = pool.acquire()) {
            assertNotNull(lease.session());
            assertNull(pool.acquire(Duration.ofMillis(5)));
            assertNull(pool.acquire(Duration.ZERO));
        }
    }

    @Test
    void aClosedLeaseGivesNothingAway() throws InterruptedException {
        try (SessionPool pool = new SessionPool(model, TinyModels.LIMITS, 1)) {
            SessionPool.Lease lease = pool.acquire();
            lease.close();
            lease.close();
            assertEquals(1, pool.available());
            assertThrows(IllegalStateException.class, lease::session);
        }
    }

    @Test
    void manyThreadsShareFewSessions() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        ExecutorService executor = Executors.newFixedThreadPool(12);
        try (SessionPool pool = new SessionPool(model, TinyModels.LIMITS, 3)) {
            List<Future<Integer>> futures = new ArrayList<>();
            for (int t = 0; t < 12; t++) {
                int length = 1 + t % TinyModels.MAX_TEXT;
                LongBuffer ids = TinyModels.direct(new long[length]);
                futures.add(executor.submit(() -> {
                    int done = 0;
                    for (int i = 0; i < 300; i++) {
                        try (SessionPool.Lease lease = pool.acquire()) {
                            most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                            Result result = lease.session().clear().text(ids).run();
                            assertEquals(length + 2, result.tokens().count());
                            inside.decrementAndGet();
                            done++;
                        }
                    }
                    return done;
                }));
            }
            int done = 0;
            for (Future<Integer> future : futures) {
                done += future.get();
            }
            assertEquals(12 * 300, done);
            assertTrue(most.get() <= 3, most + " at once");
            assertEquals(3, pool.available());
            assertEquals(0, pool.waiting());
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void closingWakesThoseThatWait() throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(2);
        try {
            SessionPool pool = new SessionPool(model, TinyModels.LIMITS, 1);
            SessionPool.Lease lease = pool.acquire();
            List<Future<SessionPool.Lease>> waiting = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                waiting.add(executor.submit(() -> pool.acquire()));
            }
            while (pool.waiting() < 2) {
                Thread.onSpinWait();
            }
            pool.close();
            pool.close();
            for (Future<SessionPool.Lease> future : waiting) {
                ExecutionException e = assertThrows(ExecutionException.class, () -> future.get(20, TimeUnit.SECONDS));
                assertEquals(IllegalStateException.class, e.getCause().getClass());
            }
            Session session = lease.session();
            assertThrows(IllegalStateException.class, session::clear);
            lease.close();
            assertThrows(IllegalStateException.class, pool::acquire);
            assertThrows(IllegalStateException.class, pool::tryAcquire);
            assertEquals(0, pool.available());
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void takingAndGivingBackAllocatesNothing() throws InterruptedException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (SessionPool pool = new SessionPool(model, TinyModels.LIMITS, 2)) {
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 6; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 1000; i++) {
                    try (SessionPool.Lease lease = pool.acquire()) {
                        lease.session();
                    }
                }
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertEquals(0, least);
        }
    }

    @Test
    void aPoolHasAtLeastOneSession() {
        assertThrows(IllegalArgumentException.class, () -> new SessionPool(model, TinyModels.LIMITS, 0));
    }
}
