package io.sensorium.models;

import static io.sensorium.models.WeightMap.Part;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.Activation;
import io.sensorium.LatentResamplerConfig;
import io.sensorium.QFormerConfig;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** Configurations and tensor names of transformers' compressors that are published inside larger models. */
final class PublishedCompressors {
    private static final Pattern TEXT_PATH =
            Pattern.compile("embeddings\\..*|encoder\\.layer\\.\\d+\\.(intermediate|output)\\..*");

    private static final NameTable IDEFICS = new NameTable(
            List.of("model.perceiver_resampler.", "perceiver_resampler.", ""),
            "(?!\\S*perceiver_resampler\\.).*\\..*",
            """
            resampler.latents            n,d  latents
            resampler.#.norm_latents.*   d    blocks.#.0.latents_layer_norm.*
            resampler.#.norm_context.*   d    blocks.#.0.context_layer_norm.*
            resampler.#.q.weight         q,d  blocks.#.0.q_proj.weight
            resampler.#.k.weight         q,d  blocks.#.0.k_proj.weight
            resampler.#.v.weight         q,d  blocks.#.0.v_proj.weight
            resampler.#.o.weight         d,q  blocks.#.0.output_proj.weight
            resampler.#.norm_mlp.*       d    blocks.#.1.ln.*
            resampler.#.mlp.up.weight    m,d  blocks.#.1.fc.weight
            resampler.#.mlp.down.weight  d,m  blocks.#.1.c_proj.weight
            resampler.norm.*             d    layer_norm.*
            """);
    private static final NameTable FLAMINGO =
            new NameTable(List.of("perceiver.", "perceiver_resampler.", ""), "(?!perceiver)\\w+\\..*", """
            resampler.latents            n,d  latents
            resampler.#.norm_latents.*   d    layers.#.0.norm_latents.*
            resampler.#.norm_context.*   d    layers.#.0.norm_media.*
            resampler.#.q.weight         q,d  layers.#.0.to_q.weight
            resampler.#.k.weight         q,d  layers.#.0.to_kv.weight[0/2]
            resampler.#.v.weight         q,d  layers.#.0.to_kv.weight[1/2]
            resampler.#.o.weight         d,q  layers.#.0.to_out.weight
            resampler.#.norm_mlp.*       d    layers.#.1.0.*
            resampler.#.mlp.up.weight    m,d  layers.#.1.1.weight
            resampler.#.mlp.down.weight  d,m  layers.#.1.3.weight
            resampler.norm.*             d    norm.*
            """);

    private PublishedCompressors() {}

    /** IDEFICS-1's resampler: alone, or inside a whole model's file, of which nothing else is then read. */
    static ModelSpec idefics(JsonNode json, Weights file) {
        ConfigNode root = new ConfigNode("config.json", json);
        ConfigNode config = root.has("perceiver_config") ? root.object("perceiver_config") : root;
        if (config.bool("qk_layer_norms_perceiver", false)) {
            throw config.bad("qk_layer_norms_perceiver", "false: norms of queries and keys are not run");
        }
        int d = root.has("vision_config")
                ? root.object("vision_config").integer("embed_dim", 768)
                : root.integer("embed_dim");
        return perceiverResampler(
                "idefics",
                d,
                config.integer("resampler_n_latents", 64),
                config.integer("resampler_depth", 6),
                config.integer("resampler_n_heads", 16),
                config.integer("resampler_head_dim", 96),
                Math.multiplyExact(4, d),
                Activation.RELU,
                IDEFICS,
                file);
    }

    /** Flamingo's resampler under the names of open_flamingo; config.json has its constructor's keywords. */
    static ModelSpec flamingo(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int d = config.integer("dim");
        return perceiverResampler(
                "flamingo_perceiver",
                d,
                config.integer("num_latents", 64),
                config.integer("depth", 6),
                config.integer("heads", 8),
                config.integer("dim_head", 64),
                Math.multiplyExact(config.integer("ff_mult", 4), d),
                Activation.GELU,
                FLAMINGO,
                file);
    }

