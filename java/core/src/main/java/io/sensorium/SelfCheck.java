package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_check_report;
import io.sensorium.internal.binding.sns_timing_report;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/**
 * Checks the kernels against their float64 oracles, on the engine's device, and measures the speed of the CPU's, on this
 * machine.
 */
public final class SelfCheck {
    private final Engine engine;

    SelfCheck(Engine engine) {
        this.engine = engine;
    }

    /** Names of the kernel families. Other methods take the index into this list. */
    public List<String> ops() {
        long[] count = new long[1];
        Errors.check(Native.sns_check_op_count(count));
        List<String> names = new ArrayList<>();
        for (int i = 0; i < count[0]; i++) {
            names.add(Errors.text(Native.sns_check_op_name(i)));
        }
        return List.copyOf(names);
    }

    /**
     * Runs random case number {@code seed} of an op.
     *
     * @throws DeviceUnavailableException if the op has no kernel for the engine's GPU
     */
    public ParityReport parity(int op, long seed) {
        Handle handle = engine.handle();
        long address = handle.acquire();
        try (sns_check_report r = new sns_check_report()) {
            r.struct_size(r.sizeof());
            Errors.check(Native.sns_check_parity(address, op, seed, r));
            return new ParityReport(
                    Errors.text(r.op()),
                    Errors.text(r.shape()),
                    Errors.text(r.measure()),
                    r.error(),
                    r._limit(),
                    r.ok() != 0);
        } finally {
            handle.release();
            Reference.reachabilityFence(engine);
        }
    }

    /**
     * Times an op at its representative shapes; each number is the median of {@code repeats} runs.
     *
     * @throws DeviceUnavailableException if the engine is not one of the CPU
     */
    public List<TimingReport> timings(int op, int repeats) {
        Handle handle = engine.handle();
        long address = handle.acquire();
        try (sns_timing_report r = new sns_timing_report()) {
            long[] works = new long[1];
            Errors.check(Native.sns_check_work_count(op, works));
            List<TimingReport> reports = new ArrayList<>();
            for (int i = 0; i < works[0]; i++) {
                r.struct_size(r.sizeof());
                Errors.check(Native.sns_check_timing(address, op, i, repeats, r));
                reports.add(new TimingReport(
                        Errors.text(r.op()),
                        Errors.text(r.shape()),
                        r.seconds(),
                        r.gflops(),
                        r.gbytes_per_s(),
                        r.ceiling_share()));
            }
            return List.copyOf(reports);
        } finally {
            handle.release();
            Reference.reachabilityFence(engine);
        }
    }

    /** Measures what the engine's threads can do at best; takes a moment. */
    public Ceiling ceiling() {
        Handle handle = engine.handle();
        long address = handle.acquire();
        try {
            double[] gflops = new double[1];
            double[] bf16 = new double[1];
            double[] gbytes = new double[1];
            Errors.check(Native.sns_check_ceiling(address, gflops, bf16, gbytes));
            return new Ceiling(gflops[0], bf16[0], gbytes[0]);
        } finally {
            handle.release();
            Reference.reachabilityFence(engine);
        }
    }
}
