package io.sensorium.align;

import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/**
 * What a frozen model gives for each view of each concept: the rows [n, d] that an adapter reads, or only their mean, which is
 * what a head reads.
 */
final class FrozenViews {
    /** A concept of which pictures, sounds and texts are trained. */
    static final class Concept {
        final String name;
        final Map<Modality, List<float[]>> views = new EnumMap<>(Modality.class);
        final List<float[]> validation = new ArrayList<>();

        Concept(String name) {
            this.name = name;
        }
    }

    final int d;
    final List<Concept> trained;
    private final long digest;

    private FrozenViews(int d, List<Concept> trained, long digest) {
        this.d = d;
        this.trained = trained;
        this.digest = digest;
    }

    /** @param mean whether rows are only wanted as their mean */
    static FrozenViews read(
            Engine engine, ModelSpec spec, DataSet set, int words, boolean mean, Consumer<String> progress)
            throws IOException {
        Map<String, Concept> concepts = new LinkedHashMap<>();
        Set<String> seen = new HashSet<>();
        CRC32 crc = new CRC32();
        int d = 0;
        try (Embedder embedder = new Embedder(engine, spec);
                Stream<Item> items = set.items()) {
            int count = 0;
            for (Item item : (Iterable<Item>) items::iterator) {
                boolean learnt = item.split() == Split.TRAIN;
                if (!learnt && item.split() != Split.VALIDATION
                        || words > 0 && item.concept().split(" ").length > words) {
                    continue;
                }
                Concept concept = concepts.computeIfAbsent(item.concept(), Concept::new);
                if (learnt && item.image() != null && seen.add("image " + item.image())) {
                    embedder.image(Pictures.read(item.image()));
                    add(concept.views, Modality.IMAGE, rows(embedder, mean, crc));
                }
                if (item.audio() != null && seen.add("audio " + item.audio())) {
                    embedder.audio(Wav.read(item.audio()));
                    float[] rows = rows(embedder, mean, crc);
                    if (learnt) {
                        add(concept.views, Modality.AUDIO, rows);
                    } else {
                        concept.validation.add(rows);
                    }
                }
                if (learnt && item.text() != null && seen.add("text " + item.text())) {
                    embedder.text(item.text());
                    add(concept.views, Modality.TEXT, rows(embedder, mean, crc));
                }
                d = embedder.rows().width();
                if (++count % 200 == 0) {
                    progress.accept("reading: " + count + " items");
                }
            }
        }
        return new FrozenViews(
                d,
                concepts.values().stream()
                        .filter(c -> c.views.size() == Modality.values().length)
                        .toList(),
                crc.getValue());
    }

    private static void add(Map<Modality, List<float[]>> views, Modality modality, float[] rows) {
        views.computeIfAbsent(modality, m -> new ArrayList<>()).add(rows);
    }

    private static float[] rows(Embedder embedder, boolean mean, CRC32 crc) {
        Embedder.Rows read = embedder.rows();
        float[] rows = mean ? mean(read.values(), read.width()) : read.values();
        ByteBuffer bytes = ByteBuffer.allocate(4 * rows.length);
        bytes.asFloatBuffer().put(rows);
        crc.update(bytes);
        return rows;
    }

    private static float[] mean(float[] rows, int d) {
        int count = rows.length / d;
        float[] mean = new float[d];
        for (int i = 0; i < d; i++) {
            double sum = 0;
            for (int row = 0; row < count; row++) {
                sum += rows[row * d + i];
            }
            mean[i] = (float) (sum / count);
        }
        return mean;
    }

    /** Of all rows: another model or set has another. */
    long digest() {
        return digest;
    }
}