    private static ModelSpec perceiverResampler(
            String family,
            int d,
            int latents,
            int layers,
            int heads,
            int headDim,
            int mlp,
            Activation activation,
            NameTable table,
            Weights file) {
        PublishedModels.positive("width, latents, heads, head width and MLP", d, latents, heads, headDim, mlp);
        if (layers < 1 || layers > 4096) {
            throw Errors.weights("config.json: " + layers + " layers; 1 to 4096 are possible");
        }
        ModelSpec.Parts parts = PublishedModels.parts(family, d);
        parts.latentResampler = LatentResamplerConfig.builder()
                .numLatents(latents)
                .layers(layers)
                .heads(heads)
                .kvHeads(heads)
                .headDim(headDim)
                .mlpHidden(mlp)
                .rmsNorm(false)
                .gatedMlp(false)
                .activation(activation)
                .normEps(1e-5f)
                .build();
        Map<String, Long> sizes = Map.of(
                "d", (long) d, "n", (long) latents, "q", Math.multiplyExact((long) heads, headDim), "m", (long) mlp);
        return new ModelSpec(parts, file, table.resolve(file, sizes, Set.of(), layers));
    }

    /** Idefics2's resampler: alone, or inside a whole model's file, of which nothing else is then read. */
    static ModelSpec idefics2Resampler(JsonNode json, Weights file) {
        ConfigNode root = new ConfigNode("config.json", json);
        ConfigNode config = root.has("perceiver_config") ? root.object("perceiver_config") : root;
        // Older files of whole models keep it with the text model.
        int d = !config.has("hidden_size") && root.has("text_config")
                ? root.object("text_config").integer("hidden_size", 4096)
                : config.integer("hidden_size");
        int layers = config.integer("resampler_depth", 3);
        int heads = config.integer("resampler_n_heads", 16);
        int headDim = config.integer("resampler_head_dim", 96);
        int kvHeads = config.integer("num_key_value_heads", 4);
        int latents = config.integer("resampler_n_latents", 64);
        PublishedModels.positive("hidden_size", d);
        PublishedModels.positive("resampler_n_heads, resampler_head_dim, num_key_value_heads", heads, headDim, kvHeads);
        PublishedModels.positive("resampler_n_latents", latents);
        if (layers < 1 || layers > 4096) {
            throw config.bad("resampler_depth", "in [1, 4096]");
        }
        long hidden = Math.multiplyExact(4L, d);
        ModelSpec.Parts parts = PublishedModels.parts("idefics2_perceiver", d);
        parts.latentResampler = LatentResamplerConfig.builder()
                .numLatents(latents)
                .layers(layers)
                .heads(heads)
                .kvHeads(kvHeads)
                .headDim(headDim)
                .mlpHidden(Math.toIntExact(hidden))
                .rmsNorm(true)
                .gatedMlp(true)
                .activation(PublishedModels.activation(config, "hidden_act", "silu"))
                .normEps((float) config.number("rms_norm_eps", 1e-6))
                .build();
        String first = "layers.0.input_latents_norm.weight";
        String stem = file.tensors().keySet().stream()
                .filter(name -> name.endsWith(first))
                .map(name -> name.substring(0, name.length() - first.length()))
                .findFirst()
                .orElse("");
        long q = Math.multiplyExact((long) heads, headDim);
        long kv = Math.multiplyExact((long) kvHeads, headDim);
        WeightMap map = new WeightMap().same("resampler.latents", stem + "latents", latents, d);
        for (int i = 0; i < layers; i++) {
            String to = "resampler." + i + ".";
            String from = stem + "layers." + i + ".";
            map.same(to + "norm_latents.weight", from + "input_latents_norm.weight", d)
                    .same(to + "norm_context.weight", from + "input_context_norm.weight", d)
                    .same(to + "q.weight", from + "self_attn.q_proj.weight", q, d)
                    .same(to + "k.weight", from + "self_attn.k_proj.weight", kv, d)
                    .same(to + "v.weight", from + "self_attn.v_proj.weight", kv, d)
                    .same(to + "o.weight", from + "self_attn.o_proj.weight", d, q)
                    .same(to + "norm_mlp.weight", from + "post_attention_layernorm.weight", d)
                    .same(to + "mlp.gate.weight", from + "mlp.gate_proj.weight", hidden, d)
                    .same(to + "mlp.up.weight", from + "mlp.up_proj.weight", hidden, d)
                    .same(to + "mlp.down.weight", from + "mlp.down_proj.weight", d, hidden);
        }
        map.same("resampler.norm.weight", stem + "norm.weight", d);
        // Of a whole model only the resampler is looked at.
        map.check(file, name -> !stem.isEmpty() && !name.startsWith(stem));
        return new ModelSpec(parts, file, map);
    }

