package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.Engine;
import io.sensorium.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A published model called as its reference is: tensors in, tensors out, all under the reference's names and in its
 * shapes. For one item at a time inside a server take {@link ModelLoader} and a session: they copy nothing.
 *
 * <p>Outputs, as far as the family has them: {@code embeddings} (after projection, class token and positions), {@code
 * hidden} (the last hidden state, normed where the model norms it), {@code pooled}, {@code latents_out}. Inputs may have
 * an ending ({@code pixel_values_interp}): what comes of them has the same. Rows that a mask leaves out are zeros.
 */
public final class Embedder implements AutoCloseable {
    private final List<Tower> towers;

    private Embedder(List<Tower> towers) {
        this.towers = towers;
    }

    /**
     * Opens a model directory.
     *
     * @param config instead of the directory's config.json; may be null
     */
    public static Embedder open(Engine engine, Path directory, Path config) throws IOException {
        Path file = config == null ? directory.resolve("config.json") : config;
        JsonNode json = Json.readObject(file);
        return new Embedder(List.of(tower(engine, directory, file, json)));
    }

    private static Tower tower(Engine engine, Path directory, Path config, JsonNode json) throws IOException {
        if (json.path("model_type").asText().equals("blip_2_qformer")) {
            return new QueryTower(
                    engine,
                    queries -> queries == null
                            ? ModelLoader.open(directory, config)
                            : ModelLoader.openQFormer(directory, config, queries));
        }
        ModelSpec spec = ModelLoader.open(directory, config);
        try {
            if (spec.image().isPresent()) {
                return new PixelTower(engine, spec);
            }
            if (spec.audio().isPresent()) {
                return new FeatureTower(engine, spec);
            }
            return spec.perceiver().isPresent()
                    ? new LatentTower(engine, spec, "inputs", LatentTower.Masking.BESIDE)
                    : new LatentTower(engine, spec, "context", LatentTower.Masking.ONLY);
        } catch (RuntimeException e) {
            spec.close();
            throw e;
        }
    }

    /** Names of the tensors that it reads, without endings. */
    public List<String> inputs() {
        return towers.stream().flatMap(tower -> tower.inputs().stream()).toList();
    }

    /**
     * Runs everything that the file holds inputs for.
     *
     * @throws InvalidArgumentException if it holds none
     */
    public Map<String, Tensor> run(Safetensors in) throws IOException {
        Map<String, Tensor> out = new LinkedHashMap<>();
        List<String> wanted = new ArrayList<>();
        for (Tower tower : towers) {
            String input = tower.inputs().get(0);
            wanted.add(input);
            for (String name : in.tensors().keySet()) {
                if (name.equals(input) || name.startsWith(input + "_")) {
                    tower.run(in, name.substring(input.length()), out);
                }
            }
        }
        if (out.isEmpty()) {
            throw new InvalidArgumentException(
                    in.name() + ": has no tensor " + String.join(" or ", wanted) + ", which this model takes",
                    wanted.get(0));
        }
        return out;
    }

    @Override
    public void close() throws IOException {
        IOException first = null;
        for (Tower tower : towers) {
            try {
                tower.close();
            } catch (IOException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
