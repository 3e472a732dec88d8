package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.text.TextTokenizer;
import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextGoldenTest {
    /** CLIP's normalisation, split, byte-level BPE and special tokens. */
    @Test
    void idsAreThoseOfTheReference() throws IOException {
        Path folder = Golden.folder("text-clip-bpe");
        JsonNode cases = new ObjectMapper()
                .readTree(folder.resolve("case.json").toFile())
                .path("cases");
        assertTrue(cases.size() > 3);
        try (TextTokenizer tokenizer = TextTokenizer.open(folder.resolve("tokenizer.json"))) {
            for (JsonNode node : cases) {
                LongBuffer got = tokenizer.ids(node.path("text").asText());
                assertTrue(got.isDirect());
                long[] ids = new long[got.remaining()];
                got.get(ids);
                long[] want = new long[node.path("ids").size()];
                for (int i = 0; i < want.length; i++) {
                    want[i] = node.path("ids").get(i).asLong();
                }
                assertArrayEquals(want, ids, node.path("text").asText());
            }
        }
    }

    @Test
    void whatIsNoTokenizerIsRefused(@TempDir Path folder) throws IOException {
        assertThrows(NoSuchFileException.class, () -> TextTokenizer.open(folder.resolve("absent.json")));
        Path junk = Files.writeString(folder.resolve("tokenizer.json"), "{\"model\":{}}");
        assertThrows(IOException.class, () -> TextTokenizer.open(junk));
    }
}