    /** BLIP-2's Q-Former, image path. The queries are the tensor {@code query_tokens} [1, n, hidden]. */
    static ModelSpec qFormer(JsonNode json, Weights file) {
        ConfigNode outer = new ConfigNode("config.json", json);
        ConfigNode config = outer.has("qformer_config") ? outer.object("qformer_config") : outer;
        int l = config.integer("hidden_size", 768);
        int model = config.integer("encoder_hidden_size", 1408);
        int layers = config.integer("num_hidden_layers", 12);
        int frequency = config.integer("cross_attention_frequency", 2);
        int hidden = config.integer("intermediate_size", 3072);
        PublishedModels.positive("hidden_size, encoder_hidden_size", l, model);
        PublishedModels.positive("cross_attention_frequency", frequency);
        PublishedModels.positive("intermediate_size", hidden);
        if (layers < 1 || layers > 4096) {
            throw config.bad("num_hidden_layers", "in [1, 4096]");
        }
        TensorInfo queries = file.tensors().get("query_tokens");
        if (queries == null || queries.shape().size() != 3) {
            throw Errors.weights(file.name() + ": missing query_tokens [1, n, " + l
                    + "]: a Q-Former's file without them needs ModelLoader.openQFormer");
        }
        int count = Math.toIntExact(queries.shape().get(1));
        ModelSpec.Parts parts = PublishedModels.parts("blip_2_qformer", model);
        parts.qFormer = QFormerConfig.builder()
                .numLatents(count)
                .dLatents(l)
                .layers(layers)
                .heads(config.integer("num_attention_heads", 12))
                .crossFrequency(frequency)
                .mlpHidden(hidden)
                .activation(PublishedModels.activation(config, "hidden_act", "gelu"))
                .normEps((float) config.number("layer_norm_eps", 1e-12))
                .build();
        String root = file.tensors().keySet().stream().anyMatch(name -> name.startsWith("qformer.")) ? "qformer." : "";
        WeightMap map =
                new WeightMap().add("qformer.queries", new long[] {count, l}, new Part("query_tokens", 1, count, l));
        map.layer("qformer.norm", root + "layernorm", l);
        for (int i = 0; i < layers; i++) {
            String to = "qformer." + i + ".";
            String from = root + "encoder.layer." + i + ".";
            qFormerAttention(map, to + "self", from + "attention.", l, l);
            if (i % frequency == 0) {
                qFormerAttention(map, to + "cross", from + "crossattention.", l, model);
            }
            map.layer(to + "mlp.up", from + "intermediate_query.dense", hidden, l);
            map.layer(to + "mlp.down", from + "output_query.dense", l, hidden);
            map.layer(to + "mlp.norm", from + "output_query.LayerNorm", l);
        }
        // The text path is not run; of a whole model only the Q-Former is looked at.
        map.check(
                file,
                name -> name.startsWith(root)
                        ? TEXT_PATH.matcher(name.substring(root.length())).matches()
                        : !root.isEmpty());
        return new ModelSpec(parts, file, map);
    }

    private static void qFormerAttention(WeightMap map, String to, String from, long l, long keys) {
        map.layer(to + ".q", from + "attention.query", l, l);
        map.layer(to + ".k", from + "attention.key", l, keys);
        map.layer(to + ".v", from + "attention.value", l, keys);
        map.layer(to + ".o", from + "output.dense", l, l);
        map.layer(to + ".norm", from + "output.LayerNorm", l);
    }
}
