package io.sensorium.commandline;

import static io.sensorium.commandline.Commands.ok;
import static io.sensorium.commandline.Commands.refused;
import static io.sensorium.commandline.Commands.sample;
import static io.sensorium.commandline.Commands.speech;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.files.Checkout;
import io.sensorium.models.DType;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code features} and {@code resample} as a user runs them. */
class FeaturesCommandTest {
    private static final double FLOAT64_NMSE = 1e-10;
    private static final double LOG_FEATURES = 5e-4;
    private static final double PIXELS = 1e-6;

    @TempDir
    Path folder;

    private static Path golden(String name) {
        return Checkout.root().resolve("tests/golden").resolve(name);
    }

    static List<String> cases(String... prefixes) throws IOException {
        try (Stream<Path> all = Files.list(golden("."))) {
            return all.map(path -> path.getFileName().toString())
                    .filter(name -> Arrays.stream(prefixes).anyMatch(name::startsWith))
                    .sorted()
                    .toList();
        }
    }

    static List<String> sounds() throws IOException {
        return cases("audio-");
    }

    static List<String> pictures() throws IOException {
        return cases("image-");
    }

    static List<String> resamplings() throws IOException {
        return cases("resample-");
    }

    private static JsonNode description(String name) throws IOException {
        return new ObjectMapper().readTree(golden(name).resolve("case.json").toFile());
    }

    private List<Object> command(String name) throws IOException {
        List<Object> words = new ArrayList<>(List.of("features", "--out", folder.resolve("f.safetensors")));
        if (Files.exists(golden(name).resolve("config.json"))) {
            words.addAll(List.of("--config", golden(name).resolve("config.json")));
        }
        return words;
    }

    /** Every case of tests/golden by nothing but its files and the command. */
    @ParameterizedTest
    @MethodSource("sounds")
    void everySoundIsThatOfItsReference(String name) throws IOException {
        JsonNode json = description(name);
        List<Object> words = command(name);
        words.addAll(List.of("--preset", json.path("preset").asText()));
        Path file = golden(name).resolve("expected.safetensors");
        try (Safetensors expected = Safetensors.open(file)) {
            for (String tensor : expected.tensors().keySet()) {
                if (tensor.startsWith("waveform")) {
                    words.addAll(List.of(
                            "--in",
                            file + "#" + tensor,
                            "--rate",
                            tensor.equals("waveform48k")
                                    ? 48000
                                    : json.path("sample_rate").asInt()));
                }
            }
            if (!words.contains("--in")) {
                words.addAll(
                        json.has("count")
                                ? part(json)
                                : List.of("--in", sample(json.path("input").asText())));
            }
            ok(words.toArray());
            try (Safetensors got = Safetensors.open(folder.resolve("f.safetensors"))) {
                double[] want = expected.doubles("features");
                long[] kept = expected.info("features").dims();
                double[] values = leading(got, kept, json.path("axis").asInt(0));
                if (expected.info("features").dtype() == DType.F64) {
                    assertNmse(want, values);
                } else {
                    assertArrayEquals(want, values, LOG_FEATURES);
                }
            }
        }
    }

    /** The samples that a case names with offset and count, as a tensor. */
    private List<Object> part(JsonNode json) throws IOException {
        FloatBuffer all =
                io.sensorium.media.Wav.read(sample(json.path("input").asText())).samples();
        Path file = folder.resolve("part.safetensors");
        int count = json.path("count").asInt();
        new SafetensorsWriter()
                .add("x", all.slice(json.path("offset").asInt(), count), count)
                .write(file);
        return List.of("--in", file + "#x", "--rate", json.path("sample_rate").asInt());
    }

    /** What is kept in the case: the first ones along the axis. */
    private static double[] leading(Safetensors got, long[] kept, int axis) {
        long[] shape = got.info("features").dims();
        double[] all = got.doubles("features");
        if (Arrays.equals(shape, kept)) {
            return all;
        }
        int outer = 1;
        int inner = 1;
        for (int i = 0; i < shape.length; i++) {
            assertTrue(i == axis || shape[i] == kept[i], Arrays.toString(shape));
            outer *= i < axis ? (int) shape[i] : 1;
            inner *= i > axis ? (int) shape[i] : 1;
        }
        int row = (int) kept[axis] * inner;
        double[] out = new double[outer * row];
        for (int i = 0; i < outer; i++) {
            System.arraycopy(all, i * (int) shape[axis] * inner, out, i * row, row);
        }
        return out;
    }

