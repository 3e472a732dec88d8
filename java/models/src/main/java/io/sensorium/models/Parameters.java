package io.sensorium.models;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.InvalidArgumentException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Published parameters of a front end: those of a {@code preprocessor_config.json} (or the arguments of torchaudio's and
 * librosa's functions), and over them single ones. A file may hold keys that say nothing about numbers; a key that was
 * set by itself must be one that the front end knows. Immutable.
 */
public final class Parameters {
    /** No parameter: everything as the front end's defaults are. */
    public static final Parameters NONE =
            new Parameters(new ObjectMapper().createObjectNode(), Set.of(), "preprocessor configuration");

    /** A key that is set takes these away, which say the same thing otherwise. */
    private static final Map<String, List<String>> RIVALS = Map.of(
            "size.height", List.of("size.shortest_edge", "size.longest_edge", "size.max_height", "size.max_width"),
            "size.width", List.of("size.shortest_edge", "size.longest_edge", "size.max_height", "size.max_width"),
            "size.shortest_edge",
                    List.of("size.height", "size.width", "size.max_height", "size.max_width", "min_pixels"),
            "size.longest_edge",
                    List.of("size.height", "size.width", "size.max_height", "size.max_width", "max_pixels"),
            "size.max_height", List.of("size.height", "size.width", "size.shortest_edge", "size.longest_edge"),
            "size.max_width", List.of("size.height", "size.width", "size.shortest_edge", "size.longest_edge"),
            "n_samples", List.of("chunk_length"),
            "nb_max_samples", List.of("max_length_s"));

    private final ObjectNode json;
    private final Set<String> set;
    private final String where;

    private Parameters(ObjectNode json, Set<String> set, String where) {
        this.json = json;
        this.set = set;
        this.where = where;
    }

    /** The keys of a file. */
    public static Parameters of(JsonNode config) {
        if (!(config instanceof ObjectNode object)) {
            throw Errors.weights(NONE.where + ": must be a JSON object");
        }
        return new Parameters(object.deepCopy(), Set.of(), NONE.where);
    }

    /**
     * These with one more, over what they have.
     *
     * @param assignment {@code key=value}; the key with dots where objects are nested ({@code size.height}), the value as
     *     JSON, or Python's None, True and False, or a plain word
     */
    public Parameters with(String assignment) {
        int at = assignment.indexOf('=');
        if (at < 1) {
            throw new InvalidArgumentException("'" + assignment + "' is not key=value", assignment);
        }
        String key = assignment.substring(0, at).strip();
        ObjectNode out = json.deepCopy();
        for (String rival : RIVALS.getOrDefault(key, List.of())) {
            String[] path = rival.split("\\.");
            if (path.length == 1) {
                out.remove(rival);
            } else if (out.path(path[0]) instanceof ObjectNode inner) {
                inner.remove(path[1]);
            }
        }
        String[] path = key.split("\\.", -1);
        ObjectNode node = out;
        for (int i = 0; i + 1 < path.length; i++) {
            node = node.path(path[i]) instanceof ObjectNode inner ? inner : node.putObject(path[i]);
        }
        node.set(path[path.length - 1], value(assignment.substring(at + 1).strip()));
        Set<String> keys = new LinkedHashSet<>(set);
        keys.add(key);
        return new Parameters(out, keys, where);
    }

    private static JsonNode value(String text) {
        ObjectMapper mapper = new ObjectMapper();
        switch (text.toLowerCase(Locale.ROOT)) {
            case "none":
                return mapper.nullNode();
            case "true":
                return mapper.getNodeFactory().booleanNode(true);
            case "false":
                return mapper.getNodeFactory().booleanNode(false);
            default:
        }
        try {
            JsonNode node = new ObjectMapper(Json.factory(8, 1 << 20))
                    .enable(com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .readTree(text);
            return node.isMissingNode() ? mapper.getNodeFactory().textNode(text) : node;
        } catch (JsonProcessingException e) {
            return mapper.getNodeFactory().textNode(text);
        }
    }

    /** The string under a key, or "" where there is none. */
    String text(String key) {
        return json.path(key).asText("");
    }

    /** Whether nothing is set at all. */
    public boolean isEmpty() {
        return json.isEmpty();
    }

    ConfigNode node() {
        return new ConfigNode(where, json);
    }

    /**
     * Called when the front end has read what it knows: what was set but never asked for is an error that lists the known
     * ones.
     *
     * @param all whether the file's keys must be known, too
     */
    void reject(ConfigNode node, String preset, boolean all) {
        Set<String> known = node.keysRead();
        Set<String> keys = new LinkedHashSet<>(set);
        if (all) {
            json.fieldNames().forEachRemaining(keys::add);
        }
        for (String key : keys) {
            if (!known.contains(key)) {
                throw new InvalidArgumentException(
                        preset + " has no parameter '" + key + "'; there are " + String.join(", ", known), key);
            }
        }
    }
}
