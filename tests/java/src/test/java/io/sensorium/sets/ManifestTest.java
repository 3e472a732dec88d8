package io.sensorium.sets;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.data.DataException;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManifestTest {
    @TempDir
    Path folder;

    private List<Item> read(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
        try (Stream<Item> items = DataSet.open(folder).items()) {
            return items.toList();
        }
    }

    private String message(String name, String text) {
        return assertThrows(DataException.class, () -> read(name, text)).getMessage();
    }

    @Test
    void jsonLines() throws IOException {
        List<Item> items = read("manifest.jsonl", """
                {"id":"a","concept":"dog","split":"test","image":"images/dog.png","audio":"x/../dog.wav","text":"dog"}

                {"id":"b","concept":"cat","text":"the cat","source":"me"}
                """);
        assertEquals(2, items.size());
        assertEquals(folder.resolve("images/dog.png"), items.get(0).image());
        assertEquals(folder.resolve("dog.wav"), items.get(0).audio());
        assertEquals(Split.TEST, items.get(0).split());
        assertEquals(new Item("b", "cat", Split.TRAIN, null, null, "the cat", "me"), items.get(1));
    }

    @Test
    void csvWithQuotesAndLineBreaks() throws IOException {
        List<Item> items = read(
                "manifest.csv", "id,concept,text,image\r\n1,\"a, b\",\"say \"\"hi\"\"\nthere\",\r\n2,c,,c.png\r\n");
        assertEquals("a, b", items.get(0).concept());
        assertEquals("say \"hi\"\nthere", items.get(0).text());
        assertNull(items.get(0).image());
        assertEquals(folder.resolve("c.png"), items.get(1).image());
    }

    @Test
    void nothingOutsideTheFolder() {
        for (String path : List.of("../secret.png", "/etc/passwd", "a/../../b.png", "", ".")) {
            String text = message(
                    "manifest.jsonl", "{\"id\":\"a\",\"concept\":\"x\",\"image\":\"" + path + "\",\"text\":\"t\"}\n");
            assertTrue(text.contains("line 1") && text.contains("folder"), text);
        }
    }

    @Test
    void whatIsWrongIsToldWithItsLine() {
        String good = "{\"id\":\"a\",\"concept\":\"x\",\"text\":\"t\"}\n";
        assertTrue(message("manifest.jsonl", good + good).contains("line 2: a second item 'a'"));
        assertTrue(message("manifest.jsonl", good + "{\"id\":\n").contains("line 2: no valid JSON"));
        assertTrue(message("manifest.jsonl", "[1]\n").contains("no JSON object"));
        assertTrue(message("manifest.jsonl", "{\"id\":\"a\",\"text\":\"t\"}\n").contains("no 'concept'"));
        assertTrue(
                message("manifest.jsonl", "{\"id\":\"a\",\"concept\":\"x\"}\n").contains("without"));
        assertTrue(message("manifest.jsonl", "{\"id\":\"a\",\"concept\":\"x\",\"txt\":\"t\"}\n")
                .contains("'txt'"));
        assertTrue(message("manifest.jsonl", good.replace("\"t\"", "3")).contains("'text'"));
        assertTrue(message("manifest.jsonl", good.replace("}", ",\"split\":\"dev\"}"))
                .contains("split 'dev'"));
        assertTrue(message("manifest.jsonl", "{" + " ".repeat(70_000)).contains("line of more than"));
    }

    @Test
    void brokenCsv() throws IOException {
        assertTrue(message("manifest.csv", "id,concept,text\n1,a\n").contains("2 cells where the header has 3"));
        assertTrue(message("manifest.csv", "id,concept,text\n1,a,\"open\n").contains("does not end"));
        assertTrue(message("manifest.csv", "id,concept,words\n").contains("unknown field 'words'"));
    }

    @Test
    void noManifest() {
        assertThrows(NoSuchFileException.class, () -> DataSet.open(folder));
    }
}
