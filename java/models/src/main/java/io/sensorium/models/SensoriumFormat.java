package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Activation;
import io.sensorium.AdapterConfig;
import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.ClipRange;
import io.sensorium.EncoderConfig;
import io.sensorium.FeatureNorm;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.LatentResamplerConfig;
import io.sensorium.LogFloor;
import io.sensorium.LogKind;
import io.sensorium.LogMelConfig;
import io.sensorium.MelScale;
import io.sensorium.MergeConfig;
import io.sensorium.Modality;
import io.sensorium.Padding;
import io.sensorium.PatchOrder;
import io.sensorium.PerceiverConfig;
import io.sensorium.PerceiverDecoderConfig;
import io.sensorium.PoolConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.PositionResize;
import io.sensorium.QFormerConfig;
import io.sensorium.ResizeConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.TextConfig;
import io.sensorium.Window;
import java.util.Locale;

/**
 * The project's own model directory: config.json mirrors the configurations of sensorium.h in snake case, and the
 * tensors have their canonical names. Unknown keys and tensors are errors.
 */
final class SensoriumFormat {
    private static final int MAX_LAYERS = 4096;

    private SensoriumFormat() {}

    static ModelSpec read(JsonNode json, Weights file) {
        ConfigNode root = new ConfigNode("config.json", json);
        root.text("model_type", "");
        if (root.integer("format") != 1) {
            throw root.bad("format", "1");
        }
        ModelSpec.Parts parts = new ModelSpec.Parts();
        parts.family = "sensorium";
        parts.notice = root.text("notice", "");
        ConfigNode sequence = root.object("sequence");
        parts.sequence = SequenceConfig.builder()
                .dModel(sequence.integer("d_model"))
                .modalityEmbedding(sequence.bool("modality_embedding", false))
                .specialTokens(sequence.bool("special_tokens", false))
                .idsPerSecond(sequence.number("ids_per_second", 25))
                .build();
        sequence.rejectUnknown();
        parts.image = root.has("image") ? image(root.object("image")) : null;
        parts.audio = root.has("audio") ? audio(root.object("audio")) : null;
        if (root.has("text")) {
            ConfigNode text = root.object("text");
            parts.text = TextConfig.builder()
                    .vocabulary(text.integer("vocabulary"))
                    .maxTokens(text.integer("max_tokens"))
                    .position(text.constant("position", Position.class, Position.NONE))
                    .build();
            parts.textEncoding = text.constant("encoding", ModelSpec.TextEncoding.class, ModelSpec.TextEncoding.NONE);
            if (parts.textEncoding == ModelSpec.TextEncoding.UTF8_BYTES && parts.text.vocabulary() < 256) {
                throw text.bad("vocabulary", "at least 256 for utf8_bytes");
            }
            text.rejectUnknown();
        }
        for (Modality modality : Modality.values()) {
            String key = lower(modality) + "_encoder";
            if (root.has(key)) {
                parts.encoders.put(modality, encoder(root.object(key)));
            }
        }
        parts.perceiver = root.has("perceiver") ? perceiver(root.object("perceiver")) : null;
        compressors(root, parts);
        parts.head = root.has("head") ? head(root.object("head")) : null;
        if (root.has("adapter")) {
            ConfigNode adapter = root.object("adapter");
            int bottleneck = adapter.integer("bottleneck");
            if (bottleneck < 1) {
                throw adapter.bad("bottleneck", "at least 1");
            }
            parts.adapter = new AdapterConfig(
                    Math.toIntExact(rowWidth(parts)),
                    bottleneck,
                    adapter.constant("activation", Activation.class, Activation.GELU),
                    (float) adapter.number("scale", 1));
            adapter.rejectUnknown();
        }
        root.rejectUnknown();
        WeightMap map = weights(parts);
        map.check(file, name -> false);
        return new ModelSpec(parts, file, map);
    }

    private static ImageConfig image(ConfigNode node) {
        ImageConfig config = ImageConfig.builder()
                .channels(node.integer("channels"))
                .patchH(node.integer("patch_h"))
                .patchW(node.integer("patch_w"))
                .strideH(node.integer("stride_h"))
                .strideW(node.integer("stride_w"))
                .gridH(node.integer("grid_h", 0))
                .gridW(node.integer("grid_w", 0))
                .fourierBands(node.integer("fourier_bands", 0))
                .prefixTokens(node.integer("prefix_tokens", 0))
                .order(node.constant("order", PatchOrder.class, PatchOrder.CHANNEL_FIRST))
                .position(node.constant("position", Position.class, Position.NONE))
                .positionResize(node.constant("position_resize", PositionResize.class, PositionResize.FIXED))
                .hasBias(node.bool("has_bias", true))
                .resize(node.has("resize") ? resize(node.object("resize")) : ResizeConfig.NONE)
                .mean(node.floats("mean", new float[0]))
                .std(node.floats("std", new float[0]))
                .temporalPatch(node.integer("temporal_patch", 1))
                .build();
        node.rejectUnknown();
        return config;
    }

