package io.sensorium.models;

import io.sensorium.Engine;
import io.sensorium.LogMel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * Turns a clip into features exactly as a preset's reference lays them out. It allocates per clip; for serving, give
 * sound to a {@link io.sensorium.Session}. Safe for concurrent use.
 */
public final class AudioFrontEnd implements AutoCloseable {
    /** Longest clip that is taken, in samples: an hour and a half at 48 kHz. */
    public static final long MAX_SAMPLES = 1L << 28;

    /**
     * Features of one clip.
     *
     * @param shape as the reference gives it without its batch dimension
     * @param values direct, native order
     * @param validFrames frames (rows after stacking) that come from sound and not from padding
     */
    public record Features(long[] shape, FloatBuffer values, long validFrames) {}

    /**
     * Features of several clips.
     *
     * @param shape [items, …], each item as long as the longest; what is missing is zeros
     * @param values direct, native order
     * @param validFrames of each item
     * @param mask [items, rows]: whether a row (after stacking) comes from sound
     */
    public record Batch(long[] shape, FloatBuffer values, long[] validFrames, boolean[][] mask) {}

    private final AudioPreset preset;
    private final LogMel logMel;

    /** Prepares the preset's tables on the engine's device. */
    public AudioFrontEnd(Engine engine, AudioPreset preset) {
        this.preset = preset;
        this.logMel = engine.logMel(preset.logMel());
    }

    /** What was given to the constructor. */
    public AudioPreset preset() {
        return preset;
    }

    /**
     * Features of mono samples in [−1, 1] at the preset's rate, from position to limit.
     *
     * @throws IllegalArgumentException when the clip is too short for one frame, too long, or (CLAP fusion) longer
     *     than the reference's window, where it draws random crops
     */
    public Features run(FloatBuffer mono) {
        FloatBuffer signal = mono.slice();
        long given = signal.remaining();
        if (given > MAX_SAMPLES) {
            throw new IllegalArgumentException(preset.name() + ": " + given + " samples; the limit is " + MAX_SAMPLES);
        }
        if (preset.copies() > 1 && given > preset.samples()) {
            throw new IllegalArgumentException(preset.name() + ": clips over " + preset.samples()
                    + " samples are fused from random crops by the reference; cut them first");
        }
        if (preset.clips() > 0) {
            return clips(signal);
        }
        FloatBuffer fitted = pad(fit(signal));
        Frames frames = transform(fitted);
        return arrange(frames, valid(given, frames.count));
    }

    /**
     * Features of clips of any lengths. Each is computed by itself: the maximum, the mean or the padding of one never
     * changes another's.
     */
    public Batch batch(List<FloatBuffer> clips) {
        if (clips.isEmpty()) {
            throw new IllegalArgumentException("a batch of no clips");
        }
        List<Features> items = clips.stream().map(this::run).toList();
        int axis = items.get(0).shape.length - (preset.logMel().melMajor() ? 1 : 2);
        long[] shape = items.get(0).shape.clone();
        for (Features item : items) {
            shape[axis] = Math.max(shape[axis], item.shape[axis]);
        }
        long outer = 1;
        long inner = 1;
        for (int i = 0; i < shape.length; i++) {
            outer *= i < axis ? shape[i] : 1;
            inner *= i > axis ? shape[i] : 1;
        }
        long size = outer * shape[axis] * inner;
        FloatBuffer out = direct(Math.multiplyExact(size, (long) items.size()));
        long[] valid = new long[items.size()];
        boolean[][] mask = new boolean[items.size()][Math.toIntExact(shape[axis])];
        for (int b = 0; b < items.size(); b++) {
            Features item = items.get(b);
            int row = Math.toIntExact(item.shape[axis] * inner);
            for (int o = 0; o < outer; o++) {
                out.put(Math.toIntExact(b * size + o * shape[axis] * inner), item.values, o * row, row);
            }
            valid[b] = item.validFrames;
            Arrays.fill(mask[b], 0, (int) item.validFrames, true);
        }
        long[] dims = new long[shape.length + 1];
        dims[0] = items.size();
        System.arraycopy(shape, 0, dims, 1, shape.length);
        return new Batch(dims, out, valid, mask);
    }

    @Override
    public void close() {
        logMel.close();
    }

    private record Frames(FloatBuffer values, long count) {}

    private Frames transform(FloatBuffer signal) {
        long count = logMel.frames(signal.remaining());
        if (count <= 0) {
            throw new IllegalArgumentException(
                    preset.name() + ": " + signal.remaining() + " samples are too few for one frame");
        }
        FloatBuffer out = direct(Math.multiplyExact(count, preset.logMel().nMels()));
        logMel.run(signal, out);
        return new Frames(out, count);
    }

