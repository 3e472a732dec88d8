package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.Activation;
import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.Modality;
import io.sensorium.PatchOrder;
import io.sensorium.PoolConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.PositionResize;
import io.sensorium.ResizeConfig;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Whisper's encoder, Qwen2-VL's vision tower and ImageBind's vision tower and stem of sound. */
final class PublishedStems {
    private static final NameTable WHISPER =
            new NameTable(List.of("model.encoder.", "encoder.", ""), "(model\\.)?decoder\\..*|proj_out\\..*", """
            audio.conv1.weight          d,c,3  conv1.weight
            audio.conv1.bias            d      conv1.bias
            audio.conv2.weight          d,d,3  conv2.weight
            audio.conv2.bias            d      conv2.bias
            audio.position              n,d    embed_positions.weight
            audio.encoder.#.norm1.*     d      layers.#.self_attn_layer_norm.*
            audio.encoder.#.q.*         d,d    layers.#.self_attn.q_proj.*
            audio.encoder.#.k.weight    d,d    layers.#.self_attn.k_proj.weight
            audio.encoder.#.k.bias      d      0
            audio.encoder.#.v.*         d,d    layers.#.self_attn.v_proj.*
            audio.encoder.#.o.*         d,d    layers.#.self_attn.out_proj.*
            audio.encoder.#.norm2.*     d      layers.#.final_layer_norm.*
            audio.encoder.#.mlp.up.*    m,d    layers.#.fc1.*
            audio.encoder.#.mlp.down.*  d,m    layers.#.fc2.*
            audio.encoder.final_norm.*  d      layer_norm.*
            """);
    private static final NameTable QWEN2_VL = new NameTable(
            List.of("visual.", "model.visual.", ""), "merger\\..*|model\\.(?!visual\\.).*|lm_head\\..*", """
            image.patch.weight          d,c*t*p*p  patch_embed.proj.weight:d,c,t,p,p
            image.encoder.#.norm1.*     d          blocks.#.norm1.*
            image.encoder.#.q.*         d,d        blocks.#.attn.qkv.*[0/3]
            image.encoder.#.k.*         d,d        blocks.#.attn.qkv.*[1/3]
            image.encoder.#.v.*         d,d        blocks.#.attn.qkv.*[2/3]
            image.encoder.#.o.*         d,d        blocks.#.attn.proj.*
            image.encoder.#.norm2.*     d          blocks.#.norm2.*
            image.encoder.#.mlp.up.*    m,d        blocks.#.mlp.fc1.*
            image.encoder.#.mlp.down.*  d,m        blocks.#.mlp.fc2.*
            """);
    private static final NameTable IMAGEBIND_VISION =
            new NameTable(List.of(""), "modality_\\w+\\.(?!vision\\.).*|modality_postprocessors\\..*", """
            image.patch.weight             d,c*t*p*p  modality_preprocessors.vision.rgbt_stem.proj.1.weight:d,c,t,p,p
            image.prefix                   1,d   modality_preprocessors.vision.cls_token:1,1,d
            image.position                 1+g,d modality_preprocessors.vision.pos_embedding_helper.pos_embed:1,1+g,d
            image.encoder.pre_norm.weight?trunk  d    modality_trunks.vision.pre_transformer_layer.0.weight
            image.encoder.pre_norm.bias?trunk    d    modality_trunks.vision.pre_transformer_layer.0.bias
            image.encoder.#.norm1.*        d     modality_trunks.vision.blocks.#.norm_1.*
            image.encoder.#.q.*            d,d   modality_trunks.vision.blocks.#.attn.in_proj_*[0/3]
            image.encoder.#.k.*            d,d   modality_trunks.vision.blocks.#.attn.in_proj_*[1/3]
            image.encoder.#.v.*            d,d   modality_trunks.vision.blocks.#.attn.in_proj_*[2/3]
            image.encoder.#.o.*            d,d   modality_trunks.vision.blocks.#.attn.out_proj.*
            image.encoder.#.norm2.*        d     modality_trunks.vision.blocks.#.norm_2.*
            image.encoder.#.mlp.up.*       m,d   modality_trunks.vision.blocks.#.mlp.fc1.*
            image.encoder.#.mlp.down.*     d,m   modality_trunks.vision.blocks.#.mlp.fc2.*
            pool.norm.weight?trunk         d     modality_heads.vision.0.weight
            pool.norm.bias?trunk           d     modality_heads.vision.0.bias
            head.image.weight?trunk        o,d   modality_heads.vision.2.weight
            """);
    private static final NameTable IMAGEBIND_AUDIO =
            new NameTable(List.of(""), "modality_(?!preprocessors\\.audio\\.).*", """
            audio.patch.weight  d,p*p  modality_preprocessors.audio.rgbt_stem.proj.weight:d,1,p,p
            audio.norm.*        d      modality_preprocessors.audio.rgbt_stem.norm_layer.*
            audio.prefix        1,d    modality_preprocessors.audio.cls_token:1,1,d
            audio.position      1+g,d  modality_preprocessors.audio.pos_embedding_helper.pos_embed:1,1+g,d
            """);

