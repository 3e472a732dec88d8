package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.Activation;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.Modality;
import io.sensorium.PoolConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.TextConfig;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A text transformer as data: what differs between CLIP's and SigLIP's. A text's ids must end with its end token
 * (CLIP) or be padded as the reference pads them (SigLIP): the last token is what is pooled.
 *
 * @param section of config.json that holds the configuration; empty for its root
 * @param causal whether a token reads only those before it; its last token is then projected by the file's
 *     text_projection, and otherwise by a dense layer of the pooler
 * @param activation default
 * @param normEps default
 * @param hidden default sizes: of a token, of the MLP, heads, positions, ids
 * @param table names
 */
record TextFamily(
        String section,
        boolean causal,
        String activation,
        double normEps,
        int hidden,
        int mlp,
        int heads,
        int positions,
        int vocabulary,
        NameTable table) {
    private static final String NAMES = VisionFamily.CLIP_LAYERS.replace("image.", "text.") + """
            text.embedding             v,d  embeddings.token_embedding.weight
            text.position              n,d  embeddings.position_embedding.weight
            text.encoder.final_norm.*  d    final_layer_norm.*
            head.text.weight?project   p,d  /text_projection.weight
            pool.dense.weight?dense    p,d  head.weight
            pool.dense.bias?dense      p    head.bias
            """;
    // Of whole two-tower models the text part is run.
    private static final NameTable TABLE = new NameTable(
            List.of("text_model.", ""),
            "embeddings\\.position_ids|vision_model\\..*|(visual|text)_projection\\..*|logit_(scale|bias)",
            NAMES);
    private static final TextFamily CLIP = new TextFamily("", true, "quick_gelu", 1e-5, 512, 2048, 8, 77, 49408, TABLE);
    private static final TextFamily SIGLIP =
            new TextFamily("", false, "gelu_pytorch_tanh", 1e-6, 768, 3072, 12, 64, 32000, TABLE);

    /** By {@code model_type}. */
    static final Map<String, TextFamily> ALL = Map.of(
            "clip_text_model",
            CLIP,
            "clip",
            CLIP.of("text_config"),
            "siglip_text_model",
            SIGLIP,
            "siglip",
            SIGLIP.of("text_config"),
            "siglip2_text_model",
            SIGLIP,
            "siglip2",
            SIGLIP.of("text_config"));

    private TextFamily of(String key) {
        return new TextFamily(key, causal, activation, normEps, hidden, mlp, heads, positions, vocabulary, table);
    }

    ModelSpec read(JsonNode json, Weights file) {
        ConfigNode root = new ConfigNode("config.json", json);
        ConfigNode config = section.isEmpty() ? root : root.object(section);
        int d = config.integer("hidden_size", hidden);
        int rows = config.integer("max_position_embeddings", positions);
        int ids = config.integer("vocab_size", vocabulary);
        PublishedModels.positive("hidden_size, max_position_embeddings, vocab_size", d, rows, ids);
        EncoderConfig encoder = PublishedModels.encoder(config, activation, normEps, mlp, heads).toBuilder()
                .causal(causal)
                .build();
        ModelSpec.Parts parts = PublishedModels.parts(json.path("model_type").asText(), d);
        parts.text = TextConfig.builder()
                .vocabulary(ids)
                .maxTokens(rows)
                .position(Position.LEARNED)
                .build();
        parts.encoders.put(Modality.TEXT, encoder);
        Set<String> flags = new HashSet<>();
        PoolConfig.Builder pool = PoolConfig.builder().kind(PoolKind.SUFFIX).count(1);
        int projected = d;
        if (!causal) {
            projected = config.integer("projection_size", d);
            PublishedModels.positive("projection_size", projected);
            pool.dense(projected).denseBias(true).activation(Activation.NONE);
            flags.add("dense");
        } else if (file.tensors().containsKey("text_projection.weight")) {
            projected = root.integer("projection_dim", config.integer("projection_dim", 512));
            PublishedModels.positive("projection_dim", projected);
            parts.head = HeadConfig.builder().dim(projected).text(true).build();
            flags.add("project");
        }
        parts.pool = pool.build();
        Map<String, Long> sizes = new HashMap<>(Map.of("d", (long) d, "n", (long) rows, "v", (long) ids));
        sizes.put("m", (long) encoder.hidden());
        sizes.put("p", (long) projected);
        return new ModelSpec(parts, file, table.resolve(file, sizes, flags, encoder.layers()));
    }
}