    private static ResizeConfig resize(ConfigNode node) {
        ResizeConfig config = ResizeConfig.builder()
                .mode(node.constant("mode", ResizeConfig.Mode.class, ResizeConfig.Mode.NONE))
                .filter(node.constant("filter", ResizeConfig.Filter.class, ResizeConfig.Filter.BILINEAR))
                .height(node.integer("height", 0))
                .width(node.integer("width", 0))
                .cropH(node.integer("crop_h", 0))
                .cropW(node.integer("crop_w", 0))
                .factor(node.integer("factor", 0))
                .minPixels(node.integer("min_pixels", 0))
                .maxPixels(node.integer("max_pixels", 0))
                .maxPatches(node.integer("max_patches", 0))
                .build();
        node.rejectUnknown();
        return config;
    }

    private static EncoderConfig encoder(ConfigNode node) {
        EncoderConfig config = EncoderConfig.builder()
                .layers(node.integer("layers"))
                .heads(node.integer("heads"))
                .hidden(node.integer("hidden"))
                .activation(node.constant("activation", Activation.class, Activation.GELU))
                .preNorm(node.bool("pre_norm", false))
                .finalNorm(node.bool("final_norm", true))
                .qkvBias(node.bool("qkv_bias", true))
                .bias(node.bool("bias", true))
                .normEps((float) node.number("norm_eps", 1e-5))
                .causal(node.bool("causal", false))
                .rotary(node.bool("rotary", false))
                .build();
        if (config.layers() < 0 || config.layers() > MAX_LAYERS) {
            throw node.bad("layers", "in [0, " + MAX_LAYERS + "]");
        }
        node.rejectUnknown();
        return config;
    }

    private static AudioConfig audio(ConfigNode node) {
        AudioConfig config = AudioConfig.builder()
                .logMel(logMel(node.object("log_mel")))
                .tokens(node.constant("tokens", AudioTokens.class, AudioTokens.FRAMES))
                .patchFreq(node.integer("patch_freq", 0))
                .patchTime(node.integer("patch_time", 0))
                .strideFreq(node.integer("stride_freq", 0))
                .strideTime(node.integer("stride_time", 0))
                .maxFrames(node.integer("max_frames", 0))
                .fixedFrames(node.integer("fixed_frames", 0))
                .prefixTokens(node.integer("prefix_tokens", 0))
                .position(node.constant("position", Position.class, Position.NONE))
                .hasBias(node.bool("has_bias", true))
                .padValue((float) node.number("pad_value", 0))
                .norm(node.bool("norm", false))
                .normEps((float) node.number("norm_eps", 1e-5))
                .build();
        node.rejectUnknown();
        return config;
    }

    private static LogMelConfig logMel(ConfigNode node) {
        LogMelConfig base = LogMelConfig.builder().build();
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(node.integer("sample_rate", base.sampleRate()))
                .nFft(node.integer("n_fft", base.nFft()))
                .winLength(node.integer("win_length", base.winLength()))
                .hop(node.integer("hop", base.hop()))
                .frameSpan(node.integer("frame_span", base.frameSpan()))
                .nMels(node.integer("n_mels", base.nMels()))
                .window(node.constant("window", Window.class, base.window()))
                .windowPeriodic(node.bool("window_periodic", base.windowPeriodic()))
                .windowCentred(node.bool("window_centred", base.windowCentred()))
                .padding(node.constant("padding", Padding.class, base.padding()))
                .dropLastFrame(node.bool("drop_last_frame", base.dropLastFrame()))
                .removeDc(node.bool("remove_dc", base.removeDc()))
                .inputScale(node.number("input_scale", base.inputScale()))
                .preemphasis(node.number("preemphasis", base.preemphasis()))
                .preemphasisSignal(node.bool("preemphasis_signal", base.preemphasisSignal()))
                .power(node.number("power", base.power()))
                .fMin(node.number("f_min", base.fMin()))
                .fMax(node.number("f_max", base.fMax()))
                .linspaceBins(node.bool("linspace_bins", base.linspaceBins()))
                .melScale(node.constant("mel_scale", MelScale.class, base.melScale()))
                .slaneyNorm(node.bool("slaney_norm", base.slaneyNorm()))
                .log(node.constant("log", LogKind.class, base.log()))
                .floorKind(node.constant("floor_kind", LogFloor.class, base.floorKind()))
                .floor(node.number("floor", base.floor()))
                .clip(node.constant("clip", ClipRange.class, base.clip()))
                .clipRange(node.number("clip_range", base.clipRange()))
                .clipMaximum(node.number("clip_maximum", base.clipMaximum()))
                .norm(node.constant("norm", FeatureNorm.class, base.norm()))
                .normDdof(node.integer("norm_ddof", base.normDdof()))
                .normEpsOnVar(node.bool("norm_eps_on_var", base.normEpsOnVar()))
                .normEps(node.number("norm_eps", base.normEps()))
                .outScale(node.number("out_scale", base.outScale()))
                .outShift(node.number("out_shift", base.outShift()))
                .build();
        node.rejectUnknown();
        return config;
    }

