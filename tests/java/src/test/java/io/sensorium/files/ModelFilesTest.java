package io.sensorium.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.InvalidWeightsException;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.RandomModel;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Published and own configurations: names, rules, faults. */
class ModelFilesTest {
    private static final String VIT =
            "{\"model_type\":\"vit\",\"hidden_size\":8,\"image_size\":32,\"patch_size\":16,\"num_channels\":3,"
                    + "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":12}";

    @TempDir
    Path folder;

    private static final String[][] LAYER = {
        {"layernorm_before", "layernorm_before"},
        {"attention.q_proj", "attention.attention.query"},
        {"attention.k_proj", "attention.attention.key"},
        {"attention.v_proj", "attention.attention.value"},
        {"attention.o_proj", "attention.output.dense"},
        {"layernorm_after", "layernorm_after"},
        {"mlp.fc1", "intermediate.dense"},
        {"mlp.fc2", "output.dense"},
    };
    private static final long[][] SHAPES = {{8}, {8, 8}, {8, 8}, {8, 8}, {8, 8}, {8}, {12, 8}, {8, 12}};

    private static Map<String, long[]> vit(String prefix) {
        return vit(prefix, false);
    }

    private static Map<String, long[]> vit(String prefix, boolean older) {
        Map<String, long[]> tensors = new LinkedHashMap<>();
        tensors.put(prefix + "embeddings.cls_token", new long[] {1, 1, 8});
        tensors.put(prefix + "embeddings.position_embeddings", new long[] {1, 5, 8});
        tensors.put(prefix + "embeddings.patch_embeddings.projection.weight", new long[] {8, 3, 16, 16});
        tensors.put(prefix + "embeddings.patch_embeddings.projection.bias", new long[] {8});
        for (int i = 0; i < LAYER.length; i++) {
            String name = prefix + (older ? "encoder.layer.0." + LAYER[i][1] : "layers.0." + LAYER[i][0]);
            tensors.put(name + ".weight", SHAPES[i]);
            tensors.put(name + ".bias", new long[] {SHAPES[i][0]});
        }
        tensors.put(prefix + "layernorm.weight", new long[] {8});
        tensors.put(prefix + "layernorm.bias", new long[] {8});
        return tensors;
    }

    private ModelSpec open(String config, Map<String, long[]> tensors) throws IOException {
        Files.writeString(folder.resolve("config.json"), config);
        SafetensorsWriter writer = new SafetensorsWriter();
        tensors.forEach((name, shape) -> {
            int count = 1;
            for (long size : shape) {
                count *= (int) size;
            }
            writer.add(name, FloatBuffer.allocate(count), shape);
        });
        writer.write(folder.resolve("model.safetensors"));
        return ModelLoader.open(folder);
    }

    private String refused(String config, Map<String, long[]> tensors) {
        return assertThrows(
                        InvalidWeightsException.class,
                        () -> open(config, tensors).close())
                .getMessage();
    }

    @Test
    void olderNewerAndPrefixedNamesAreKnown() throws IOException {
        for (String prefix : new String[] {"", "vit."}) {
            for (boolean older : new boolean[] {false, true}) {
                Map<String, long[]> tensors = vit(prefix, older);
                tensors.put(prefix + "pooler.dense.weight", new long[] {8, 8});
                tensors.put(prefix + "pooler.dense.bias", new long[] {8});
                tensors.put("classifier.weight", new long[] {2, 8});
                try (ModelSpec spec = open(VIT, tensors)) {
                    assertEquals(2, spec.image().orElseThrow().gridH());
                    assertEquals(1, spec.encoder(Modality.IMAGE).orElseThrow().layers());
                    long stem = 8 + 40 + 8 * 768 + 8;
                    long layer = 4 * (64 + 8) + 2 * 16 + (96 + 12) + (96 + 8);
                    assertEquals(stem + layer + 16 + 64 + 8, spec.parameters());
                }
            }
        }
    }

    /** A file of older names that lacks one is told so in its own names. */
    @Test
    void whatIsMissingIsNamedAsTheFileNamesIt() {
        Map<String, long[]> tensors = vit("vit.", true);
        tensors.remove("vit.encoder.layer.0.attention.attention.key.bias");
        String message = refused(VIT, tensors);
        assertTrue(message.contains("missing vit.encoder.layer.0.attention.attention.key.bias [8]"), message);
    }

    private void shard(String file, Map<String, long[]> tensors) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        tensors.forEach((name, shape) -> {
            int count = 1;
            for (long size : shape) {
                count *= (int) size;
            }
            writer.add(name, FloatBuffer.allocate(count), shape);
        });
        writer.write(folder.resolve(file));
    }

    @Test
    void weightsInSeveralFilesAreJoined() throws IOException {
        Files.writeString(folder.resolve("config.json"), VIT);
        Map<String, long[]> first = new LinkedHashMap<>();
        Map<String, long[]> second = new LinkedHashMap<>();
        StringBuilder index = new StringBuilder("{\"metadata\":{\"total_size\":1},\"weight_map\":{");
        vit("").forEach((name, shape) -> {
            boolean one = first.size() <= second.size();
            (one ? first : second).put(name, shape);
            index.append(index.charAt(index.length() - 1) == '{' ? "" : ",")
                    .append('"')
                    .append(name)
                    .append("\":\"model-0000")
                    .append(one ? 1 : 2)
                    .append("-of-00002.safetensors\"");
        });
        Path map = Files.writeString(folder.resolve("model.safetensors.index.json"), index + "}}");
        shard("model-00001-of-00002.safetensors", first);
        shard("model-00002-of-00002.safetensors", second);
        try (Engine engine = Engine.builder().threads(1).open();
                ModelSpec spec = ModelLoader.open(folder);
                Model model = spec.build(engine)) {
            assertEquals(8, model.sequence().dModel());
        }
        // A tensor in the wrong file, one that the index does not know, and a name that leaves the directory.
        second.put("stranger", new long[] {1});
        String moved = first.keySet().iterator().next();
        shard("model-00002-of-00002.safetensors", second);
        first.remove(moved);
        shard("model-00001-of-00002.safetensors", first);
        String message = assertThrows(
                        InvalidWeightsException.class,
                        () -> ModelLoader.open(folder).close())
                .getMessage();
        assertTrue(message.contains("missing " + moved + " in model-00001"), message);
        assertTrue(message.contains("unexpected stranger in model-00002"), message);
        Files.writeString(map, "{\"weight_map\":{\"a\":\"../model.safetensors\"}}");
        assertTrue(assertThrows(
                        InvalidWeightsException.class,
                        () -> ModelLoader.open(folder).close())
                .getMessage()
                .contains("not the name of a file beside it"));
        Files.writeString(map, "{\"weight_map\":{\"a\":\"absent.safetensors\"}}");
        assertThrows(NoSuchFileException.class, () -> ModelLoader.open(folder).close());
    }

    @Test
    void everyMismatchIsListed() throws IOException {
        Map<String, long[]> tensors = vit("");
        tensors.remove("embeddings.cls_token");
        tensors.put("embeddings.position_embeddings", new long[] {1, 6, 8});
        tensors.put("layers.0.attention.q_prj.weight", new long[] {8, 8});
        tensors.put("stranger", new long[] {1});
        InvalidWeightsException e = assertThrows(
                InvalidWeightsException.class, () -> open(VIT, tensors).close());
        assertEquals(4, e.mismatches().size(), e.getMessage());
        assertTrue(e.getMessage().contains("missing embeddings.cls_token [1, 1, 8]"), e.getMessage());
        assertTrue(e.getMessage().contains("embeddings.position_embeddings is [1, 6, 8], expected [1, 5, 8]"));
        assertTrue(e.getMessage().contains("unexpected layers.0.attention.q_prj.weight"));
        assertTrue(e.getMessage().contains("unexpected stranger"));
    }

    @Test
    void integersAreNoWeights() throws IOException {
        Map<String, long[]> tensors = vit("");
        tensors.remove("embeddings.patch_embeddings.projection.bias");
        Files.writeString(folder.resolve("config.json"), VIT);
        SafetensorsWriter writer = new SafetensorsWriter();
        tensors.forEach((name, shape) -> {
            int count = 1;
            for (long size : shape) {
                count *= (int) size;
            }
            writer.add(name, FloatBuffer.allocate(count), shape);
        });
        writer.add("embeddings.patch_embeddings.projection.bias", IntBuffer.allocate(8), 8);
        writer.write(folder.resolve("model.safetensors"));
        InvalidWeightsException e = assertThrows(
                InvalidWeightsException.class, () -> ModelLoader.open(folder).close());
        assertTrue(e.getMessage().contains("is I32, expected floating-point"), e.getMessage());
    }

    @Test
    void preprocessorsAreRead() throws IOException {
        Files.writeString(
                folder.resolve("preprocessor_config.json"),
                "{\"image_mean\":[0.1,0.2,0.3],\"image_std\":[0.4,0.5,0.6],\"do_normalize\":true}");
        try (ModelSpec spec = open(VIT, vit(""))) {
            assertEquals(
                    java.util.List.of(0.1f, 0.2f, 0.3f),
                    spec.image().orElseThrow().mean());
            assertEquals(
                    java.util.List.of(0.4f, 0.5f, 0.6f),
                    spec.image().orElseThrow().std());
        }
        Files.writeString(folder.resolve("preprocessor_config.json"), "{\"image_mean\":[0.1,0.2]}");
        assertTrue(refused(VIT, vit("")).contains("image_mean"));
        Files.writeString(folder.resolve("preprocessor_config.json"), "{\"rescale_factor\":0}");
        assertTrue(refused(VIT, vit("")).contains("rescale_factor"));
        // Normalisation is that of bytes scaled to [0, 1]: another scale moves into the mean and the deviation.
        Files.writeString(
                folder.resolve("preprocessor_config.json"),
                "{\"rescale_factor\":0.0078431372549019607,\"image_mean\":1,\"image_std\":[0.5]}");
        try (ModelSpec spec = open(VIT, vit(""))) {
            assertEquals(
                    java.util.List.of(0.5f, 0.5f, 0.5f),
                    spec.image().orElseThrow().mean());
            assertEquals(
                    java.util.List.of(0.25f, 0.25f, 0.25f),
                    spec.image().orElseThrow().std());
        }
    }

    /** transformers: absent key channels follow the inputs or the latents, absent value channels the keys. */
    @ParameterizedTest
    @CsvSource({
        "kv,null,null,6,6,4,4",
        "q,null,null,4,4,4,4",
        "kv,8,null,8,8,8,8",
        "kv,8,4,8,4,8,4",
        "kv,null,4,6,4,4,4"
    })
    void perceiverChannelsFollowTheReference(
            String shape, String qk, String v, int crossQk, int crossV, int selfQk, int selfV) throws IOException {
        String config = "{\"model_type\":\"perceiver\",\"d_model\":6,\"d_latents\":4,\"num_latents\":3,"
                + "\"num_blocks\":2,\"num_self_attends_per_block\":1,\"num_cross_attention_heads\":1,"
                + "\"num_self_attention_heads\":1,\"qk_channels\":" + qk + ",\"v_channels\":" + v
                + ",\"cross_attention_shape_for_attention\":\"" + shape + "\",\"self_attention_widening_factor\":2}";
        Map<String, long[]> tensors = new LinkedHashMap<>();
        tensors.put("embeddings.latents", new long[] {3, 4});
        layer(tensors, "encoder.cross_attention.", 6, crossQk, crossV, 4);
        tensors.put("encoder.cross_attention.attention.self.layernorm2.weight", new long[] {6});
        tensors.put("encoder.cross_attention.attention.self.layernorm2.bias", new long[] {6});
        layer(tensors, "encoder.self_attends.0.", 4, selfQk, selfV, 8);
        tensors.put("decoder.decoding_cross_attention.anything", new long[] {1});
        try (ModelSpec spec = open(config, tensors)) {
            var perceiver = spec.perceiver().orElseThrow();
            assertEquals(crossQk, perceiver.crossQk());
            assertEquals(crossV, perceiver.crossV());
            assertEquals(selfQk, perceiver.selfQk());
            assertEquals(selfV, perceiver.selfV());
            assertEquals(1e-5f, perceiver.normEps());
        }
    }

    private static void layer(Map<String, long[]> tensors, String name, long keys, long qk, long v, long hidden) {
        linear(tensors, name + "attention.self.layernorm1", 4);
        linear(tensors, name + "attention.self.query", qk, 4);
        linear(tensors, name + "attention.self.key", qk, keys);
        linear(tensors, name + "attention.self.value", v, keys);
        linear(tensors, name + "attention.output.dense", 4, v);
        linear(tensors, name + "layernorm", 4);
        linear(tensors, name + "mlp.dense1", hidden, 4);
        linear(tensors, name + "mlp.dense2", 4, hidden);
    }

    private static void linear(Map<String, long[]> tensors, String name, long... shape) {
        tensors.put(name + ".weight", shape);
        tensors.put(name + ".bias", new long[] {shape[0]});
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'hidden_size' must be an integer | 8 | 1e999",
                "'hidden_size' must be an integer | 8 | 8.5",
                "'hidden_size' must be an integer | 8 | \"8\"",
                "'hidden_size' must be an integer | 8 | 9223372036854775807",
                "hidden_size must be positive | 8 | 0",
                "hidden_size must be positive | 8 | -8",
                "'patch_size' must be | \"patch_size\":16 | \"patch_size\":[16]",
                "patch_size must be positive | \"patch_size\":16 | \"patch_size\":[16,0]",
                "'vit2' is not supported | \"vit\" | \"vit2\"",
                "'hidden_size' is missing | \"hidden_size\":8 | \"hidden_size\":null",
                "Duplicate | \"num_channels\":3 | \"num_channels\":3,\"num_channels\":3",
                "not valid JSON | } | ",
                "not valid JSON | } | }x",
            })
    void wrongConfigurationsAreNamed(String says, String from, String to) {
        String config = VIT.replaceFirst(
                java.util.regex.Pattern.quote(from), java.util.regex.Matcher.quoteReplacement(to == null ? "" : to));
        String message = refused(config, vit(""));
        assertTrue(message.contains(says), message);
    }

    @Test
    void hostileJsonIsRefused() {
        assertTrue(refused("[".repeat(100_000) + "]".repeat(100_000), vit("")).contains("config.json"));
        assertTrue(refused("{\"a\":".repeat(100_000) + "1" + "}".repeat(100_000), vit(""))
                .contains("nesting"));
        assertTrue(refused("{\"hidden_size\":" + "9".repeat(100_000) + "}", vit(""))
                .contains("config.json"));
        assertTrue(refused(VIT + " ".repeat(17 << 20), vit("")).contains("bytes"));
        assertTrue(refused("", vit("")).contains("config.json"));
        assertTrue(refused("7", vit("")).contains("object"));
        assertTrue(refused(
                                VIT.replace("\"hidden_size\":8", "\"hidden_size\":2147483647")
                                        .replace("\"patch_size\":16", "\"patch_size\":2147483647"),
                                vit(""))
                        .length()
                > 10);
    }

    @Test
    void missingFilesAreNamed() throws IOException {
        assertThrows(NoSuchFileException.class, () -> ModelLoader.open(folder));
        Files.writeString(folder.resolve("config.json"), VIT);
        NoSuchFileException e = assertThrows(NoSuchFileException.class, () -> ModelLoader.open(folder));
        assertTrue(e.getMessage().endsWith("model.safetensors"));
    }

    /** Perceiver's pictures: the colours of a pixel, then Fourier features of its place; or both projected and added. */
    @Test
    void theOwnFormatHasFourierPositions() throws IOException {
        String config = """
                {"model_type": "sensorium", "format": 1, "sequence": {"d_model": 13},
                 "image": {"channels": 3, "patch_h": 1, "patch_w": 1, "stride_h": 1, "stride_w": 1,
                           "grid_h": 8, "grid_w": 8, "fourier_bands": 2, "position": "fourier_concat", "has_bias": false}}
                """;
        try (Engine engine = Engine.open();
                ModelSpec spec = open(config, Map.of("image.patch.weight", new long[] {3, 3}));
                Model model = spec.build(engine);
                Session session = model.newSession(SessionLimits.builder()
                        .maxItems(1)
                        .maxTokens(4)
                        .maxPixels(4)
                        .build())) {
            FloatBuffer tokens = session.clear()
                    .pixels(FloatBuffer.allocate(12), 3, 2, 2)
                    .run()
                    .tokens()
                    .values();
            // Row 1, column 0: positions 1 and -1, sines of whole half turns, cosines of 1 and 4 half turns.
            float[] want = {0, 0, 0, 1, -1, 0, 0, 0, 0, -1, 1, -1, 1};
            for (int i = 0; i < 13; i++) {
                assertEquals(want[i], tokens.get(2 * 13 + i), 1e-6, "channel " + i);
            }
        }
        Map<String, long[]> added = Map.of(
                "image.patch.weight", new long[] {13, 3},
                "image.position.weight", new long[] {13, 10},
                "image.position.bias", new long[] {13});
        try (Engine engine = Engine.open();
                ModelSpec spec = open(config.replace("concat", "add"), added)) {
            spec.build(engine).close();
        }
    }

    @Test
    void theOwnFormatRejectsUnknownKeys() throws IOException {
        RandomModel.write(folder);
        Path config = folder.resolve("config.json");
        String text = Files.readString(config);
        ModelLoader.open(folder).close();
        for (String[] change : new String[][] {
            {"\"hop\"", "\"hopp\""},
            {"\"format\" : 1", "\"format\" : 2"},
            {"\"sincos\"", "\"sinco\""},
            {"\"utf8_bytes\"", "\"bpe\""},
            {"\"vocabulary\" : 256", "\"vocabulary\" : 255"},
            {"\"layers\" : 2", "\"layers\" : 2147483647"},
            {"\"floor\" : 1.0E-10", "\"floor\" : 1e999"},
        }) {
            String changed = text.replaceFirst(java.util.regex.Pattern.quote(change[0]), change[1]);
            assertTrue(!changed.equals(text), change[0]);
            Files.writeString(config, changed);
            InvalidWeightsException e = assertThrows(
                    InvalidWeightsException.class,
                    () -> ModelLoader.open(folder).close(),
                    change[1]);
            assertTrue(e.getMessage().contains("config.json"), e.getMessage());
        }
    }
}
