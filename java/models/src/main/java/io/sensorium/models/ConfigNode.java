package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Typed reading of a JSON object; every error names the file and the key. A null value counts as absent. */
final class ConfigNode {
    private final String where;
    private final JsonNode node;
    /** Of this object and of those in it, with a dot between. */
    private final Set<String> read;

    private final String prefix;

    ConfigNode(String where, JsonNode node) {
        this(where, node, new TreeSet<>(), "");
    }

    private ConfigNode(String where, JsonNode node, Set<String> read, String prefix) {
        if (!node.isObject()) {
            throw Errors.weights(where + ": must be a JSON object");
        }
        this.where = where;
        this.node = node;
        this.read = read;
        this.prefix = prefix;
    }

    boolean has(String key) {
        read.add(prefix + key);
        return node.hasNonNull(key);
    }

    /** Whether the key is there with the value null. */
    boolean isNull(String key) {
        read.add(prefix + key);
        return node.path(key).isNull();
    }

    JsonNode raw(String key) {
        read.add(prefix + key);
        return node.path(key);
    }

    ConfigNode object(String key) {
        require(key);
        return new ConfigNode(where + "." + key, node.get(key), read, prefix + key + ".");
    }

    /** As {@link #object}, or one without keys where it is absent. */
    ConfigNode objectOrEmpty(String key) {
        return has(key)
                ? object(key)
                : new ConfigNode(where + "." + key, JsonNodeFactory.instance.objectNode(), read, prefix + key + ".");
    }

    /** Every key that was asked for, whether it was there or not. */
    Set<String> keysRead() {
        return Collections.unmodifiableSet(read);
    }

    int integer(String key) {
        require(key);
        JsonNode value = node.get(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw bad(key, "an integer of 32 bits");
        }
        return value.intValue();
    }

    int integer(String key, int absent) {
        return has(key) ? integer(key) : absent;
    }

    double number(String key, double absent) {
        if (!has(key)) {
            return absent;
        }
        JsonNode value = node.get(key);
        if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
            throw bad(key, "a finite number");
        }
        return value.doubleValue();
    }

    boolean bool(String key, boolean absent) {
        if (!has(key)) {
            return absent;
        }
        if (!node.get(key).isBoolean()) {
            throw bad(key, "true or false");
        }
        return node.get(key).booleanValue();
    }

    String text(String key, String absent) {
        if (!has(key)) {
            return absent;
        }
        if (!node.get(key).isTextual()) {
            throw bad(key, "a string");
        }
        return node.get(key).textValue();
    }

    String choice(String key, String absent, String... allowed) {
        String value = text(key, absent);
        if (value == null || !Arrays.asList(allowed).contains(value)) {
            throw bad(key, "one of " + String.join(", ", allowed));
        }
        return value;
    }

    /** A Java enumeration in lower case with underscores. */
    <E extends Enum<E>> E constant(String key, Class<E> type, E absent) {
        if (!has(key)) {
            return absent;
        }
        List<String> names = new ArrayList<>();
        for (E constant : type.getEnumConstants()) {
            String name = constant.name().toLowerCase(java.util.Locale.ROOT);
            if (name.equals(text(key, ""))) {
                return constant;
            }
            names.add(name);
        }
        throw bad(key, "one of " + String.join(", ", names));
    }

    /** One integer for both, or an array of two. */
    int[] pair(String key) {
        require(key);
        JsonNode value = node.get(key);
        if (!value.isArray()) {
            int both = integer(key);
            return new int[] {both, both};
        }
        if (value.size() != 2
                || !value.get(0).isIntegralNumber()
                || !value.get(0).canConvertToInt()
                || !value.get(1).isIntegralNumber()
                || !value.get(1).canConvertToInt()) {
            throw bad(key, "an integer or two of them");
        }
        return new int[] {value.get(0).intValue(), value.get(1).intValue()};
    }

    int[] pair(String key, int absent) {
        return has(key) ? pair(key) : new int[] {absent, absent};
    }

    float[] floats(String key, float[] absent) {
        if (!has(key)) {
            return absent;
        }
        JsonNode value = node.get(key);
        if (!value.isArray() || value.size() > 16) {
            throw bad(key, "an array of at most 16 numbers");
        }
        float[] out = new float[value.size()];
        for (int i = 0; i < out.length; i++) {
            if (!value.get(i).isNumber() || !Float.isFinite(value.get(i).floatValue())) {
                throw bad(key, "an array of finite numbers");
            }
            out[i] = value.get(i).floatValue();
        }
        return out;
    }

    /** Rejects keys that nobody asked for. */
    void rejectUnknown() {
        List<String> unknown = new ArrayList<>();
        node.fieldNames().forEachRemaining(key -> {
            if (!read.contains(prefix + key)) {
                unknown.add(key);
            }
        });
        if (!unknown.isEmpty()) {
            List<String> known = read.stream()
                    .filter(key -> key.startsWith(prefix) && key.indexOf('.', prefix.length()) < 0)
                    .map(key -> key.substring(prefix.length()))
                    .toList();
            throw Errors.weights(where + ": unknown keys " + unknown + "; there are " + String.join(", ", known));
        }
    }

    io.sensorium.InvalidWeightsException bad(String key, String wanted) {
        String value = String.valueOf(node.get(key));
        return Errors.weights(where + ": '" + key + "' must be " + wanted + ", not "
                + (value.length() > 60 ? value.substring(0, 60) + "…" : value));
    }

    private void require(String key) {
        if (!has(key)) {
            throw Errors.weights(where + ": '" + key + "' is missing");
        }
    }
}
