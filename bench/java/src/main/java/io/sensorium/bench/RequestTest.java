package io.sensorium.bench;

import ai.onnxruntime.OrtException;
import com.sun.management.ThreadMXBean;
import io.sensorium.Engine;
import io.sensorium.Model;
import io.sensorium.Precision;
import io.sensorium.ResizeConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.Stage;
import io.sensorium.TextConfig;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** One request at a time through Java: what the call costs beyond the kernels, what it allocates, how steady it is. */
final class RequestTest {
    static final String NAME = "request";
    private static final double MOST_OVERHEAD_MICROS = 1;
    private static final double MOST_SPREAD = 1.5;

    /**
     * @param overheadMicros the call's time less the native call's own, median
     * @param peers the smallest call of others, median in µs
     */
    record Result(
            String name,
            int threads,
            double overheadMicros,
            double p50Micros,
            double p99Micros,
            double bytesPerRun,
            Map<String, Double> peers) {
        /** 0 B/run as long as no byte a run is left. */
        boolean met() {
            return overheadMicros <= MOST_OVERHEAD_MICROS
                    && p99Micros <= MOST_SPREAD * p50Micros
                    && Math.round(bytesPerRun) == 0;
        }
    }

    private RequestTest() {}

    static List<Result> run(boolean quick) throws Exception {
        List<Result> results = new ArrayList<>();
        try (Closing closing = new Closing()) {
            results.add(smallest(quick ? 20_000 : 300_000, closing));
        }
        try (Closing closing = new Closing()) {
            int size = PatchWorks.SIZE;
            Session session = PatchWorks.session(1, Precision.STRICT, ResizeConfig.NONE, size * size, closing);
            ByteBuffer pixels = Values.direct(new Values().picture(size, size));
            results.add(measure(
                    NAME + ": ViT-B/16 from bytes",
                    quick ? 1000 : 8000,
                    () -> session.clear().image(pixels, size, size, 3).run(),
                    Map.of()));
        }
        return results;
    }

    /** One token id: all of the call is overhead or nearly so. */
    private static Result smallest(int runs, Closing closing) throws OrtException {
        int dim = 16;
        Engine engine = closing.add(Engine.builder().threads(1).open());
        Model model = closing.add(engine.newModel()
                .sequence(SequenceConfig.builder().dModel(dim).build())
                .text(TextConfig.builder().vocabulary(2).maxTokens(4).build())
                .tensor("text.embedding", FloatBuffer.wrap(new float[2 * dim]), 2, dim)
                .build());
        Session session = closing.add(model.newSession(
                SessionLimits.builder().maxItems(1).maxTokens(4).build()));
        LongBuffer id = Values.longs(1);

        OnnxGraph g = new OnnxGraph();
        String row =
                g.node("Gather", new String[] {g.constant(new float[2 * dim], 2, dim), g.input("x", OnnxGraph.INT64, 1)
                });
        OnnxRuntime onnx = closing.add(new OnnxRuntime(
                g.model(row, OnnxGraph.FLOAT, 1, dim),
                1,
                Values.longs(1),
                new long[] {1},
                row,
                Values.floats(dim),
                new long[] {1, dim}));
        Map<String, Double> peers = new LinkedHashMap<>();
        peers.put("ONNX Runtime Gather", median(onnx::run, runs));
        return measure(
                NAME + ": one token id", runs, () -> session.clear().text(id).run(), peers);
    }

    private static double median(Runnable call, int runs) {
        double[] times = new double[runs];
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < runs; i++) {
                long start = System.nanoTime();
                call.run();
                times[i] = System.nanoTime() - start;
            }
        }
        Arrays.sort(times);
        return Rounds.quantile(times, 0.5) * 1e-3;
    }

    private static Result measure(
            String name, int runs, Supplier<io.sensorium.Result> call, Map<String, Double> peers) {
        double[] times = new double[runs];
        double[] over = new double[runs];
        ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long bytes = 0;
        for (int pass = 0; pass < 2; pass++) { // the first warms the compilers
            long before = thread.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < runs; i++) {
                long start = System.nanoTime();
                io.sensorium.Result result = call.get();
                times[i] = System.nanoTime() - start;
                over[i] = times[i] - result.nanos(Stage.TOTAL);
            }
            bytes = thread.getCurrentThreadAllocatedBytes() - before;
        }
        Arrays.sort(times);
        Arrays.sort(over);
        return new Result(
                name,
                1,
                Rounds.quantile(over, 0.5) * 1e-3,
                Rounds.quantile(times, 0.5) * 1e-3,
                Rounds.quantile(times, 0.99) * 1e-3,
                (double) bytes / runs,
                peers);
    }
}
