package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.Activation;
import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.EncoderConfig;
import io.sensorium.Modality;
import io.sensorium.PerceiverConfig;
import io.sensorium.PoolConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.SequenceConfig;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Configurations and tensor names of AST and the Perceiver in transformers; {@link VisionFamily} has the pictures'. */
final class PublishedModels {
    /** The encoder of ViT and AST; P is the modality's part. Older files name their modules in BERT's way. */
    static final String LAYERS = """
            P.encoder.#.norm1.*        d    layers.#.layernorm_before.*    encoder.layer.#.layernorm_before.*
            P.encoder.#.q.*?qkv        d,d  layers.#.attention.q_proj.*    encoder.layer.#.attention.attention.query.*
            P.encoder.#.k.*?qkv        d,d  layers.#.attention.k_proj.*    encoder.layer.#.attention.attention.key.*
            P.encoder.#.v.*?qkv        d,d  layers.#.attention.v_proj.*    encoder.layer.#.attention.attention.value.*
            P.encoder.#.o.*            d,d  layers.#.attention.o_proj.*    encoder.layer.#.attention.output.dense.*
            P.encoder.#.norm2.*        d    layers.#.layernorm_after.*     encoder.layer.#.layernorm_after.*
            P.encoder.#.mlp.up.*       m,d  layers.#.mlp.fc1.*             encoder.layer.#.intermediate.dense.*
            P.encoder.#.mlp.down.*     d,m  layers.#.mlp.fc2.*             encoder.layer.#.output.dense.*
            P.encoder.final_norm.*     d    layernorm.*
            """;

    private static final NameTable AST = new NameTable(
            List.of("", "audio_spectrogram_transformer."),
            "embeddings\\.mask_token|classifier\\..*",
            LAYERS.replace("P.", "audio."),
            """
            audio.patch.weight  d,p*p  embeddings.patch_embeddings.projection.weight:d,1,p,p
            audio.patch.bias    d      embeddings.patch_embeddings.projection.bias
            audio.prefix        2,d    embeddings.cls_token:1,1,d&embeddings.distillation_token:1,1,d
            audio.position      2+g,d  embeddings.position_embeddings:1,2+g,d
            """);

    private static final NameTable PERCEIVER = new NameTable(
            List.of("", "perceiver."), "(input_preprocessor|decoder|output_postprocessor|embedding_decoder)\\..*", """
            perceiver.latents               n,l    embeddings.latents
            perceiver.cross.norm_latents.*  l      encoder.cross_attention.attention.self.layernorm1.*
            perceiver.cross.norm_inputs.*   d      encoder.cross_attention.attention.self.layernorm2.*
            perceiver.cross.q.*             cq,l   encoder.cross_attention.attention.self.query.*
            perceiver.cross.k.*             cq,d   encoder.cross_attention.attention.self.key.*
            perceiver.cross.v.*             cv,d   encoder.cross_attention.attention.self.value.*
            perceiver.cross.o.*             l,cv   encoder.cross_attention.attention.output.dense.*
            perceiver.cross.norm_mlp.*      l      encoder.cross_attention.layernorm.*
            perceiver.cross.mlp.up.*        cw*l,l encoder.cross_attention.mlp.dense1.*
            perceiver.cross.mlp.down.*      l,cw*l encoder.cross_attention.mlp.dense2.*
            perceiver.self.#.norm.*         l      encoder.self_attends.#.attention.self.layernorm1.*
            perceiver.self.#.q.*            sq,l   encoder.self_attends.#.attention.self.query.*
            perceiver.self.#.k.*            sq,l   encoder.self_attends.#.attention.self.key.*
            perceiver.self.#.v.*            sv,l   encoder.self_attends.#.attention.self.value.*
            perceiver.self.#.o.*            l,sv   encoder.self_attends.#.attention.output.dense.*
            perceiver.self.#.norm_mlp.*     l      encoder.self_attends.#.layernorm.*
            perceiver.self.#.mlp.up.*       sw*l,l encoder.self_attends.#.mlp.dense1.*
            perceiver.self.#.mlp.down.*     l,sw*l encoder.self_attends.#.mlp.dense2.*
            """);

    private PublishedModels() {}

    static ModelSpec ast(JsonNode json, JsonNode preprocessing, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int d = config.integer("hidden_size");
        int patch = config.integer("patch_size", 16);
        int strideFreq = config.integer("frequency_stride", 10);
        int strideTime = config.integer("time_stride", 10);
        int frames = config.integer("max_length", 1024);
        int mels = config.integer("num_mel_bins", 128);
        positive("hidden_size", d);
        positive("patch_size, frequency_stride, time_stride", patch, strideFreq, strideTime);
        if (frames < patch || mels < patch) {
            throw Errors.weights("config.json: max_length " + frames + " and num_mel_bins " + mels
                    + " must hold one patch of " + patch);
        }
        AudioPreset preset = LogMelPresets.configured("ast", preprocessing, 16000);
        if (preset.logMel().nMels() != mels && preprocessing.has("num_mel_bins")) {
            throw Errors.weights("preprocessor_config.json: num_mel_bins differs from config.json");
        }
        long grid = ((mels - patch) / strideFreq + 1L) * ((frames - patch) / strideTime + 1);
        ModelSpec.Parts parts = parts("audio-spectrogram-transformer", d);
        parts.audio = AudioConfig.builder()
                .logMel(preset.logMel().toBuilder().nMels(mels).build())
                .tokens(AudioTokens.PATCHES)
                .patchFreq(patch)
                .patchTime(patch)
                .strideFreq(strideFreq)
                .strideTime(strideTime)
                .fixedFrames(frames)
                .padValue(preset.padValue())
                .prefixTokens(2)
                .position(Position.LEARNED)
                .hasBias(true)
                .build();
        EncoderConfig encoder = encoder(config, "gelu", 1e-12);
        parts.encoders.put(Modality.AUDIO, encoder);
        // The mean of the class and the distillation token.
        parts.pool = PoolConfig.builder().kind(PoolKind.PREFIX).count(2).build();
        Map<String, Long> sizes = Map.of("d", (long) d, "p", (long) patch, "g", grid, "m", (long) encoder.hidden());
        Set<String> flags = encoder.qkvBias() ? Set.of("qkv") : Set.of();
        return new ModelSpec(parts, file, AST.resolve(file, sizes, flags, encoder.layers()));
    }

