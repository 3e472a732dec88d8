package io.sensorium.cli;

import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Stored results of a check, and what has become worse since. */
final class Baseline {
    /** An op whose error is above this multiple of the stored one is reported, if it also uses 1/100 of its limit. */
    static final double ERROR_RATIO = 4;
    /** A shape that takes longer than this multiple of the stored time is reported. */
    static final double TIME_RATIO = 1.3;

    private static final int MAX_BYTES = 16 << 20;

    private Baseline() {}

    static JsonNode read(Path file) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw new UserError(file + " is larger than " + MAX_BYTES + " bytes: not a baseline");
        }
        ObjectMapper mapper = JsonMapper.builder(new com.fasterxml.jackson.core.JsonFactoryBuilder()
                        .streamReadConstraints(StreamReadConstraints.builder()
                                .maxNestingDepth(16)
                                .build())
                        .build())
                .build();
        JsonNode root;
        try {
            root = mapper.readTree(Files.readAllBytes(file));
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new UserError(file + " is not a baseline: " + e.getOriginalMessage());
        }
        if (root == null || !root.path("ops").isArray()) {
            throw new UserError(file + " is not a baseline: it has no list of ops");
        }
        return root;
    }

    static void save(ObjectNode results, Path file) throws IOException {
        AtomicFile.write(file, (results.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** One line for each op that is worse: its name, what it is now, and the ratio. */
    static List<String> regressions(JsonNode then, JsonNode now) {
        List<String> lines = new ArrayList<>();
        for (JsonNode op : now.path("ops")) {
            JsonNode old = find(then.path("ops"), "op", op, null);
            if (old == null) {
                continue;
            }
            double was = old.path("worst_error").asDouble();
            double is = op.path("worst_error").asDouble();
            if (is > ERROR_RATIO * was && is > op.path("limit").asDouble() / 100) {
                lines.add(String.format(
                        Locale.ROOT,
                        "%s: error %.3g, was %.3g (×%.2f)",
                        op.path("op").asText(),
                        is,
                        was,
                        is / was));
            }
        }
        for (JsonNode old : then.path("ops")) {
            if (find(now.path("ops"), "op", old, null) == null) {
                lines.add(old.path("op").asText() + ": gone");
            }
        }
        for (JsonNode timing : now.path("timings")) {
            JsonNode old = find(then.path("timings"), "op", timing, "shape");
            if (old == null) {
                continue;
            }
            double was = old.path("seconds").asDouble();
            double is = timing.path("seconds").asDouble();
            if (was > 0 && is > TIME_RATIO * was) {
                lines.add(String.format(
                        Locale.ROOT,
                        "%s %s: %.3f ms, was %.3f ms (×%.2f)",
                        timing.path("op").asText(),
                        timing.path("shape").asText(),
                        1e3 * is,
                        1e3 * was,
                        is / was));
            }
        }
        return lines;
    }

    private static JsonNode find(JsonNode list, String key, JsonNode like, String second) {
        for (JsonNode entry : list) {
            if (entry.path(key).asText().equals(like.path(key).asText())
                    && (second == null
                            || entry.path(second)
                                    .asText()
                                    .equals(like.path(second).asText()))) {
                return entry;
            }
        }
        return null;
    }
}