    private static PerceiverConfig perceiver(ConfigNode node) {
        int latents = node.integer("d_latents");
        PerceiverConfig config = PerceiverConfig.builder()
                .numLatents(node.integer("num_latents"))
                .dLatents(latents)
                .blocks(node.integer("blocks"))
                .layers(node.integer("layers"))
                .crossHeads(node.integer("cross_heads"))
                .selfHeads(node.integer("self_heads"))
                .crossQk(node.integer("cross_qk"))
                .crossV(node.integer("cross_v"))
                .selfQk(node.integer("self_qk"))
                .selfV(node.integer("self_v"))
                .crossWidening(node.integer("cross_widening", 1))
                .selfWidening(node.integer("self_widening", 1))
                .activation(node.constant("activation", Activation.class, Activation.GELU))
                .queryResidual(node.bool("query_residual", true))
                .normEps((float) node.number("norm_eps", 1e-5))
                .build();
        if (config.layers() < 0 || config.layers() > MAX_LAYERS) {
            throw node.bad("layers", "in [0, " + MAX_LAYERS + "]");
        }
        node.rejectUnknown();
        return config;
    }

    private static void compressors(ConfigNode root, ModelSpec.Parts parts) {
        if (root.has("perceiver_decoder")) {
            ConfigNode node = root.object("perceiver_decoder");
            parts.perceiverDecoder = PerceiverDecoderConfig.builder()
                    .numQueries(node.integer("num_queries"))
                    .dQueries(node.integer("d_queries"))
                    .heads(node.integer("heads"))
                    .qk(node.integer("qk"))
                    .v(node.integer("v"))
                    .widening(node.integer("widening", 1))
                    .activation(node.constant("activation", Activation.class, Activation.GELU))
                    .queryResidual(node.bool("query_residual", true))
                    .normEps((float) node.number("norm_eps", 1e-5))
                    .build();
            node.rejectUnknown();
            if (parts.perceiver == null) {
                throw root.bad("perceiver_decoder", "beside a perceiver");
            }
        }
        if (root.has("latent_resampler")) {
            ConfigNode node = root.object("latent_resampler");
            parts.latentResampler = LatentResamplerConfig.builder()
                    .numLatents(node.integer("num_latents"))
                    .layers(layers(node))
                    .heads(node.integer("heads"))
                    .kvHeads(node.integer("kv_heads"))
                    .headDim(node.integer("head_dim"))
                    .mlpHidden(node.integer("mlp_hidden"))
                    .rmsNorm(node.bool("rms_norm", true))
                    .gatedMlp(node.bool("gated_mlp", true))
                    .activation(node.constant("activation", Activation.class, Activation.SILU))
                    .normEps((float) node.number("norm_eps", 1e-6))
                    .build();
            node.rejectUnknown();
        }
        if (root.has("qformer")) {
            ConfigNode node = root.object("qformer");
            parts.qFormer = QFormerConfig.builder()
                    .numLatents(node.integer("num_latents"))
                    .dLatents(node.integer("d_latents"))
                    .layers(layers(node))
                    .heads(node.integer("heads"))
                    .crossFrequency(node.integer("cross_frequency", 1))
                    .mlpHidden(node.integer("mlp_hidden"))
                    .activation(node.constant("activation", Activation.class, Activation.GELU))
                    .normEps((float) node.number("norm_eps", 1e-12))
                    .build();
            node.rejectUnknown();
            if (parts.qFormer.crossFrequency() < 1) {
                throw node.bad("cross_frequency", "at least 1");
            }
        }
        if (root.has("pool")) {
            ConfigNode node = root.object("pool");
            PoolKind kind = node.constant("kind", PoolKind.class, PoolKind.MEAN);
            parts.pool = PoolConfig.builder()
                    .kind(kind)
                    .count(node.integer("count", 1))
                    .heads(node.integer("heads", 0))
                    .mlpHidden(node.integer("mlp_hidden", 0))
                    .activation(node.constant("activation", Activation.class, Activation.NONE))
                    .norm(node.bool("norm", false))
                    .normEps((float) node.number("norm_eps", 1e-6))
                    .dense(node.integer("dense", 0))
                    .denseBias(node.bool("dense_bias", false))
                    .build();
            node.rejectUnknown();
        }
        if (root.has("merge")) {
            ConfigNode node = root.object("merge");
            parts.merge = MergeConfig.builder()
                    .numLatents(node.integer("num_latents"))
                    .protectFirst(node.bool("protect_first", false))
                    .build();
            node.rejectUnknown();
        }
    }

