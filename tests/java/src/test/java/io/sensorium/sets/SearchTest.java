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
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.search.Embedder;
import io.sensorium.search.Recall;
import io.sensorium.search.ResultPage;
import io.sensorium.search.SearchIndex;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Random;
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
            assertEquals((0.5 + 0.5 + 0 + 0.5) / 4, recall.chance());
            List<Recall.Labelled> twice = List.of(gallery.get(0), gallery.get(0), gallery.get(1));
            assertEquals(
                    2 / 3.0, Recall.of(engine, queries.subList(0, 2), twice).chance(), 1e-12);
            assertTrue(Double.isNaN(Recall.of(engine, List.of(), gallery).at1()));
        }
    }

    private void random(Path index, int count, int dim) throws IOException {
        Files.createDirectories(index);
        Random random = new Random(7);
        FloatBuffer vectors = FloatBuffer.allocate(count * dim);
        StringBuilder entries = new StringBuilder();
        for (int i = 0; i < count; i++) {
            entries.append("{\"modality\":\"text\",\"what\":\"").append(i).append("\"}\n");
            for (int j = 0; j < dim; j++) {
                vectors.put((float) random.nextGaussian());
            }
        }
        Files.writeString(index.resolve("entries.jsonl"), entries);
        new SafetensorsWriter().add("vectors", vectors.flip(), count, dim).write(index.resolve("vectors.safetensors"));
    }

    private static List<String> found(SearchIndex index, float[] query, int k) throws IOException {
        return index.search(query, Modality.TEXT, k).stream()
                .map(hit -> hit.entry().what() + " " + hit.score())
                .toList();
    }

    @Test
    void beyondTheLimitAGraphFindsNearlyAll() throws IOException {
        int dim = 24;
        random(folder, 20_000, dim);
        try (Engine engine = Engine.open();
                SearchIndex exact = SearchIndex.open(engine, folder, 20_000);
                SearchIndex graph = SearchIndex.open(engine, folder, 19_999)) {
            assertFalse(Files.exists(folder.resolve("hnsw-text")));
            graph.write(folder);
            assertTrue(Files.isDirectory(folder.resolve("hnsw-text")));
            try (SearchIndex again = SearchIndex.open(engine, folder, 19_999)) {
                Random random = new Random(8);
                int same = 0;
                for (int q = 0; q < 100; q++) {
                    float[] query = new float[dim];
                    for (int j = 0; j < dim; j++) {
                        query[j] = (float) random.nextGaussian();
                    }
                    List<String> expected = found(exact, query, 10);
                    List<String> got = found(graph, query, 10);
                    assertEquals(got, found(again, query, 10));
                    same += (int) got.stream().filter(expected::contains).count();
                }
                assertTrue(same >= 950, "recall " + same / 1000.0); // scores, too, are equal to the bit
            }
            assertThrows(IllegalArgumentException.class, () -> graph.search(new float[dim], Modality.TEXT, 1025));
        }
    }

    @Test
    void aGraphOfAnotherIndexIsRefusedAndReplaced() throws IOException {
        Path small = folder.resolve("small");
        random(folder, 60, 8);
        random(small, 50, 8);
        try (Engine engine = Engine.open()) {
            try (SearchIndex index = SearchIndex.open(engine, folder, 10);
                    SearchIndex other = SearchIndex.open(engine, small, 10)) {
                index.write(folder);
                other.write(small);
                Files.delete(folder.resolve("vectors.safetensors"));
                Files.copy(small.resolve("vectors.safetensors"), folder.resolve("vectors.safetensors"));
                Files.copy(
                        small.resolve("entries.jsonl"),
                        folder.resolve("entries.jsonl"),
                        StandardCopyOption.REPLACE_EXISTING);
                assertThrows(IllegalArgumentException.class, () -> SearchIndex.open(engine, folder, 10));
                other.write(folder);
            }
            try (SearchIndex index = SearchIndex.open(engine, folder, 10)) {
                assertEquals(50, index.size(Modality.TEXT));
            }
            try (SearchIndex index = SearchIndex.open(engine, folder)) {
                index.write(folder);
            }
            assertFalse(Files.exists(folder.resolve("hnsw-text")));
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
