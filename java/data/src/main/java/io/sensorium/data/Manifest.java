package io.sensorium.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The list of a set's items: manifest.jsonl (an object a line) or manifest.csv (RFC 4180 with a header line), with the
 * fields id, concept, split, image, audio, text and source. Paths are relative to the folder and stay inside it.
 */
final class Manifest {
    static final String JSON_LINES = "manifest.jsonl";
    static final String CSV = "manifest.csv";

    private static final int MAX_LINE = 1 << 16;
    private static final Set<String> FIELDS = Set.of("id", "concept", "split", "image", "audio", "text", "source");

    private Manifest() {}

    /** Reads rows one by one; close it. */
    static final class Rows implements AutoCloseable {
        private final Path folder;
        private final String name;
        private final BufferedReader in;
        private final ObjectMapper mapper;
        private final @Nullable List<String> header;
        private final Set<String> ids = new HashSet<>();
        private int line;

        Rows(Path folder) throws IOException {
            this.folder = folder.toAbsolutePath().normalize();
            boolean csv = !Files.exists(folder.resolve(JSON_LINES));
            this.name = csv ? CSV : JSON_LINES;
            this.in = Files.newBufferedReader(folder.resolve(name));
            this.mapper = new ObjectMapper(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(4)
                            .maxDocumentLength(MAX_LINE)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build());
            mapper.enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
            this.header = csv ? header() : null;
        }

        /** The next item, or null at the end. */
        @Nullable
        Item next() throws IOException {
            String text = line();
            while (text != null && text.isBlank()) {
                text = line();
            }
            if (text == null) {
                return null;
            }
            Map<String, String> row = header == null ? object(text) : record(text, header);
            String id = required(row, "id");
            if (!ids.add(id)) {
                throw bad("a second item '" + id + "'");
            }
            Item item = new Item(
                    id,
                    required(row, "concept"),
                    split(row.getOrDefault("split", "train")),
                    inside(row.get("image")),
                    inside(row.get("audio")),
                    row.get("text"),
                    row.getOrDefault("source", ""));
            if (item.image() == null && item.audio() == null && item.text() == null) {
                throw bad("an item without image, audio and text");
            }
            return item;
        }

        private List<String> header() throws IOException {
            String text = line();
            List<String> names = text == null ? List.of() : cells(text);
            for (String field : names) {
                if (!FIELDS.contains(field)) {
                    throw bad("unknown field '" + field + "'");
                }
            }
            return names;
        }

        private Map<String, String> object(String text) {
            JsonNode node;
            try {
                node = mapper.readTree(text);
            } catch (JsonProcessingException e) {
                throw bad("no valid JSON: "
                        + e.getOriginalMessage().lines().findFirst().orElse(""));
            }
            if (!(node instanceof ObjectNode object)) {
                throw bad("no JSON object");
            }
            Map<String, String> row = new LinkedHashMap<>();
            for (Iterator<String> fields = object.fieldNames(); fields.hasNext(); ) {
                String field = fields.next();
                if (!FIELDS.contains(field) || !object.get(field).isTextual()) {
                    throw bad("'" + field + "' is unknown or no text");
                }
                row.put(field, object.get(field).asText());
            }
            return row;
        }

        private Map<String, String> record(String text, List<String> header) throws IOException {
            List<String> cells = cells(text);
            if (cells.size() != header.size()) {
                throw bad(cells.size() + " cells where the header has " + header.size());
            }
            Map<String, String> row = new LinkedHashMap<>();
            for (int i = 0; i < cells.size(); i++) {
                if (!cells.get(i).isEmpty()) {
                    row.put(header.get(i), cells.get(i));
                }
            }
            return row;
        }

        /** The cells of a record; quoted ones may go on over lines. */
        private List<String> cells(String first) throws IOException {
            List<String> cells = new ArrayList<>();
            StringBuilder cell = new StringBuilder();
            String text = first;
            boolean quoted = false;
            for (int i = 0; ; i++) {
                if (i == text.length()) {
                    if (!quoted) {
                        cells.add(cell.toString());
                        return cells;
                    }
                    String more = line();
                    if (more == null || cell.length() > MAX_LINE) {
                        throw bad("a quote that does not end");
                    }
                    cell.append('\n');
                    text = more;
                    i = -1;
                    continue;
                }
                char c = text.charAt(i);
                if (quoted && c == '"' && i + 1 < text.length() && text.charAt(i + 1) == '"') {
                    cell.append(c);
                    i++;
                } else if (c == '"' && (quoted || cell.isEmpty())) {
                    quoted = !quoted;
                } else if (c == ',' && !quoted) {
                    cells.add(cell.toString());
                    cell.setLength(0);
                } else {
                    cell.append(c);
                }
            }
        }

        private @Nullable String line() throws IOException {
            line++;
            StringBuilder text = new StringBuilder();
            for (int c = in.read(); c != '\n'; c = in.read()) {
                if (c < 0) {
                    return text.isEmpty() ? null : text.toString();
                }
                if (text.length() == MAX_LINE) {
                    throw bad("a line of more than " + MAX_LINE + " characters");
                }
                if (c != '\r') {
                    text.append((char) c);
                }
            }
            return text.toString();
        }

        private String required(Map<String, String> row, String field) {
            String value = row.get(field);
            if (value == null || value.isEmpty()) {
                throw bad("no '" + field + "'");
            }
            return value;
        }

        private Split split(String text) {
            for (Split split : Split.values()) {
                if (split.toString().equals(text)) {
                    return split;
                }
            }
            throw bad("split '" + text + "'; there are train, validation, test, unseen");
        }

        private @Nullable Path inside(@Nullable String relative) {
            if (relative == null) {
                return null;
            }
            try {
                Path file = folder.resolve(relative).normalize();
                if (file.startsWith(folder) && !file.equals(folder)) {
                    return file;
                }
            } catch (java.nio.file.InvalidPathException e) {
                // Told below.
            }
            throw bad("'" + relative + "' does not lie in the folder");
        }

        private DataException bad(String what) {
            return new DataException(name + ", line " + line + ": " + what);
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }

    /** Writes manifest.jsonl; it appears when it is complete. */
    static void write(Path folder, List<Item> items) throws IOException {
        Path part = folder.resolve("." + JSON_LINES);
        ObjectMapper mapper = new ObjectMapper();
        try (BufferedWriter out = Files.newBufferedWriter(part)) {
            for (Item item : items) {
                ObjectNode node = mapper.createObjectNode();
                node.put("id", item.id()).put("concept", item.concept());
                node.put("split", item.split().toString());
                put(node, "image", folder, item.image());
                put(node, "audio", folder, item.audio());
                if (item.text() != null) {
                    node.put("text", item.text());
                }
                node.put("source", item.source());
                out.write(mapper.writeValueAsString(node));
                out.write('\n');
            }
        }
        Files.move(part, folder.resolve(JSON_LINES), StandardCopyOption.REPLACE_EXISTING);
    }

    private static void put(ObjectNode node, String field, Path folder, @Nullable Path file) {
        if (file != null) {
            node.put(field, folder.relativize(file).toString());
        }
    }
}
