package io.sensorium.health;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/** A healthy space, to compare with: its figures, and the embeddings that drift is measured from. A JSON file. */
public final class Baseline {
    private static final String FORMAT = "sensorium-health-1";
    private static final int MAX_BYTES = 1 << 28;

    private final String nameX;
    private final String nameY;
    private final int pairs;
    private final Map<String, Estimate> estimates;
    private final Rows x;
    private final Rows y;

    Baseline(String nameX, String nameY, int pairs, Map<String, Estimate> estimates, Rows x, Rows y) {
        this.nameX = nameX;
        this.nameY = nameY;
        this.pairs = pairs;
        this.estimates = Map.copyOf(estimates);
        this.x = x;
        this.y = y;
    }

    /** Values of an embedding. */
    public int dim() {
        return x.dim();
    }

    /** The larger number of embeddings or pairs that it was made of: windows must hold as many. */
    public int size() {
        return Math.max(pairs, Math.max(x.n(), y.n()));
    }

    int pairs() {
        return pairs;
    }

    Map<String, Estimate> estimates() {
        return estimates;
    }

    Rows x() {
        return x;
    }

    Rows y() {
        return y;
    }

    void check(Settings s) {
        if (!s.x().equals(nameX) || !s.y().equals(nameY) || s.dim() != dim()) {
            throw new IllegalArgumentException("the baseline is of " + nameX + " and " + nameY + " in " + dim()
                    + " dimensions, not of " + s.x() + " and " + s.y() + " in " + s.dim());
        }
        if (s.window() < size()) {
            throw new IllegalArgumentException("a window of " + s.window() + " for a baseline of " + size());
        }
    }

    /** Writes it; a file that is there is replaced at once or not at all. */
    public void write(Path file) throws IOException {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("format", FORMAT).put("dim", dim()).put("pairs", pairs);
        root.put("x", nameX).put("y", nameY);
        ObjectNode list = root.putObject("figures");
        estimates.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .forEach(e -> list.putArray(e.getKey())
                        .add(e.getValue().value())
                        .add(e.getValue().low())
                        .add(e.getValue().high()));
        root.put("embeddings_x", encode(x)).put("embeddings_y", encode(y));
        Path target = file.toAbsolutePath();
        Path temporary = target.resolveSibling("." + target.getFileName() + ".tmp");
        try {
            Files.writeString(temporary, root.toPrettyString() + "\n");
            Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** Reads one. Throws {@link IllegalArgumentException} saying why it is none. */
    public static Baseline read(Path file) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw bad(file, "larger than " + MAX_BYTES + " bytes");
        }
        StreamReadConstraints limits = StreamReadConstraints.builder()
                .maxNestingDepth(8)
                .maxStringLength(MAX_BYTES)
                .build();
        JsonNode root;
        try {
            root = new ObjectMapper(new JsonFactoryBuilder()
                            .streamReadConstraints(limits)
                            .build())
                    .readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw bad(file, e.getOriginalMessage());
        }
        if (root == null || !root.path("format").asText().equals(FORMAT)) {
            throw bad(file, "its format is not " + FORMAT);
        }
        int dim = root.path("dim").asInt();
        int pairs = root.path("pairs").asInt(-1);
        if (dim < 2 || dim > 1 << 16 || pairs < 0) {
            throw bad(file, "dim " + dim + ", pairs " + pairs);
        }
        Map<String, Estimate> estimates = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : root.path("figures").properties()) {
            JsonNode v = entry.getValue();
            Estimate estimate = new Estimate(
                    v.path(0).asDouble(Double.NaN),
                    v.path(1).asDouble(Double.NaN),
                    v.path(2).asDouble(Double.NaN));
            if (!estimate.known()) {
                throw bad(file, entry.getKey() + " is not three numbers");
            }
            estimates.put(entry.getKey(), estimate);
        }
        return new Baseline(
                root.path("x").asText(),
                root.path("y").asText(),
                pairs,
                estimates,
                decode(file, root.path("embeddings_x"), dim),
                decode(file, root.path("embeddings_y"), dim));
    }

    private static String encode(Rows rows) {
        ByteBuffer bytes =
                ByteBuffer.allocate(Math.multiplyExact(4, rows.values().length)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(rows.values());
        return Base64.getEncoder().encodeToString(bytes.array());
    }

    private static Rows decode(Path file, JsonNode node, int dim) {
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(node.asText());
        } catch (IllegalArgumentException e) {
            throw bad(file, "embeddings are not base64");
        }
        int n = bytes.length / (4 * dim);
        if (n < 2 * Retrieval.K || bytes.length != 4 * dim * n) {
            throw bad(file, bytes.length + " bytes of embeddings");
        }
        float[] values = new float[n * dim];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
        for (float v : values) {
            if (!(Math.abs(v) <= 1.001f)) {
                throw bad(file, "embeddings are not of length 1");
            }
        }
        return new Rows(values, n, dim);
    }

    private static IllegalArgumentException bad(Path file, String why) {
        return new IllegalArgumentException(file + " is not a baseline of a space: " + why);
    }
}
