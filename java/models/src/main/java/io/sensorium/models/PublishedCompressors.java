package io.sensorium.models;

import static io.sensorium.models.WeightMap.Part;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.LatentResamplerConfig;
import io.sensorium.QFormerConfig;
import java.util.regex.Pattern;

/** Configurations and tensor names of transformers' compressors that are published inside larger models. */
final class PublishedCompressors {
    private static final Pattern TEXT_PATH =
            Pattern.compile("embeddings\\..*|encoder\\.layer\\.\\d+\\.(intermediate|output)\\..*");

    private PublishedCompressors() {}

    /** Idefics2's resampler: alone, or inside a whole model's file, of which nothing else is then read. */
    static ModelSpec idefics2Resampler(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int d = config.integer("hidden_size");
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
                .activation(PublishedModels.activation(config, "silu"))
                .normEps((float) config.number("rms_norm_eps", 1e-6))
                .build();
        String first = "layers.0.input_latents_norm.weight";
        String root = file.tensors().keySet().stream()
                .filter(name -> name.endsWith(first))
                .map(name -> name.substring(0, name.length() - first.length()))
                .findFirst()
                .orElse("");
        long q = Math.multiplyExact((long) heads, headDim);
        long kv = Math.multiplyExact((long) kvHeads, headDim);
        WeightMap map = new WeightMap().same("resampler.latents", root + "latents", latents, d);
        for (int i = 0; i < layers; i++) {
            String to = "resampler." + i + ".";
            String from = root + "layers." + i + ".";
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
        map.same("resampler.norm.weight", root + "norm.weight", d);
        // Of a whole model only the resampler is looked at.
        map.check(file, name -> !root.isEmpty() && !name.startsWith(root));
        return new ModelSpec(parts, file, map);
    }

    /** BLIP-2's Q-Former, image path. The queries are the tensor {@code query_tokens} [1, n, hidden]. */
    static ModelSpec qFormer(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
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
                .activation(PublishedModels.activation(config, "gelu"))
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
