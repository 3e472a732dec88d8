package io.sensorium.search;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.data.Item;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Embeddings of a data set with what they are of, to be searched by modality: exactly up to {@link #EXACT_LIMIT} vectors of
 * one, through a graph of near neighbours beyond. On disk: vectors.safetensors, entries.jsonl and the graphs, in one
 * folder.
 */
public final class SearchIndex implements AutoCloseable {
    /** The most vectors of one modality that every search looks at; more are searched through a graph (HNSW). */
    public static final int EXACT_LIMIT = 1_000_000;

    private static final String VECTORS = "vectors.safetensors";
    private static final String ENTRIES = "entries.jsonl";
    private static final int MAX_LINE = 1 << 16;

    /**
     * What a vector is of.
     *
     * @param modality of it
     * @param concept of the item
     * @param what the file of a picture or sound, or the text itself
     * @param source who made it
     */
    public record Entry(Modality modality, String concept, String what, String source) {}

    /** An entry that was found. */
    public record Hit(Entry entry, float score) {}

    private final int dim;
    private final List<Entry> entries;
    private final float[] vectors;
    private final Map<Modality, Nearest> indexes = new EnumMap<>(Modality.class);
    private final Map<Modality, List<Entry>> places = new EnumMap<>(Modality.class);

    private SearchIndex(
            Engine engine, int dim, List<Entry> entries, float[] vectors, int exactLimit, @Nullable Path folder)
            throws IOException {
        this.dim = dim;
        this.entries = entries;
        this.vectors = vectors;
        for (Modality modality : Modality.values()) {
            int[] own = IntStream.range(0, entries.size())
                    .filter(i -> entries.get(i).modality() == modality)
                    .toArray();
            FloatBuffer rows = FloatBuffer.allocate(own.length * dim);
            for (int i : own) {
                rows.put(vectors, i * dim, dim);
            }
            rows.flip();
            places.put(modality, Arrays.stream(own).mapToObj(entries::get).toList());
            indexes.put(
                    modality,
                    own.length <= exactLimit || dim > HnswNearest.MAX_DIM
                            ? new ExactNearest(engine, rows, dim)
                            : graph(rows, dim, folder == null ? null : graph(folder, modality)));
        }
    }

    private static HnswNearest graph(FloatBuffer rows, int dim, @Nullable Path folder) throws IOException {
        return folder != null && Files.isDirectory(folder)
                ? HnswNearest.open(folder, rows, dim)
                : HnswNearest.build(rows, dim);
    }

    private static Path graph(Path folder, Modality modality) {
        return folder.resolve("hnsw-" + modality.name().toLowerCase(Locale.ROOT));
    }

    /**
     * Embeds each picture, sound and text once.
     *
     * @param progress is told how many vectors there are
     */
    public static SearchIndex build(Engine engine, Embedder embedder, Stream<Item> items, IntConsumer progress)
            throws IOException {
        List<Entry> entries = new ArrayList<>();
        List<float[]> rows = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        for (Item item : (Iterable<Item>) items::iterator) {
            if (item.image() != null && embedder.reads(Modality.IMAGE) && seen.add("image " + item.image())) {
                rows.add(embedder.image(Pictures.read(item.image())));
                entries.add(entry(Modality.IMAGE, item, item.image().toString()));
            }
            if (item.audio() != null && embedder.reads(Modality.AUDIO) && seen.add("audio " + item.audio())) {
                rows.add(embedder.audio(Wav.read(item.audio())));
                entries.add(entry(Modality.AUDIO, item, item.audio().toString()));
            }
            if (item.text() != null && embedder.reads(Modality.TEXT) && seen.add("text " + item.text())) {
                rows.add(embedder.text(item.text()));
                entries.add(entry(Modality.TEXT, item, item.text()));
            }
            progress.accept(rows.size());
        }
        float[] vectors = new float[Math.multiplyExact(rows.size(), embedder.dim())];
        for (int i = 0; i < rows.size(); i++) {
            System.arraycopy(rows.get(i), 0, vectors, i * embedder.dim(), embedder.dim());
        }
        return new SearchIndex(engine, embedder.dim(), entries, vectors, EXACT_LIMIT, null);
    }

    private static Entry entry(Modality modality, Item item, String what) {
        return new Entry(modality, item.concept(), what, item.source());
    }

    /** Number of vectors. */
    public int size() {
        return entries.size();
    }

    /** Values of a vector. */
    public int dim() {
        return dim;
    }

    /** How many vectors there are of a modality. */
    public int size(Modality modality) {
        return places.get(modality).size();
    }

    /** The nearest entries of one modality, the nearest first; fewer if there are not so many. */
    public List<Hit> search(float[] query, Modality modality, int k) throws IOException {
        if (query.length != dim) {
            throw new IllegalArgumentException(
                    "the query has " + query.length + " values, the index " + dim + ": another model?");
        }
        List<Hit> hits = new ArrayList<>();
        for (Nearest.Place place : indexes.get(modality).search(query, k)) {
            hits.add(new Hit(places.get(modality).get(place.id()), place.score()));
        }
        return hits;
    }

    /** Writes it into a folder, which is made if need be. */
    public void write(Path folder) throws IOException {
        Files.createDirectories(folder);
        ObjectMapper mapper = new ObjectMapper();
        try (BufferedWriter out = Files.newBufferedWriter(folder.resolve(ENTRIES))) {
            for (Entry entry : entries) {
                ObjectNode node = mapper.createObjectNode();
                node.put("modality", entry.modality().name().toLowerCase(Locale.ROOT));
                node.put("concept", entry.concept()).put("what", entry.what()).put("source", entry.source());
                out.write(mapper.writeValueAsString(node));
                out.write('\n');
            }
        }
        new SafetensorsWriter()
                .add("vectors", FloatBuffer.wrap(vectors), entries.size(), dim)
                .write(folder.resolve(VECTORS));
        for (Map.Entry<Modality, Nearest> index : indexes.entrySet()) {
            Path graph = graph(folder, index.getKey());
            removeFolder(graph); // of an index that stood here before
            if (index.getValue() instanceof HnswNearest hnsw) {
                hnsw.copyTo(graph);
            }
        }
    }

    private static void removeFolder(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) return;
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    /** Reads one. Throws {@link IllegalArgumentException} saying what does not fit. */
    public static SearchIndex open(Engine engine, Path folder) throws IOException {
        return open(engine, folder, EXACT_LIMIT);
    }

    /**
     * Reads one.
     *
     * @param exactLimit the most vectors of one modality that are searched exactly
     */
    public static SearchIndex open(Engine engine, Path folder, int exactLimit) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        List<Entry> entries = new ArrayList<>();
        try (BufferedReader in = Files.newBufferedReader(folder.resolve(ENTRIES));
                Safetensors file = Safetensors.open(folder.resolve(VECTORS))) {
            for (Iterator<String> lines = in.lines().iterator(); lines.hasNext(); ) {
                String line = lines.next();
                JsonNode node = line.length() > MAX_LINE ? null : mapper.readTree(line);
                if (node == null || !node.isObject()) {
                    throw new IllegalArgumentException(ENTRIES + ", line " + (entries.size() + 1) + ": no entry");
                }
                entries.add(new Entry(
                        Modality.valueOf(node.path("modality").asText().toUpperCase(Locale.ROOT)),
                        node.path("concept").asText(),
                        node.path("what").asText(),
                        node.path("source").asText()));
            }
            long[] dims = file.info("vectors").dims();
            if (dims.length != 2 || dims[0] != entries.size() || dims[1] < 1) {
                throw new IllegalArgumentException(
                        folder + ": " + Arrays.toString(dims) + " vectors for " + entries.size() + " entries");
            }
            float[] vectors = new float[Math.toIntExact(dims[0] * dims[1])];
            file.floats("vectors").get(vectors);
            return new SearchIndex(engine, Math.toIntExact(dims[1]), entries, vectors, exactLimit, folder);
        }
    }

    @Override
    public void close() throws IOException {
        for (Nearest index : indexes.values()) {
            index.close();
        }
    }
}