    private PublishedStems() {}

    /** Whisper's encoder. A sound that is shorter than the model's gives fewer tokens than the reference, which pads. */
    static ModelSpec whisper(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int d = config.integer("d_model");
        int mels = config.integer("num_mel_bins", 80);
        int positions = config.integer("max_source_positions", 1500);
        PublishedModels.positive("d_model, num_mel_bins, max_source_positions", d, mels, positions);
        EncoderConfig encoder = encoder(
                config.integer("encoder_layers", 4),
                config.integer("encoder_attention_heads", 6),
                config.integer("encoder_ffn_dim", 1536),
                PublishedModels.activation(config, "activation_function", "gelu"),
                1e-5f);
        ModelSpec.Parts parts = PublishedModels.parts("whisper", d);
        parts.audio = AudioConfig.builder()
                .logMel(LogMelPresets.get("whisper-80").logMel().toBuilder()
                        .nMels(mels)
                        .build())
                .tokens(AudioTokens.CONVOLVED)
                .maxFrames(Math.multiplyExact(2, positions))
                .position(Position.LEARNED)
                .hasBias(true)
                .build();
        parts.encoders.put(Modality.AUDIO, encoder);
        Map<String, Long> sizes =
                Map.of("d", (long) d, "c", (long) mels, "n", (long) positions, "m", (long) encoder.hidden());
        return new ModelSpec(parts, file, WHISPER.resolve(file, sizes, Set.of(), encoder.layers()));
    }

    /** Qwen2-VL's vision tower up to its merger. */
    static ModelSpec qwen2Vl(JsonNode json, JsonNode preprocessing, Weights file) {
        ConfigNode root = new ConfigNode("config.json", json);
        ConfigNode config = root.has("vision_config") ? root.object("vision_config") : root;
        int d = config.integer("embed_dim", 1280);
        int channels = config.integer("in_channels", config.integer("in_chans", 3));
        int patch = config.integer("patch_size", 14);
        int frames = config.integer("temporal_patch_size", 2);
        double ratio = config.number("mlp_ratio", 4);
        PublishedModels.positive("embed_dim, in_channels, patch_size, temporal_patch_size", d, channels, patch, frames);
        EncoderConfig encoder = encoder(
                        config.integer("depth", 32),
                        config.integer("num_heads", 16),
                        (int) (d * ratio),
                        PublishedModels.activation(config, "hidden_act", "quick_gelu"),
                        1e-6f)
                .toBuilder()
                .finalNorm(false)
                .rotary(true)
                .build();
        ModelSpec.Parts parts = PublishedModels.parts("qwen2_vl", d);
        ImagePreset preset = preprocessing.isEmpty()
                ? ImagePresets.get("qwen2-vl")
                : ImagePresets.configured("qwen2-vl", preprocessing);
        parts.image = stacked(preset, channels, frames, patch).build();
        parts.encoders.put(Modality.IMAGE, encoder);
        Map<String, Long> sizes = new HashMap<>(Map.of("d", (long) d, "m", (long) encoder.hidden()));
        sizes.putAll(Map.of("c", (long) channels, "t", (long) frames, "p", (long) patch));
        return new ModelSpec(parts, file, QWEN2_VL.resolve(file, sizes, Set.of(), encoder.layers()));
    }