    private static void assertNmse(double[] want, double[] got) {
        assertEquals(want.length, got.length);
        double difference = 0;
        double energy = 0;
        for (int i = 0; i < want.length; i++) {
            difference += (got[i] - want[i]) * (got[i] - want[i]);
            energy += want[i] * want[i];
        }
        assertTrue(difference <= FLOAT64_NMSE * energy, "NMSE " + difference / energy);
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void everyPictureIsThatOfItsReference(String name) throws IOException {
        JsonNode json = description(name);
        List<Object> words = command(name);
        Path file = golden(name).resolve("expected.safetensors");
        try (Safetensors expected = Safetensors.open(file)) {
            Path own = golden(name).resolve(json.path("input").asText());
            words.addAll(List.of(
                    "--in", Files.exists(own) ? own : sample(json.path("input").asText())));
            ok(words.toArray());
            try (Safetensors got = Safetensors.open(folder.resolve("f.safetensors"))) {
                for (String tensor : expected.tensors().keySet()) {
                    assertArrayEquals(
                            expected.info(tensor).dims(), got.info(tensor).dims());
                    assertEquals(expected.info(tensor).dtype(), got.info(tensor).dtype());
                    double limit = expected.info(tensor).dtype() == DType.F32 ? PIXELS : 0;
                    assertArrayEquals(expected.doubles(tensor), got.doubles(tensor), limit, tensor);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("resamplings")
    void everyResamplingIsThatOfTorchaudio(String name) throws IOException {
        JsonNode json = description(name);
        Path out = folder.resolve("r.safetensors");
        Path file = golden(name).resolve("expected.safetensors");
        Object[] rates = {json.path("orig").asInt(), json.path("new").asInt()};
        ok("resample", "--from", rates[0], "--to", rates[1], "--in", file, "--out", out);
        try (Safetensors expected = Safetensors.open(file);
                Safetensors got = Safetensors.open(out)) {
            assertArrayEquals(expected.info("output").dims(), got.info("output").dims());
            assertNmse(expected.doubles("output"), got.doubles("output"));
        }
    }

    /** SigLIP2's and Qwen2-VL's processors without their arithmetic are einops' two patch orders. */
    @Test
    void patchesAreThoseOfEinops() throws IOException {
        Path out = folder.resolve("p.safetensors");
        Path file = golden("patches-einops").resolve("expected.safetensors");
        String[] plain = {"--set", "do_resize=false", "--set", "do_rescale=false", "--set", "do_normalize=false"};
        List<Object> words = new ArrayList<>(List.of("features", "--in", file + "#input", "--out", out));
        words.addAll(List.of(plain));
        List<Object> last = new ArrayList<>(words);
        last.addAll(List.of("--preset", "siglip2-naflex", "--set", "max_num_patches=15"));
        ok(last.toArray());
        compare(file, "patches", out, 2, 15, 768);
        words.addAll(List.of("--preset", "qwen2-vl", "--set", "patch_size=16", "--set", "merge_size=1"));
        words.addAll(List.of("--set", "temporal_patch_size=1"));
        ok(words.toArray());
        compare(file, "patches_chw", out, 30, 768);
    }

    private static void compare(Path file, String tensor, Path out, long... shape) throws IOException {
        try (Safetensors expected = Safetensors.open(file);
                Safetensors got = Safetensors.open(out)) {
            assertArrayEquals(shape, got.info("pixel_values").dims());
            assertArrayEquals(expected.doubles(tensor), got.doubles("pixel_values"));
        }
    }

    @Test
    void featuresAreWritten() throws IOException {
        Path out = folder.resolve("f.safetensors");
        Commands.Run run = ok("features", "--preset", "whisper-80", "--in", speech(), "--out", out, "--json");
        JsonNode json = new ObjectMapper().readTree(run.out());
        assertEquals(710, json.path("valid_frames").asInt());
        assertEquals("[80,3000]", json.path("shape").toString());
        // CLAP's rate is three times the file's: it is resampled.
        ok("features", "--preset", "clap", "--in", speech(), "--out", out);
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(new long[] {1, 1001, 64}, file.info("features").dims());
        }
    }

    /** Clips of several files, or of one tensor, are a batch in which none changes another. */
    @Test
    void batchesComeWithTheirMask() throws IOException {
        FloatBuffer speech = io.sensorium.media.Wav.read(speech()).samples();
        Path tensors = folder.resolve("clips.safetensors");
        new SafetensorsWriter()
                .add("two", speech.slice(20000, 8000), 2, 4000)
                .add("short", speech.slice(20000, 4000), 4000)
                .add("long", speech.slice(40000, 9000), 9000)
                .write(tensors);
        Path out = folder.resolve("f.safetensors");
        ok("features", "--preset", "speech2text", "--in", tensors + "#short", "--out", out);
        double[] alone;
        try (Safetensors file = Safetensors.open(out)) {
            alone = file.doubles("features");
        }
        Object[] both = {
            "features", "--preset", "speech2text", "--in", tensors + "#short", "--in", tensors + "#long", "--out", out
        };
        ok(both);
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(new long[] {2, 54, 80}, file.info("features").dims());
            assertArrayEquals(new double[] {23, 54}, file.doubles("valid_frames"));
            assertArrayEquals(alone, Arrays.copyOf(file.doubles("features"), alone.length));
            double[] mask = file.doubles("attention_mask");
            for (int i = 0; i < 2 * 54; i++) {
                assertEquals(i < 23 || i >= 54 ? 1 : 0, mask[i]);
            }
        }
        ok("features", "--preset", "torchaudio", "--in", tensors + "#two", "--rate", 8000, "--out", out);
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(new long[] {2, 128, 21}, file.info("features").dims());
        }
    }

    @Test
    void parametersAreSetByTheirPublishedNames() throws IOException {
        Path out = folder.resolve("f.safetensors");
        Path config = Files.writeString(folder.resolve("c.json"), "{\"n_fft\": 1024, \"n_mels\": 40, \"norm\": null}");
        ok("features", "--preset", "librosa", "--config", config, "--in", speech(), "--out", out);
        double[] file;
        try (Safetensors f = Safetensors.open(out)) {
            file = f.doubles("features");
            assertArrayEquals(new long[] {40, 222}, f.info("features").dims());
        }
        // One by one; the last of a key wins, over the file too. 401 and 1103 are no product of 2, 3 and 5.
        Object[] ones = {
            "features",
            "--preset",
            "librosa",
            "--config",
            config,
            "--set",
            "n_fft=401",
            "--set",
            "n_fft=1024",
            "--set",
            "norm=None",
            "--in",
            speech(),
            "--out",
            out
        };
        ok(ones);
        try (Safetensors f = Safetensors.open(out)) {
            assertArrayEquals(file, f.doubles("features"));
        }
        Object[] prime = {
            "features",
            "--preset",
            "torchaudio",
            "--set",
            "n_fft=1103",
            "--set",
            "hop_length=551",
            "--set",
            "center=false",
            "--in",
            speech(),
            "--out",
            out
        };
        ok(prime);
        try (Safetensors f = Safetensors.open(out)) {
            assertArrayEquals(
                    new long[] {128, 1 + (113600 - 1103) / 551},
                    f.info("features").dims());
        }
        Object[] sides = {
            "features",
            "--preset",
            "clip",
            "--set",
            "size.height=40",
            "--set",
            "size.width=60",
            "--set",
            "do_center_crop=false",
            "--set",
            "do_rescale=false",
            "--set",
            "do_normalize=false",
            "--in",
            sample("chelsea.png"),
            "--out",
            out
        };
        ok(sides);
        try (Safetensors f = Safetensors.open(out)) {
            assertArrayEquals(new long[] {1, 3, 40, 60}, f.info("pixel_values").dims());
            assertEquals(DType.U8, f.info("pixel_values").dtype());
        }
        refused(
                "torchaudio has no parameter 'nfft'; there are center, f_max",
                "features",
                "--preset",
                "torchaudio",
                "--set",
                "nfft=3",
                "--in",
                speech(),
                "--out",
                out);
        refused(
                "unknown keys [depth]; there are height, longest_edge",
                "features",
                "--preset",
                "clip",
                "--set",
                "size.depth=3",
                "--in",
                sample("chelsea.png"),
                "--out",
                out);
        refused(
                "'n_fft' must be an integer",
                "features",
                "--preset",
                "torchaudio",
                "--set",
                "n_fft=many",
                "--in",
                speech(),
                "--out",
                out);
        refused(
                "n_fft must be in [2, 16384]",
                "features",
                "--preset",
                "torchaudio",
                "--set",
                "n_fft=1",
                "--in",
                speech(),
                "--out",
                out);
        refused(
                "is not key=value",
                "features",
                "--preset",
                "clip",
                "--set",
                "size",
                "--in",
                sample("chelsea.png"),
                "--out",
                out);
    }

    /** Pictures as arrays are pictures as files. */
    @Test
    void arraysArePicturesToo() throws IOException {
        io.sensorium.media.Picture chelsea = io.sensorium.media.Pictures.read(sample("chelsea.png"));
        int h = chelsea.height();
        int w = chelsea.width();
        Path bytes = folder.resolve("p.safetensors");
        ByteBuffer pixels = chelsea.pixels();
        FloatBuffer unit = FloatBuffer.allocate(3 * h * w);
        for (int i = 0; i < 3 * h * w; i++) {
            unit.put(i % 3 * h * w + i / 3, pixels.get(i) & 255);
        }
        new SafetensorsWriter()
                .add("hwc", pixels, h, w, 3)
                .add("chw", unit, 3, h, w)
                .write(bytes);
        Path npy = folder.resolve("p.npy");
        String header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + h + ", " + w + ", 3), }";
        byte[] start = ("\u0093NUMPY\u0001\u0000" + (char) (header.length() + 1) + "\u0000" + header + "\n")
                .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
        byte[] all = Arrays.copyOf(start, start.length + 3 * h * w);
        pixels.duplicate().get(all, start.length, 3 * h * w);
        Files.write(npy, all);
        Path out = folder.resolve("f.safetensors");
        double[] want = null;
        for (Object in : new Object[] {sample("chelsea.png"), bytes + "#hwc", bytes + "#chw", npy}) {
            ok("features", "--preset", "vit", "--in", in, "--out", out);
            try (Safetensors file = Safetensors.open(out)) {
                double[] got = file.doubles("pixel_values");
                want = want == null ? got : want;
                assertArrayEquals(want, got, in.toString());
            }
        }
    }

    @Test
    void featuresAreStreamed() throws IOException {
        String list = ok("features", "--list").out();
        for (String preset : io.sensorium.models.LogMelPresets.all().keySet()) {
            assertTrue(list.contains(preset), preset);
        }
        Path out = folder.resolve("s.safetensors");
        for (Object millis : new Object[] {0.0625, 10, 333.3, 100_000}) {
            Object[] words = {
                "features",
                "--preset",
                "whisper-80",
                "--in",
                speech(),
                "--stream",
                millis,
                "--check-offline",
                "--out",
                out,
                "--json"
            };
            assertEquals(
                    "bit-equal",
                    new ObjectMapper().readTree(ok(words).out()).path("offline").asText());
            try (Safetensors file = Safetensors.open(out)) {
                assertArrayEquals(new long[] {710, 80}, file.info("features").dims());
            }
        }
        refused("log_mel.norm", "features", "--preset", "parakeet", "--in", speech(), "--stream", 10);
        refused("--maximum", "features", "--preset", "openwakeword", "--in", speech(), "--stream", 10);
        refused("need --stream", "features", "--preset", "ast", "--in", speech(), "--out", out, "--check-offline");
        refused("are needed", "features", "--preset", "ast", "--in", speech());
        refused("--stream", "features", "--preset", "ast", "--in", speech(), "--stream", -1);
        refused("takes pictures", "features", "--preset", "vit", "--in", sample("chelsea.png"), "--stream", 1);
    }

    static List<String> streamed() {
        return io.sensorium.models.LogMelPresets.all().values().stream()
                .filter(preset -> preset.logMel().norm() == io.sensorium.FeatureNorm.NONE)
                .map(io.sensorium.models.AudioPreset::name)
                .toList();
    }

    /** Every preset that permits it is bit-equal in chunks, resampled as it comes where its rate differs. */
    @ParameterizedTest
    @MethodSource("streamed")
    void streamsAreBitEqual(String preset) {
        List<Object> words = new ArrayList<>(List.of("features", "--preset", preset, "--in", speech(), "--stream", 7));
        words.add("--check-offline");
        if (preset.equals("openwakeword")) {
            words.addAll(List.of("--maximum", 100));
        }
        assertTrue(ok(words.toArray()).out().contains("bit-equal"));
    }

    @Test
    void mistakesAreToldInOneLine() throws IOException {
        Path out = folder.resolve("t");
        refused("no preset 'x'", "features", "--preset", "x", "--in", speech(), "--out", out);
        refused("--preset or --config is needed", "features", "--in", speech(), "--out", out);
        Path unknown = Files.writeString(folder.resolve("u.json"), "{\"image_processor_type\": \"Nobody\"}");
        refused("names no front end", "features", "--config", unknown, "--in", speech(), "--out", out);
        refused("at byte 0", "features", "--preset", "ast", "--in", sample("chelsea.png"), "--out", out);
        refused("not a picture that can be read", "features", "--preset", "clip", "--in", speech(), "--out", out);
        refused("tells its own", "features", "--preset", "ast", "--in", speech(), "--rate", 8000, "--out", out);
        Path file = golden("resample-44100-16000").resolve("expected.safetensors");
        refused("name one of its tensors", "features", "--preset", "ast", "--in", file, "--out", out);
        refused("name one of its tensors", "features", "--preset", "ast", "--in", file + "#no", "--out", out);
        refused("is no picture", "features", "--preset", "vit", "--in", file + "#input", "--out", out);
        refused("[1, 2^31)", "resample", "--from", 0, "--to", 8000, "--in", file, "--out", out);
        refused("too few for one frame", "features", "--preset", "ast", "--in", tiny(), "--out", out);
        assertFalse(Files.exists(out), "a failed command writes nothing");
    }

    private String tiny() throws IOException {
        Path file = folder.resolve("tiny.safetensors");
        new SafetensorsWriter().add("x", FloatBuffer.allocate(399), 399).write(file);
        return file + "#x";
    }
}