    private static HeadConfig head(ConfigNode node) {
        HeadConfig config = HeadConfig.builder()
                .dim(node.integer("dim"))
                .image(node.bool("image", false))
                .audio(node.bool("audio", false))
                .text(node.bool("text", false))
                .joint(node.bool("joint", false))
                .hasBias(node.bool("has_bias", false))
                .logitScale((float) node.number("logit_scale", 2.6592600f))
                .logitBias((float) node.number("logit_bias", 0))
                .build();
        node.rejectUnknown();
        return config;
    }

    private static int layers(ConfigNode node) {
        int layers = node.integer("layers");
        if (layers < 1 || layers > MAX_LAYERS) {
            throw node.bad("layers", "in [1, " + MAX_LAYERS + "]");
        }
        return layers;
    }

    private static void compressorWeights(WeightMap map, ModelSpec.Parts parts, long d) {
        if (parts.perceiverDecoder != null) {
            PerceiverDecoderConfig c = parts.perceiverDecoder;
            long l = parts.perceiver.dLatents();
            same(map, "perceiver.decoder.queries", c.numQueries(), c.dQueries());
            layer(map, "perceiver.decoder.norm_queries", c.dQueries());
            layer(map, "perceiver.decoder.norm_latents", l);
            attention(map, "perceiver.decoder", c.dQueries(), l, c.qk(), c.v(), product(c.widening(), c.dQueries()));
        }
        if (parts.latentResampler != null) {
            LatentResamplerConfig c = parts.latentResampler;
            long q = product(c.heads(), c.headDim());
            long kv = product(c.kvHeads(), c.headDim());
            same(map, "resampler.latents", c.numLatents(), d);
            for (int i = 0; i < c.layers(); i++) {
                String stem = "resampler." + i + ".";
                for (String norm : new String[] {"norm_latents", "norm_context", "norm_mlp"}) {
                    norm(map, stem + norm, d, !c.rmsNorm());
                }
                same(map, stem + "q.weight", q, d);
                same(map, stem + "k.weight", kv, d);
                same(map, stem + "v.weight", kv, d);
                same(map, stem + "o.weight", d, q);
                if (c.gatedMlp()) {
                    same(map, stem + "mlp.gate.weight", c.mlpHidden(), d);
                }
                same(map, stem + "mlp.up.weight", c.mlpHidden(), d);
                same(map, stem + "mlp.down.weight", d, c.mlpHidden());
            }
            norm(map, "resampler.norm", d, !c.rmsNorm());
        }
        if (parts.qFormer != null) {
            QFormerConfig c = parts.qFormer;
            long l = c.dLatents();
            same(map, "qformer.queries", c.numLatents(), l);
            layer(map, "qformer.norm", l);
            for (int i = 0; i < c.layers(); i++) {
                String stem = "qformer." + i + ".";
                for (String part :
                        i % c.crossFrequency() == 0 ? new String[] {"self", "cross"} : new String[] {"self"}) {
                    long keys = part.equals("cross") ? d : l;
                    layer(map, stem + part + ".q", l, l);
                    layer(map, stem + part + ".k", l, keys);
                    layer(map, stem + part + ".v", l, keys);
                    layer(map, stem + part + ".o", l, l);
                    layer(map, stem + part + ".norm", l);
                }
                layer(map, stem + "mlp.up", c.mlpHidden(), l);
                layer(map, stem + "mlp.down", l, c.mlpHidden());
                layer(map, stem + "mlp.norm", l);
            }
        }
        if (parts.pool != null && parts.pool.kind() == PoolKind.ATTENTION) {
            same(map, "pool.probe", 1, d);
            layer(map, "pool.in", product(3, d), d);
            layer(map, "pool.o", d, d);
            layer(map, "pool.norm", d);
            layer(map, "pool.mlp.up", parts.pool.mlpHidden(), d);
            layer(map, "pool.mlp.down", d, parts.pool.mlpHidden());
        } else if (parts.pool != null) {
            if (parts.pool.norm()) {
                layer(map, "pool.norm", d);
            }
            if (parts.pool.dense() > 0) {
                same(map, "pool.dense.weight", parts.pool.dense(), d);
                if (parts.pool.denseBias()) {
                    same(map, "pool.dense.bias", parts.pool.dense());
                }
            }
        }
    }

