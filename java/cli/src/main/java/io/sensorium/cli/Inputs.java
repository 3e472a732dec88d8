package io.sensorium.cli;

import io.sensorium.Engine;
import io.sensorium.Resampler;
import io.sensorium.SensoriumException;
import io.sensorium.media.Sound;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;

/** Sound at the rate that somebody needs. */
final class Inputs {
    private Inputs() {}

    /** Fails before any work when a file could not be written at its end. */
    static void checkWritable(Path... files) {
        for (Path file : files) {
            if (file == null) {
                continue;
            }
            Path folder = file.toAbsolutePath().getParent();
            if (folder == null || !Files.isDirectory(folder)) {
                throw new UserError("cannot write " + file + ": no such folder");
            }
            if (Files.isDirectory(file)) {
                throw new UserError("cannot write " + file + ": it is a folder");
            }
            if (!Files.isWritable(folder)) {
                throw new UserError("cannot write " + file + ": permission denied");
            }
        }
    }

    /** Runs something on an input and puts its name in front of what goes wrong. */
    static <T> T named(String name, Supplier<T> work) {
        try {
            return work.get();
        } catch (SensoriumException | IllegalArgumentException e) {
            UserError error = new UserError(name + ": " + e.getMessage());
            error.initCause(e);
            throw error;
        }
    }

    static FloatBuffer atRate(Engine engine, Sound sound, int rate) {
        return atRate(engine, sound.samples(), sound.sampleRate(), rate);
    }

    static FloatBuffer atRate(Engine engine, FloatBuffer samples, int from, int to) {
        if (from == to) {
            return samples;
        }
        try (Resampler resampler = engine.resampler(from, to)) {
            long length = resampler.outputLength(samples.remaining());
            if (length > 1 << 28) {
                throw new UserError("resampled from " + from + " to " + to + " Hz it would have " + length
                        + " samples; the limit is " + (1 << 28));
            }
            FloatBuffer out = ByteBuffer.allocateDirect(Math.toIntExact(4 * length))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            resampler.run(samples, out);
            return out;
        }
    }
}
