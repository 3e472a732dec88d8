package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.data.DataSet;
import io.sensorium.search.Recall;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FiguresTest {
    @TempDir
    Path folder;

    private static String item(String id, String concept, String split, int image, String audio, String text) {
        return "{\"id\":\"%s\",\"concept\":\"%s\",\"split\":\"%s\",\"image\":\"%d.png\"%s,\"text\":\"%s\"}\n"
                .formatted(id, concept, split, image, audio.isEmpty() ? "" : ",\"audio\":\"" + audio + "\"", text);
    }

    private static Recall of(Figures figures, String direction, String queries) {
        return figures.rows().stream()
                .filter(row ->
                        row.direction().equals(direction) && row.queries().equals(queries))
                .map(Figures.Row::recall)
                .findFirst()
                .orElse(null);
    }

    @Test
    void whatIsHeldOutLooksAndIsNotLookedFor() throws IOException {
        TrainingTest.set(folder);
        Files.writeString(
                folder.resolve("manifest.jsonl"),
                item("held first", "a", "test", 0, "", "alpha")
                        + item("a0", "a", "train", 1, "train1.wav", "a")
                        + item("a1", "a", "train", 2, "train2.wav", "a")
                        + item("b", "b", "train", 3, "train3.wav", "b")
                        + item("b, another speaker", "b", "test", 3, "validation3.wav", "b")
                        + item("b, chosen by", "b", "validation", 4, "validation4.wav", "beta")
                        + item("c", "c", "unseen", 5, "train5.wav", "c"));
        Path model = folder.resolve("model");
        Recipe.design("test", Recipe.CLIP_SCALE, 0).write(model, Map.of(), Recipe.initial(1));
        Figures figures;
        try (Engine engine = Engine.open()) {
            figures = Figures.measure(engine, model, DataSet.open(folder), 0, 1);
        }
        Recall pictures = of(figures, "image → image", "held-out pictures");
        assertEquals(1, pictures.queries());
        assertEquals(3, pictures.gallery());
        assertEquals(2 / 3.0, pictures.chance(), 1e-12);
        Recall names = of(figures, "text → image", "held-out names");
        assertEquals(1, names.queries());
        assertEquals(3, names.gallery());
        assertEquals(2, of(figures, "image → text", "held-out pictures").gallery());
        assertEquals(2, of(figures, "text → image", "names").queries());
        assertEquals(9, of(figures, "image → image", "held-out views").queries());
        Recall unseen = of(figures, "audio → image", "unseen concepts");
        assertEquals(1, unseen.queries());
        assertEquals(1, unseen.gallery());

        TrainingTest.set(folder);
        try (Engine engine = Engine.open()) {
            figures = Figures.measure(engine, model, DataSet.open(folder), 0, 1);
        }
        assertNull(of(figures, "image → image", "held-out pictures"), "there are none");
        assertTrue(of(figures, "text → image", "names").at1() >= 0);
    }
}
