package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.ClipRange;
import io.sensorium.Engine;
import io.sensorium.FeatureNorm;
import io.sensorium.LogMelConfig;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.AudioFrontEnd;
import io.sensorium.models.AudioPreset;
import io.sensorium.models.ImageFrontEnd;
import io.sensorium.models.ImagePreset;
import io.sensorium.models.ImagePresets;
import io.sensorium.models.LogMelPresets;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What a published front end gives: log-mel features of a sound, pixel values of a picture. */
@Command(
        name = "features",
        description = {
            "What a published front end gives for a sound (tensor 'features') or a picture (tensor 'pixel_values'), as",
            "safetensors. --config is a preprocessor_config.json; of a picture it needs no --preset."
        })
final class FeaturesCommand implements Callable<Integer> {
    @Option(names = "--preset", completionCandidates = Names.class, description = "One of: ${COMPLETION-CANDIDATES}.")
    private String preset;

    @Option(names = "--config", paramLabel = "F", description = "A preprocessor_config.json, read over the preset.")
    private Path config;

    @Option(names = "--list", description = "List the presets of sound and what of them can be streamed.")
    private boolean list;

    @ArgGroup(exclusive = true, multiplicity = "0..1")
    private Input input;

    static final class Input {
        @Option(names = "--audio", required = true, paramLabel = "F", description = "A WAV file, resampled if need be.")
        private Path audio;

        @Option(names = "--image", required = true, paramLabel = "F", description = "A PNG or JPEG.")
        private Path image;
    }

    @Option(names = "--out", paramLabel = "F", description = "The safetensors file to write.")
    private Path out;

    @Option(
            names = "--stream",
            paramLabel = "MS",
            description = "Feed the sound in chunks of so many milliseconds; features are [frames, mels], unpadded.")
    private Double stream;

    @Option(
            names = "--maximum",
            paramLabel = "X",
            description = "With --stream: the maximum below which values are clipped, in log units (Whisper: 1.5).")
    private Double maximum;

    @Option(
            names = "--check-offline",
            description = "With --stream: fail unless the features equal those of the whole sound bit for bit.")
    private boolean checkOffline;