    private static void norm(WeightMap map, String name, long d, boolean bias) {
        same(map, name + ".weight", d);
        if (bias) {
            same(map, name + ".bias", d);
        }
    }

    private static void writeCompressors(ObjectNode root, ModelSpec.Parts parts) {
        if (parts.perceiverDecoder != null) {
            PerceiverDecoderConfig c = parts.perceiverDecoder;
            root.putObject("perceiver_decoder")
                    .put("num_queries", c.numQueries())
                    .put("d_queries", c.dQueries())
                    .put("heads", c.heads())
                    .put("qk", c.qk())
                    .put("v", c.v())
                    .put("widening", c.widening())
                    .put("activation", lower(c.activation()))
                    .put("query_residual", c.queryResidual())
                    .put("norm_eps", c.normEps());
        }
        if (parts.latentResampler != null) {
            LatentResamplerConfig c = parts.latentResampler;
            root.putObject("latent_resampler")
                    .put("num_latents", c.numLatents())
                    .put("layers", c.layers())
                    .put("heads", c.heads())
                    .put("kv_heads", c.kvHeads())
                    .put("head_dim", c.headDim())
                    .put("mlp_hidden", c.mlpHidden())
                    .put("rms_norm", c.rmsNorm())
                    .put("gated_mlp", c.gatedMlp())
                    .put("activation", lower(c.activation()))
                    .put("norm_eps", c.normEps());
        }
        if (parts.qFormer != null) {
            QFormerConfig c = parts.qFormer;
            root.putObject("qformer")
                    .put("num_latents", c.numLatents())
                    .put("d_latents", c.dLatents())
                    .put("layers", c.layers())
                    .put("heads", c.heads())
                    .put("cross_frequency", c.crossFrequency())
                    .put("mlp_hidden", c.mlpHidden())
                    .put("activation", lower(c.activation()))
                    .put("norm_eps", c.normEps());
        }
        if (parts.pool != null) {
            PoolConfig c = parts.pool;
            root.putObject("pool")
                    .put("kind", lower(c.kind()))
                    .put("count", c.count())
                    .put("heads", c.heads())
                    .put("mlp_hidden", c.mlpHidden())
                    .put("activation", lower(c.activation()))
                    .put("norm", c.norm())
                    .put("norm_eps", c.normEps())
                    .put("dense", c.dense())
                    .put("dense_bias", c.denseBias());
        }
        if (parts.merge != null) {
            root.putObject("merge")
                    .put("num_latents", parts.merge.numLatents())
                    .put("protect_first", parts.merge.protectFirst());
        }
    }

