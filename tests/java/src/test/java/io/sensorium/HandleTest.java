package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.internal.Handle;
import java.nio.FloatBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handles are freed once, never under a call, and never used afterwards. */
@Timeout(120)
class HandleTest {
    @Test
    void useAfterCloseIsIllegalState() {
        Engine engine = Engine.builder().threads(1).open();
        Model model = new TinyModels().build(engine);
        Session session = model.newSession(TinyModels.LIMITS);
        LogMel logMel = engine.logMel(TinyModels.LOG_MEL);
        Resampler resampler = engine.resampler(3, 2);
        Model.Builder builder = engine.newModel();
        Result result = session.clear().run();
        SelfCheck check = engine.selfCheck();
        List<AutoCloseable> all = List.of(builder, resampler, logMel, session, model, engine);
        for (int i = 0; i < 2; i++) { // the second close is a no-op
            for (AutoCloseable handle : all) {
                assertThrowsNothing(handle);
            }
        }
        FloatBuffer floats = FloatBuffer.allocate(6);
        List<Runnable> uses = List.of(
                engine::newModel,
                () -> engine.logMel(TinyModels.LOG_MEL),
                () -> engine.resampler(1, 2),
                engine::selfCheck,
                () -> check.parity(0, 0),
                check::ceiling,
                () -> builder.sequence(SequenceConfig.builder().dModel(1).build()),
                () -> builder.tensor("x", floats, 6),
                builder::build,
                () -> model.newSession(TinyModels.LIMITS),
                () -> model.countTokens(Modality.TEXT, Format.I64_IDS, 1),
                session::clear,
                session::nextSequence,
                () -> session.at(0, 0),
                () -> session.text(TinyModels.direct(1)),
                () -> session.audio(floats),
                session::run,
                session::workspaceBytes,
                result::tokens,
                () -> result.nanos(Stage.TOTAL),
                () -> logMel.frames(1),
                () -> logMel.run(floats, floats),
                () -> resampler.outputLength(1),
                () -> resampler.run(floats, floats));
        for (Runnable use : uses) {
            assertThrows(IllegalStateException.class, use::run);
        }
    }

