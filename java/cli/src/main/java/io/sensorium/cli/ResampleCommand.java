package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Sound at another sample rate. */
@Command(
        name = "resample",
        description = "Sound at another sample rate by torchaudio's rule (sinc_interp_hann), as safetensors 'output'.")
final class ResampleCommand implements Callable<Integer> {
    @Option(
            names = "--from",
            required = true,
            paramLabel = "HZ",
            description = "Rate of the sound, whatever a WAV says.")
    private int from;

    @Option(names = "--to", required = true, paramLabel = "HZ", description = "Rate that is wanted.")
    private int to;

    @Option(
            names = "--in",
            required = true,
            paramLabel = "F",
            description =
                    "A WAV, a .npy, or a tensor as FILE.safetensors#name ('input' if none is named); [..., samples].")
    private String in;

    @Option(names = "--out", required = true, paramLabel = "F", description = "The safetensors file to write.")
    private Path out;

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Inputs.checkWritable(out);
        InputFile file = InputFile.of(in);
        InputFile.Sounds sounds = file.sounds(0, "input");
        if (sounds.clips().isEmpty()) {
            throw new UserError(file.name() + ": no sound");
        }
        long[] leading = sounds.leading() == null ? new long[0] : sounds.leading();
        FloatBuffer values = null;
        int samples = 0;
        long start = System.nanoTime();
        try (Engine engine = options.open()) {
            for (FloatBuffer clip : sounds.clips()) {
                FloatBuffer one = Inputs.named(file.name(), () -> Inputs.atRate(engine, clip, from, to));
                samples = one.remaining();
                if (values == null) {
                    values = ByteBuffer.allocateDirect(Math.toIntExact(
                                    4L * samples * sounds.clips().size()))
                            .order(ByteOrder.nativeOrder())
                            .asFloatBuffer();
                }
                values.put(one.duplicate());
            }
        }
        double millis = (System.nanoTime() - start) / 1e6;
        long[] shape = LongStream.concat(LongStream.of(leading), LongStream.of(samples))
                .toArray();
        new SafetensorsWriter()
                .metadata("sample_rate", String.valueOf(to))
                .add("output", values.flip(), shape)
                .write(out);
        if (options.json) {
            ObjectNode root = new ObjectMapper()
                    .createObjectNode()
                    .put("from", from)
                    .put("to", to)
                    .put("milliseconds", millis)
                    .put("out", out.toString());
            var sizes = root.putArray("shape");
            LongStream.of(shape).forEach(sizes::add);
            spec.commandLine().getOut().println(root.toPrettyString());
        } else {
            new Table("rrlr", "from", "to", "shape", "ms")
                    .row(from + " Hz", to + " Hz", Arrays.toString(shape), String.format(Locale.ROOT, "%.2f", millis))
                    .print(spec.commandLine().getOut());
        }
        return 0;
    }
}
