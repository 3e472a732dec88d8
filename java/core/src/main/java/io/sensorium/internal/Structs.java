package io.sensorium.internal;

import io.sensorium.AdapterConfig;
import io.sensorium.AudioConfig;
import io.sensorium.CodebookConfig;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.InvalidArgumentException;
import io.sensorium.LatentResamplerConfig;
import io.sensorium.LogMelConfig;
import io.sensorium.MergeConfig;
import io.sensorium.PerceiverConfig;
import io.sensorium.PerceiverDecoderConfig;
import io.sensorium.PoolConfig;
import io.sensorium.QFormerConfig;
import io.sensorium.ResizeConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.SessionLimits;
import io.sensorium.TextConfig;
import io.sensorium.internal.binding.sns_adapter_config;
import io.sensorium.internal.binding.sns_audio_config;
import io.sensorium.internal.binding.sns_audio_stream_config;
import io.sensorium.internal.binding.sns_codebook_config;
import io.sensorium.internal.binding.sns_encoder_config;
import io.sensorium.internal.binding.sns_head_config;
import io.sensorium.internal.binding.sns_image_config;
import io.sensorium.internal.binding.sns_latent_resampler_config;
import io.sensorium.internal.binding.sns_log_mel_config;
import io.sensorium.internal.binding.sns_merge_config;
import io.sensorium.internal.binding.sns_perceiver_config;
import io.sensorium.internal.binding.sns_perceiver_decoder_config;
import io.sensorium.internal.binding.sns_pool_config;
import io.sensorium.internal.binding.sns_qformer_config;
import io.sensorium.internal.binding.sns_resize_config;
import io.sensorium.internal.binding.sns_sequence_config;
import io.sensorium.internal.binding.sns_session_limits;
import io.sensorium.internal.binding.sns_text_config;

/** Writes configurations as the structures of the C ABI. The caller closes them. */
public final class Structs {
    private static final int MAX_CHANNELS = 16;
    private static final int MAX_LEVELS = 16;

    private Structs() {}

