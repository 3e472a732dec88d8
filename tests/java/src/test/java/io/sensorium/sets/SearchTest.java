package io.sensorium.sets;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.demo.EmojiModel;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import io.sensorium.search.Recall;
import io.sensorium.search.ResultPage;
import io.sensorium.search.SearchIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SearchTest {
    @TempDir
    Path folder;

    private DataSet texts() throws IOException {
        Files.writeString(folder.resolve("manifest.jsonl"), """
                {"id":"1","concept":"snake","text":"snake"}
                {"id":"2","concept":"rocket","text":"rocket"}
                {"id":"3","concept":"<b>pizza</b>","text":"<b>pizza</b>"}
                {"id":"4","concept":"rocket","text":"rocket"}
                """);
        return DataSet.open(folder);
    }

    @Test
    void anIndexIsWrittenReadAndSearched() throws IOException {
        try (Engine engine = Engine.open();
                ModelSpec spec = EmojiModel.open();
                Embedder embedder = new Embedder(engine, spec);
                Stream<Item> items = texts().items();
                SearchIndex made = SearchIndex.build(engine, embedder, items, count -> {})) {
            made.write(folder.resolve("index"));
            try (SearchIndex index = SearchIndex.open(engine, folder.resolve("index"))) {
                assertEquals(3, index.size());
                assertEquals(0, index.size(Modality.IMAGE));
                List<SearchIndex.Hit> hits = index.search(embedder.text("rocket"), Modality.TEXT, 10);
                assertEquals(3, hits.size());
                assertEquals("rocket", hits.get(0).entry().concept());
                assertEquals(1, hits.get(0).score(), 1e-5);
                assertTrue(index.search(embedder.text("rocket"), Modality.AUDIO, 10)
                        .isEmpty());
                assertThrows(IllegalArgumentException.class, () -> index.search(new float[3], Modality.TEXT, 1));

                Path page = folder.resolve("page.html");
                ResultPage.write(page, new ResultPage.Query(Modality.TEXT, "<i>"), Map.of(Modality.TEXT, hits));
                String html = Files.readString(page);
                assertTrue(html.contains("&lt;b&gt;pizza") && html.contains("“&lt;i&gt;”"), html);
                assertFalse(html.contains("<b>") || html.contains("<script"), html);
            }
        }
    }

    @Test
    void recall() {
        try (Engine engine = Engine.open()) {
            List<Recall.Labelled> gallery =
                    List.of(new Recall.Labelled("a", new float[] {1, 0}), new Recall.Labelled("b", new float[] {0, 1}));
            List<Recall.Labelled> queries = List.of(
                    new Recall.Labelled("a", new float[] {0.9f, 0.1f}),
                    new Recall.Labelled("a", new float[] {0.1f, 0.9f}),
                    new Recall.Labelled("c", new float[] {1, 0}),
                    new Recall.Labelled("b", new float[] {0, 1}));
            Recall recall = Recall.of(engine, queries, gallery);
            assertEquals(0.5, recall.at1());
            assertEquals(0.75, recall.at5());
            assertEquals((1 + 0.5 + 0 + 1) / 4, recall.mrr());
            assertEquals(0.5, recall.chance());
            assertTrue(Double.isNaN(Recall.of(engine, List.of(), gallery).at1()));
        }
    }

    @Test
    void damagedIndexes() throws IOException {
        try (Engine engine = Engine.open()) {
            Path index = Files.createDirectories(folder.resolve("index"));
            Files.writeString(index.resolve("entries.jsonl"), "{\"modality\":\"text\"}\n");
            assertThrows(IOException.class, () -> SearchIndex.open(engine, index));
            Files.write(index.resolve("vectors.safetensors"), new byte[100]);
            assertThrows(RuntimeException.class, () -> SearchIndex.open(engine, index));
        }
    }
}
