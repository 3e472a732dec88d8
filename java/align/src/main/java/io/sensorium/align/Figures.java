package io.sensorium.align;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.Resizer;
import io.sensorium.cli.Table;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import io.sensorium.search.Recall;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a trained model is worth, measured by the engine on the files that it will be used with. What is looked for are the
 * pictures and names that were trained, and apart from them those of unseen concepts; held-out ones only look.
 */
record Figures(List<Row> rows) {
    /** One direction on one kind of queries. */
    record Row(String direction, String queries, Recall recall) {}

    private static final int VIEWS = 3;

    static Figures measure(Engine engine, Path model, DataSet set, int words, long seed) throws IOException {
        try (ModelSpec spec = ModelLoader.open(model);
                Embedder embedder = new Embedder(engine, spec)) {
            List<Recall.Labelled> images = new ArrayList<>();
            List<Recall.Labelled> texts = new ArrayList<>();
            List<Recall.Labelled> views = new ArrayList<>();
            List<Recall.Labelled> heldImages = new ArrayList<>();
            List<Recall.Labelled> heldTexts = new ArrayList<>();
            List<Recall.Labelled> unseenImages = new ArrayList<>();
            List<Recall.Labelled> unseenTexts = new ArrayList<>();
            List<Recall.Labelled> unseen = new ArrayList<>();
            Map<String, List<Recall.Labelled>> speakers = new TreeMap<>();
            Set<String> trained = trained(set);
            Set<String> seen = new HashSet<>();
            Resizer resizer = engine.resizer(spec.image().orElseThrow().resize());
            int side = spec.image().orElseThrow().resize().height();
            try (Stream<Item> items = set.items()) {
                for (Item item : (Iterable<Item>) items::iterator) {
                    if (words > 0 && item.concept().split(" ").length > words) {
                        continue;
                    }
                    boolean known = item.split() != Split.UNSEEN;
                    String concept = item.concept();
                    boolean learnt = trained.contains(image(item));
                    if (item.image() != null && (learnt || measured(item)) && seen.add(image(item))) {
                        Picture picture = Pictures.read(item.image());
                        (learnt ? images : known ? heldImages : unseenImages)
                                .add(labelled(concept, embedder.image(picture)));
                        if (learnt) {
                            byte[] small = resized(resizer, picture, side);
                            SplittableRandom random = new SplittableRandom(~seed * 31 + concept.hashCode());
                            for (int i = 0; i < VIEWS; i++) {
                                views.add(labelled(concept, embedder.image(view(small, side, random))));
                            }
                        }
                    }
                    learnt = trained.contains(text(item));
                    if (item.text() != null && (learnt || measured(item)) && seen.add(text(item))) {
                        (learnt ? texts : known ? heldTexts : unseenTexts)
                                .add(labelled(concept, embedder.text(item.text())));
                    }
                    if (item.audio() != null && item.split() == Split.TEST) {
                        speakers.computeIfAbsent(item.source(), s -> new ArrayList<>())
                                .add(labelled(concept, embedder.audio(Wav.read(item.audio()))));
                    } else if (item.audio() != null && !known) {
                        unseen.add(labelled(concept, embedder.audio(Wav.read(item.audio()))));
                    }
                }
            }
            List<Row> rows = new ArrayList<>();
            List<Recall.Labelled> all =
                    speakers.values().stream().flatMap(List::stream).toList();
            Map<String, List<Recall.Labelled>> queries = new LinkedHashMap<>();
            queries.put("held-out speakers", all);
            speakers.forEach((speaker, list) -> queries.put("… " + speaker, list));
            queries.forEach((name, list) -> {
                rows.add(new Row("audio → image", name, Recall.of(engine, list, images)));
                rows.add(new Row("audio → text", name, Recall.of(engine, list, texts)));
            });
            rows.add(new Row("image → image", "held-out views", Recall.of(engine, views, images)));
            rows.add(new Row("image → text", "held-out views", Recall.of(engine, views, texts)));
            rows.add(new Row("image → image", "held-out pictures", Recall.of(engine, heldImages, images)));
            rows.add(new Row("image → text", "held-out pictures", Recall.of(engine, heldImages, texts)));
            rows.add(new Row("text → image", "names", Recall.of(engine, texts, images)));
            rows.add(new Row("text → image", "held-out names", Recall.of(engine, heldTexts, images)));
            rows.add(new Row("audio → image", "unseen concepts", Recall.of(engine, unseen, unseenImages)));
            rows.add(new Row("audio → text", "unseen concepts", Recall.of(engine, unseen, unseenTexts)));
            rows.add(new Row("text → image", "unseen concepts", Recall.of(engine, unseenTexts, unseenImages)));
            rows.removeIf(row -> row.recall().queries() == 0);
            return new Figures(rows);
        }
    }

    /** Pictures and names of which an item is trained. */
    private static Set<String> trained(DataSet set) throws IOException {
        try (Stream<Item> items = set.items()) {
            return items.filter(item -> item.split() == Split.TRAIN)
                    .flatMap(item -> Stream.of(image(item), text(item)))
                    .collect(Collectors.toSet());
        }
    }

    private static String image(Item item) {
        return "image " + item.image();
    }

    /** The same words may name several concepts. */
    private static String text(Item item) {
        return "text " + item.concept() + ": " + item.text();
    }

    /** Training chooses by those for validation. */
    private static boolean measured(Item item) {
        return item.split() == Split.TEST || item.split() == Split.UNSEEN;
    }

    private static Recall.Labelled labelled(String concept, float[] vector) {
        return new Recall.Labelled(concept, vector);
    }

    private static byte[] resized(Resizer resizer, Picture picture, int side) {
        ByteBuffer out = ByteBuffer.allocateDirect(side * side * 3);
        resizer.run(picture.pixels().rewind(), picture.height(), picture.width(), 3, out);
        byte[] pixels = new byte[side * side * 3];
        out.rewind().get(pixels);
        return pixels;
    }

    /** A view that training drew with no seed of its own. */
    private static Picture view(byte[] pixels, int side, SplittableRandom random) {
        float[] values = Augment.image(pixels, side, 1, random);
        ByteBuffer out = ByteBuffer.allocateDirect(values.length);
        for (float value : values) {
            out.put((byte) Math.round(value));
        }
        return new Picture(out.flip(), side, side);
    }

    void print(PrintWriter out) {
        Table table = new Table("llrrrrrr", "direction", "queries", "n", "gallery", "chance", "recall@1", "@5", "MRR");
        for (Row row : rows) {
            Recall r = row.recall();
            table.row(
                    row.direction(),
                    row.queries(),
                    r.queries(),
                    r.gallery(),
                    number(r.chance()),
                    number(r.at1()),
                    number(r.at5()),
                    number(r.mrr()));
        }
        table.print(out);
    }

    void write(Path file) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ArrayNode array = mapper.createArrayNode();
        for (Row row : rows) {
            Recall r = row.recall();
            ObjectNode node = array.addObject();
            node.put("direction", row.direction()).put("queries", row.queries());
            node.put("n", r.queries()).put("gallery", r.gallery()).put("chance", r.chance());
            node.put("recall_at_1", r.at1()).put("recall_at_5", r.at5()).put("mrr", r.mrr());
        }
        Files.writeString(file, array.toPrettyString());
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }
}
