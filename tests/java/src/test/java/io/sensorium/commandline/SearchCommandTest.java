package io.sensorium.commandline;

import static io.sensorium.commandline.Commands.ok;
import static io.sensorium.commandline.Commands.refused;
import static io.sensorium.commandline.Commands.sample;
import static io.sensorium.commandline.Commands.speech;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** index and search as a user runs them, with the demo model. */
class SearchCommandTest {
    @TempDir
    Path folder;

    private Path index;

    @BeforeEach
    void make() throws IOException {
        Files.copy(sample("astronaut.png"), folder.resolve("astronaut.png"));
        Files.copy(sample("chelsea.png"), folder.resolve("cat.png"));
        Files.copy(speech(), folder.resolve("voice.wav"));
        Files.writeString(folder.resolve("manifest.jsonl"), """
                {"id":"1","concept":"astronaut","split":"train","image":"astronaut.png","audio":"voice.wav","text":"astronaut"}
                {"id":"2","concept":"cat","split":"test","image":"cat.png","text":"<cat>"}
                """);
        index = folder.resolve("index");
        ok("index", "--data", folder, "--out", index);
    }

    @Test
    void eachModalityFindsItself() throws IOException {
        Object[][] queries = {
            {"image", folder.resolve("cat.png"), "cat"},
            {"audio", folder.resolve("voice.wav"), "astronaut"},
            {"text", "<cat>", "cat"}
        };
        for (Object[] query : queries) {
            JsonNode json = new ObjectMapper()
                    .readTree(ok("search", "--index", index, "--" + query[0], query[1], "--k", 1, "--json")
                            .out());
            JsonNode hits = json.path((String) query[0]);
            assertEquals(1, hits.size());
            assertEquals(query[2], hits.get(0).path("concept").asText());
            assertEquals(1, hits.get(0).path("score").asDouble(), 1e-4);
        }
        Path page = folder.resolve("found.html");
        assertTrue(ok("search", "--index", index, "--text", "<cat>", "--html", page)
                .out()
                .contains("wrote " + page));
        String html = Files.readString(page);
        assertEquals(3, html.split("<img |<audio ").length - 1);
        assertTrue(html.contains("&lt;cat&gt;") && !html.contains("<cat>"), "texts are escaped");
        ok("index", "--data", folder, "--split", "test", "--out", folder.resolve("test"));
        assertFalse(ok("search", "--index", folder.resolve("test"), "--text", "cat")
                .out()
                .contains("astronaut"));
    }

    @Test
    void mistakesAreToldInOneLine() throws IOException {
        refused("neither a folder", "index", "--data", "no-such", "--out", index);
        refused("has no heads", "index", "--data", folder, "--out", index, "--model", golden());
        refused("--k must be", "search", "--index", index, "--text", "x", "--k", 0);
        refused("no such file", "search", "--index", folder.resolve("no-such"), "--text", "x");
        refused("no such file", "search", "--index", index, "--image", folder.resolve("no-such.png"));
        refused("", "search", "--index", index, "--audio", folder.resolve("cat.png"));
        refused("Missing required", "search", "--index", index);
        Files.writeString(index.resolve("entries.jsonl"), "{}\n");
        refused("", "search", "--index", index, "--text", "x");
        Files.writeString(index.resolve("entries.jsonl"), "");
        refused("vectors for 0 entries", "search", "--index", index, "--text", "x");
    }

    private static Path golden() {
        return io.sensorium.files.Checkout.root().resolve("tests/golden/model-vit");
    }
}