    private FloatBuffer fit(FloatBuffer signal) {
        int n = signal.remaining();
        int target = preset.samples();
        if (preset.fit() == AudioPreset.Fit.NONE) {
            return signal;
        }
        if (n == 0) {
            throw new IllegalArgumentException(preset.name() + ": the clip is empty");
        }
        if (preset.fit() == AudioPreset.Fit.MULTIPLE) {
            int kept = Math.min(n, target);
            long multiple = preset.multiple();
            FloatBuffer out = direct((kept + multiple - 1) / multiple * multiple);
            return out.put(0, signal, 0, kept);
        }
        if (n >= target || preset.fit() == AudioPreset.Fit.CUT) {
            return signal.limit(Math.min(n, target));
        }
        FloatBuffer out = direct(target);
        int tiles = switch (preset.fit()) {
            case PAD -> 1;
            case REPEAT_PAD -> target / n;
            default -> target / n + 1;
        };
        for (int i = 0; i < tiles; i++) {
            out.put(i * n, signal, 0, Math.min(n, target - i * n));
        }
        return out;
    }

    private FloatBuffer pad(FloatBuffer signal) {
        int sides = preset.padSides();
        return sides == 0
                ? signal
                : direct(signal.remaining() + 2L * sides).put(sides, signal, signal.position(), signal.remaining());
    }

    private long valid(long given, long frames) {
        long hop = preset.logMel().hop();
        return switch (preset.fit()) {
            case PAD -> Math.min(frames, Math.min(given, preset.samples()) / hop);
            case MULTIPLE -> Math.min(frames, (Math.min(given, preset.samples()) + hop - 1) / hop);
            default -> frames;
        };
    }

    private Features arrange(Frames in, long valid) {
        long mels = preset.logMel().nMels();
        boolean melMajor = preset.logMel().melMajor();
        long frames = preset.fixedFrames() > 0 ? preset.fixedFrames() : in.count + preset.zeroFrames();
        int stack = preset.stack();
        int multiple = preset.frameMultiple();
        frames = (frames + multiple - 1) / multiple * multiple / stack * stack;
        valid = Math.min(valid, frames) / stack;
        FloatBuffer out = in.values;
        if (frames != in.count) {
            out = direct(Math.multiplyExact(frames, mels));
            if (preset.padValue() != 0) {
                fill(out, preset.padValue());
            }
            copyFrames(in, out, 0, frames);
        }
        int copies = Math.max(1, preset.copies());
        if (copies > 1) {
            FloatBuffer one = out;
            out = direct(Math.multiplyExact(one.remaining(), (long) copies));
            for (int i = 0; i < copies; i++) {
                out.put(i * one.remaining(), one, 0, one.remaining());
            }
        }
        long rows = melMajor ? mels : frames / stack;
        long columns = melMajor ? frames : mels * stack;
        return new Features(
                preset.copies() == 0 ? new long[] {rows, columns} : new long[] {copies, rows, columns}, out, valid);
    }

    /** ImageBind: evenly spaced clips, the last one ending with the signal. */
    private Features clips(FloatBuffer signal) {
        long n = signal.remaining();
        long length = preset.samples();
        long mels = preset.logMel().nMels();
        long frames = preset.fixedFrames();
        FloatBuffer out = direct(preset.clips() * mels * frames);
        fill(out, preset.padValue());
        long valid = frames;
        for (int i = 0; i < preset.clips(); i++) {
            long start = Math.max(n - length, 0) * i / Math.max(1, preset.clips() - 1);
            long end = Math.min(n, start + length);
            Frames clip = transform(signal.slice((int) start, (int) (end - start)));
            valid = Math.min(valid, clip.count);
            copyFrames(clip, out, i * mels * frames, frames);
        }
        return new Features(new long[] {preset.clips(), 1, mels, frames}, out, valid);
    }

    /** Copies as many frames as fit into [mels, frames] or [frames, mels] at {@code at}. */
    private void copyFrames(Frames in, FloatBuffer out, long at, long frames) {
        int mels = preset.logMel().nMels();
        int kept = (int) Math.min(in.count, frames);
        if (preset.logMel().melMajor()) {
            for (int m = 0; m < mels; m++) {
                out.put((int) (at + m * frames), in.values, (int) (m * in.count), kept);
            }
        } else {
            out.put((int) at, in.values, 0, kept * mels);
        }
    }

    private static void fill(FloatBuffer buffer, float value) {
        for (int i = 0; i < buffer.capacity(); i++) {
            buffer.put(i, value);
        }
    }

    private static FloatBuffer direct(long count) {
        return ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(count, 4L)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