    /** A structure of the C ABI. */
    public static sns_sequence_config of(SequenceConfig config) {
        sns_sequence_config c = new sns_sequence_config();
        c.struct_size(c.sizeof());
        c.d_model(config.dModel());
        c.modality_embedding(bool(config.modalityEmbedding()));
        c.special_tokens(bool(config.specialTokens()));
        c.ids_per_second(config.idsPerSecond());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_image_config of(ImageConfig config) {
        checkChannels("mean", config.mean().size(), config.channels());
        checkChannels("std", config.std().size(), config.channels());
        sns_image_config c = new sns_image_config();
        c.struct_size(c.sizeof());
        c.channels(config.channels());
        c.patch_h(config.patchH());
        c.patch_w(config.patchW());
        c.stride_h(config.strideH());
        c.stride_w(config.strideW());
        c.grid_h(config.gridH());
        c.grid_w(config.gridW());
        c.fourier_bands(config.fourierBands());
        c.prefix_tokens(config.prefixTokens());
        c.order(config.order().ordinal());
        c._position(config.position().ordinal());
        c.position_resize(config.positionResize().ordinal());
        c.has_bias(bool(config.hasBias()));
        fill(c.resize(), config.resize());
        c.temporal_patch(config.temporalPatch());
        for (int i = 0; i < MAX_CHANNELS; i++) {
            c.mean(i, i < config.mean().size() ? config.mean().get(i) : 0);
            c.std(i, i < config.std().size() ? config.std().get(i) : 1);
        }
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_resize_config of(ResizeConfig config) {
        sns_resize_config c = new sns_resize_config();
        fill(c, config);
        return c;
    }

    private static void fill(sns_resize_config c, ResizeConfig config) {
        c.struct_size(c.sizeof());
        c.mode(config.mode().ordinal());
        c.filter(config.filter().ordinal());
        c.height(config.height());
        c.width(config.width());
        c.crop_h(config.cropH());
        c.crop_w(config.cropW());
        c.factor(config.factor());
        c.min_pixels(config.minPixels());
        c.max_pixels(config.maxPixels());
        c.max_patches(config.maxPatches());
    }

    private static void checkChannels(String field, int values, int channels) {
        if (values != 0 && (values != channels || values > MAX_CHANNELS)) {
            throw new InvalidArgumentException(
                    field + " has " + values + " values for " + channels + " channels", field);
        }
    }

    /** A structure of the C ABI. */
    public static sns_audio_config of(AudioConfig config) {
        sns_audio_config c = new sns_audio_config();
        c.struct_size(c.sizeof());
        fill(c.log_mel(), config.logMel());
        c.patch_freq(config.patchFreq());
        c.patch_time(config.patchTime());
        c.stride_freq(config.strideFreq());
        c.stride_time(config.strideTime());
        c.max_frames(config.maxFrames());
        c.fixed_frames(config.fixedFrames());
        c.prefix_tokens(config.prefixTokens());
        c.tokens(config.tokens().ordinal());
        c._position(config.position().ordinal());
        c.has_bias(bool(config.hasBias()));
        c.pad_value(config.padValue());
        c.norm(bool(config.norm()));
        c.norm_eps(config.normEps());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_audio_stream_config of(LogMelConfig config, long inputRate, long capacity) {
        sns_audio_stream_config c = new sns_audio_stream_config();
        c.struct_size(c.sizeof());
        fill(c.log_mel(), config);
        c.input_rate(inputRate);
        c._capacity(capacity);
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_log_mel_config of(LogMelConfig config) {
        sns_log_mel_config c = new sns_log_mel_config();
        fill(c, config);
        return c;
    }

    private static void fill(sns_log_mel_config c, LogMelConfig config) {
        c.struct_size(c.sizeof());
        c.sample_rate(config.sampleRate());
        c.n_fft(config.nFft());
        c.win_length(config.winLength());
        c.hop(config.hop());
        c.frame_span(config.frameSpan());
        c.n_mels(config.nMels());
        c.window(config.window().ordinal());
        c.window_periodic(bool(config.windowPeriodic()));
        c.window_centred(bool(config.windowCentred()));
        c.padding(config.padding().ordinal());
        c.drop_last_frame(bool(config.dropLastFrame()));
        c.remove_dc(bool(config.removeDc()));
        c.input_scale(config.inputScale());
        c.preemphasis(config.preemphasis());
        c.preemphasis_signal(bool(config.preemphasisSignal()));
        c.power(config.power());
        c.f_min(config.fMin());
        c.f_max(config.fMax());
        c.linspace_bins(bool(config.linspaceBins()));
        c.mel_scale(config.melScale().ordinal());
        c.slaney_norm(bool(config.slaneyNorm()));
        c.log(config.log().ordinal());
        c.floor_kind(config.floorKind().ordinal());
        c.floor(config.floor());
        c.clip(config.clip().ordinal());
        c.norm(config.norm().ordinal());
        c.norm_ddof(config.normDdof());
        c.norm_eps_on_var(bool(config.normEpsOnVar()));
        c.clip_range(config.clipRange());
        c.clip_maximum(config.clipMaximum());
        c.norm_eps(config.normEps());
        c.out_scale(config.outScale());
        c.out_shift(config.outShift());
        c.mel_major(bool(config.melMajor()));
    }

    /** A structure of the C ABI. */
    public static sns_text_config of(TextConfig config) {
        sns_text_config c = new sns_text_config();
        c.struct_size(c.sizeof());
        c.vocabulary(config.vocabulary());
        c.max_tokens(config.maxTokens());
        c._position(config.position().ordinal());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_encoder_config of(EncoderConfig config) {
        sns_encoder_config c = new sns_encoder_config();
        c.struct_size(c.sizeof());
        c.layers(config.layers());
        c.heads(config.heads());
        c.hidden(config.hidden());
        c.activation(config.activation().ordinal());
        c.pre_norm(bool(config.preNorm()));
        c.final_norm(bool(config.finalNorm()));
        c.qkv_bias(bool(config.qkvBias()));
        c.bias(bool(config.bias()));
        c.norm_eps(config.normEps());
        c.causal(bool(config.causal()));
        c.rotary(bool(config.rotary()));
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_perceiver_config of(PerceiverConfig config) {
        sns_perceiver_config c = new sns_perceiver_config();
        c.struct_size(c.sizeof());
        c.num_latents(config.numLatents());
        c.d_latents(config.dLatents());
        c.blocks(config.blocks());
        c.layers(config.layers());
        c.cross_heads(config.crossHeads());
        c.self_heads(config.selfHeads());
        c.cross_qk(config.crossQk());
        c.cross_v(config.crossV());
        c.self_qk(config.selfQk());
        c.self_v(config.selfV());
        c.cross_widening(config.crossWidening());
        c.self_widening(config.selfWidening());
        c.activation(config.activation().ordinal());
        c.query_residual(bool(config.queryResidual()));
        c.norm_eps(config.normEps());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_perceiver_decoder_config of(PerceiverDecoderConfig config) {
        sns_perceiver_decoder_config c = new sns_perceiver_decoder_config();
        c.struct_size(c.sizeof());
        c.num_queries(config.numQueries());
        c.d_queries(config.dQueries());
        c.heads(config.heads());
        c.qk(config.qk());
        c.v(config.v());
        c.widening(config.widening());
        c.activation(config.activation().ordinal());
        c.query_residual(bool(config.queryResidual()));
        c.norm_eps(config.normEps());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_latent_resampler_config of(LatentResamplerConfig config) {
        sns_latent_resampler_config c = new sns_latent_resampler_config();
        c.struct_size(c.sizeof());
        c.num_latents(config.numLatents());
        c.layers(config.layers());
        c.heads(config.heads());
        c.kv_heads(config.kvHeads());
        c.head_dim(config.headDim());
        c.mlp_hidden(config.mlpHidden());
        c.rms_norm(bool(config.rmsNorm()));
        c.gated_mlp(bool(config.gatedMlp()));
        c.activation(config.activation().ordinal());
        c.norm_eps(config.normEps());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_qformer_config of(QFormerConfig config) {
        sns_qformer_config c = new sns_qformer_config();
        c.struct_size(c.sizeof());
        c.num_latents(config.numLatents());
        c.d_latents(config.dLatents());
        c.layers(config.layers());
        c.heads(config.heads());
        c.cross_frequency(config.crossFrequency());
        c.mlp_hidden(config.mlpHidden());
        c.activation(config.activation().ordinal());
        c.norm_eps(config.normEps());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_pool_config of(PoolConfig config) {
        sns_pool_config c = new sns_pool_config();
        c.struct_size(c.sizeof());
        c.kind(config.kind().ordinal());
        c.norm(bool(config.norm()));
        c.count(config.count());
        c.heads(config.heads());
        c.mlp_hidden(config.mlpHidden());
        c.activation(config.activation().ordinal());
        c.norm_eps(config.normEps());
        c.dense(config.dense());
        c.dense_bias(bool(config.denseBias()));
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_merge_config of(MergeConfig config) {
        sns_merge_config c = new sns_merge_config();
        c.struct_size(c.sizeof());
        c.num_latents(config.numLatents());
        c.protect_first(bool(config.protectFirst()));
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_session_limits of(SessionLimits limits) {
        sns_session_limits c = new sns_session_limits();
        c.struct_size(c.sizeof());
        c.max_items(limits.maxItems());
        c.max_sequences(limits.maxSequences());
        c.max_tokens(limits.maxTokens());
        c.max_pixels(limits.maxPixels());
        c.max_samples(limits.maxSamples());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_head_config of(HeadConfig config) {
        sns_head_config c = new sns_head_config();
        c.struct_size(c.sizeof());
        c.dim(config.dim());
        c.image(bool(config.image()));
        c.audio(bool(config.audio()));
        c.text(bool(config.text()));
        c.joint(bool(config.joint()));
        c.has_bias(bool(config.hasBias()));
        c.logit_scale(config.logitScale());
        c.logit_bias(config.logitBias());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_adapter_config of(AdapterConfig config) {
        sns_adapter_config c = new sns_adapter_config();
        c.struct_size(c.sizeof());
        c.d(config.d());
        c.bottleneck(config.bottleneck());
        c.activation(config.activation().ordinal());
        c.scale(config.scale());
        return c;
    }

    /** A structure of the C ABI. */
    public static sns_codebook_config of(CodebookConfig config) {
        if (config.levels().size() > MAX_LEVELS) {
            throw new InvalidArgumentException("levels has more than " + MAX_LEVELS + " values", "levels");
        }
        sns_codebook_config c = new sns_codebook_config();
        c.struct_size(c.sizeof());
        c.dim(config.dim());
        c.stages(config.stages());
        c.size(config.kind() == CodebookConfig.Kind.FSQ ? 0 : config.size());
        c.kind(config.kind().ordinal());
        c.metric(config.metric().ordinal());
        for (int i = 0; i < MAX_LEVELS; i++) {
            c.levels(i, i < config.levels().size() ? config.levels().get(i) : 0);
        }
        return c;
    }

    private static int bool(boolean value) {
        return value ? 1 : 0;
    }
}
