package io.sensorium.commandline;

import static io.sensorium.commandline.Commands.ok;
import static io.sensorium.commandline.Commands.refused;
import static io.sensorium.commandline.Commands.run;
import static io.sensorium.commandline.Commands.sample;
import static io.sensorium.commandline.Commands.speech;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.Device;
import io.sensorium.commandline.Commands.Run;
import io.sensorium.files.Checkout;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands as a user runs them. */
class CommandLineTest {
    @TempDir
    Path folder;

    @Test
    void encodeKeepsTheOrderAndWritesEverything() throws IOException {
        Path out = folder.resolve("t.safetensors");
        Path plot = folder.resolve("p.png");
        Run run = ok(
                "encode",
                "--model",
                "random",
                "--text",
                "héllo",
                "--image",
                sample("chelsea.png"),
                "--audio",
                speech(),
                "--text",
                "x",
                "--out",
                out,
                "--plot",
                plot,
                "--json");
        JsonNode json = new ObjectMapper().readTree(run.out());
        assertTrue(json.path("notice").asText().contains("untrained"));
        // 6 bytes; 18×28 patches; 1 + ⌊113600/200⌋ frames; 1 byte; each between begin and end.
        int[] counts = {6 + 2, 18 * 28 + 2, 569 + 2, 1 + 2};
        int[] modalities = {2, 0, 1, 2};
        int total = 0;
        for (int i = 0; i < 4; i++) {
            assertEquals(counts[i], json.path("items").get(i).path("tokens").asInt());
            total += counts[i];
        }
        assertEquals(total, json.path("tokens").asInt());
        try (Safetensors file = Safetensors.open(out)) {
            assertTrue(file.metadata().get("notice").contains("untrained"));
            assertArrayEquals(new long[] {total, 192}, file.info("tokens").dims());
            assertArrayEquals(new double[] {0, total}, file.doubles("cu_seqlens"));
            assertArrayEquals(new long[] {1, 64, 192}, file.info("latents").dims());
            double[] modality = file.doubles("modality");
            double[] item = file.doubles("item");
            double[] grid = file.doubles("grid");
            double[] span = file.doubles("span_us");
            double[] position = file.doubles("position");
            assertEquals(3 * total, position.length);
            int at = 0;
            for (int i = 0; i < 4; i++) {
                for (int t = 0; t < counts[i]; t++, at++) {
                    assertEquals(modalities[i], modality[at], "token " + at);
                    assertEquals(i, item[at], "token " + at);
                    boolean special = t == 0 || t == counts[i] - 1;
                    assertEquals(special, grid[2 * at] == -1 && grid[2 * at + 1] == -1, "token " + at);
                    if (i == 1 && !special) {
                        assertEquals((t - 1) / 28, grid[2 * at]);
                        assertEquals((t - 1) % 28, grid[2 * at + 1]);
                        assertEquals(9, position[3 * at]); // after 8 tokens of text and the picture's begin
                        assertEquals(9 + (t - 1) / 28, position[3 * at + 1]);
                        assertEquals(9 + (t - 1) % 28, position[3 * at + 2]);
                    }
                    if (i == 2) {
                        assertTrue(span[2 * at] <= span[2 * at + 1] && span[2 * at + 1] <= 7_110_000);
                    }
                }
            }
            for (double value : file.doubles("tokens")) {
                assertTrue(Double.isFinite(value));
            }
        }
        BufferedImage picture = ImageIO.read(plot.toFile());
        assertEquals(1600, picture.getWidth());
    }

