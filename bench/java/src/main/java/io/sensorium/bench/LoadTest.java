package io.sensorium.bench;

import io.sensorium.Model;
import io.sensorium.Precision;
import io.sensorium.ResizeConfig;
import io.sensorium.SessionLimits;
import io.sensorium.SessionPool;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;

/**
 * A server's view: N callers, one engine, as many sessions as processors. First as fast as they can, then at 70 % of that
 * rate with requests due at fixed times. Latency counts from the time a request was due, so that a stall is felt by all
 * the requests that it held up.
 */
final class LoadTest {
    static final String NAME = "load";
    private static final int[] CALLERS = {1, 2, 4, 16};
    private static final double SHARE = 0.7;

    /**
     * @param threads of the engine
     * @param capacity requests a second when every caller asks again at once
     * @param rate requests a second of the timed part
     */
    record Result(
            int threads,
            int callers,
            int sessions,
            double capacity,
            double rate,
            double p50Millis,
            double p99Millis,
            double p999Millis) {}

    private LoadTest() {}

    static List<Result> run(double seconds) throws Exception {
        int processors = Runtime.getRuntime().availableProcessors();
        List<Result> results = new ArrayList<>();
        for (int threads : processors > 1 ? new int[] {1, processors} : new int[] {1}) {
            for (int callers : CALLERS) {
                results.add(run(threads, callers, processors, seconds));
            }
        }
        return results;
    }

    private static Result run(int threads, int callers, int sessions, double seconds) throws Exception {
        int size = PatchWorks.SIZE;
        try (Closing closing = new Closing()) {
            Model model = PatchWorks.model(threads, Precision.STRICT, ResizeConfig.NONE, closing);
            SessionPool pool = closing.add(new SessionPool(
                    model,
                    SessionLimits.builder()
                            .maxItems(1)
                            .maxTokens(PatchWorks.TOKENS)
                            .maxPixels(size * size)
                            .build(),
                    sessions));
            byte[] rgb = new Values().picture(size, size);
            ExecutorService executor = Executors.newFixedThreadPool(callers);
            closing.add(executor::shutdownNow);
            long half = (long) (seconds * 1e9 / 2);
            // The first pass warms the compilers.
            double capacity = 0;
            for (int pass = 0; pass < 2; pass++) {
                Histogram done = all(executor, callers, i -> flatOut(pool, rgb, half / 2));
                capacity = done.getTotalCount() / (half * 0.5e-9);
            }
            double rate = SHARE * capacity;
            long start = System.nanoTime() + 2_000_000;
            Histogram late = all(executor, callers, i -> onTime(pool, rgb, start, i, callers, rate, 2 * half));
            return new Result(
                    threads,
                    callers,
                    sessions,
                    capacity,
                    rate,
                    late.getValueAtPercentile(50) * 1e-6,
                    late.getValueAtPercentile(99) * 1e-6,
                    late.getValueAtPercentile(99.9) * 1e-6);
        }
    }

    private interface Caller {
        Histogram call(int index) throws Exception;
    }

    private static Histogram all(ExecutorService executor, int callers, Caller caller) throws Exception {
        List<Future<Histogram>> futures = new ArrayList<>();
        for (int i = 0; i < callers; i++) {
            int index = i;
            futures.add(executor.submit(() -> caller.call(index)));
        }
        Histogram sum = new Histogram(3);
        for (Future<Histogram> future : futures) {
            sum.add(future.get());
        }
        return sum;
    }

    private static void request(SessionPool pool, ByteBuffer pixels) throws InterruptedException {
        try (SessionPool.Lease lease = pool.acquire()) {
            lease.session()
                    .clear()
                    .image(pixels, PatchWorks.SIZE, PatchWorks.SIZE, 3)
                    .run();
        }
    }

    private static Histogram flatOut(SessionPool pool, byte[] rgb, long nanos) throws InterruptedException {
        Histogram histogram = new Histogram(3);
        ByteBuffer pixels = Values.direct(rgb);
        long begin = System.nanoTime();
        for (long now = begin; now - begin < nanos; ) {
            request(pool, pixels);
            long end = System.nanoTime();
            histogram.recordValue(end - now);
            now = end;
        }
        return histogram;
    }

    /** Requests index, index + callers, … of a schedule with one every 1/rate seconds. */
    private static Histogram onTime(
            SessionPool pool, byte[] rgb, long start, int index, int callers, double rate, long nanos)
            throws InterruptedException {
        Histogram histogram = new Histogram(3);
        ByteBuffer pixels = Values.direct(rgb);
        for (long i = index; ; i += callers) {
            long due = start + (long) (i / rate * 1e9);
            if (due - start > nanos) {
                return histogram;
            }
            for (long wait; (wait = due - System.nanoTime()) > 0; ) {
                LockSupport.parkNanos(wait);
            }
            request(pool, pixels);
            histogram.recordValue(System.nanoTime() - due);
        }
    }
}
