package io.sensorium.commandline;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.cli.Main;
import io.sensorium.files.Checkout;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code sensorium embed}: published models from files, as the reference computes them. */
class EmbedTest {
    private static final double LIMIT = 1e-9;

    @TempDir
    Path folder;

    private static Path golden(String name) {
        return Checkout.root().resolve("tests/golden").resolve(name);
    }

    static Stream<String> cases() throws IOException {
        List<String> names;
        try (Stream<Path> folders = Files.list(Checkout.root().resolve("tests/golden"))) {
            names = folders.map(path -> path.getFileName().toString())
                    .filter(name -> name.startsWith("model-"))
                    .sorted()
                    .toList();
        }
        assertTrue(names.size() >= 17, names.toString());
        return names.stream();
    }

    private static String run(int code, Object... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] words = Arrays.stream(arguments).map(Object::toString).toArray(String[]::new);
        assertEquals(code, Main.run(new PrintWriter(out, true), new PrintWriter(err, true), words), err.toString());
        return err.toString();
    }

    private Map<String, double[]> embed(Path model, Path in) throws IOException {
        Path out = folder.resolve("out.safetensors");
        assertEquals("", run(0, "embed", "--model", model, "--in", in, "--out", out));
        Map<String, double[]> tensors = new TreeMap<>();
        try (Safetensors file = Safetensors.open(out)) {
            for (String name : file.tensors().keySet()) {
                tensors.put(name, file.doubles(name));
            }
        }
        return tensors;
    }

    private static double nmse(double[] want, double[] got) {
        assertEquals(want.length, got.length);
        double difference = 0;
        double energy = 0;
        for (int i = 0; i < want.length; i++) {
            difference += (got[i] - want[i]) * (got[i] - want[i]);
            energy += want[i] * want[i];
        }
        return difference == 0 ? 0 : difference / energy;
    }

    private static void same(double[] want, double[] got) {
        double error = nmse(want, got);
        assertTrue(error <= LIMIT, "NMSE " + error);
    }

    /** Every output of every case, in the reference's shape. */
    @ParameterizedTest
    @MethodSource("cases")
    void theReferencesNumbersComeOut(String name) throws IOException {
        Path in = golden(name).resolve("expected.safetensors");
        Path out = folder.resolve("out.safetensors");
        assertEquals("", run(0, "embed", "--model", golden(name), "--in", in, "--out", out));
        int compared = 0;
        try (Safetensors want = Safetensors.open(in);
                Safetensors got = Safetensors.open(out)) {
            for (String tensor : want.tensors().keySet()) {
                if (!tensor.matches(
                        "(pixel_|input|context|query|encoder_hidden|mask|spatial_shapes|image_grid_thw).*")) {
                    assertArrayEquals(want.info(tensor).dims(), got.info(tensor).dims(), tensor);
                    double error = nmse(want.doubles(tensor), got.doubles(tensor));
                    assertTrue(error <= LIMIT, tensor + ": NMSE " + error);
                    compared++;
                }
            }
        }
        assertTrue(compared > 0);
    }

    /** The case's model with other names for its weights. */
    private Path rewritten(String name, UnaryOperator<String> names) throws IOException {
        Files.copy(golden(name).resolve("config.json"), folder.resolve("config.json"));
        SafetensorsWriter writer = new SafetensorsWriter();
        try (Safetensors file = Safetensors.open(golden(name).resolve("model.safetensors"))) {
            for (String tensor : file.tensors().keySet()) {
                writer.add(
                        names.apply(tensor),
                        file.floats(tensor),
                        file.info(tensor).dims());
            }
        }
        writer.write(folder.resolve("model.safetensors"));
        return folder;
    }

    @ParameterizedTest
    @CsvSource({
        "model-vit, vit., layers, layers",
        "model-clip-vision, vision_model., x, x",
        "model-siglip-vision, vision_model., x, x",
        "model-ast, audio_spectrogram_transformer., x, x",
        "model-perceiver-encoder, '', perceiver\\., ''",
        "model-idefics2-resampler, model.connector.perceiver_resampler., x, x",
        "model-qformer, qformer., x, x",
    })
    void prefixesOfPublishedFilesAreKnown(String name, String prefix, String from, String to) throws IOException {
        Path model = rewritten(name, tensor -> prefix + tensor.replaceFirst(from, to));
        Path in = golden(name).resolve("expected.safetensors");
        assertEquals(embed(golden(name), in).keySet(), embed(model, in).keySet());
        try (Safetensors want = Safetensors.open(in)) {
            embed(model, in).forEach((tensor, got) -> {
                if (want.tensors().containsKey(tensor)) {
                    same(want.doubles(tensor), got);
                }
            });
        }
    }

    /** Each item has its own queries, and a mask of integers leaves out what another file does not have at all. */
    @Test
    void queriesOfEachItemAndMasks() throws IOException {
        float[] query = new float[2 * 8 * 64];
        float[] hidden = new float[2 * 40 * 48];
        try (Safetensors file = Safetensors.open(golden("model-qformer").resolve("expected.safetensors"))) {
            file.floats("query").get(0, query, 0, 8 * 64);
            file.floats("encoder_hidden").get(0, hidden, 0, 40 * 48);
        }
        for (int i = 0; i < 8 * 64; i++) {
            query[8 * 64 + i] = -query[i];
        }
        System.arraycopy(hidden, 0, hidden, 40 * 48, 40 * 48);
        int[] mask = new int[2 * 40];
        Arrays.fill(mask, 0, 40, 1);
        Arrays.fill(mask, 40 + 3, 80, 1);
        Path in = folder.resolve("in.safetensors");
        new SafetensorsWriter()
                .add("query", FloatBuffer.wrap(query), 2, 8, 64)
                .add("encoder_hidden", FloatBuffer.wrap(hidden), 2, 40, 48)
                .add("mask", IntBuffer.wrap(mask), 2, 40)
                .write(in);
        double[] both = embed(golden("model-qformer"), in).get("hidden");
        try (Safetensors file = Safetensors.open(golden("model-qformer").resolve("expected.safetensors"))) {
            same(file.doubles("hidden"), Arrays.copyOf(both, 8 * 64));
        }
        new SafetensorsWriter()
                .add("query", FloatBuffer.wrap(query, 8 * 64, 8 * 64), 1, 8, 64)
                .add("encoder_hidden", FloatBuffer.wrap(hidden, 43 * 48, 37 * 48), 1, 37, 48)
                .write(in);
        double[] second = embed(golden("model-qformer"), in).get("hidden");
        assertArrayEquals(second, Arrays.copyOfRange(both, 8 * 64, 16 * 64));
        assertTrue(nmse(second, Arrays.copyOf(both, 8 * 64)) > 1e-3);
    }

    @Test
    void anotherConfigurationIsTaken() throws IOException {
        Path model = rewritten("model-vit", name -> name);
        Path config = folder.resolve("config.json");
        Path other = folder.resolve("other.json");
        Files.move(config, other);
        Files.writeString(config, "{\"model_type\":\"vit\",\"hidden_size\":7}");
        Path in = golden("model-vit").resolve("expected.safetensors");
        Path out = folder.resolve("out.safetensors");
        assertTrue(run(2, "embed", "--model", model, "--in", in, "--out", out).contains("missing"));
        assertEquals("", run(0, "embed", "--model", model, "--config", other, "--in", in, "--out", out));
    }

    /** Text goes through the text tower of a directory with a tokenizer.json, and gives what its ids give. */
    @Test
    void encodeTakesTheTowerThatAnInputNeeds() throws IOException {
        Path model = rewritten("model-clip-text", name -> name);
        Files.writeString(
                folder.resolve("tokenizer.json"),
                "{\"version\":\"1.0\",\"added_tokens\":[],\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"model\":{\"type\":"
                        + "\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":3,\"cat\":7,\"end\":49}}}");
        Path out = folder.resolve("tokens.safetensors");
        run(0, "encode", "--model", model, "--text", "a cat end", "--out", out);
        Path in = folder.resolve("in.safetensors");
        new SafetensorsWriter()
                .add("input_ids", LongBuffer.wrap(new long[] {3, 7, 49}), 1, 3)
                .write(in);
        Map<String, double[]> embedded = embed(model, in);
        try (Safetensors encoded = Safetensors.open(out)) {
            assertArrayEquals(embedded.get("hidden"), encoded.doubles("tokens"));
            assertArrayEquals(embedded.get("pooled"), encoded.doubles("latents"));
        }
    }

    @Test
    void whatIsWrongWithTheInputIsSaid() throws IOException {
        Path in = folder.resolve("in.safetensors");
        Path out = folder.resolve("out.safetensors");
        new SafetensorsWriter().add("pixels", FloatBuffer.allocate(4), 4).write(in);
        assertTrue(run(2, "embed", "--model", golden("model-vit"), "--in", in, "--out", out)
                .contains("has no tensor pixel_values"));
        new SafetensorsWriter()
                .add("pixel_values", FloatBuffer.allocate(3 * 64 * 64), 3, 64, 64)
                .write(in);
        assertTrue(run(2, "embed", "--model", golden("model-vit"), "--in", in, "--out", out)
                .contains("pixel_values is [3, 64, 64]; a shape of 4 sizes"));
        new SafetensorsWriter()
                .add("input_values", FloatBuffer.allocate(128 * 128), 1, 128, 128)
                .write(in);
        assertTrue(run(2, "embed", "--model", golden("model-ast"), "--in", in, "--out", out)
                .contains("the model takes 256 frames of 128"));
        new SafetensorsWriter()
                .add("inputs", FloatBuffer.allocate(2 * 48), 1, 2, 48)
                .add("mask", LongBuffer.allocate(3), 1, 3)
                .write(in);
        assertTrue(run(2, "embed", "--model", golden("model-perceiver-encoder"), "--in", in, "--out", out)
                .contains("a mask of [1, 2] is needed"));
        new SafetensorsWriter()
                .add("encoder_hidden", FloatBuffer.allocate(2 * 48), 1, 2, 48)
                .write(in);
        assertTrue(run(2, "embed", "--model", golden("model-qformer"), "--in", in, "--out", out)
                .contains("query_tokens"));
        assertTrue(!Files.exists(out));
    }
}
