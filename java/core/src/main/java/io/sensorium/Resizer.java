package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.Structs;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_resize_config;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;

/**
 * Brings pictures of bytes to size by themselves, as an image tokenizer does before it cuts patches. It owns nothing: it is
 * usable as long as its engine is open, by any number of threads.
 */
public final class Resizer {
    private final Handle engine;
    private final ResizeConfig config;

    Resizer(Handle engine, ResizeConfig config) {
        this.engine = engine;
        this.config = config;
    }

    /** A size in pixels. */
    public record Size(int height, int width) {}

    /** What it was made from. */
    public ResizeConfig config() {
        return config;
    }

    /** The size that a picture of height × width gets. */
    public Size size(int height, int width) {
        long[] rows = new long[1];
        long[] columns = new long[1];
        try (sns_resize_config c = Structs.of(config)) {
            Errors.check(Native.sns_resize_size(c, height, width, rows, columns));
        }
        return new Size(Math.toIntExact(rows[0]), Math.toIntExact(columns[0]));
    }

    /**
     * Resizes and crops a picture. Positions and limits are not changed.
     *
     * @param in bytes [height, width, channels] from position to limit
     * @param channels 1 to 4
     * @param out receives [size.height, size.width, channels], exactly what remains in it; must not overlap {@code in}
     * @throws IllegalArgumentException if {@code out} is read-only
     */
    public void run(ByteBuffer in, int height, int width, int channels, ByteBuffer out) {
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("out is read-only", new ReadOnlyBufferException());
        }
        Staging staging = new Staging();
        long direct = Memory.address(in);
        long pixels = direct != 0 ? direct : staging.copy(in);
        ByteBuffer target = out.isDirect() ? out : Memory.allocate(Math.max(1, out.remaining()));
        long address = engine.acquire();
        try (sns_resize_config c = Structs.of(config)) {
            Errors.check(Native.sns_resize_run(
                    address,
                    c,
                    pixels,
                    in.remaining(),
                    height,
                    width,
                    channels,
                    Memory.address(target),
                    out.remaining()));
        } finally {
            engine.release();
            Reference.reachabilityFence(in);
            Reference.reachabilityFence(staging);
        }
        if (target != out) {
            out.put(out.position(), target, 0, out.remaining());
        }
        Reference.reachabilityFence(target);
        Reference.reachabilityFence(out);
    }
}
