package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import org.junit.jupiter.api.Test;

/** A request allocates nothing on the Java heap once its session has seen the like. */
class AllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private float sink;

    private long bytesOf(Session session, ByteBuffer image, FloatBuffer pcm, LongBuffer ids, int requests) {
        long thread = Thread.currentThread().getId();
        long before = THREADS.getThreadAllocatedBytes(thread);
        for (int i = 0; i < requests; i++) {
            Result result = session.clear()
                    .at(i, i + 1)
                    .image(image, 4, 4, 3)
                    .text(ids)
                    .nextSequence()
                    .audio(pcm)
                    .run();
            Tokens tokens = result.tokens();
            sink += tokens.values().get(0)
                    + tokens.cuSeqlens().get(1)
                    + tokens.item(1)
                    + tokens.gridRow(2)
                    + tokens.endMicros(0)
                    + tokens.modality(3).ordinal()
                    + result.latents().values().get(0)
                    + result.nanos(Stage.TOTAL);
        }
        return THREADS.getThreadAllocatedBytes(thread) - before;
    }

    private void assertNone(ByteBuffer image, FloatBuffer pcm, LongBuffer ids) {
        try (Engine engine = Engine.builder().threads(2).open();
                Model model = new TinyModels().build(engine);
                Session session = model.newSession(TinyModels.LIMITS)) {
            // The JVM itself allocates now and then (linking, compiling); a request that did would do so in every
            // round.
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 6; round++) {
                least = Math.min(least, bytesOf(session, image, pcm, ids, 1000));
            }
            assertEquals(0, least);
        }
    }

    @Test
    void directBuffers() {
        assertNone(
                TinyModels.direct(TinyModels.pixels(1)),
                TinyModels.direct(TinyModels.sound(1, 600)),
                TinyModels.direct(1, 2, 3));
    }

    @Test
    void heapBuffers() {
        assertNone(
                ByteBuffer.wrap(TinyModels.pixels(1)),
                FloatBuffer.wrap(TinyModels.sound(1, 600)),
                LongBuffer.wrap(new long[] {1, 2, 3}));
    }
}