    /** The canonical tensors that these configurations need (sensorium.h). */
    static WeightMap weights(ModelSpec.Parts parts) {
        WeightMap map = new WeightMap();
        long d = parts.sequence.dModel();
        if (parts.sequence.modalityEmbedding()) {
            same(map, "sequence.modality", 3, d);
        }
        if (parts.sequence.specialTokens()) {
            same(map, "sequence.begin", 3, d);
            same(map, "sequence.end", 3, d);
        }
        try {
            if (parts.image != null) {
                ImageConfig c = parts.image;
                long patch = product(c.channels(), c.temporalPatch(), c.patchH(), c.patchW());
                long fourier = product(2, 1 + 2L * c.fourierBands());
                long width = c.position() == Position.FOURIER_CONCAT ? d - fourier : d;
                projection(map, "image.patch", width, patch, c.hasBias());
                if (c.position() == Position.FOURIER_ADD) {
                    projection(map, "image.position", d, fourier, true);
                }
                table(map, "image", c.prefixTokens(), c.position(), product(c.gridH(), c.gridW()), d);
            }
            if (parts.audio != null) {
                AudioConfig c = parts.audio;
                int mels = c.logMel().nMels();
                switch (c.tokens()) {
                    case FRAMES -> projection(map, "audio.frame", d, mels, c.hasBias());
                    case PATCHES ->
                        projection(map, "audio.patch", d, product(c.patchFreq(), c.patchTime()), c.hasBias());
                    case CONVOLVED -> {
                        convolution(map, "audio.conv1", d, mels, c.hasBias());
                        convolution(map, "audio.conv2", d, d, c.hasBias());
                    }
                }
                if (c.norm()) {
                    layer(map, "audio.norm", d);
                }
                table(map, "audio", c.prefixTokens(), c.position(), audioPositions(c), d);
            }
            if (parts.text != null) {
                same(map, "text.embedding", parts.text.vocabulary(), d);
                if (parts.text.position() == Position.LEARNED) {
                    same(map, "text.position", parts.text.maxTokens(), d);
                }
            }
            parts.encoders.forEach((modality, c) -> encoder(map, lower(modality) + ".encoder.", d, c));
            if (parts.perceiver != null) {
                PerceiverConfig c = parts.perceiver;
                long l = c.dLatents();
                same(map, "perceiver.latents", c.numLatents(), l);
                layer(map, "perceiver.cross.norm_latents", l);
                layer(map, "perceiver.cross.norm_inputs", d);
                attention(map, "perceiver.cross", l, d, c.crossQk(), c.crossV(), product(c.crossWidening(), l));
                for (int i = 0; i < c.layers(); i++) {
                    layer(map, "perceiver.self." + i + ".norm", l);
                    attention(map, "perceiver.self." + i, l, l, c.selfQk(), c.selfV(), product(c.selfWidening(), l));
                }
            }
            compressorWeights(map, parts, d);
            if (parts.head != null) {
                headWeights(map, parts.head, rowWidth(parts));
            }
            if (parts.adapter != null) {
                layer(map, "adapter.down", parts.adapter.bottleneck(), parts.adapter.d());
                layer(map, "adapter.up", parts.adapter.d(), parts.adapter.bottleneck());
            }
        } catch (ArithmeticException e) {
            throw Errors.weights("config.json: sizes overflow");
        }
        return map;
    }

    /** Width of the rows that heads read: of the compressor's, without one of the tokens. */
    private static long rowWidth(ModelSpec.Parts parts) {
        if (parts.perceiverDecoder != null) {
            return parts.perceiverDecoder.dQueries();
        }
        if (parts.perceiver != null) {
            return parts.perceiver.dLatents();
        }
        return parts.qFormer != null ? parts.qFormer.dLatents() : parts.sequence.dModel();
    }

    private static void headWeights(WeightMap map, HeadConfig c, long width) {
        for (Modality modality : Modality.values()) {
            boolean there = switch (modality) {
                case IMAGE -> c.image();
                case AUDIO -> c.audio();
                case TEXT -> c.text();
            };
            if (there) {
                headProjection(map, lower(modality), c, width);
            }
        }
        if (c.joint()) {
            headProjection(map, "joint", c, width);
        }
    }

    private static void headProjection(WeightMap map, String name, HeadConfig c, long width) {
        same(map, "head." + name + ".weight", c.dim(), width);
        if (c.hasBias()) {
            same(map, "head." + name + ".bias", c.dim());
        }
    }

    private static void encoder(WeightMap map, String stem, long d, EncoderConfig c) {
        if (c.preNorm()) {
            layer(map, stem + "pre_norm", d);
        }
        for (int i = 0; i < c.layers(); i++) {
            String name = stem + i + ".";
            layer(map, name + "norm1", d);
            for (String part : new String[] {"q", "k", "v"}) {
                projection(map, name + part, d, d, c.qkvBias());
            }
            projection(map, name + "o", d, d, c.bias());
            layer(map, name + "norm2", d);
            projection(map, name + "mlp.up", c.hidden(), d, c.bias());
            projection(map, name + "mlp.down", d, c.hidden(), c.bias());
        }
        if (c.finalNorm()) {
            layer(map, stem + "final_norm", d);
        }
    }