    static ModelSpec perceiver(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int model = config.integer("d_model", 768);
        int latents = config.integer("d_latents", 1280);
        int count = config.integer("num_latents", 256);
        int layers = config.integer("num_self_attends_per_block", 26);
        int crossWidening = config.integer("cross_attention_widening_factor", 1);
        int selfWidening = config.integer("self_attention_widening_factor", 1);
        boolean kv = config.choice("cross_attention_shape_for_attention", "kv", "kv", "q")
                .equals("kv");
        // The reference's rules for absent channels: keys follow the inputs (or the latents), values follow the keys.
        int crossQk = config.integer("qk_channels", kv ? model : latents);
        int crossV = config.integer("v_channels", crossQk);
        int selfQk = config.integer("qk_channels", latents);
        int selfV = config.integer("v_channels", selfQk);
        positive("d_model", model);
        positive("d_latents", latents);
        positive("num_latents", count);
        positive("widening factors", crossWidening, selfWidening);
        if (layers < 0 || layers > 4096) {
            throw config.bad("num_self_attends_per_block", "in [0, 4096]");
        }
        ModelSpec.Parts parts = parts("perceiver", model);
        parts.perceiver = PerceiverConfig.builder()
                .numLatents(count)
                .dLatents(latents)
                .blocks(config.integer("num_blocks", 1))
                .layers(layers)
                .crossHeads(config.integer("num_cross_attention_heads", 8))
                .selfHeads(config.integer("num_self_attention_heads", 8))
                .crossQk(crossQk)
                .crossV(crossV)
                .selfQk(selfQk)
                .selfV(selfV)
                .crossWidening(crossWidening)
                .selfWidening(selfWidening)
                .activation(activation(config, "hidden_act", "gelu"))
                .queryResidual(config.bool("use_query_residual", true))
                // The published 1e-12 of layer_norm_eps is never handed to the reference's LayerNorms.
                .normEps(1e-5f)
                .build();
        Map<String, Long> sizes = Map.of(
                "d", (long) model,
                "l", (long) latents,
                "n", (long) count,
                "cq", (long) crossQk,
                "cv", (long) crossV,
                "sq", (long) selfQk,
                "sv", (long) selfV,
                "cw", (long) crossWidening,
                "sw", (long) selfWidening);
        return new ModelSpec(parts, file, PERCEIVER.resolve(file, sizes, Set.of(), layers));
    }

    /** The encoder that ViT's keys describe. */
    static EncoderConfig encoder(ConfigNode config, String activation, double normEps) {
        return encoder(config, activation, normEps, 3072, 12);
    }

    /** The same with the width of the MLP and the heads that stand for absent ones. */
    static EncoderConfig encoder(ConfigNode config, String activation, double normEps, int mlp, int heads) {
        int layers = config.integer("num_hidden_layers", 12);
        int hidden = config.integer("intermediate_size", mlp);
        positive("intermediate_size", hidden);
        if (layers < 0 || layers > 4096) {
            throw config.bad("num_hidden_layers", "in [0, 4096]");
        }
        return EncoderConfig.builder()
                .layers(layers)
                .heads(config.integer("num_attention_heads", heads))
                .hidden(hidden)
                .activation(activation(config, "hidden_act", activation))
                .qkvBias(config.bool("qkv_bias", true))
                .normEps((float) config.number("layer_norm_eps", normEps))
                .build();
    }

    static Activation activation(ConfigNode config, String key, String absent) {
        return switch (config.text(key, absent)) {
            case "gelu" -> Activation.GELU;
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            case "quick_gelu" -> Activation.QUICK_GELU;
            case "relu" -> Activation.RELU;
            case "silu", "swish" -> Activation.SILU;
            case "tanh" -> Activation.TANH;
            default -> throw config.bad(key, "gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu or tanh");
        };
    }

    static ModelSpec.Parts parts(String family, int d) {
        ModelSpec.Parts parts = new ModelSpec.Parts();
        parts.family = family;
        parts.sequence = SequenceConfig.builder().dModel(d).build();
        return parts;
    }

    static void positive(String key, long... values) {
        for (long value : values) {
            if (value <= 0) {
                throw Errors.weights("config.json: " + key + " must be positive, not " + value);
            }
        }
    }
}