    private static void assertThrowsNothing(AutoCloseable handle) {
        try {
            handle.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void childrenOutliveTheCloseOfTheirParents() {
        Engine engine = Engine.builder().threads(2).open();
        Model model = new TinyModels().build(engine);
        Session session = model.newSession(TinyModels.LIMITS);
        LogMel logMel = engine.logMel(TinyModels.LOG_MEL);
        float[] before = TinyModels.array(
                session.clear().text(TinyModels.direct(1, 2)).run().tokens().values());
        engine.close();
        model.close();
        assertArrayEquals(before, TinyModels.array(session.run().tokens().values()));
        FloatBuffer out = FloatBuffer.allocate(logMel.frames(500) * logMel.mels());
        logMel.run(FloatBuffer.wrap(TinyModels.sound(1, 500)), out);
        session.close();
        logMel.close();
    }

    @Test
    void closeDuring64RunningCalls() throws Exception {
        try (Engine engine = Engine.builder().threads(2).open()) {
            for (int round = 0; round < 5; round++) {
                LogMel logMel = engine.logMel(TinyModels.LOG_MEL);
                float[] pcm = TinyModels.sound(round, 4000);
                float[] expected = new float[logMel.frames(4000) * logMel.mels()];
                logMel.run(FloatBuffer.wrap(pcm), FloatBuffer.wrap(expected));
                CountDownLatch started = new CountDownLatch(64);
                AtomicLong finished = new AtomicLong();
                ExecutorService pool = Executors.newFixedThreadPool(64);
                List<Future<Integer>> calls = new ArrayList<>();
                for (int i = 0; i < 64; i++) {
                    calls.add(pool.submit(() -> {
                        FloatBuffer in = TinyModels.direct(pcm);
                        FloatBuffer out = TinyModels.direct(new float[expected.length]);
                        int runs = 0;
                        started.countDown();
                        while (true) {
                            try {
                                logMel.run(in, out);
                            } catch (IllegalStateException closed) {
                                return runs;
                            }
                            assertArrayEquals(expected, TinyModels.array(out));
                            finished.incrementAndGet();
                            runs++;
                        }
                    }));
                }
                started.await();
                while (finished.get() < 100) {
                    Thread.sleep(1);
                }
                logMel.close();
                pool.shutdown();
                assertTrue(pool.awaitTermination(60, TimeUnit.SECONDS));
                for (Future<Integer> call : calls) {
                    assertTrue(call.get() >= 0); // rethrows what was not a clean end
                }
            }
        }
    }

    @Test
    void closeOfASessionWaitsForItsRun() throws Exception {
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = new TinyModels().build(engine)) {
            FloatBuffer pcm = TinyModels.direct(TinyModels.sound(1, 4000));
            for (int round = 0; round < 50; round++) {
                Session session = model.newSession(TinyModels.LIMITS);
                CountDownLatch started = new CountDownLatch(1);
                AtomicInteger runs = new AtomicInteger();
                Thread runner = new Thread(() -> {
                    try {
                        session.clear().audio(pcm);
                        while (true) {
                            session.run();
                            runs.incrementAndGet();
                            started.countDown();
                        }
                    } catch (IllegalStateException closed) {
                        started.countDown();
                    }
                });
                runner.start();
                started.await();
                session.close();
                runner.join();
                assertTrue(runs.get() > 0);
            }
        }
    }

    @Test
    void onlyForgottenHandlesAreFreedLoggedAndCounted() throws Exception {
        List<Throwable> creations = Collections.synchronizedList(new ArrayList<>());
        Logger logger = Logger.getLogger("io.sensorium.leaks");
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord record) {
                creations.add(record.getThrown());
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        logger.addHandler(handler);
        logger.setUseParentHandlers(false);
        try {
            long before = Handle.leaked();
            closeEngines();
            forgetAnEngine();
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (madeBy(creations, "forgetAnEngine") == 0 && System.nanoTime() < deadline) {
                System.gc();
                Thread.sleep(10);
            }
            assertEquals(1, madeBy(creations, "forgetAnEngine"));
            assertEquals(0, madeBy(creations, "closeEngines"));
            assertTrue(Handle.leaked() > before);
        } finally {
            logger.removeHandler(handler);
            logger.setUseParentHandlers(true);
        }
    }

    private static long madeBy(List<Throwable> creations, String method) {
        return List.copyOf(creations).stream()
                .filter(creation -> Arrays.stream(creation.getStackTrace())
                        .anyMatch(frame -> frame.getMethodName().equals(method)))
                .count();
    }

    private static void forgetAnEngine() {
        assertEquals(1, Engine.builder().threads(1).open().threads());
    }

    private static void closeEngines() {
        for (int i = 0; i < 20; i++) {
            Engine.builder().threads(1).open().close();
        }
    }

    @Test
    void aSessionRefusesASecondThread() throws Exception {
        try (Engine engine = Engine.builder().threads(1).open();
                Model model = new TinyModels().build(engine);
                Session session = model.newSession(TinyModels.LIMITS)) {
            float[] expected = TinyModels.array(session.clear()
                    .audio(TinyModels.direct(TinyModels.sound(1, 4000)))
                    .run()
                    .tokens()
                    .values());
            AtomicInteger refused = new AtomicInteger();
            Callable<Void> task = () -> {
                long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
                while (refused.get() == 0 && System.nanoTime() < deadline) {
                    try {
                        session.run();
                    } catch (IllegalStateException e) {
                        refused.incrementAndGet();
                    }
                }
                return null;
            };
            ExecutorService pool = Executors.newFixedThreadPool(4);
            for (Future<Void> done : pool.invokeAll(List.of(task, task, task, task))) {
                done.get();
            }
            pool.shutdown();
            assertTrue(refused.get() > 0);
            assertArrayEquals(expected, TinyModels.array(session.run().tokens().values()));
        }
    }

    @Test
    void manySessionsOfAModelGiveTheSameNumbers() throws Exception {
        try (Engine engine = Engine.builder().threads(2).open();
                Model model = new TinyModels().build(engine)) {
            Callable<List<float[]>> task = () -> {
                List<float[]> results = new ArrayList<>();
                try (Session session = model.newSession(TinyModels.LIMITS)) {
                    for (int i = 0; i < 50; i++) {
                        Result result = session.clear()
                                .image(TinyModels.direct(TinyModels.pixels(i)), 4, 4, 3)
                                .audio(TinyModels.direct(TinyModels.sound(i, 500 + i)))
                                .text(TinyModels.direct(i % 11))
                                .run();
                        results.add(TinyModels.array(result.tokens().values()));
                        results.add(TinyModels.array(result.latents().values()));
                    }
                }
                return results;
            };
            List<float[]> expected = task.call();
            ExecutorService pool = Executors.newFixedThreadPool(8);
            for (Future<List<float[]>> done : pool.invokeAll(Collections.nCopies(8, task))) {
                for (int i = 0; i < expected.size(); i++) {
                    assertArrayEquals(expected.get(i), done.get().get(i));
                }
            }
            pool.shutdown();
        }
    }
}
