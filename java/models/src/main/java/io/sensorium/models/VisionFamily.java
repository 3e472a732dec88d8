package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.Modality;
import io.sensorium.PatchOrder;
import io.sensorium.PoolConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.PositionResize;
import io.sensorium.SequenceConfig;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A vision transformer as data: what differs between ViT, CLIP, SigLIP and SigLIP2.
 *
 * @param section of config.json that holds the configuration; empty for its root
 * @param preset image processor where there is no preprocessor_config.json
 * @param patch default size
 * @param activation default
 * @param normEps default
 * @param prefixTokens class tokens
 * @param hasBias whether the patch projection has a bias
 * @param preNorm whether the encoder begins with a norm
 * @param finalNorm whether a norm ends the encoder's hidden states
 * @param pool what makes the pooled output
 * @param table names
 */
record VisionFamily(
        String section,
        String preset,
        int patch,
        String activation,
        double normEps,
        int prefixTokens,
        boolean hasBias,
        boolean preNorm,
        boolean finalNorm,
        Pool pool,
        NameTable table) {
    private enum Pool {
        /** ViT: a dense layer and tanh on the class token, if the file has them. */
        DENSE,
        /** CLIP: the class token's norm. */
        CLASS_NORM,
        /** SigLIP: an attention head with a learned probe. */
        ATTENTION
    }

    private static final String VIT_NAMES = PublishedModels.LAYERS.replace("P.", "image.") + """
            image.patch.weight  d,c*ph*pw  embeddings.patch_embeddings.projection.weight:d,c,ph,pw
            image.patch.bias    d          embeddings.patch_embeddings.projection.bias
            image.prefix        1,d        embeddings.cls_token:1,1,d
            image.position      1+g,d      embeddings.position_embeddings:1,1+g,d
            pool.dense.weight?pool  o,d    pooler.dense.weight
            pool.dense.bias?pool    o      pooler.dense.bias
            """;
    static final String CLIP_LAYERS = """
            image.encoder.#.norm1.*        d    encoder.layers.#.layer_norm1.*
            image.encoder.#.q.*            d,d  encoder.layers.#.self_attn.q_proj.*
            image.encoder.#.k.*            d,d  encoder.layers.#.self_attn.k_proj.*
            image.encoder.#.v.*            d,d  encoder.layers.#.self_attn.v_proj.*
            image.encoder.#.o.*            d,d  encoder.layers.#.self_attn.out_proj.*
            image.encoder.#.norm2.*        d    encoder.layers.#.layer_norm2.*
            image.encoder.#.mlp.up.*       m,d  encoder.layers.#.mlp.fc1.*
            image.encoder.#.mlp.down.*     d,m  encoder.layers.#.mlp.fc2.*
            """;
    private static final String CLIP_NAMES = """
            image.patch.weight         d,c*ph*pw  embeddings.patch_embedding.weight:d,c,ph,pw
            image.prefix               1,d        embeddings.class_embedding:d
            image.position             1+g,d      embeddings.position_embedding.weight
            image.encoder.pre_norm.*   d          pre_layrnorm.*
            pool.norm.*                d          post_layernorm.*
            head.image.weight?project  o,d        /visual_projection.weight
            """;
    private static final String SIGLIP_NAMES = """
            image.patch.weight         d,c*ph*pw  embeddings.patch_embedding.weight:d,c,ph,pw
            image.patch.bias           d          embeddings.patch_embedding.bias
            image.position             g,d        embeddings.position_embedding.weight
            image.encoder.final_norm.* d          post_layernorm.*
            pool.probe?pool            1,d        head.probe:1,1,d
            pool.in.weight?pool        3*d,d      head.attention.in_proj_weight
            pool.in.bias?pool          3*d        head.attention.in_proj_bias
            pool.o.weight?pool         d,d        head.attention.out_proj.weight
            pool.o.bias?pool           d          head.attention.out_proj.bias
            pool.norm.weight?pool      d          head.layernorm.weight
            pool.norm.bias?pool        d          head.layernorm.bias
            pool.mlp.up.weight?pool    m,d        head.mlp.fc1.weight
            pool.mlp.up.bias?pool      m          head.mlp.fc1.bias
            pool.mlp.down.weight?pool  d,m        head.mlp.fc2.weight
            pool.mlp.down.bias?pool    d          head.mlp.fc2.bias
            """;
    // Of whole two-tower models the vision part is run.
    private static final String TOWERS =
            "embeddings\\.position_ids|text_model\\..*|(visual|text)_projection\\..*|logit_(scale|bias)";
    private static final List<String> TOWER_PREFIXES = List.of("vision_model.", "");

    private static final VisionFamily VIT = new VisionFamily(
            "",
            "vit",
            16,
            "gelu",
            1e-12,
            1,
            true,
            false,
            true,
            Pool.DENSE,
            new NameTable(List.of("", "vit."), "embeddings\\.mask_token|classifier\\..*|decoder\\..*", VIT_NAMES));
    private static final VisionFamily CLIP = new VisionFamily(
            "",
            "clip",
            32,
            "quick_gelu",
            1e-5,
            1,
            false,
            true,
            false,
            Pool.CLASS_NORM,
            new NameTable(TOWER_PREFIXES, TOWERS, CLIP_LAYERS, CLIP_NAMES));
    private static final VisionFamily SIGLIP = new VisionFamily(
            "",
            "siglip",
            16,
            "gelu_pytorch_tanh",
            1e-6,
            0,
            true,
            false,
            true,
            Pool.ATTENTION,
            new NameTable(TOWER_PREFIXES, TOWERS, CLIP_LAYERS, SIGLIP_NAMES));
    private static final VisionFamily NAFLEX = new VisionFamily(
            "",
            "siglip2-naflex",
            16,
            "gelu_pytorch_tanh",
            1e-6,
            0,
            true,
            false,
            true,
            Pool.ATTENTION,
            new NameTable(TOWER_PREFIXES, TOWERS, CLIP_LAYERS, SIGLIP_NAMES.replace("weight:d,c,ph,pw", "weight")));

    /** By {@code model_type}. */
    static final Map<String, VisionFamily> ALL = Map.of(
            "vit", VIT,
            "clip_vision_model", CLIP,
            "clip", CLIP.of("vision_config"),
            "siglip_vision_model", SIGLIP,
            "siglip", SIGLIP.of("vision_config"),
            "siglip2_vision_model", NAFLEX,
            "siglip2", NAFLEX.of("vision_config"));

    private VisionFamily of(String key) {
        return new VisionFamily(
                key, preset, patch, activation, normEps, prefixTokens, hasBias, preNorm, finalNorm, pool, table);
    }

    ModelSpec read(JsonNode json, JsonNode preprocessing, Weights file) {
        ConfigNode root = new ConfigNode("config.json", json);
        ConfigNode config = section.isEmpty() ? root : root.object(section);
        int d = section.isEmpty() ? config.integer("hidden_size") : config.integer("hidden_size", 768);
        int channels = config.integer("num_channels", 3);
        int[] patches = config.pair("patch_size", patch);
        boolean naflex = preset.equals("siglip2-naflex");
        PublishedModels.positive("hidden_size", d);
        PublishedModels.positive("num_channels", channels);
        PublishedModels.positive("patch_size", patches[0], patches[1]);
        int[] grid;
        if (naflex) {
            int count = config.integer("num_patches", 256);
            int side = (int) Math.round(Math.sqrt(count));
            if (count < 1 || side * side != count) {
                throw config.bad("num_patches", "a square number");
            }
            grid = new int[] {side, side};
        } else {
            int[] image = config.pair("image_size", 224);
            PublishedModels.positive("image_size", image[0], image[1]);
            grid = new int[] {image[0] / patches[0], image[1] / patches[1]};
        }
        ImagePreset pre = preprocessing.isEmpty()
                ? ImagePresets.sized(ImagePresets.get(preset), grid[0] * patches[0], grid[1] * patches[1])
                : ImagePresets.configured(preset, preprocessing);
        for (int values : new int[] {pre.mean().size(), pre.std().size()}) {
            if (values != 1 && values != channels) {
                throw Errors.weights("preprocessor_config.json: image_mean and image_std need " + channels
                        + " numbers, not " + values);
            }
        }
        ModelSpec.Parts parts = new ModelSpec.Parts();
        parts.family = json.path("model_type").asText();
        parts.sequence = SequenceConfig.builder().dModel(d).build();
        parts.image = ImageConfig.builder()
                .channels(channels)
                .patch(patches[0], patches[1])
                .grid(grid[0], grid[1])
                .prefixTokens(prefixTokens)
                .order(naflex ? PatchOrder.CHANNEL_LAST : PatchOrder.CHANNEL_FIRST)
                .position(Position.LEARNED)
                .positionResize(naflex ? PositionResize.BILINEAR : PositionResize.BICUBIC)
                .hasBias(hasBias)
                .resize(channels <= 4 ? pre.resize() : io.sensorium.ResizeConfig.NONE)
                .mean(pre.meanOfUnit(channels))
                .std(pre.stdOfUnit(channels))
                .build();
        EncoderConfig encoder = PublishedModels.encoder(config, activation, normEps).toBuilder()
                .preNorm(preNorm)
                .finalNorm(finalNorm)
                .build();
        parts.encoders.put(Modality.IMAGE, encoder);
        Map<String, Long> sizes = new HashMap<>(Map.of("d", (long) d, "c", (long) channels));
        sizes.put("ph", (long) patches[0]);
        sizes.put("pw", (long) patches[1]);
        sizes.put("g", (long) grid[0] * grid[1]);
        sizes.put("m", (long) encoder.hidden());
        Set<String> flags = new HashSet<>();
        int out = d;
        if (pool == Pool.DENSE) {
            out = config.integer("pooler_output_size", d);
        } else if (pool == Pool.CLASS_NORM && file.tensors().containsKey("visual_projection.weight")) {
            out = root.integer("projection_dim", config.integer("projection_dim", 512));
            parts.head = HeadConfig.builder().dim(out).image(true).build();
            flags.add("project");
        }
        PublishedModels.positive("pooler_output_size, projection_dim", out);
        sizes.put("o", (long) out);
        parts.pool = pool(config, encoder, out, file);
        if (parts.pool != null) {
            flags.add("pool");
        }
        if (encoder.qkvBias()) {
            flags.add("qkv");
        }
        return new ModelSpec(parts, file, table.resolve(file, sizes, flags, encoder.layers()));
    }

    private PoolConfig pool(ConfigNode config, EncoderConfig encoder, int out, Weights file) {
        return switch (pool) {
            case DENSE ->
                file.tensors().keySet().stream().anyMatch(name -> name.endsWith("pooler.dense.weight"))
                        ? PoolConfig.builder()
                                .kind(PoolKind.PREFIX)
                                .count(1)
                                .dense(out)
                                .denseBias(true)
                                .activation(PublishedModels.activation(config, "pooler_act", "tanh"))
                                .build()
                        : null;
            case CLASS_NORM ->
                PoolConfig.builder()
                        .kind(PoolKind.PREFIX)
                        .count(1)
                        .norm(true)
                        .normEps(encoder.normEps())
                        .build();
            case ATTENTION ->
                config.bool("vision_use_head", true)
                        ? PoolConfig.builder()
                                .kind(PoolKind.ATTENTION)
                                .heads(encoder.heads())
                                .mlpHidden(encoder.hidden())
                                .activation(encoder.activation())
                                .normEps(encoder.normEps())
                                .build()
                        : null;
        };
    }
}
