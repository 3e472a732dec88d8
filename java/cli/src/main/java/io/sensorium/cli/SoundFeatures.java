package io.sensorium.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.models.AudioFrontEnd;
import io.sensorium.models.AudioPreset;
import io.sensorium.models.SafetensorsWriter;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/** Features of one sound, or of several with their mask and valid counts. */
final class SoundFeatures {
    private final AudioPreset preset;
    private final long[] shape;
    private final FloatBuffer values;
    private final long[] leading;
    private final long[] valid;
    private final boolean[][] mask;
    private final double seconds;
    private final long nanos;

    private SoundFeatures(
            AudioPreset preset,
            long[] shape,
            FloatBuffer values,
            long[] leading,
            long[] valid,
            boolean[][] mask,
            double seconds,
            long nanos) {
        this.preset = preset;
        this.shape = shape;
        this.values = values;
        this.leading = leading;
        this.valid = valid;
        this.mask = mask;
        this.seconds = seconds;
        this.nanos = nanos;
    }

    /** @param inputs several give a batch, each as long as the longest */
    static SoundFeatures run(Engine engine, AudioPreset preset, List<InputFile.Sounds> inputs, String name) {
        int rate = preset.logMel().sampleRate();
        List<FloatBuffer> clips = new ArrayList<>();
        double seconds = 0;
        for (InputFile.Sounds sounds : inputs) {
            int from = sounds.rate() == 0 ? rate : sounds.rate();
            for (FloatBuffer clip : sounds.clips()) {
                seconds = Math.max(seconds, (double) clip.remaining() / from);
                clips.add(Inputs.named(name, () -> Inputs.atRate(engine, clip, from, rate)));
            }
        }
        long[] leading =
                inputs.size() > 1 ? new long[] {clips.size()} : inputs.get(0).leading();
        try (AudioFrontEnd frontEnd = new AudioFrontEnd(engine, preset)) {
            long start = System.nanoTime();
            if (leading == null) {
                AudioFrontEnd.Features one = Inputs.named(name, () -> frontEnd.run(clips.get(0)));
                return new SoundFeatures(
                        preset,
                        one.shape(),
                        one.values(),
                        null,
                        new long[] {one.validFrames()},
                        null,
                        seconds,
                        System.nanoTime() - start);
            }
            AudioFrontEnd.Batch batch = Inputs.named(name, () -> frontEnd.batch(clips));
            long[] item = Arrays.copyOfRange(batch.shape(), 1, batch.shape().length);
            return new SoundFeatures(
                    preset,
                    join(leading, item),
                    batch.values(),
                    leading,
                    batch.validFrames(),
                    batch.mask(),
                    seconds,
                    System.nanoTime() - start);
        }
    }

    void addTo(SafetensorsWriter writer) {
        writer.add("features", values, shape);
        if (leading == null) {
            writer.metadata("valid_frames", String.valueOf(valid[0]));
            return;
        }
        int rows = mask[0].length;
        int[] ones = new int[mask.length * rows];
        for (int i = 0; i < ones.length; i++) {
            ones[i] = mask[i / rows][i % rows] ? 1 : 0;
        }
        writer.add("attention_mask", IntBuffer.wrap(ones), join(leading, rows));
        writer.add("valid_frames", LongBuffer.wrap(valid), leading);
    }

    private static long[] join(long[] a, long... b) {
        return LongStream.concat(LongStream.of(a), LongStream.of(b)).toArray();
    }

    void describe(ObjectNode json) {
        json.put("sample_rate", preset.logMel().sampleRate());
        if (leading == null) {
            json.put("valid_frames", valid[0]);
        } else {
            var counts = json.putArray("valid_frames");
            LongStream.of(valid).forEach(counts::add);
        }
        json.put("milliseconds", nanos / 1e6);
        var sizes = json.putArray("shape");
        LongStream.of(shape).forEach(sizes::add);
    }

    Table table() {
        return new Table("llrrr", "preset", "shape", "valid frames", "time span", "ms")
                .row(
                        preset.name(),
                        Arrays.toString(shape),
                        leading == null ? valid[0] : Arrays.toString(valid),
                        String.format(Locale.ROOT, "0.000–%.3f s", seconds),
                        String.format(Locale.ROOT, "%.2f", nanos / 1e6));
    }
}