    /** ImageBind's vision tower, or its stem alone when the file has no trunk. */
    static ModelSpec imageBindVision(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int d = config.integer("vision_embed_dim", 1024);
        int frames = config.integer("video_frames", 2);
        int patch = config.integer("patch_size", 14);
        int side = config.integer("image_size", 224);
        int out = config.integer("out_embed_dim", 768);
        PublishedModels.positive("vision_embed_dim, video_frames, patch_size, out_embed_dim", d, frames, patch, out);
        int grid = side / patch;
        PublishedModels.positive("image_size", grid);
        ModelSpec.Parts parts = PublishedModels.parts("imagebind", d);
        parts.image = stacked(ImagePresets.sized(ImagePresets.get("clip"), side, side), 3, frames, patch)
                .grid(grid, grid)
                .prefixTokens(1)
                .position(Position.LEARNED)
                .positionResize(PositionResize.BICUBIC)
                .build();
        Map<String, Long> sizes = new HashMap<>(Map.of("d", (long) d, "c", 3L, "t", (long) frames, "p", (long) patch));
        sizes.putAll(Map.of("g", (long) grid * grid, "m", 4L * d, "o", (long) out));
        if (file.tensors().keySet().stream().noneMatch(name -> name.startsWith("modality_trunks.vision."))) {
            return new ModelSpec(parts, file, IMAGEBIND_VISION.resolve(file, sizes, Set.of(), 0));
        }
        EncoderConfig encoder = encoder(
                        config.integer("vision_num_blocks", 24),
                        config.integer("vision_num_heads", 16),
                        Math.multiplyExact(4, d),
                        Activation.GELU,
                        1e-6f)
                .toBuilder()
                .preNorm(true)
                .finalNorm(false)
                .build();
        parts.encoders.put(Modality.IMAGE, encoder);
        parts.pool = PoolConfig.builder()
                .kind(PoolKind.PREFIX)
                .count(1)
                .norm(true)
                .normEps(1e-6f)
                .build();
        parts.head = HeadConfig.builder().dim(out).image(true).build();
        return new ModelSpec(parts, file, IMAGEBIND_VISION.resolve(file, sizes, Set.of("trunk"), encoder.layers()));
    }

    /** ImageBind's stem of sound. */
    static ModelSpec imageBindAudio(JsonNode json, Weights file) {
        ConfigNode config = new ConfigNode("config.json", json);
        int d = config.integer("audio_embed_dim", 768);
        int patch = config.integer("audio_kernel_size", 16);
        int stride = config.integer("audio_stride", 10);
        int mels = config.integer("audio_num_mel_bins", 128);
        int frames = config.integer("audio_target_len", 204);
        PublishedModels.positive("audio_embed_dim, audio_kernel_size, audio_stride", d, patch, stride);
        if (mels < patch || frames < patch) {
            throw Errors.weights("config.json: audio_num_mel_bins and audio_target_len must hold one patch");
        }
        ModelSpec.Parts parts = PublishedModels.parts("imagebind", d);
        parts.audio = AudioConfig.builder()
                .logMel(LogMelPresets.get("imagebind").logMel().toBuilder()
                        .nMels(mels)
                        .build())
                .tokens(AudioTokens.PATCHES)
                .patchFreq(patch)
                .patchTime(patch)
                .strideFreq(stride)
                .strideTime(stride)
                .fixedFrames(frames)
                .prefixTokens(1)
                .position(Position.LEARNED)
                .hasBias(false)
                .norm(true)
                .normEps(1e-5f)
                .build();
        long grid = ((mels - patch) / stride + 1L) * ((frames - patch) / stride + 1);
        Map<String, Long> sizes = Map.of("d", (long) d, "p", (long) patch, "g", grid);
        return new ModelSpec(parts, file, IMAGEBIND_AUDIO.resolve(file, sizes, Set.of(), 0));
    }

    /** Patches over several frames. */
    private static ImageConfig.Builder stacked(ImagePreset preset, int channels, int frames, int patch) {
        return ImageConfig.builder()
                .channels(channels)
                .temporalPatch(frames)
                .patch(patch)
                .order(PatchOrder.CHANNEL_FIRST)
                .hasBias(false)
                .resize(channels <= 4 ? preset.resize() : ResizeConfig.NONE)
                .mean(preset.meanOfUnit(channels))
                .std(preset.stdOfUnit(channels));
    }

    private static EncoderConfig encoder(int layers, int heads, int hidden, Activation activation, float eps) {
        if (layers < 0 || layers > 4096) {
            throw Errors.weights("config.json: " + layers + " layers; 0 to 4096 are possible");
        }
        PublishedModels.positive("heads and width of the MLP", heads, hidden);
        return EncoderConfig.builder()
                .layers(layers)
                .heads(heads)
                .hidden(hidden)
                .activation(activation)
                .normEps(eps)
                .build();
    }
}
