package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.ClipRange;
import io.sensorium.Engine;
import io.sensorium.FeatureNorm;
import io.sensorium.LogMelConfig;
import io.sensorium.media.Sound;
import io.sensorium.models.AudioPreset;
import io.sensorium.models.ImagePreset;
import io.sensorium.models.ImagePresets;
import io.sensorium.models.LogMelPresets;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.Parameters;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What a published front end gives: log-mel features of a sound, pixel values of a picture. */
@Command(
        name = "features",
        description = {
            "What a published front end gives for a sound (tensor 'features') or a picture ('pixel_values' and what its",
            "reference puts beside them), as safetensors."
        })
final class FeaturesCommand implements Callable<Integer> {
    @Option(names = "--preset", completionCandidates = Names.class, description = "One of: ${COMPLETION-CANDIDATES}.")
    private String preset;

    @Option(
            names = "--config",
            paramLabel = "F",
            description = "A preprocessor_config.json, read over the preset; without one it names its own.")
    private Path config;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description =
                    "One parameter by its published name, over the file's (n_fft=512, size.height=384); repeatable.")
    private List<String> set = new ArrayList<>();

    @Option(
            names = "--in",
            paramLabel = "F",
            description = "A WAV, a picture, a .npy, or a tensor as FILE.safetensors#name. Several give a batch.")
    private List<String> in = new ArrayList<>();

    @Option(
            names = "--rate",
            paramLabel = "HZ",
            description = "Sample rate of a .npy or a tensor; the preset's own if it is not given.")
    private Integer rate;

    @Option(names = "--list", description = "List the presets of sound and what of them can be streamed.")
    private boolean list;

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

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (list) {
            list();
            return 0;
        }
        if (in.isEmpty() || (out == null && stream == null)) {
            throw wrong("--in and --out (or --stream) are needed; or --list");
        }
        if (stream == null && (maximum != null || checkOffline)) {
            throw wrong("--maximum and --check-offline need --stream");
        }
        if (rate != null && rate < 1) {
            throw wrong("--rate: at least 1 Hz");
        }
        Inputs.checkWritable(out);
        Parameters parameters = config == null ? Parameters.NONE : Parameters.of(ModelLoader.readConfig(config));
        String name = name(parameters);
        for (String assignment : set) {
            parameters = parameters.with(assignment);
        }
        return ImagePresets.all().containsKey(name) ? pictures(name, parameters) : sounds(name, parameters);
    }

    /** The preset that is given, or else the one of the file. */
    private String name(Parameters parameters) {
        String name = preset;
        if (name == null) {
            name = ImagePresets.named(parameters);
        }
        if (name == null) {
            name = LogMelPresets.named(parameters);
        }
        if (name == null) {
            throw wrong(
                    config == null
                            ? "--preset or --config is needed"
                            : "--config names no front end that is known; give its --preset");
        }
        List<String> names = new ArrayList<>();
        new Names().forEach(names::add);
        if (!names.contains(name)) {
            throw new UserError("no preset '" + name + "'; there are " + String.join(", ", names));
        }
        return name;
    }

    private ParameterException wrong(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    private int pictures(String name, Parameters parameters) throws IOException {
        if (stream != null || rate != null) {
            throw wrong("--stream and --rate are for sound; " + name + " takes pictures");
        }
        ImagePreset chosen = ImagePresets.configured(name, parameters);
        PictureFeatures features;
        try (Engine engine = options.open()) {
            features = PictureFeatures.run(
                    engine, chosen, in.stream().map(InputFile::of).toList());
        }
        SafetensorsWriter writer =
                new SafetensorsWriter().metadata("preset", chosen.name()).metadata("reference", chosen.reference());
        features.addTo(writer);
        writer.write(out);
        if (options.json) {
            ObjectNode root = root(chosen.name(), chosen.reference());
            features.describe(root);
            print(root.put("out", out.toString()));
        } else {
            features.table().print(spec.commandLine().getOut());
        }
        return 0;
    }

    private int sounds(String name, Parameters parameters) throws IOException {
        List<InputFile.Sounds> inputs = new ArrayList<>();
        for (String text : in) {
            InputFile file = InputFile.of(text);
            if (rate != null && !file.isTensor()) {
                throw wrong("--rate: " + file.name() + " tells its own");
            }
            inputs.add(file.sounds(rate == null ? 0 : rate, "waveform"));
        }
        AudioPreset chosen =
                LogMelPresets.configured(name, parameters, inputs.get(0).rate());
        if (stream != null) {
            InputFile.Sounds one = inputs.get(0);
            if (inputs.size() > 1 || one.clips().size() != 1) {
                throw wrong("--stream takes one sound");
            }
            int own = one.rate() == 0 ? chosen.logMel().sampleRate() : one.rate();
            return stream(chosen, new Sound(one.clips().get(0), own, 1), stream);
        }
        SoundFeatures features;
        try (Engine engine = options.open()) {
            features = SoundFeatures.run(
                    engine, chosen, inputs, InputFile.of(in.get(0)).name());
        }
        SafetensorsWriter writer =
                new SafetensorsWriter().metadata("preset", name).metadata("reference", chosen.reference());
        features.addTo(writer);
        writer.write(out);
        if (options.json) {
            ObjectNode root = root(name, chosen.reference());
            features.describe(root);
            print(root.put("out", out.toString()));
        } else {
            features.table().print(spec.commandLine().getOut());
        }
        return 0;
    }

    private static ObjectNode root(String name, String reference) {
        return new ObjectMapper().createObjectNode().put("preset", name).put("reference", reference);
    }

    private void print(ObjectNode root) {
        spec.commandLine().getOut().println(root.toPrettyString());
    }

    private void list() {
        Table table = new Table("lrrrrlll", "preset", "rate", "n_fft", "hop", "mels", "length", "stream", "reference");
        for (AudioPreset p : LogMelPresets.all().values()) {
            LogMelConfig c = p.logMel();
            String length = p.clips() > 0
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

    private int stream(AudioPreset chosen, Sound sound, double millis) throws IOException {
        if (!(millis > 0 && millis <= 1e7)) {
            throw wrong("--stream: milliseconds above 0 and up to 10000000");
        }
        LogMelConfig logMel = FeatureStream.config(chosen, maximum);
        FeatureStream.Run run;
        boolean equal = true;
        try (Engine engine = options.open()) {
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
        if (options.json) {
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
