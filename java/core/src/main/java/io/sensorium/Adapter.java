package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.Structs;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_adapter_config;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * An adapter's weights, packed and immutable; any number of sessions may use it at once ({@link Session#adapter}) and keep
 * what they need after it is closed.
 */
public final class Adapter implements AutoCloseable {
    private final Handle handle;
    private final AdapterConfig config;

    /**
     * Copies the tensors, each from position to limit.
     *
     * @param down [bottleneck, d]
     * @param downBias [bottleneck]
     * @param up [d, bottleneck]
     * @param upBias [d]
     * @throws IllegalArgumentException if a buffer has another size
     * @throws InvalidWeightsException if a value is NaN or infinite
     */
    public Adapter(
            Engine engine,
            AdapterConfig config,
            FloatBuffer down,
            FloatBuffer downBias,
            FloatBuffer up,
            FloatBuffer upBias) {
        long size = (long) config.d() * config.bottleneck();
        expect("down", down, size);
        expect("downBias", downBias, config.bottleneck());
        expect("up", up, size);
        expect("upBias", upBias, config.d());
        Staging staging = new Staging();
        ByteBuffer out = Memory.allocate(Long.BYTES);
        long address = engine.handle().acquire();
        try (sns_adapter_config c = Structs.of(config)) {
            Errors.check(Native.sns_adapter_create(
                    address,
                    c.address(),
                    read(down, staging),
                    read(downBias, staging),
                    read(up, staging),
                    read(upBias, staging),
                    Memory.address(out)));
        } finally {
            engine.handle().release();
            Reference.reachabilityFence(engine);
            Reference.reachabilityFence(down);
            Reference.reachabilityFence(downBias);
            Reference.reachabilityFence(up);
            Reference.reachabilityFence(upBias);
            Reference.reachabilityFence(staging);
        }
        this.config = config;
        this.handle = Handle.of(this, "adapter", out.getLong(0), Native::sns_adapter_destroy, engine.handle());
    }

    /** What it was made from. */
    public AdapterConfig config() {
        return config;
    }

    @Override
    public void close() {
        handle.close();
    }

    Handle handle() {
        return handle;
    }

    private static long read(FloatBuffer values, Staging staging) {
        long direct = Memory.address(values);
        return direct != 0 ? direct : staging.copy(values);
    }

    private static void expect(String what, FloatBuffer values, long expected) {
        if (values.remaining() != expected) {
            throw new IllegalArgumentException(
                    what + " has " + values.remaining() + " values, the sizes say " + expected);
        }
    }
}