    @Option(names = "--threads", paramLabel = "N", description = "Threads; 0 (default) = all processors.")
    private int threads;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (list) {
            list();
            return 0;
        }
        if (input == null || (out == null && stream == null)) {
            throw new ParameterException(
                    spec.commandLine(), "--audio or --image, and --out (or --stream), are needed; or --list");
        }
        if ((stream == null || input.audio == null) && (stream != null || maximum != null || checkOffline)) {
            throw new ParameterException(
                    spec.commandLine(), "--maximum and --check-offline need --stream, and --stream needs --audio");
        }
        if (out != null) {
            Inputs.checkWritable(out);
        }
        return input.image != null ? image(input.image) : audio(input.audio);
    }

    private int image(Path file) throws IOException {
        if (preset == null && config == null) {
            throw new ParameterException(spec.commandLine(), "--image needs --preset or --config");
        }
        ImagePreset chosen = config == null
                ? ImagePresets.get(preset)
                : preset == null
                        ? ImagePresets.configured(ModelLoader.readConfig(config))
                        : ImagePresets.configured(preset, ModelLoader.readConfig(config));
        Picture picture = Pictures.read(file);
        ImageFrontEnd.Pixels pixels;
        long nanos;
        try (Engine engine = Engine.builder().threads(threads).open()) {
            ImageFrontEnd frontEnd = new ImageFrontEnd(engine, chosen);
            long start = System.nanoTime();
            pixels = Inputs.named(
                    file.getFileName().toString(),
                    () -> frontEnd.run(picture.pixels(), picture.height(), picture.width()));
            nanos = System.nanoTime() - start;
        }
        SafetensorsWriter writer =
                new SafetensorsWriter().metadata("preset", chosen.name()).metadata("reference", chosen.reference());
        long[] shape = pixels.shape();
        if (chosen.layout() != ImagePreset.Layout.MERGED) {
            shape = LongStream.concat(LongStream.of(1), Arrays.stream(shape)).toArray();
        }
        writer.add("pixel_values", pixels.values(), shape);
        if (chosen.layout() == ImagePreset.Layout.PATCHES) {
            int most = (int) shape[1];
            int[] mask = new int[most];
            Arrays.fill(mask, 0, pixels.gridH() * pixels.gridW(), 1);
            writer.add("pixel_attention_mask", IntBuffer.wrap(mask), 1, most);
            writer.add("spatial_shapes", LongBuffer.wrap(new long[] {pixels.gridH(), pixels.gridW()}), 1, 2);
        } else if (chosen.layout() == ImagePreset.Layout.MERGED) {
            writer.add("image_grid_thw", LongBuffer.wrap(new long[] {1, pixels.gridH(), pixels.gridW()}), 1, 3);
        }
        writer.write(out);
        if (json) {
            ObjectNode root = new ObjectMapper()
                    .createObjectNode()
                    .put("preset", chosen.name())
                    .put("reference", chosen.reference())
                    .put("height", pixels.height())
                    .put("width", pixels.width())
                    .put("milliseconds", nanos / 1e6)
                    .put("out", out.toString());
            ArrayNode sizes = root.putArray("shape");
            for (long size : shape) {
                sizes.add(size);
            }
            spec.commandLine().getOut().println(root.toPrettyString());
        } else {
            new Table("lllrr", "preset", "picture", "shape", "pixels", "ms")
                    .row(
                            chosen.name(),
                            picture.width() + "×" + picture.height(),
                            Arrays.toString(shape),
                            pixels.width() + "×" + pixels.height(),
                            String.format(Locale.ROOT, "%.2f", nanos / 1e6))
                    .print(spec.commandLine().getOut());
        }
        return 0;
    }

    private int audio(Path audio) throws IOException {
        if (preset == null) {
            throw new ParameterException(spec.commandLine(), "--audio needs --preset");
        }
        AudioPreset chosen = config == null
                ? LogMelPresets.get(preset)
                : LogMelPresets.configured(preset, ModelLoader.readConfig(config), 16000);
        if (stream != null) {
            return stream(chosen, audio, stream);
        }
        Sound sound = Wav.read(audio);
        int rate = chosen.logMel().sampleRate();
        AudioFrontEnd.Features features;
        long nanos;
        try (Engine engine = Engine.builder().threads(threads).open();
                AudioFrontEnd frontEnd = new AudioFrontEnd(engine, chosen)) {
            String name = audio.getFileName().toString();
            var samples = Inputs.named(name, () -> Inputs.atRate(engine, sound, rate));
            long start = System.nanoTime();
            features = Inputs.named(name, () -> frontEnd.run(samples));
            nanos = System.nanoTime() - start;
        }
        new SafetensorsWriter()
                .metadata("preset", preset)
                .metadata("reference", chosen.reference())
                .metadata("valid_frames", String.valueOf(features.validFrames()))
                .add("features", features.values(), features.shape())
                .write(out);
        if (json) {
            ObjectNode root = new ObjectMapper()
                    .createObjectNode()
                    .put("preset", preset)
                    .put("reference", chosen.reference())
                    .put("sample_rate", rate)
                    .put("valid_frames", features.validFrames())
                    .put("milliseconds", nanos / 1e6)
                    .put("out", out.toString());
            ArrayNode shape = root.putArray("shape");
            for (long size : features.shape()) {
                shape.add(size);
            }
            spec.commandLine().getOut().println(root.toPrettyString());
        } else {
            new Table("llrrr", "preset", "shape", "valid frames", "time span", "ms")
                    .row(
                            preset,
                            Arrays.toString(features.shape()),
                            features.validFrames(),
                            String.format(Locale.ROOT, "0.000–%.3f s", sound.micros() / 1e6),
                            String.format(Locale.ROOT, "%.2f", nanos / 1e6))
                    .print(spec.commandLine().getOut());
        }
        return 0;
    }

    private void list() {
        Table table = new Table("lrrrrlll", "preset", "rate", "n_fft", "hop", "mels", "length", "stream", "reference");
        for (AudioPreset p : LogMelPresets.all().values()) {
            LogMelConfig c = p.logMel();
            String length = p.clips() > 1
                    ? p.clips() + " clips of " + p.samples()
                    : p.samples() > 0
                            ? p.fit().name().toLowerCase(Locale.ROOT) + " " + p.samples()
                            : p.fixedFrames() > 0 ? p.fixedFrames() + " frames" : "any";
            String streamed = c.norm() != FeatureNorm.NONE
                    ? "no: z-score"
                    : c.clip() == ClipRange.CLIP_MAX ? "fixed maximum" : "bit-equal";
            table.row(p.name(), c.sampleRate(), c.nFft(), c.hop(), c.nMels(), length, streamed, p.reference());
        }
        table.print(spec.commandLine().getOut());
    }

    private int stream(AudioPreset chosen, Path file, double millis) throws IOException {
        if (!(millis > 0 && millis <= 1e7)) {
            throw new ParameterException(spec.commandLine(), "--stream: milliseconds above 0 and up to 10000000");
        }
        Sound sound = Wav.read(file);
        LogMelConfig logMel = FeatureStream.config(chosen, maximum);
        FeatureStream.Run run;
        boolean equal = true;
        try (Engine engine = Engine.builder().threads(threads).open()) {
            run = FeatureStream.run(engine, logMel, sound, millis);
            if (checkOffline) {
                equal = same(run.values(), FeatureStream.offline(engine, logMel, sound));
            }
        }
        if (out != null) {
            new SafetensorsWriter()
                    .metadata("preset", chosen.name())
                    .metadata("reference", chosen.reference())
                    .add("features", run.values(), run.frames(), logMel.nMels())
                    .write(out);
        }
        String offline = !checkOffline ? "not compared" : equal ? "bit-equal" : "DIFFERENT";
        if (json) {
            spec.commandLine()
                    .getOut()
                    .println(new ObjectMapper()
                            .createObjectNode()
                            .put("preset", chosen.name())
                            .put("frames", run.frames())
                            .put("chunks", run.pushes())
                            .put("latency_milliseconds", run.latencyMicros() / 1e3)
                            .put("microseconds_per_chunk", run.nanos() / 1e3 / Math.max(1, run.pushes()))
                            .put("offline", offline)
                            .toPrettyString());
        } else {
            new Table("lrrrrl", "preset", "frames", "chunks", "latency", "µs/chunk", "offline")
                    .row(
                            chosen.name(),
                            run.frames(),
                            run.pushes(),
                            String.format(Locale.ROOT, "%.2f ms", run.latencyMicros() / 1e3),
                            String.format(Locale.ROOT, "%.1f", run.nanos() / 1e3 / Math.max(1, run.pushes())),
                            offline)
                    .print(spec.commandLine().getOut());
        }
        return equal ? 0 : Main.FAILED;
    }

    private static boolean same(FloatBuffer a, FloatBuffer b) {
        if (a.remaining() != b.remaining()) {
            return false;
        }
        for (int i = 0; i < a.remaining(); i++) {
            if (Float.floatToRawIntBits(a.get(a.position() + i)) != Float.floatToRawIntBits(b.get(b.position() + i))) {
                return false;
            }
        }
        return true;
    }

    /** Preset names for the help text. */
    static final class Names implements Iterable<String> {
        @Override
        public java.util.Iterator<String> iterator() {
            return Stream.concat(LogMelPresets.all().keySet().stream(), ImagePresets.all().keySet().stream())
                    .iterator();
        }
    }
}