    private static void convolution(WeightMap map, String name, long d, long in, boolean bias) {
        same(map, name + ".weight", d, in, 3);
        if (bias) {
            same(map, name + ".bias", d);
        }
    }

    private static long audioPositions(AudioConfig c) {
        if (c.position() != Position.LEARNED) {
            return 0;
        }
        if (c.tokens() != AudioTokens.PATCHES) {
            return c.tokens() == AudioTokens.FRAMES ? c.maxFrames() : (c.maxFrames() + 1) / 2;
        }
        if (c.strideFreq() <= 0 || c.strideTime() <= 0) {
            throw Errors.weights("config.json.audio: stride_freq and stride_time must be positive");
        }
        return product(
                (c.logMel().nMels() - c.patchFreq()) / c.strideFreq() + 1,
                (c.fixedFrames() - c.patchTime()) / c.strideTime() + 1);
    }

    private static void projection(WeightMap map, String name, long d, long width, boolean bias) {
        same(map, name + ".weight", d, width);
        if (bias) {
            same(map, name + ".bias", d);
        }
    }

    private static void table(WeightMap map, String part, long prefix, Position position, long count, long d) {
        if (prefix > 0) {
            same(map, part + ".prefix", prefix, d);
        }
        if (position == Position.LEARNED) {
            same(map, part + ".position", Math.addExact(prefix, count), d);
        }
    }

    private static void attention(WeightMap map, String name, long l, long keys, long qk, long v, long hidden) {
        layer(map, name + ".q", qk, l);
        layer(map, name + ".k", qk, keys);
        layer(map, name + ".v", v, keys);
        layer(map, name + ".o", l, v);
        layer(map, name + ".norm_mlp", l);
        layer(map, name + ".mlp.up", hidden, l);
        layer(map, name + ".mlp.down", l, hidden);
    }

    private static void same(WeightMap map, String name, long... dims) {
        map.same(name, name, dims);
    }

    private static void layer(WeightMap map, String name, long... dims) {
        map.layer(name, name, dims);
    }

    private static long product(long... sizes) {
        long product = 1;
        for (long size : sizes) {
            product = Math.multiplyExact(product, size);
        }
        return product;
    }

