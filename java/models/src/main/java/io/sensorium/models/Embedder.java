package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.AlignStep;
import io.sensorium.Engine;
import io.sensorium.InvalidArgumentException;
import io.sensorium.Modality;
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
 * hidden} (the last hidden state, normed where the model norms it), {@code pooled}, {@code latents_out}, {@code
 * image_embeds} and {@code text_embeds} (projected; of two-tower models normalised, and then {@code logits_per_image} and
 * {@code logits_per_text} too, and the text's others begin with {@code text_}). Inputs may have an ending ({@code pixel_values_interp}): what comes of them has the same. Rows that a mask leaves out are zeros.
 */
public final class Embedder implements AutoCloseable {
    private final Engine engine;
    private final List<Tower> towers;
    private final boolean twoTowers;
    private final float logitScale;
    private final float logitBias;

    private Embedder(Engine engine, List<Tower> towers, boolean twoTowers, float logitScale, float logitBias) {
        this.engine = engine;
        this.towers = towers;
        this.twoTowers = twoTowers;
        this.logitScale = logitScale;
        this.logitBias = logitBias;
    }

    /**
     * Opens a model directory.
     *
     * @param config instead of the directory's config.json; may be null
     */
    public static Embedder open(Engine engine, Path directory, Path config) throws IOException {
        Path file = config == null ? directory.resolve("config.json") : config;
        JsonNode json = Json.readObject(file);
        String type = json.path("model_type").asText();
        List<Tower> towers = new ArrayList<>();
        try {
            if (type.equals("blip_2_qformer") || type.equals("blip-2")) {
                towers.add(new QueryTower(
                        engine,
                        queries -> queries == null
                                ? ModelLoader.open(directory, file, Modality.IMAGE)
                                : ModelLoader.openQFormer(directory, file, queries)));
                return new Embedder(engine, towers, false, 0, 0);
            }
            ModelSpec first = ModelLoader.open(directory, file, Modality.IMAGE);
            towers.add(tower(engine, first, type, json));
            boolean two = VisionFamily.ALL.containsKey(type) && TextFamily.ALL.containsKey(type);
            if (two) {
                towers.add(tower(engine, ModelLoader.open(directory, file, Modality.TEXT), type, json));
            } else if (type.equals("imagebind")) {
                towers.add(new FeatureTower(
                        engine, ModelLoader.open(directory, file, Modality.AUDIO), "input_values", true));
            }
            return new Embedder(engine, towers, two, scalar(first, "logit_scale"), scalar(first, "logit_bias"));
        } catch (IOException | RuntimeException e) {
            new Embedder(engine, towers, false, 0, 0).close();
            throw e;
        }
    }

    private static float scalar(ModelSpec spec, String name) {
        return spec.has(name) ? spec.readFile(name).get(0) : 0;
    }

    private static Tower tower(Engine engine, ModelSpec spec, String type, JsonNode json) throws IOException {
        try {
            if (spec.text().isPresent() && spec.image().isEmpty()) {
                JsonNode section = json.path("text_config").isObject() ? json.path("text_config") : json;
                boolean causal = spec.encoder(Modality.TEXT).orElseThrow().causal();
                return new TextTower(
                        engine, spec, causal ? section.path("eos_token_id").asInt(49407) : -1);
            }
            if (spec.image().isPresent()) {
                int frames = spec.image().get().temporalPatch();
                spec.stackFrames();
                return switch (type) {
                    case "siglip2", "siglip2_vision_model" -> new NaflexTower(engine, spec);
                    case "qwen2_vl" -> {
                        JsonNode section = json.path("vision_config").isObject() ? json.path("vision_config") : json;
                        yield new GridTower(
                                engine,
                                spec,
                                Math.max(1, section.path("spatial_merge_size").asInt(2)));
                    }
                    default -> new PixelTower(engine, spec, frames);
                };
            }
            if (spec.audio().isPresent()) {
                return FeatureTower.of(engine, spec);
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
                    run(tower, in, name.substring(input.length()), out);
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

    /** Of two towers, text has names of its own, and both embeddings are normalised as the reference does. */
    private void run(Tower tower, Safetensors in, String suffix, Map<String, Tensor> out) throws IOException {
        Map<String, Tensor> part = new LinkedHashMap<>();
        tower.run(in, suffix, part);
        boolean text = tower instanceof TextTower;
        Tensor projected = part.remove("projected" + suffix);
        part.forEach((name, tensor) -> out.put(text && twoTowers ? "text_" + name : name, tensor));
        if (projected == null && twoTowers) {
            projected = part.get("pooled" + suffix);
        }
        if (projected != null) {
            out.put((text ? "text_embeds" : "image_embeds") + suffix, twoTowers ? projected.normalised() : projected);
        }
        Tensor image = out.get("image_embeds" + suffix);
        Tensor words = out.get("text_embeds" + suffix);
        if (image != null && words != null) {
            out.put("logits_per_image" + suffix, logits(image, words));
            out.put("logits_per_text" + suffix, logits(words, image));
        }
    }

    private Tensor logits(Tensor a, Tensor b) {
        Tensor out = Tensor.zeros(a.shape()[0], b.shape()[0]);
        AlignStep.logits(engine, a.values(), b.values(), (int) a.shape()[1], logitScale, logitBias, out.values());
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
