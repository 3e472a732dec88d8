package io.sensorium.commandline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.files.Checkout;
import io.sensorium.models.SafetensorsWriter;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sensorium health}. */
class HealthCommandTest {
    private static final int N = 200;
    private static final int DIM = 8;

    @TempDir
    Path folder;

    /** Pairs that resemble each other; shuffled, they do so no more. */
    private Path pairs(String name, long seed, int n, boolean shuffled) throws Exception {
        Random random = new Random(seed);
        FloatBuffer x = FloatBuffer.allocate(n * DIM);
        FloatBuffer y = FloatBuffer.allocate(n * DIM);
        for (int i = 0; i < n * DIM; i++) {
            double shared = random.nextGaussian();
            x.put(i, (float) (shared + 0.2 * random.nextGaussian()));
            y.put(shuffled ? (i + DIM) % (n * DIM) : i, (float) (shared + 0.2 * random.nextGaussian()));
        }
        Path file = folder.resolve(name);
        new SafetensorsWriter().add("x", x, n, DIM).add("y", y, n, DIM).write(file);
        return file;
    }

    @Test
    void theReferenceFilesFiguresAreThere() throws Exception {
        Path clip = Checkout.root().resolve("tests/golden/health/clip.npy");
        JsonNode figures = new ObjectMapper()
                .readTree(Commands.ok("health", "--embeddings", clip, "--json").out())
                .get("figures");
        assertEquals(0.552, figures.get("image_to_text.R@1").get("value").asDouble(), 1e-5);
        assertEquals(258.22, figures.get("rankme_image").get("value").asDouble(), 1e-2);
        assertEquals("no_baseline", figures.get("margin").get("state").asText());
    }

    @Test
    void healthyPairsPassAndShuffledOnesDoNot() throws Exception {
        Path baseline = folder.resolve("b.json");
        Path page = folder.resolve("page.html");
        Commands.ok("health", "--embeddings", pairs("a.safetensors", 1, N, false), "--save", baseline);
        Commands.ok("health", "--embeddings", pairs("b.safetensors", 2, N, false), "--baseline", baseline);
        Commands.Run run = Commands.run(
                "health", "--embeddings", pairs("c.safetensors", 3, N, true), "--baseline", baseline, "--html", page);
        assertEquals(1, run.code(), run.err());
        assertTrue(run.out().lines().anyMatch(l -> l.startsWith("margin") && l.endsWith("alarm")), run.out());
        String html = Files.readString(page);
        assertTrue(html.contains("<svg") && html.contains("class=\"alarm\""), html);
        assertFalse(html.contains("http"), "a page that needs nothing else");
    }

    @Test
    void tooFewPairsAreNoPass() throws Exception {
        Path baseline = folder.resolve("b.json");
        Commands.ok("health", "--embeddings", pairs("a.safetensors", 1, N, false), "--save", baseline);
        Commands.Run run =
                Commands.run("health", "--embeddings", pairs("b.safetensors", 2, N - 1, false), "--baseline", baseline);
        assertEquals(2, run.code());
        assertTrue(run.err().startsWith("sensorium: insufficient data: 199 pairs"), run.err());
    }

    @Test
    void aDataSetGivesOnePairOfEachConcept() throws Exception {
        Files.copy(Commands.sample("chelsea.png"), folder.resolve("cat.png"));
        Files.writeString(folder.resolve("manifest.csv"), """
                id,concept,split,image,audio,text,source
                1,cat,test,cat.png,,cat,
                2,cat,test,cat.png,,a cat,
                3,animal,test,cat.png,,animal,
                4,pet,train,cat.png,,pet,
                5,thing,test,,,thing,
                """);
        Commands.Run run = Commands.run("health", "--data", folder, "--split", "test");
        assertEquals(2, run.code());
        assertTrue(run.err().startsWith("sensorium: insufficient data: 2 pairs"), run.err());
        Commands.refused("smell", "health", "--data", folder, "--pair", "image,smell");
    }

    @Test
    void badInputIsToldInOneLine() throws Exception {
        Path file = pairs("a.safetensors", 1, N, false);
        Path junk = Files.writeString(folder.resolve("junk.json"), "{\"format\": 1}");
        Commands.refused("is not a baseline", "health", "--embeddings", file, "--baseline", junk);
        Commands.refused("two names", "health", "--embeddings", file, "--pair", "a");
        Commands.refused("minimum", "health", "--embeddings", file, "--window", "7");
        Commands.refused("not a .npy", "health", "--embeddings", Files.copy(junk, folder.resolve("junk.npy")));
        Commands.refused("no such file", "health", "--embeddings", folder.resolve("none.safetensors"));
    }
}
