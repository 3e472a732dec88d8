package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Weights in several safetensors files with an index ({@code model.safetensors.index.json}: {@code weight_map} from tensor
 * to file), as transformers writes them. The index and the files must agree tensor by tensor.
 */
final class ShardedWeights implements Weights {
    private static final int MAX_FILES = 4096;

    private final String name;
    private final Map<String, Safetensors> files = new LinkedHashMap<>();
    private final Map<String, Safetensors> owner = new LinkedHashMap<>();
    private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private ShardedWeights(String name) {
        this.name = name;
    }

    /** Opens the index and all its files. */
    static ShardedWeights open(Path index) throws IOException {
        ShardedWeights weights = new ShardedWeights(index.getFileName().toString());
        try {
            weights.read(index);
        } catch (IOException | RuntimeException e) {
            weights.close();
            throw e;
        }
        return weights;
    }

    private void read(Path index) throws IOException {
        ObjectNode json = Json.readObject(index);
        JsonNode map = json.path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw Errors.weights(name + ": 'weight_map' must be an object of tensors and their files");
        }
        List<String> problems = new ArrayList<>();
        for (Iterator<Map.Entry<String, JsonNode>> it = map.fields(); it.hasNext(); ) {
            Map.Entry<String, JsonNode> entry = it.next();
            String file = entry.getValue().asText("");
            Safetensors shard = shard(index, file);
            if (!shard.tensors().containsKey(entry.getKey())) {
                problems.add("missing " + entry.getKey() + " in " + file);
                continue;
            }
            owner.put(entry.getKey(), shard);
            tensors.put(entry.getKey(), shard.info(entry.getKey()));
        }
        for (Safetensors shard : files.values()) {
            for (String tensor : shard.tensors().keySet()) {
                if (owner.get(tensor) != shard) {
                    problems.add("unexpected " + tensor + " in " + shard.name());
                }
            }
        }
        if (!problems.isEmpty()) {
            throw Errors.weights(name + ": " + String.join("\n" + name + ": ", problems));
        }
    }

    private Safetensors shard(Path index, String file) throws IOException {
        Safetensors known = files.get(file);
        if (known != null) {
            return known;
        }
        // A name only: an index must not reach out of its directory.
        if (!file.matches("[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")) {
            throw Errors.weights(name + ": '" + (file.length() > 60 ? file.substring(0, 60) + "…" : file)
                    + "' is not the name of a file beside it");
        }
        if (files.size() == MAX_FILES) {
            throw Errors.weights(name + ": more than " + MAX_FILES + " files");
        }
        Path path = index.resolveSibling(file);
        if (!Files.isRegularFile(path)) {
            throw new java.nio.file.NoSuchFileException(path.toString());
        }
        Safetensors opened = Safetensors.open(path);
        files.put(file, opened);
        opened.metadata().forEach(metadata::putIfAbsent);
        return opened;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Map<String, TensorInfo> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    @Override
    public FloatBuffer floats(String tensor) {
        Safetensors file = owner.get(tensor);
        if (file == null) {
            throw Errors.weights(name + ": has no tensor '" + tensor + "'");
        }
        return file.floats(tensor);
    }

    @Override
    public void close() throws IOException {
        IOException first = null;
        for (Safetensors file : files.values()) {
            try {
                file.close();
            } catch (IOException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
