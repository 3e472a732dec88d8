package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.Model;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Reads model directories: {@code config.json} and {@code model.safetensors} (or several files with {@code
 * model.safetensors.index.json}) as published for ViT, CLIP, SigLIP and SigLIP2 (towers of vision and text), Qwen2-VL's
 * vision tower, AST, Whisper's encoder, the Perceiver, Idefics2's and IDEFICS-1's resamplers and BLIP-2's Q-Former in
 * transformers, for Flamingo's resampler and ImageBind, or in the project's own format ({@code "model_type": "sensorium"}). A {@code
 * preprocessor_config.json} beside them is obeyed.
 */
public final class ModelLoader {
    private static final List<String> OTHERS = List.of(
            "sensorium",
            "audio-spectrogram-transformer",
            "perceiver",
            "idefics",
            "idefics2",
            "idefics2_perceiver",
            "flamingo_perceiver",
            "blip-2",
            "blip_2_qformer",
            "whisper",
            "qwen2_vl",
            "imagebind");

    private ModelLoader() {}

    /** {@link #open}, build and close. */
    public static Model load(Engine engine, Path directory) throws IOException {
        try (ModelSpec spec = open(directory)) {
            return spec.build(engine);
        }
    }

    /**
     * Reads and checks everything but the tensors' values.
     *
     * @throws io.sensorium.InvalidWeightsException naming the file and the key or tensor; mismatches are listed all
     *     at once
     */
    public static ModelSpec open(Path directory) throws IOException {
        return open(directory, Modality.IMAGE);
    }

    /**
     * {@link #open(Path)} of one tower of a model that has several (CLIP, SigLIP, SigLIP2: IMAGE and TEXT; ImageBind: IMAGE
     * and AUDIO); of other models it is the whole.
     */
    public static ModelSpec open(Path directory, Modality tower) throws IOException {
        return open(directory, existing(directory, "config.json"), tower);
    }

    /** {@link #open} with another configuration than the directory's. */
    static ModelSpec open(Path directory, Path configuration, Modality tower) throws IOException {
        ObjectNode config = Json.readObject(configuration);
        Path preprocessor = directory.resolve("preprocessor_config.json");
        JsonNode preprocessing = Files.exists(preprocessor) ? Json.readObject(preprocessor) : config.objectNode();
        Weights file = weights(directory);
        try {
            return read(config, preprocessing, file, tower);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * As {@link #open}, for a bare Q-Former ({@code "model_type": "blip_2_qformer"}): its queries belong to the model around
     * it.
     *
     * @param queries [n, hidden_size]
     */
    public static ModelSpec openQFormer(Path directory, FloatBuffer queries) throws IOException {
        return openQFormer(directory, existing(directory, "config.json"), queries);
    }

    /** {@link #openQFormer} with another configuration than the directory's. */
    static ModelSpec openQFormer(Path directory, Path configuration, FloatBuffer queries) throws IOException {
        ObjectNode config = Json.readObject(configuration);
        Weights file = weights(directory);
        try {
            int hidden = hiddenSize(config);
            if (hidden < 1 || queries.remaining() == 0 || queries.remaining() % hidden != 0) {
                throw Errors.weights("queries: " + queries.remaining() + " values are not rows of " + hidden);
            }
            return PublishedCompressors.qFormer(
                    config, new ExtraTensor(file, "query_tokens", queries, 1, queries.remaining() / hidden, hidden));
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static int hiddenSize(ObjectNode config) {
        ConfigNode root = new ConfigNode("config.json", config);
        return (root.has("qformer_config") ? root.object("qformer_config") : root).integer("hidden_size", 768);
    }

    /** Reads a configuration file with the same caps: at most 16 MiB, one JSON object. */
    public static JsonNode readConfig(Path file) throws IOException {
        return Json.readObject(file);
    }

    /**
     * As {@link #open}, from memory.
     *
     * @param config config.json
     * @param weights model.safetensors
     * @param name what errors call it
     */
    public static ModelSpec parse(byte[] config, byte[] weights, String name) {
        ObjectNode json = Json.parseObject(config, name);
        return read(json, json.objectNode(), Safetensors.parse(weights, name), null);
    }

    static ModelSpec read(JsonNode config, JsonNode preprocessing, Weights file, Modality tower) {
        String type = config.path("model_type").asText("");
        return switch (type) {
            case "sensorium" -> SensoriumFormat.read(config, file);
            case "audio-spectrogram-transformer" -> PublishedModels.ast(config, preprocessing, file);
            case "perceiver" -> PublishedModels.perceiver(config, file);
            case "idefics2_perceiver", "idefics2" -> PublishedCompressors.idefics2Resampler(config, file);
            case "idefics" -> PublishedCompressors.idefics(config, file);
            case "flamingo_perceiver" -> PublishedCompressors.flamingo(config, file);
            case "blip_2_qformer", "blip-2" -> PublishedCompressors.qFormer(config, file);
            case "whisper" -> PublishedStems.whisper(config, file);
            case "qwen2_vl" -> PublishedStems.qwen2Vl(config, preprocessing, file);
            case "imagebind" ->
                tower == Modality.AUDIO
                        ? PublishedStems.imageBindAudio(config, file)
                        : PublishedStems.imageBindVision(config, file);
            default -> {
                VisionFamily vision = VisionFamily.ALL.get(type);
                TextFamily text = TextFamily.ALL.get(type);
                if (vision == null && text == null) {
                    Set<String> types = new TreeSet<>(OTHERS);
                    types.addAll(VisionFamily.ALL.keySet());
                    types.addAll(TextFamily.ALL.keySet());
                    throw Errors.weights("config.json: model_type '" + type + "' is not supported; there are "
                            + String.join(", ", types));
                }
                yield vision == null || (text != null && tower == Modality.TEXT)
                        ? text.read(config, file)
                        : vision.read(config, preprocessing, file);
            }
        };
    }

    /** One file, or several with an index. */
    private static Weights weights(Path directory) throws IOException {
        Path single = directory.resolve("model.safetensors");
        Path index = directory.resolve("model.safetensors.index.json");
        return Files.isRegularFile(single) || !Files.isRegularFile(index)
                ? Safetensors.open(existing(directory, "model.safetensors"))
                : ShardedWeights.open(index);
    }

    private static Path existing(Path directory, String name) throws IOException {
        Path file = directory.resolve(name);
        if (!Files.isRegularFile(file)) {
            throw new java.nio.file.NoSuchFileException(file.toString());
        }
        return file;
    }
}