    /** The configuration as config.json holds it; {@link #read} gives the same back. */
    static ObjectNode write(ModelSpec.Parts parts) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("model_type", "sensorium").put("format", 1);
        if (!parts.notice.isEmpty()) {
            root.put("notice", parts.notice);
        }
        root.putObject("sequence")
                .put("d_model", parts.sequence.dModel())
                .put("modality_embedding", parts.sequence.modalityEmbedding())
                .put("special_tokens", parts.sequence.specialTokens())
                .put("ids_per_second", parts.sequence.idsPerSecond());
        if (parts.image != null) {
            ImageConfig c = parts.image;
            ObjectNode node = root.putObject("image")
                    .put("channels", c.channels())
                    .put("patch_h", c.patchH())
                    .put("patch_w", c.patchW())
                    .put("stride_h", c.strideH())
                    .put("stride_w", c.strideW())
                    .put("grid_h", c.gridH())
                    .put("grid_w", c.gridW())
                    .put("fourier_bands", c.fourierBands())
                    .put("prefix_tokens", c.prefixTokens())
                    .put("order", lower(c.order()))
                    .put("position", lower(c.position()))
                    .put("position_resize", lower(c.positionResize()))
                    .put("has_bias", c.hasBias())
                    .put("temporal_patch", c.temporalPatch());
            resize(node.putObject("resize"), c.resize());
            array(node.putArray("mean"), c.mean());
            array(node.putArray("std"), c.std());
        }
        if (parts.audio != null) {
            AudioConfig c = parts.audio;
            ObjectNode node = root.putObject("audio");
            logMel(node.putObject("log_mel"), c.logMel());
            node.put("tokens", lower(c.tokens()))
                    .put("patch_freq", c.patchFreq())
                    .put("patch_time", c.patchTime())
                    .put("stride_freq", c.strideFreq())
                    .put("stride_time", c.strideTime())
                    .put("max_frames", c.maxFrames())
                    .put("fixed_frames", c.fixedFrames())
                    .put("prefix_tokens", c.prefixTokens())
                    .put("position", lower(c.position()))
                    .put("has_bias", c.hasBias())
                    .put("pad_value", c.padValue())
                    .put("norm", c.norm())
                    .put("norm_eps", c.normEps());
        }
        if (parts.text != null) {
            root.putObject("text")
                    .put("vocabulary", parts.text.vocabulary())
                    .put("max_tokens", parts.text.maxTokens())
                    .put("position", lower(parts.text.position()))
                    .put("encoding", lower(parts.textEncoding));
        }
        parts.encoders.forEach((modality, c) -> root.putObject(lower(modality) + "_encoder")
                .put("layers", c.layers())
                .put("heads", c.heads())
                .put("hidden", c.hidden())
                .put("activation", lower(c.activation()))
                .put("pre_norm", c.preNorm())
                .put("final_norm", c.finalNorm())
                .put("qkv_bias", c.qkvBias())
                .put("bias", c.bias())
                .put("norm_eps", c.normEps())
                .put("causal", c.causal())
                .put("rotary", c.rotary()));
        if (parts.perceiver != null) {
            PerceiverConfig c = parts.perceiver;
            root.putObject("perceiver")
                    .put("num_latents", c.numLatents())
                    .put("d_latents", c.dLatents())
                    .put("blocks", c.blocks())
                    .put("layers", c.layers())
                    .put("cross_heads", c.crossHeads())
                    .put("self_heads", c.selfHeads())
                    .put("cross_qk", c.crossQk())
                    .put("cross_v", c.crossV())
                    .put("self_qk", c.selfQk())
                    .put("self_v", c.selfV())
                    .put("cross_widening", c.crossWidening())
                    .put("self_widening", c.selfWidening())
                    .put("activation", lower(c.activation()))
                    .put("query_residual", c.queryResidual())
                    .put("norm_eps", c.normEps());
        }
        writeCompressors(root, parts);
        if (parts.head != null) {
            root.putObject("head")
                    .put("dim", parts.head.dim())
                    .put("image", parts.head.image())
                    .put("audio", parts.head.audio())
                    .put("text", parts.head.text())
                    .put("joint", parts.head.joint())
                    .put("has_bias", parts.head.hasBias())
                    .put("logit_scale", parts.head.logitScale())
                    .put("logit_bias", parts.head.logitBias());
        }
        if (parts.adapter != null) {
            root.putObject("adapter")
                    .put("bottleneck", parts.adapter.bottleneck())
                    .put("activation", lower(parts.adapter.activation()))
                    .put("scale", parts.adapter.scale());
        }
        return root;
    }

    private static void resize(ObjectNode node, ResizeConfig c) {
        node.put("mode", lower(c.mode()))
                .put("filter", lower(c.filter()))
                .put("height", c.height())
                .put("width", c.width())
                .put("crop_h", c.cropH())
                .put("crop_w", c.cropW())
                .put("factor", c.factor())
                .put("min_pixels", c.minPixels())
                .put("max_pixels", c.maxPixels())
                .put("max_patches", c.maxPatches());
    }

    private static void logMel(ObjectNode node, LogMelConfig c) {
        node.put("sample_rate", c.sampleRate())
                .put("n_fft", c.nFft())
                .put("win_length", c.winLength())
                .put("hop", c.hop())
                .put("frame_span", c.frameSpan())
                .put("n_mels", c.nMels())
                .put("window", lower(c.window()))
                .put("window_periodic", c.windowPeriodic())
                .put("window_centred", c.windowCentred())
                .put("padding", lower(c.padding()))
                .put("drop_last_frame", c.dropLastFrame())
                .put("remove_dc", c.removeDc())
                .put("input_scale", c.inputScale())
                .put("preemphasis", c.preemphasis())
                .put("preemphasis_signal", c.preemphasisSignal())
                .put("power", c.power())
                .put("f_min", c.fMin())
                .put("f_max", c.fMax())
                .put("linspace_bins", c.linspaceBins())
                .put("mel_scale", lower(c.melScale()))
                .put("slaney_norm", c.slaneyNorm())
                .put("log", lower(c.log()))
                .put("floor_kind", lower(c.floorKind()))
                .put("floor", c.floor())
                .put("clip", lower(c.clip()))
                .put("clip_range", c.clipRange())
                .put("clip_maximum", c.clipMaximum())
                .put("norm", lower(c.norm()))
                .put("norm_ddof", c.normDdof())
                .put("norm_eps_on_var", c.normEpsOnVar())
                .put("norm_eps", c.normEps())
                .put("out_scale", c.outScale())
                .put("out_shift", c.outShift());
    }

    private static void array(ArrayNode array, Iterable<Float> values) {
        for (float value : values) {
            array.add(value);
        }
    }

    private static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