    @Test
    void encodeWritesCodes() throws IOException {
        Path out = folder.resolve("t.safetensors");
        Run run = ok(
                "encode",
                "--model",
                "random",
                "--image",
                sample("chelsea.png"),
                "--text",
                "hi",
                "--codes",
                "--out",
                out,
                "--json");
        JsonNode codes = new ObjectMapper().readTree(run.out()).path("codes");
        assertEquals(256, codes.path("size").asInt());
        double[] ids;
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(
                    new long[] {18 * 28 + 2 + 2 + 2}, file.info("codes").dims());
            ids = file.doubles("codes");
            for (double id : ids) {
                assertTrue(id >= 0 && id < 256);
            }
            assertEquals(
                    java.util.Arrays.stream(ids).distinct().count(),
                    codes.path("used").asLong());
        }
        // The model on disk brings the same codebook; without the file one is learned, and that is said.
        Path model = folder.resolve("model");
        io.sensorium.models.RandomModel.write(model);
        ok("encode", "--model", model, "--image", sample("chelsea.png"), "--text", "hi", "--codes", "--out", out);
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(ids, file.doubles("codes"));
        }
        Path moved = Files.move(model.resolve("codebook.safetensors"), folder.resolve("c.safetensors"));
        run = ok("encode", "--model", model, "--image", sample("chelsea.png"), "--codes", "--out", out);
        assertTrue(run.out().contains("learned from these very tokens"), run.out());
        ok(
                "encode",
                "--model",
                model,
                "--text",
                "hi",
                "--image",
                sample("chelsea.png"),
                "--codes",
                moved,
                "--out",
                out);
        refused("no-such", "encode", "--text", "hi", "--codes", folder.resolve("no-such"), "--out", out);
    }

    @Test
    void theDemoModelIsTheTrainedOne() throws IOException {
        Path out = folder.resolve("t.safetensors");
        Run run = ok(
                "encode",
                "--image",
                sample("chelsea.png"),
                "--audio",
                speech(),
                "--text",
                "cat",
                "--codes",
                "--out",
                out);
        assertTrue(run.out().contains("trained on emoji") && !run.out().contains("untrained"), run.out());
        assertTrue(run.out().contains("learned from these very tokens"), run.out());
        try (Safetensors file = Safetensors.open(out)) {
            assertEquals("demo", file.metadata().get("model"));
            // 4×4 patches; 712 frames by fives; 3 bytes; each between begin and end.
            assertArrayEquals(
                    new long[] {16 + 2 + 142 + 2 + 3 + 2, 128},
                    file.info("tokens").dims());
            assertArrayEquals(new long[] {1, 4, 128}, file.info("latents").dims());
        }
    }

    @Test
    void encodePrintsOneTable() {
        Run run = ok(
                "encode",
                "--model",
                "random",
                "--image",
                sample("chelsea.png"),
                "--text",
                "hi",
                "--out",
                folder.resolve("t"),
                "--threads",
                1);
        assertTrue(run.out().startsWith("modality"), run.out());
        for (String word : new String[] {"506", "“hi”", "packed", "latents", "total", "untrained"}) {
            assertTrue(run.out().contains(word), word + " in " + run.out());
        }
    }

    @Test
    void everyCompressorKeepsItsLimits() throws IOException {
        Path out = folder.resolve("t.safetensors");
        Path plot = folder.resolve("p.png");
        for (String how : new String[] {"perceiver", "resampler", "qformer", "attention-pool", "mean", "merge"}) {
            int most = how.equals("attention-pool") ? 1 : 64;
            for (int limit : new int[] {0, 1, 7}) {
                List<Object> arguments = new ArrayList<>(List.of(
                        "encode",
                        "--model",
                        "random",
                        "--image",
                        sample("chelsea.png"),
                        "--text",
                        "a cat",
                        "--compress",
                        how,
                        "--out",
                        out,
                        "--plot",
                        plot));
                if (limit > 0) {
                    arguments.addAll(List.of(limit == 1 ? "--latents" : "--budget", limit));
                }
                Run run = ok(arguments.toArray());
                assertEquals(limit == 7, run.out().contains("budget: "), run.out());
                try (Safetensors file = Safetensors.open(out)) {
                    int count = limit == 0 ? most : Math.min(limit, most);
                    assertArrayEquals(
                            new long[] {1, count, 192}, file.info("latents").dims(), how);
                    for (double value : file.doubles("latents")) {
                        assertTrue(Double.isFinite(value));
                    }
                }
            }
        }
        Object[] both = {"encode", "--text", "x", "--latents", 2, "--budget", 2, "--out", out};
        refused("exclude", both);
        refused("below 1", "encode", "--text", "x", "--latents", 0, "--out", out);
        refused("compress", "encode", "--text", "x", "--compress", "nothing", "--out", out);
        refused("for --model random", "encode", "--text", "x", "--compress", "mean", "--out", out);
    }

    @Test
    void threadsDoNotChangeTheNumbers() throws IOException {
        byte[][] files = new byte[2][];
        for (int i = 0; i < 2; i++) {
            Path out = folder.resolve("t" + i);
            ok("encode", "--image", sample("chelsea.png"), "--audio", speech(), "--out", out, "--threads", i + 1);
            files[i] = Files.readAllBytes(out);
        }
        assertArrayEquals(files[0], files[1]);
    }

    @Test
    void infoTellsWhatIsThere() throws IOException {
        JsonNode json = new ObjectMapper().readTree(ok("info", "--json").out());
        assertTrue(json.path("cpu").path("available").asBoolean());
        assertTrue(json.path("threads").asInt() >= 1);
        assertTrue(json.path("cuda").path("available").asBoolean()
                || !json.path("cuda").path("cause").asText().isEmpty());
        assertTrue(ok("info").out().contains("cuda"));
        assertTrue(ok("--version").out().startsWith("sensorium 0"));
        assertTrue(ok("--help").out().contains("encode"));
    }

    /** On a GPU the commands that have no kernels there say so. */
    @Test
    void aGpuThatIsNotThereIsRefused() {
        String cause = Device.cuda().unavailabilityCause().orElse("runs on a CPU engine only");
        if (Device.cuda().isAvailable()) {
            ok("check", "--device", "cuda", "--cases", 1);
        } else {
            refused(cause, "check", "--device", "cuda", "--cases", 1);
        }
        refused(
                cause,
                "resample",
                "--device",
                "cuda",
                "--from",
                16000,
                "--to",
                8000,
                "--in",
                speech(),
                "--out",
                folder.resolve("r.st"));
        refused("--device", "check", "--device", "tpu");
    }

    @Test
    void checkComparesWithItsBaseline() throws IOException {
        Path stored = folder.resolve("b.json");
        ok("check", "--cases", 2, "--seed", 7, "--save", stored);
        Run same = ok("check", "--cases", 2, "--seed", 7, "--baseline", stored, "--json");
        JsonNode json = new ObjectMapper().readTree(same.out());
        assertTrue(json.path("ok").asBoolean());
        assertTrue(json.path("ops").size() >= 9);
        // A baseline from a better past: the op has a name, an error and a ratio.
        String text = Files.readString(stored).replaceAll("\"worst_error\" : [0-9.Ee+-]+", "\"worst_error\" : 1e-30");
        Files.writeString(stored, text.replaceAll("\"limit\" : [0-9.Ee+-]+", "\"limit\" : 1"));
        Run worse = run("check", "--cases", 2, "--seed", 7, "--baseline", stored);
        boolean reported = worse.out().contains("WORSE ") && worse.out().contains("(×");
        // Errors far below their limits are noise and are not reported; then the code is 0.
        assertEquals(reported ? 1 : 0, worse.code(), worse.out());
        Files.writeString(stored, "{\"ops\":[{\"op\":\"vanished\",\"worst_error\":0}]}");
        Run gone = run("check", "--cases", 1, "--baseline", stored);
        assertEquals(1, gone.code());
        assertTrue(gone.out().contains("WORSE vanished: gone"), gone.out());
    }

    @Test
    void checkRunsGoldenCases() throws IOException {
        Path golden = Checkout.root().resolve("tests/golden");
        Run run = ok("check", "--golden", golden, "--json");
        JsonNode cases = new ObjectMapper().readTree(run.out()).path("cases");
        int ok = 0;
        for (JsonNode node : cases) {
            ok += node.path("status").asText().equals("ok") ? 1 : 0;
        }
        assertTrue(ok >= 41, run.out());
        // One case; then the same with another number in it.
        Path patches = folder.resolve("patches");
        Files.createDirectory(patches);
        Files.copy(golden.resolve("patches-einops/case.json"), patches.resolve("case.json"));
        byte[] bytes = Files.readAllBytes(golden.resolve("patches-einops/expected.safetensors"));
        Files.write(patches.resolve("expected.safetensors"), bytes);
        assertEquals(0, run("check", "--golden", patches).code());
        bytes[bytes.length - 1] ^= 0x40;
        Files.write(patches.resolve("expected.safetensors"), bytes);
        Run failed = run("check", "--golden", patches);
        assertEquals(1, failed.code(), failed.out());
        assertTrue(failed.out().contains("FAIL"));
        // A broken case is a failure, not an end.
        Files.write(patches.resolve("expected.safetensors"), java.util.Arrays.copyOf(bytes, 1000));
        assertEquals(1, run("check", "--golden", patches).code());
    }

    @Test
    void mistakesAreToldInOneLine() throws IOException {
        Path out = folder.resolve("t");
        refused("no command");
        refused("nothing", "nothing");
        refused("--out", "encode", "--text", "x");
        refused("--image", "encode", "--out", out);
        refused("no such file", "encode", "--image", folder.resolve("absent.png"), "--out", out);
        refused("no such file", "encode", "--model", folder, "--text", "x", "--out", out);
        Path junk = Files.writeString(folder.resolve("junk"), "this is no picture");
        refused("not a picture that can be read", "encode", "--image", junk, "--out", out);
        refused("not a media file that can be read", "encode", "--audio", junk, "--out", out);
        refused("--threads", "encode", "--text", "x", "--out", out, "--threads", "many");
        refused("exclude", "check", "--baseline", junk, "--save", out);
        refused("not a baseline", "check", "--cases", 1, "--baseline", junk);
        refused("no case.json", "check", "--golden", folder);
        refused("at least 1", "check", "--cases", 0);
        refused(
                "no such folder",
                "encode",
                "--text",
                "x",
                "--out",
                folder.resolve("absent").resolve("t"));
        refused("it is a folder", "encode", "--text", "x", "--out", out, "--plot", folder);
        Path tiny = folder.resolve("tiny.png");
        ImageIO.write(new BufferedImage(5, 20, BufferedImage.TYPE_INT_RGB), "png", tiny.toFile());
        refused("tiny.png: ", "encode", "--model", "random", "--image", tiny, "--out", out);
        Path vit = Checkout.root().resolve("tests/golden/model-vit");
        refused("has no audio part", "encode", "--model", vit, "--audio", speech(), "--out", out);
        refused("has no text part", "encode", "--model", vit, "--text", "x", "--out", out);
        assertFalse(Files.exists(out), "a failed command writes nothing");
    }

    /** A model without a text rule of its own uses the tokenizer.json beside it. */
    @Test
    void textGoesThroughTheModelsTokenizer() throws IOException {
        Path model = Files.createDirectory(folder.resolve("text-model"));
        Path out = folder.resolve("text.safetensors");
        Files.writeString(
                model.resolve("config.json"),
                "{\"model_type\":\"sensorium\",\"format\":1,\"sequence\":{\"d_model\":1},"
                        + "\"text\":{\"vocabulary\":309,\"max_tokens\":77}}");
        java.nio.FloatBuffer table = java.nio.FloatBuffer.allocate(309);
        for (int i = 0; i < 309; i++) {
            table.put(i, i); // a token is its id
        }
        new SafetensorsWriter().add("text.embedding", table, 309, 1).write(model.resolve("model.safetensors"));
        refused("has no tokenizer.json", "encode", "--model", model, "--text", "a photo of a cat", "--out", out);
        Files.copy(
                Checkout.root().resolve("tests/golden/text-clip-bpe/tokenizer.json"), model.resolve("tokenizer.json"));
        ok("encode", "--model", model, "--text", "a photo of a cat", "--out", out);
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(new double[] {0, 263, 283, 274, 263, 272, 1}, file.doubles("tokens"));
        }
    }

    /** A published model takes pictures of any size; its pooled outputs stand by item. */
    @Test
    void publishedModelsTakePicturesOfAnySize() throws IOException {
        Path out = folder.resolve("clip.safetensors");
        Path clip = Checkout.root().resolve("tests/golden/model-clip-vision");
        ok(
                "encode",
                "--model",
                clip,
                "--image",
                sample("chelsea.png"),
                "--image",
                sample("astronaut.png"),
                "--out",
                out);
        try (Safetensors file = Safetensors.open(out)) {
            assertArrayEquals(new long[] {34, 64}, file.info("tokens").dims());
            assertArrayEquals(new double[] {0, 17, 34}, file.doubles("cu_seqlens"));
            assertArrayEquals(new long[] {2, 1, 64}, file.info("latents").dims());
        }
    }

    @Test
    void verboseShowsTheStack() throws IOException {
        Run run = run("encode", "--verbose", "--image", folder.resolve("absent.png"), "--out", folder.resolve("t"));
        assertEquals(2, run.code());
        assertTrue(run.err().contains("\tat io.sensorium.cli."), run.err());
    }
}
