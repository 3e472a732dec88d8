/*
 * Sensorium: pixels, sound and text into one token space, compressed to a few latents. The C ABI.
 *
 * Rules that hold everywhere:
 *  - Every function but the getters of strings returns SNS_OK or an error code; sns_last_error() then tells the
 *    calling thread what was wrong. Nothing is changed by a call that fails. No C++ exception crosses this line.
 *  - Sizes and counts are int64_t and checked for sign and overflow. Pointers are checked for null; that they
 *    point at as many bytes as `bytes` says is the caller's promise.
 *  - Structures start with struct_size = sizeof(the structure), so that later versions can add fields at the end.
 *  - Handles: an engine must outlive its models, a model its sessions. Engine and model may be used by any number
 *    of threads at once; a session by one thread at a time (a second gets SNS_ERROR_ILLEGAL_STATE).
 *  - Matrices are row-major float32 unless said otherwise; times are microseconds.
 */
#ifndef SENSORIUM_H_
#define SENSORIUM_H_

#include <stdint.h>

#if defined(SNS_BUILD)
#define SNS_API __attribute__((visibility("default")))
#else
#define SNS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a structure or the meaning of a call changes; sns_abi_version() is what the library was built with. */
#define SNS_ABI_VERSION 1

enum {
  SNS_OK = 0,
  SNS_ERROR_INVALID_ARGUMENT = 1, /* a value that is never allowed */
  SNS_ERROR_INVALID_SHAPE = 2,    /* sizes that do not fit each other, or overflow */
  SNS_ERROR_LIMIT_EXCEEDED = 3,   /* more than the session's or the engine's limit */
  SNS_ERROR_OUT_OF_RANGE = 4,     /* a token id outside the vocabulary; a sample that is NaN or infinite */
  SNS_ERROR_INVALID_WEIGHTS = 5,  /* missing, extra or misshapen tensors: the message lists all of them */
  SNS_ERROR_OUT_OF_MEMORY = 6,
  SNS_ERROR_UNAVAILABLE = 7,      /* the device cannot be used; the message says why */
  SNS_ERROR_ILLEGAL_STATE = 8,
  SNS_ERROR_DEVICE_FATAL = 9,     /* the device is lost; only destroy calls succeed from now on */
  SNS_ERROR_INTERNAL = 10
};

enum { SNS_DEVICE_CPU = 0, SNS_DEVICE_CUDA = 1 };
/* STRICT: accuracy of fp32. FAST: matrix products of bfloat16 with fp32 sums where the device has units for them, fp32
 * elsewhere; patches of bytes on AVX-512 VNNI instead by exact pixels and weights of one or two bytes. NMSE at most
 * 2e-5 a product. The transform of sound, resizing, norms, softmax and codes stay as they are. */
enum { SNS_PRECISION_STRICT = 0, SNS_PRECISION_FAST = 1 };
enum { SNS_MODALITY_IMAGE = 0, SNS_MODALITY_AUDIO = 1, SNS_MODALITY_TEXT = 2, SNS_MODALITY_COUNT = 3 };

/* What sns_item.data holds. */
enum {
  SNS_FORMAT_U8_HWC = 0,       /* image: bytes [height, width, channels] */
  SNS_FORMAT_F32_CHW = 1,      /* image: floats [channels, height, width], already normalised (pixel values) */
  SNS_FORMAT_S16_PCM = 2,      /* audio: int16 [samples], mono, at the model's sample rate */
  SNS_FORMAT_F32_PCM = 3,      /* audio: floats [samples] in [-1, 1], likewise */
  SNS_FORMAT_F32_FEATURES = 4, /* audio: log-mel features [frames, n_mels] as the model's log-mel would give */
  SNS_FORMAT_I64_IDS = 5,      /* text: token ids [count] */
  SNS_FORMAT_F32_TOKENS = 6,   /* any modality: finished tokens [count, d_model]; no tokenizer is run */
  SNS_FORMAT_U8_THWC = 7       /* image: the frames of one temporal patch, bytes [temporal_patch, height, width, channels] */
};

enum { SNS_POSITION_NONE = 0, SNS_POSITION_LEARNED = 1, SNS_POSITION_SINCOS = 2, SNS_POSITION_FOURIER_ADD = 3,
       SNS_POSITION_FOURIER_CONCAT = 4 };
/* How a learned position table serves other grids than its own (prefix rows are kept). */
enum {
  SNS_POSITION_FIXED = 0,    /* not at all */
  SNS_POSITION_BICUBIC = 1,  /* a = -0.75, not antialiased: ViT, CLIP, SigLIP */
  SNS_POSITION_BILINEAR = 2  /* antialiased: SigLIP2-NaFlex */
};
enum { SNS_RESIZE_NONE = 0, SNS_RESIZE_SQUASH = 1, SNS_RESIZE_SHORTEST_EDGE = 2, SNS_RESIZE_SMART = 3,
       SNS_RESIZE_NAFLEX = 4, SNS_RESIZE_SHORTEST_LONGEST = 5, SNS_RESIZE_FIT = 6 };
/* PIL's numbers, and so those of `resample` in preprocessor_config.json. */
enum { SNS_FILTER_NEAREST = 0, SNS_FILTER_LANCZOS = 1, SNS_FILTER_BILINEAR = 2, SNS_FILTER_BICUBIC = 3,
       SNS_FILTER_BOX = 4, SNS_FILTER_HAMMING = 5 };
enum { SNS_YUV_BT601 = 0, SNS_YUV_BT709 = 1, SNS_YUV_BT2020 = 2, SNS_YUV_SMPTE240M = 3, SNS_YUV_FCC = 4 };
enum { SNS_PATCH_CHANNEL_FIRST = 0, SNS_PATCH_CHANNEL_LAST = 1 };
enum { SNS_AUDIO_FRAMES = 0, SNS_AUDIO_PATCHES = 1, SNS_AUDIO_CONVOLVED = 2 };
enum { SNS_POOL_ATTENTION = 0, SNS_POOL_MEAN = 1, SNS_POOL_PREFIX = 2, SNS_POOL_SUFFIX = 3 };

enum { SNS_ACTIVATION_NONE = 0, SNS_ACTIVATION_GELU = 1, SNS_ACTIVATION_GELU_TANH = 2,
       SNS_ACTIVATION_QUICK_GELU = 3, SNS_ACTIVATION_RELU = 4, SNS_ACTIVATION_SILU = 5,
       SNS_ACTIVATION_TANH = 6 };
enum { SNS_WINDOW_HANN = 0, SNS_WINDOW_HAMMING = 1, SNS_WINDOW_POVEY = 2, SNS_WINDOW_RECTANGULAR = 3,
       SNS_WINDOW_BLACKMAN = 4 };
enum { SNS_PADDING_NONE = 0, SNS_PADDING_REFLECT = 1, SNS_PADDING_ZERO = 2, SNS_PADDING_KALDI_REFLECT = 3,
       SNS_PADDING_EDGE = 4 };
enum { SNS_MEL_HTK = 0, SNS_MEL_SLANEY = 1, SNS_MEL_KALDI = 2 };
enum { SNS_LOG_NONE = 0, SNS_LOG_LN = 1, SNS_LOG_LOG10 = 2, SNS_LOG_DECIBEL = 3 };
enum { SNS_FLOOR_MAX = 0, SNS_FLOOR_ADD = 1 };
enum { SNS_CLIP_NONE = 0, SNS_CLIP_MAX = 1, SNS_CLIP_FIXED_MAX = 2 };
enum { SNS_NORM_NONE = 0, SNS_NORM_PER_BIN = 1, SNS_NORM_PER_BIN_MEAN = 2, SNS_NORM_PER_BIN_STD = 3 };

typedef struct sns_engine_t* sns_engine;
typedef struct sns_builder_t* sns_builder;
typedef struct sns_model_t* sns_model;
typedef struct sns_session_t* sns_session;
typedef struct sns_log_mel_t* sns_log_mel;
typedef struct sns_resampler_t* sns_resampler;
typedef struct sns_audio_stream_t* sns_audio_stream;
typedef struct sns_codebook_t* sns_codebook;
typedef struct sns_index_t* sns_index;
typedef struct sns_adapter_t* sns_adapter;

/* ---- versions, errors, devices ------------------------------------------------------------------------- */

SNS_API int32_t sns_abi_version(void);
SNS_API const char* sns_version(void);

/* The calling thread's last error: text, the field that caused it ("" if none), the limit that was broken (-1). */
SNS_API const char* sns_last_error(void);
SNS_API const char* sns_last_error_field(void);
SNS_API int64_t sns_last_error_limit(void);

typedef struct sns_device_info {
  int64_t struct_size;
  int32_t available;      /* 0: `cause` says why */
  int32_t units;          /* CPU: logical processors this process may use; CUDA: multiprocessors */
  int64_t memory_bytes;
  char name[128];
  char isa[64];           /* CPU: "avx512 (+vnni +vbmi +bf16)"; CUDA: "sm_90" */
  char cause[256];
} sns_device_info;

/* index: which of the machine's devices of that kind; CPU has only 0. A device that cannot be used is SNS_OK with
 * available = 0. The CUDA backend is libsensorium_cuda.so beside this library, or the file that the environment
 * variable SENSORIUM_CUDA_LIBRARY names. */
SNS_API int32_t sns_device_query(int32_t device, int32_t index, sns_device_info* out);

/* ---- engine: a device and its threads ------------------------------------------------------------------ */

typedef struct sns_engine_config {
  int64_t struct_size;
  int32_t device; /* SNS_DEVICE_* ; a device that is not available is SNS_ERROR_UNAVAILABLE */
  int32_t index;
  int32_t threads; /* CPU: 0 = all processors of this process, 1 = no threads but the caller's */
  int32_t precision; /* SNS_PRECISION_* of the models made from it */
} sns_engine_config;

/* On CUDA models and sessions, indexes, codebooks and their learning, logits and steps of alignment, log-mel, streams of
 * sound, resampling and resizing by themselves run on the GPU. What has no form there is SNS_ERROR_UNAVAILABLE, never computed
 * elsewhere in silence, and names the field:
 *   audio.log_mel.n_fft    (n_fft of a log-mel by itself, log_mel.n_fft of a stream) above 4096 or with a prime factor
 *                          above 5, without cuFFT: see sns_engine_fft
 *   device                 products and attention where the compute capability is below 8.0
 * Attention weights (sns_session_attention) are computed by the host from the tokens that the GPU made. An adapter serves
 * the sessions of its own engine, and those of CPU engines. */
SNS_API int32_t sns_engine_create(const sns_engine_config* config, sns_engine* out);
/* cuFFT, for audio whose n_fft the fused kernel does not serve (above 4096): `library` is the name or path of libcufft, opened
 * unless the process has it already. For models that are made afterwards; without it such a model is SNS_ERROR_UNAVAILABLE,
 * as is a library that cannot be opened. */
SNS_API int32_t sns_engine_fft(sns_engine engine, const char* library);
SNS_API int32_t sns_engine_threads(sns_engine engine, int32_t* out);
SNS_API void sns_engine_destroy(sns_engine engine);

/* ---- model: configurations and named tensors, then immutable ------------------------------------------- */

/* How pictures of bytes are brought to size, bit-equal to the PIL processors of transformers; fields that the mode
 * does not name are 0. Sides, crops and factor are at most 65536.
 *   NONE           the picture as it is
 *   SQUASH         height x width
 *   SHORTEST_EDGE  the shorter side to `height`, the longer one in proportion, truncated
 *   SHORTEST_LONGEST  likewise, but the longer side to at most `width`
 *   FIT            as large as height x width allows, in proportion, truncated
 *   SMART          Qwen2-VL's smart_resize: multiples of `factor`, min_pixels to max_pixels; sides that differ more
 *                  than 200 times are SNS_ERROR_INVALID_SHAPE
 *   NAFLEX         SigLIP2: multiples of `factor` (the patch), at most max_patches patches
 * After all but SMART and NAFLEX, crop_h x crop_w (if not 0) is cut from the centre; what the picture lacks is
 * black. */
typedef struct sns_resize_config {
  int64_t struct_size;
  int32_t mode;                 /* SNS_RESIZE_* */
  int32_t filter;               /* SNS_FILTER_*, always antialiased */
  int64_t height, width;
  int64_t crop_h, crop_w;
  int64_t factor, min_pixels, max_pixels, max_patches;
} sns_resize_config;

/* Image tokenizer: resize (bytes only), normalise, cut into patches, project, add positions, put prefix tokens (cls) in front.
 * temporal_patch > 1: a patch covers so many frames (Qwen2-VL: 2), and a single picture stands for all of them.
 * Tensors: image.patch.weight [d_model, channels*temporal_patch*patch_h*patch_w] in the order (c t h w) or, channel last,
 *          (t h w c); image.patch.bias [d_model] if has_bias,
 *          image.prefix [prefix_tokens, d_model], image.position [prefix_tokens + grid_h*grid_w, d_model] if learned.
 * SNS_POSITION_SINCOS: fixed 2-D sine-cosine (MAE; native/pipeline/positions.h has the formula), any grid size.
 * SNS_POSITION_FOURIER_*: Perceiver's features of a patch's row and column, F = 2*(1 + 2*fourier_bands) of them (the same
 * header), any grid size; their highest frequency is that of a grid_h x grid_w grid. _ADD projects them and adds the
 * result: image.position.weight [d_model, F] and .bias. _CONCAT makes them the last F channels of a token: the patch
 * fills the others, and image.patch.weight and .bias have d_model - F rows.
 * Learned positions need exactly grid_h x grid_w patches unless position_resize says how they are interpolated: once
 * for each new grid, in the session's workspace. A session resizes pictures of up to max_pixels whose sides differ up
 * to 200 times; beyond it is SNS_ERROR_LIMIT_EXCEEDED. Pictures of up to 4 channels can be resized. */
typedef struct sns_image_config {
  int64_t struct_size;
  int64_t channels;
  int64_t patch_h, patch_w, stride_h, stride_w;
  int64_t grid_h, grid_w;       /* that the positions were made for: learned and Fourier only, else 0 */
  int64_t fourier_bands;        /* Fourier positions only, else 0 */
  int64_t prefix_tokens;
  int32_t order;                /* SNS_PATCH_* */
  int32_t position;             /* SNS_POSITION_* */
  int32_t has_bias;
  int32_t position_resize;      /* SNS_POSITION_FIXED, _BICUBIC or _BILINEAR */
  sns_resize_config resize;     /* of bytes only */
  float mean[16], std[16];      /* of bytes scaled to [0,1]; used by bytes only */
  int64_t temporal_patch;       /* frames of a patch; 0 and 1: one */
} sns_image_config;

/* One published log-mel front end; see native/ops/log_mel/log_mel.h for every field. */
typedef struct sns_log_mel_config {
  int64_t struct_size;
  int64_t sample_rate, n_fft, win_length, hop, frame_span, n_mels;
  int32_t window, window_periodic, window_centred, padding, drop_last_frame, remove_dc;
  double input_scale, preemphasis, power, f_min, f_max;
  int32_t mel_scale, slaney_norm, log, floor_kind;
  double floor;
  int32_t clip, norm, norm_ddof, norm_eps_on_var;
  double clip_range, clip_maximum, norm_eps, out_scale, out_shift;
  int32_t mel_major;            /* layout of sns_log_mel_run; a model's features are always [frames, n_mels] */
  int32_t preemphasis_signal;
  int32_t linspace_bins;
  int32_t reserved;             /* 0 */
} sns_log_mel_config;

/* Audio tokenizer. SNS_AUDIO_FRAMES: one token a frame, audio.frame.weight [d_model, n_mels], audio.frame.bias.
 * SNS_AUDIO_PATCHES (AST): audio.patch.weight [d_model, patch_freq*patch_time], audio.patch.bias; tokens run
 * frequency-major (f*grid_time + t).
 * SNS_AUDIO_CONVOLVED (Whisper): two convolutions over three frames, padded by one, each with GELU, the second of
 * stride 2: one token for two frames. audio.conv1.weight [d_model, n_mels, 3], audio.conv2.weight [d_model, d_model, 3],
 * each with .bias [d_model] if has_bias.
 * All: audio.prefix [prefix_tokens, d_model], audio.position [prefix_tokens + positions, d_model] if learned,
 * where positions = max_frames, or half of it rounded up (CONVOLVED), of which shorter clips use the first rows, or the
 * exact patch count (PATCHES).
 * SNS_POSITION_SINCOS: 1-D over tokens (Vaswani), 2-D over (frequency, time) patches.
 * norm (PATCHES with positions; ImageBind): audio.norm.weight and .bias [d_model], a layer norm of the projected patches
 * before positions are added.
 * fixed_frames > 0: features are cut or padded to it; the padding is pad_value (in feature units). */
typedef struct sns_audio_config {
  int64_t struct_size;
  sns_log_mel_config log_mel;
  int64_t patch_freq, patch_time, stride_freq, stride_time; /* PATCHES only, else 0 */
  int64_t max_frames;           /* FRAMES and CONVOLVED with learned positions, else 0 */
  int64_t fixed_frames;
  int64_t prefix_tokens;
  int32_t tokens;               /* SNS_AUDIO_* */
  int32_t position;
  int32_t has_bias;
  float pad_value;
  int32_t norm;
  float norm_eps;
} sns_audio_config;

/* Text: text.embedding [vocabulary, d_model], text.position [max_tokens, d_model] if learned. */
typedef struct sns_text_config {
  int64_t struct_size;
  int64_t vocabulary;
  int64_t max_tokens;
  int32_t position;
  int32_t reserved;
} sns_text_config;

/* The packed sequence. modality_embedding: sequence.modality [3, d_model] is added to each item's tokens (not to
 * begin/end). special_tokens: sequence.begin [3, d_model] and sequence.end [3, d_model] stand around each item.
 * ids_per_second: how fast sns_result.position runs with time, in (0, 1000000]; Qwen2.5-Omni: 25. */
typedef struct sns_sequence_config {
  int64_t struct_size;
  int64_t d_model;
  int32_t modality_embedding;
  int32_t special_tokens;
  double ids_per_second;
} sns_sequence_config;

/* Transformer over each item's tokens (prefix tokens included, begin and end tokens not) before they are packed, as in
 * ViT, AST, CLIP and SigLIP: x += o(attention(norm1(x))), x += mlp.down(act(mlp.up(norm2(x)))). Finished tokens pass it
 * by. With it, sequence.modality is added to its output. Tensors, P = image, audio or text, D = d_model:
 *   P.encoder.pre_norm.{weight,bias} [D] if pre_norm, P.encoder.final_norm.{weight,bias} [D] if final_norm
 *   P.encoder.N.norm1, .norm2 [D], .q, .k, .v, .o [D, D], .mlp.up [hidden, D], .mlp.down [D, hidden], each with
 *   .weight and .bias; q, k, v have biases if qkv_bias, the other matrices if bias
 * causal: a token reads itself and the tokens before it (CLIP's text).
 * rotary: queries and keys turn by the row and the column of their token's patch, half of a head's channels each, theta
 * 10000 (Qwen2-VL); heads are then a multiple of 4 wide. */
typedef struct sns_encoder_config {
  int64_t struct_size;
  int64_t layers, heads;        /* heads divide d_model */
  int64_t hidden;               /* width of the MLP */
  int32_t activation;           /* SNS_ACTIVATION_* */
  int32_t pre_norm;             /* before the first layer (CLIP) */
  int32_t final_norm;           /* after the last layer */
  int32_t qkv_bias, bias;
  float norm_eps;
  int32_t causal, rotary;
} sns_encoder_config;

/* Perceiver encoder (Jaegle et al. 2021, as in transformers): latents cross-attend the packed sequence once, then
 * `blocks` times the same `layers` self-attention layers. Pre-norm; MLP = up, activation, down with residual.
 * Tensors, D = d_model, L = d_latents, qk/v = channels:
 *   perceiver.latents [num_latents, L]
 *   perceiver.cross.norm_latents.{weight,bias} [L], perceiver.cross.norm_inputs.{weight,bias} [D]
 *   perceiver.cross.q.{weight,bias} [cross_qk, L], .k [cross_qk, D], .v [cross_v, D], .o [L, cross_v]
 *   perceiver.cross.norm_mlp.{weight,bias} [L], perceiver.cross.mlp.up [cross_widening*L, L], .down
 *   perceiver.self.N.norm, .q [self_qk, L], .k, .v [self_v, L], .o [L, self_v], .norm_mlp, .mlp.up, .mlp.down */
typedef struct sns_perceiver_config {
  int64_t struct_size;
  int64_t num_latents, d_latents;
  int64_t blocks, layers;
  int64_t cross_heads, self_heads;
  int64_t cross_qk, cross_v, self_qk, self_v; /* channels over all heads */
  int64_t cross_widening, self_widening;
  int32_t activation;
  int32_t query_residual; /* cross-attention adds the latents to its output */
  float norm_eps;
  int32_t reserved;
} sns_perceiver_config;

/* Perceiver IO: learned queries cross-attend the Perceiver's latents, and their rows replace the latents as the result.
 * Tensors, Q = d_queries, L = d_latents: perceiver.decoder.queries [num_queries, Q]; under perceiver.decoder:
 * norm_queries [Q], norm_latents [L], q [qk, Q], k [qk, L], v [v, L], o [Q, v], norm_mlp [Q],
 * mlp.up [widening*Q, Q], mlp.down; each with .weight and .bias. */
typedef struct sns_perceiver_decoder_config {
  int64_t struct_size;
  int64_t num_queries, d_queries;
  int64_t heads;
  int64_t qk, v; /* channels over all heads */
  int64_t widening;
  int32_t activation;
  int32_t query_residual;
  float norm_eps;
  int32_t reserved;
} sns_perceiver_decoder_config;

/* Latents that attend to [sequence; latents] in every layer. Idefics2: rms_norm, gated_mlp, kv_heads < heads; Flamingo
 * and IDEFICS-1: neither, GELU or ReLU. Width of a latent: d_model. Tensors, D = d_model:
 *   resampler.latents [num_latents, D]
 *   resampler.N.norm_latents, .norm_context, .norm_mlp: .weight [D], and .bias [D] unless rms_norm
 *   resampler.N.q.weight [heads*head_dim, D], .k.weight and .v.weight [kv_heads*head_dim, D],
 *   resampler.N.o.weight [D, heads*head_dim], .mlp.gate.weight [mlp_hidden, D] if gated_mlp,
 *   resampler.N.mlp.up.weight [mlp_hidden, D], .mlp.down.weight [D, mlp_hidden]
 *   resampler.norm: .weight [D], and .bias [D] unless rms_norm */
typedef struct sns_latent_resampler_config {
  int64_t struct_size;
  int64_t num_latents, layers;
  int64_t heads, kv_heads, head_dim;
  int64_t mlp_hidden;
  int32_t rms_norm;   /* RMS norms instead of layer norms */
  int32_t gated_mlp;  /* down(activation(gate) * up) instead of down(activation(up)) */
  int32_t activation;
  float norm_eps;
} sns_latent_resampler_config;

/* Q-Former (BLIP-2), image path; post-norm. Layers 0, cross_frequency, 2*cross_frequency, ... read the sequence.
 * Tensors, D = d_model, L = d_latents; linear layers and norms have .weight and .bias:
 *   qformer.queries [num_latents, L], qformer.norm [L] (of the queries)
 *   qformer.N.self.{q,k,v,o} [L, L], qformer.N.self.norm [L]
 *   qformer.N.cross.{q,o} [L, L], .cross.{k,v} [L, D], .cross.norm [L]: only in layers that read the sequence
 *   qformer.N.mlp.up [mlp_hidden, L], .mlp.down [L, mlp_hidden], .mlp.norm [L] */
typedef struct sns_qformer_config {
  int64_t struct_size;
  int64_t num_latents, d_latents;
  int64_t layers, heads, cross_frequency;
  int64_t mlp_hidden;
  int32_t activation;
  float norm_eps;
} sns_qformer_config;

/* Pools. Width of a latent: d_model = D.
 * ATTENTION (SigLIP's head), one latent: pool.probe [1, D], pool.in.weight [3*D, D] (q, k, v) and .bias,
 *   pool.o [D, D], pool.norm [D], pool.mlp.up [mlp_hidden, D], pool.mlp.down; each with .weight and .bias.
 * MEAN: the means of `count` equal runs of tokens: run i of k is tokens [i*n/k, (i+1)*n/k), k = min(count, n), at
 *   least 1. PREFIX: the mean of the first `count` tokens (special tokens count), SUFFIX: of the last, one latent.
 *   All three: pool.norm.weight and .bias [D] if norm, a layer norm of the means; then, if dense > 0, a linear layer and
 *   the activation: pool.dense.weight [dense, D] and, if dense_bias, pool.dense.bias [dense]; a latent is then `dense`
 *   wide. No tokens: a mean of zeros. */
typedef struct sns_pool_config {
  int64_t struct_size;
  int32_t kind;  /* SNS_POOL_* */
  int32_t norm;  /* all but ATTENTION */
  int64_t count; /* likewise; ATTENTION: 1 */
  int64_t heads, mlp_hidden; /* ATTENTION only, else 0 */
  int32_t activation;        /* ATTENTION: of the MLP; else of the dense layer */
  float norm_eps;
  int64_t dense;             /* 0: none; ATTENTION: 0 */
  int32_t dense_bias;
  int32_t reserved;
} sns_pool_config;

/* Token merging (ToMe): rounds of bipartite soft matching by cosine of the tokens, sizes carried along, until a sequence
 * has at most num_latents tokens. protect_first: its first token is never merged (num_latents is then at least 2).
 * Alone it is the compressor. Beside a compressor that attends (not the mean and prefix pools: the model is then refused)
 * it comes first, and that compressor reads what is left, log(size) added to the scores of each merged token.
 * No tensors. */
typedef struct sns_merge_config {
  int64_t struct_size;
  int64_t num_latents;
  int32_t protect_first;
  int32_t reserved;
} sns_merge_config;

/* Projection heads to one shared dimension: of each sequence, the mean of its latents (without a compressor: of its
 * tokens) is projected and L2-normalised. A sequence whose items are all of one modality takes that modality's head
 * if the model has it, any other the joint head; a sequence that has neither is SNS_ERROR_INVALID_ARGUMENT and one
 * without tokens to pool SNS_ERROR_INVALID_SHAPE, both before any work is done.
 * Tensors, for each of image, audio, text and joint that is 1: head.image.weight [dim, d_latents or d_model] and, if
 * has_bias, head.image.bias [dim]; and so on. */
typedef struct sns_head_config {
  int64_t struct_size;
  int64_t dim;
  int32_t image, audio, text, joint; /* which heads there are: 0 or 1 each, at least one */
  int32_t has_bias;
  float logit_scale; /* natural logarithm, in [-20, 20]; the model's own, for sns_contrastive_logits */
  float logit_bias;
  int32_t reserved;
} sns_head_config;

/* A builder collects configurations and tensors; sns_model_create checks that they fit, packs the weights for the
 * device and leaves the builder unchanged. The sequence configuration is required, the others are parts. */
SNS_API int32_t sns_builder_create(sns_engine engine, sns_builder* out);
SNS_API int32_t sns_builder_sequence(sns_builder builder, const sns_sequence_config* config);
SNS_API int32_t sns_builder_image(sns_builder builder, const sns_image_config* config);
SNS_API int32_t sns_builder_audio(sns_builder builder, const sns_audio_config* config);
SNS_API int32_t sns_builder_text(sns_builder builder, const sns_text_config* config);
/* modality: SNS_MODALITY_*, which must have a tokenizer when the model is made. */
SNS_API int32_t sns_builder_encoder(sns_builder builder, int32_t modality, const sns_encoder_config* config);
/* Compressors: a model has at most one (and a merge before it); setting a second kind is SNS_ERROR_INVALID_ARGUMENT. A
 * decoder needs a Perceiver, which must be set first. */
SNS_API int32_t sns_builder_perceiver(sns_builder builder, const sns_perceiver_config* config);
SNS_API int32_t sns_builder_perceiver_decoder(sns_builder builder, const sns_perceiver_decoder_config* config);
SNS_API int32_t sns_builder_latent_resampler(sns_builder builder, const sns_latent_resampler_config* config);
SNS_API int32_t sns_builder_qformer(sns_builder builder, const sns_qformer_config* config);
SNS_API int32_t sns_builder_pool(sns_builder builder, const sns_pool_config* config);
SNS_API int32_t sns_builder_merge(sns_builder builder, const sns_merge_config* config);
SNS_API int32_t sns_builder_head(sns_builder builder, const sns_head_config* config);
/* Copies `bytes` = 4*product(dims) bytes of float32. rank in [1, 4]. A name (printable ASCII, at most 200 bytes) may
 * be set once; setting a configuration again replaces it. A builder is used by one thread at a time. */
SNS_API int32_t sns_builder_tensor(sns_builder builder, const char* name, const float* data, int64_t bytes,
                                   int32_t rank, const int64_t* dims);
SNS_API void sns_builder_destroy(sns_builder builder);

SNS_API int32_t sns_model_create(sns_builder builder, sns_model* out);
SNS_API void sns_model_destroy(sns_model model);

/* ---- session: fixed workspace; nothing is allocated after it is made ------------------------------------ */

typedef struct sns_session_limits {
  int64_t struct_size;
  int64_t max_items;
  int64_t max_sequences;
  int64_t max_tokens;  /* over all sequences of one request, special and prefix tokens included */
  int64_t max_pixels;  /* of one image: height*width */
  int64_t max_samples; /* of one sound */
} sns_session_limits;

/* One item of a request. All fields are 8 bytes wide, so that a JVM can fill an array of items as longs.
 * Images smaller than a patch and sounds too short for a frame are SNS_ERROR_INVALID_SHAPE. Text and finished tokens
 * may have a count of 0 (data may then be null): they give their special tokens only. */
typedef struct sns_item {
  int64_t modality;  /* SNS_MODALITY_* */
  int64_t format;    /* SNS_FORMAT_* */
  int64_t sequence;  /* which sequence of the batch: starts at 0, never decreases, skips none */
  const void* data;  /* aligned to its elements */
  int64_t bytes;     /* size of data; must be exactly what the dims say */
  int64_t dims[3];   /* image: height, width, channels; sound: samples; features: frames, n_mels, and how many
                        frames of the same sound came before them; ids: count; tokens: count, d_model. Unused: 0 */
  int64_t start_us;  /* time of the first sample, frame or character on the caller's clock; of features: of the first
                        sample of the sound, whatever came before them */
  int64_t end_us;    /* images, text and finished tokens: until when it lasts, >= start_us; sound: ignored */
} sns_item;

/* What one request gave; pointers stay valid until the session's next call. Rows follow the items' order, or that of
 * sns_session_set_order. A request of no items gives no tokens and no sequences.
 * Times of sound: frame f covers the tile of one hop around its window's centre, clipped to the sound, rounded down to
 * whole microseconds: tiles touch exactly. A patch covers the tiles of its frames. Of finished features the sound is
 * taken to end with the last tile. Frames that only pad a sound to fixed_frames have empty spans at its end.
 *
 * Positions (t, h, w) are what M-RoPE (Qwen2-VL) and TMRoPE (Qwen2.5-Omni) turn queries and keys by; each sequence
 * starts at 0. Text and finished tokens count on: t = h = w. A picture without duration stands still: t is constant, h and w
 * follow its rows and columns. Sounds and pictures with a duration that follow each other share one clock, which starts
 * with the earliest of them: t = base + floor(time * ids_per_second). Sound frames have h = w = t; of spectrogram patches
 * h follows the frequency and w = t; of pictures h and w follow rows and columns. What comes next starts past the largest
 * id so far. Prefix, begin and end tokens count on as text does, but between two items of one clock they stand at their
 * item's start and end. Positions past 2^31-1 are SNS_ERROR_LIMIT_EXCEEDED. */
typedef struct sns_result {
  int64_t tokens_count;     /* N */
  int64_t d_model;
  int64_t sequences;        /* S */
  int64_t latents_count;    /* of all sequences: cu_latents[S], or 0 without a compressor */
  int64_t d_latents;
  const float* tokens;      /* [N, d_model] */
  const int32_t* modality;  /* [N] SNS_MODALITY_* */
  const int32_t* item;      /* [N] index into the request's items */
  const int32_t* grid;      /* [N, 2] image: patch row, column; audio patches: frequency, time; audio frames, text
                               and finished tokens: 0, index; -1, -1 for prefix, begin and end tokens */
  const int64_t* span;      /* [N, 2] start and end time in us; prefix, begin and end carry their item's span */
  const int32_t* position;  /* [N, 3] time, height and width for rotary embeddings; see below */
  const int64_t* cu_seqlens;/* [S+1] */
  const float* latents;     /* [latents_count, d_latents] or null */
  const int64_t* cu_latents;/* [S+1]: sequence s has latents [cu_latents[s], cu_latents[s+1]); null without a compressor */
  int64_t d_embedding;      /* 0 without a head */
  const float* embedding;   /* [S, d_embedding], rows of length 1, or null without a head */
  int64_t image_ns, audio_ns, text_ns, pack_ns, latents_ns, embedding_ns, total_ns; /* time spent in each stage;
                               embedding: adapter and head */
} sns_result;

SNS_API int32_t sns_session_create(sns_model model, const sns_session_limits* limits, sns_session* out);
SNS_API int32_t sns_session_run(sns_session session, const sns_item* items, int64_t count, sns_result* out);
/* In which order the tokens of a sequence stand, from now on; at first SNS_ORDER_ITEMS. Text stands where it was added;
 * the images and sounds between two texts are merged. Tokens of one image stay together, those of a sound are parted;
 * its begin and prefix tokens stand before its first and its end token behind its last one.
 *   TIME    by start time; on ties images come before sounds, and else the items' order decides
 *   CHUNKS  by chunks of chunk_us from time 0 on, chunk = floor(start/chunk_us); in a chunk all images come first
 * Memory is allocated here, not in the runs. chunk_us is 0 but for CHUNKS, where it is at least 1. */
enum { SNS_ORDER_ITEMS = 0, SNS_ORDER_TIME = 1, SNS_ORDER_CHUNKS = 2 };
SNS_API int32_t sns_session_set_order(sns_session session, int32_t order, int64_t chunk_us);
/* At most so many latents for each sequence, of all requests until it is changed; at first, and for values above it, what
 * the model gives. Learned latents: the first ones are used, and give what a model with only these would give; with a
 * decoder, its first queries. Mean pool: fewer, longer runs. Merge: fewer tokens are left. Attention and prefix pools
 * give their one latent in any case. */
SNS_API int32_t sns_session_set_latents(sns_session session, int64_t max_latents);
/* The same for each sequence by itself: max_latents[i] for sequence i, the model's from `count` on. */
SNS_API int32_t sns_session_set_sequence_latents(sns_session session, const int64_t* max_latents, int64_t count);
/* What each latent of a sequence took from each of its tokens, after a run that succeeded; out [latents, tokens] of the
 * sequence, out_count floats. Cross-attention: softmax averaged over heads, of the (last) layer that reads the sequence;
 * with a decoder its weights times the encoder's. Pools and merge: the weights of the mean. Recomputed from the
 * session's memory and slow: for looking at, not for serving. */
SNS_API int32_t sns_session_attention(sns_session session, int64_t sequence, float* out, int64_t out_count);
SNS_API int32_t sns_session_workspace(sns_session session, int64_t* bytes);
SNS_API void sns_session_destroy(sns_session session);

/* sns_session_run in two halves: the items' data has been read when start returns; finish waits for the device and gives
 * the result, poll says whether finish would wait (*done = 0). Between the two every other call of the session is
 * SNS_ERROR_ILLEGAL_STATE; a finish that fails ends the request, too. On a CPU engine start does all the work. */
SNS_API int32_t sns_session_start(sns_session session, const sns_item* items, int64_t count);
SNS_API int32_t sns_session_poll(sns_session session, int32_t* done);
SNS_API int32_t sns_session_finish(sns_session session, sns_result* out);

/* ---- sessions of a CUDA engine: results on the device, the caller's stream, page-locked input ------------- */

/* On a CPU engine all of these are SNS_ERROR_UNAVAILABLE. The latched errors of a lost GPU are SNS_ERROR_DEVICE_FATAL: from
 * then on every call of the engine and of what was made from it gives it, and no result of the request is handed out.
 *
 * HOST (at first): results are copied to page-locked memory. DEVICE: they stay where they are, tokens, latents and embedding
 * of sns_result are null, and run returns when the work is in the stream: a failure shows at the event or at the next call.
 */
enum { SNS_OUTPUT_HOST = 0, SNS_OUTPUT_DEVICE = 1 };
SNS_API int32_t sns_session_set_output(sns_session session, int32_t output);

/* Results of the last request on the GPU; the shapes are those of sns_result. They hold what they should once `event` has
 * passed, until the session's next request. */
typedef struct sns_device_result {
  int64_t struct_size;
  const float* tokens;    /* device addresses; null where sns_result has none */
  const float* latents;
  const float* embedding;
  void* stream;           /* CUstream that the work was given to */
  void* event;            /* CUevent behind it */
  int64_t index;          /* of the GPU */
} sns_device_result;
SNS_API int32_t sns_session_device_result(sns_session session, sns_device_result* out);

/* The same as a DLPack tensor of float32 (DLManagedTensor*, version 0.8), which may outlive the session: call its deleter. */
enum { SNS_OUT_TOKENS = 0, SNS_OUT_LATENTS = 1, SNS_OUT_EMBEDDING = 2 };
SNS_API int32_t sns_session_dlpack(sns_session session, int32_t what, void** out);
/* Calls the tensor's deleter; null is allowed. */
SNS_API void sns_dlpack_delete(void* tensor);

/* Following requests run in this CUstream of the caller, of the engine's GPU; it must outlive them. Null takes the
 * session's own stream again. */
SNS_API int32_t sns_session_use_stream(sns_session session, void* stream);

/* The stream waits for this recorded CUevent of the caller before anything that it is given later; the calling thread does
 * not wait. */
SNS_API int32_t sns_session_wait_event(sns_session session, void* event);

/* Page-locked memory of the session, at least `bytes` of it: items whose data lies in it are copied to the device without a
 * copy on the host. It stays valid until the session is destroyed or a larger one is asked for. */
SNS_API int32_t sns_session_inbox(sns_session session, int64_t bytes, void** out);

/* On the GPU the work of a request is a graph, which is captured when a bucket of sizes comes for the second time, and
 * launched at once from then on; the 16 that were used last are kept. One graph serves all requests that have as many items
 * of each format and as many sequences, and whose numbers of tokens in all and in the longest sequence, of frames and of
 * bytes fall into the same buckets: multiples of 16 up to 128, then 160, 192, 224, 256, 320 and so on, four between powers
 * of two. Lengths of the single items do not matter, nor where in the inbox they lie; where sequences are merged, those of
 * the single sequences fall into the same buckets, too.
 * Work is done for the whole bucket whether there is a graph or not, and the results are the same bits. */
typedef struct sns_session_info {
  int64_t struct_size;
  int64_t host_bytes;   /* page-locked memory */
  int64_t device_bytes;
  int64_t graphs;       /* that are captured at present */
} sns_session_info;
SNS_API int32_t sns_session_query(sns_session session, sns_session_info* out);

/* How many latents a sequence of so many tokens gives under a limit (>= 1, see sns_session_set_latents). */
SNS_API int32_t sns_model_count_latents(sns_model model, int64_t tokens, int64_t max_latents, int64_t* out);
/* Bottleneck adapter (Houlsby et al. 2019): x + scale*(up(activation(down(x)))). It stands at one place: every row of
 * the compressor's output, or of the packed tokens where there is no compressor, is adapted before pooling; the
 * result's latents (or tokens) are the adapted ones. */
typedef struct sns_adapter_config {
  int64_t struct_size;
  int64_t d;          /* of the rows: d_latents, or d_model without a compressor */
  int64_t bottleneck;
  int32_t activation; /* SNS_ACTIVATION_* */
  float scale;
} sns_adapter_config;

/* down_weight [bottleneck, d], down_bias [bottleneck], up_weight [d, bottleneck], up_bias [d]: copied; biases may be
 * null, which is zeros. Immutable; any number of sessions of any model of that width may use it. */
SNS_API int32_t sns_adapter_create(sns_engine engine, const sns_adapter_config* config, const float* down_weight,
                                   const float* down_bias, const float* up_weight, const float* up_bias,
                                   sns_adapter* out);
/* Sessions that hold it keep what they need. */
SNS_API void sns_adapter_destroy(sns_adapter adapter);
/* For all following runs of the session, until it is set again; null takes it off. Memory is allocated here, not in
 * the runs. A width that is not the model's is SNS_ERROR_INVALID_SHAPE. */
SNS_API int32_t sns_session_set_adapter(sns_session session, sns_adapter adapter);

/* How many tokens an item of these dims gives with this model (special and prefix tokens included). */
SNS_API int32_t sns_model_count_tokens(sns_model model, int64_t modality, int64_t format, const int64_t* dims,
                                       int64_t* out);

/* ---- single stages for callers that want features rather than tokens ------------------------------------ */

/* Thread-safe; scratch is taken from the engine per call. */
SNS_API int32_t sns_log_mel_create(sns_engine engine, const sns_log_mel_config* config, sns_log_mel* out);
SNS_API int32_t sns_log_mel_frames(sns_log_mel log_mel, int64_t samples, int64_t* out);
/* format: SNS_FORMAT_S16_PCM or SNS_FORMAT_F32_PCM. out: [frames, n_mels] or [n_mels, frames] (mel_major), dense;
 * out_count is its size in floats and must be exact. */
SNS_API int32_t sns_log_mel_run(sns_log_mel log_mel, const void* samples, int64_t format, int64_t count, float* out,
                                int64_t out_count);
SNS_API void sns_log_mel_destroy(sns_log_mel log_mel);

/* Planes of bytes as video has them, chroma halved on both axes (rounded up), to RGB bytes [height, width, 3]: the bytes that
 * FFmpeg's swscale gives with SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT. ld*: bytes from one row
 * to the next. height and width: at least 13. matrix: SNS_YUV_*. full_range: 0 if luma is 16 to 235. The work is done on the
 * caller's thread. */
SNS_API int32_t sns_yuv_to_rgb(const uint8_t* y, int64_t ldy, const uint8_t* u, int64_t ldu, const uint8_t* v, int64_t ldv,
                               int64_t height, int64_t width, int32_t matrix, int32_t full_range, uint8_t* out,
                               int64_t out_bytes);

/* The size that a picture of height x width gets. */
SNS_API int32_t sns_resize_size(const sns_resize_config* config, int64_t height, int64_t width, int64_t* out_height,
                                int64_t* out_width);
/* Bytes [height, width, channels] in and out, 1 to 4 channels; the sizes in bytes must be exact. Thread-safe; scratch is
 * taken from the engine. */
SNS_API int32_t sns_resize_run(sns_engine engine, const sns_resize_config* config, const uint8_t* pixels, int64_t bytes,
                               int64_t height, int64_t width, int64_t channels, uint8_t* out, int64_t out_bytes);

/* torchaudio's sinc_interp_hann. Rates in Hz. Coprime rates whose filter would pass 2^24 taps are
 * SNS_ERROR_LIMIT_EXCEEDED. */
SNS_API int32_t sns_resampler_create(sns_engine engine, int64_t orig_rate, int64_t target_rate, sns_resampler* out);
SNS_API int32_t sns_resampler_length(sns_resampler resampler, int64_t count, int64_t* out);
SNS_API int32_t sns_resampler_run(sns_resampler resampler, const float* samples, int64_t count, float* out,
                                  int64_t out_count);
SNS_API void sns_resampler_destroy(sns_resampler resampler);

/* ---- sound that comes in chunks ---------------------------------------------------------------------------- */

/* Log-mel features of sound that is pushed in chunks of any size at any rate: the same bits as sns_resampler_run and
 * sns_log_mel_run give for the whole sound. A frame can be read as soon as nothing that may still come can change it.
 * Memory is fixed when the stream is made and all work is done on the caller's thread, one thread at a time (a second
 * gets SNS_ERROR_ILLEGAL_STATE). Frames that depend on the whole sound cannot be streamed: clip = SNS_CLIP_MAX (take
 * SNS_CLIP_FIXED_MAX; for Whisper, clip_maximum = 1.5) and any norm are SNS_ERROR_INVALID_ARGUMENT. Hops over 2^20
 * and rates whose resampling needs more than 2^20 samples of history are SNS_ERROR_LIMIT_EXCEEDED. On a CUDA engine
 * samples go to the GPU when they are pushed, are resampled there, and features come back when they are read; where cuFFT
 * serves n_fft, it is trusted to give a frame the same bits whatever frames stand beside it. */
typedef struct sns_audio_stream_config {
  int64_t struct_size;
  sns_log_mel_config log_mel; /* its sample_rate is that of the features */
  int64_t input_rate;         /* Hz, of what is pushed */
  int64_t capacity;           /* input samples that can be pushed while no frame is read; 0 = a second, at most 2^20 */
} sns_audio_stream_config;

typedef struct sns_audio_stream_info {
  int64_t struct_size;
  int64_t capacity;  /* as above, never 0 */
  int64_t latency;   /* a frame can be read once so many input samples past its window's centre were pushed */
  int64_t bytes;     /* of memory that the stream holds */
  int64_t position;  /* frames read so far: the number of the next frame */
  int64_t frames;    /* that can be read now */
} sns_audio_stream_info;

SNS_API int32_t sns_audio_stream_create(sns_engine engine, const sns_audio_stream_config* config,
                                        sns_audio_stream* out);
SNS_API int32_t sns_audio_stream_query(sns_audio_stream stream, sns_audio_stream_info* out);
/* format: SNS_FORMAT_S16_PCM or SNS_FORMAT_F32_PCM. *accepted: how many samples were taken, from the first on: never
 * more than the capacity, and fewer than min(count, capacity) only while frames wait to be read. */
SNS_API int32_t sns_audio_stream_push(sns_audio_stream stream, const void* samples, int64_t format, int64_t count,
                                      int64_t* accepted);
/* Frames that can be read now. */
SNS_API int32_t sns_audio_stream_frames(sns_audio_stream stream, int64_t* out);
/* out: [out_count/n_mels, n_mels], whatever mel_major says; *frames: how many rows were written. out_count must be a
 * multiple of n_mels. */
SNS_API int32_t sns_audio_stream_read(sns_audio_stream stream, float* out, int64_t out_count, int64_t* frames);
/* The sound ends: its last frames see the padding at the end. Pushing is SNS_ERROR_ILLEGAL_STATE from now on. */
SNS_API int32_t sns_audio_stream_finish(sns_audio_stream stream);
/* As new, for another sound; what waits is dropped. */
SNS_API int32_t sns_audio_stream_clear(sns_audio_stream stream);
SNS_API void sns_audio_stream_destroy(sns_audio_stream stream);

/* ---- alignment: contrastive logits, and training of heads and adapters ----------------------------------- */

/* out [n, m] = exp(logit_scale)*a*b^T + logit_bias for rows a [n, dim] and b [m, dim], used as they are (embeddings of
 * a session have length 1 already). logit_scale in [-20, 20]. */
SNS_API int32_t sns_contrastive_logits(sns_engine engine, const float* a, int64_t n, const float* b, int64_t m,
                                       int64_t dim, float logit_scale, float logit_bias, float* out);

/* CLIP: mean of the cross-entropies over rows and over columns; it does not depend on logit_bias.
 * SIGLIP: -sum_ij log sigmoid(z_ij*logit_ij)/n, z = 1 on the diagonal, -1 off it. */
enum { SNS_LOSS_CLIP = 0, SNS_LOSS_SIGLIP = 1 };

typedef struct sns_align_config {
  int64_t struct_size;
  int64_t n;   /* pairs */
  int64_t dim; /* of the shared space */
  int32_t loss;
  float logit_scale, logit_bias;
  int32_t reserved;
} sns_align_config;

/* One side of the pairs, computed as a session does: rows -> adapter -> mean of an example's rows -> head -> L2
 * normalisation. Gradients are written, not added; null where they are not wanted. All fields are 8 bytes wide. */
typedef struct sns_align_side {
  int64_t struct_size;
  int64_t rows_count, d;
  const float* rows;      /* [rows_count, d] of the frozen encoder */
  const int64_t* cu_rows; /* [n+1], rising from 0 to rows_count; null: one row an example */
  const float* weight;    /* [dim, d] */
  const float* bias;      /* [dim] or null */
  int64_t bottleneck;     /* 0: no adapter, and its tensors are null */
  int64_t activation;     /* SNS_ACTIVATION_* */
  double scale;           /* used as float */
  const float* down_weight; /* [bottleneck, d] */
  const float* down_bias;   /* [bottleneck] or null */
  const float* up_weight;   /* [d, bottleneck] */
  const float* up_bias;     /* [d] or null */
  float* d_weight;
  float* d_bias;
  float* d_down_weight;
  float* d_down_bias;
  float* d_up_weight;
  float* d_up_bias;
} sns_align_side;

typedef struct sns_align_result {
  int64_t struct_size;
  double loss, d_logit_scale, d_logit_bias;
} sns_align_result;

/* On a CUDA engine logits and steps take turns, and the device memory of the largest so far stays with the engine. */
SNS_API int32_t sns_align_step(sns_engine engine, const sns_align_config* config, const sns_align_side* x,
                               const sns_align_side* y, sns_align_result* out);

/* ---- search: exact nearest vectors --------------------------------------------------------------------- */

/* Vectors [count, dim] are copied and packed; count may be 0, dim >= 1. Immutable; any number of threads may search. */
SNS_API int32_t sns_index_create(sns_engine engine, const float* vectors, int64_t count, int64_t dim, sns_index* out);
/* For each query [n, dim] the k vectors with the largest dot products, falling; of equal ones the lowest id (its place
 * among the vectors) first. ids [n, k], scores [n, k]: float64 sums, rounded once. Fewer than k vectors: the rest is id
 * -1, score -infinity. k in [1, 1024]. */
SNS_API int32_t sns_index_search(sns_index index, const float* queries, int64_t n, int64_t k, int64_t* ids,
                                 float* scores);
SNS_API void sns_index_destroy(sns_index index);

/* ---- discrete codes: vector quantisation ---------------------------------------------------------------- */

enum { SNS_CODEBOOK_VQ = 0, SNS_CODEBOOK_FSQ = 1 };
enum { SNS_METRIC_L2 = 0, SNS_METRIC_COSINE = 1 /* tokens and codes are L2-normalised first */ };

/* VQ: a token is the id of its nearest code; with several stages (residual VQ) each stage quantises what the stages
 * before left over, and a token is `stages` ids. Residual stages need SNS_METRIC_L2.
 * FSQ (Mentzer et al. 2023): each of dim <= 16 values is bounded by tanh and rounded to levels[i] steps; one id. */
typedef struct sns_codebook_config {
  int64_t struct_size;
  int64_t dim;        /* of a token */
  int64_t stages;     /* ids of a token; FSQ: 1 */
  int64_t size;       /* codes of a stage; FSQ: 0 (it is the product of the levels) */
  int32_t kind;       /* SNS_CODEBOOK_* */
  int32_t metric;     /* SNS_METRIC_*; FSQ: 0 */
  int32_t levels[16]; /* FSQ: the first dim; else 0 */
} sns_codebook_config;

typedef struct sns_codebook_learning {
  int64_t struct_size;
  int64_t iterations; /* of k-means, over all stages */
  int64_t revived;    /* codes without tokens that were put on the farthest ones */
  double mean_square; /* mean squared distance of a token to what it is decoded to (cosine: of its direction) */
} sns_codebook_learning;

/* codes: [stages, size, dim], copied; FSQ: null. Immutable; any number of threads may use it at once. */
SNS_API int32_t sns_codebook_create(sns_engine engine, const sns_codebook_config* config, const float* codes,
                                    sns_codebook* out);
/* VQ only: k-means with k-means++ seeding over tokens [rows, dim], rows >= size. The same seed gives the same codes,
 * whatever the threads and the device, whose memory holds the tokens meanwhile. learning may be null. */
SNS_API int32_t sns_codebook_learn(sns_engine engine, const sns_codebook_config* config, const float* tokens,
                                   int64_t rows, int64_t max_iterations, int64_t seed,
                                   sns_codebook_learning* learning, sns_codebook* out);
/* The codes [stages, size, dim], cosine: L2-normalised; out_count is their number of floats and must be exact. */
SNS_API int32_t sns_codebook_codes(sns_codebook codebook, float* out, int64_t out_count);
/* tokens [rows, dim] -> ids [rows, stages]. The id is the one that float64 arithmetic gives, the lowest on ties. */
SNS_API int32_t sns_codebook_encode(sns_codebook codebook, const float* tokens, int64_t rows, int64_t* ids);
/* ids [rows, stages] -> tokens [rows, dim]: the sum of the chosen codes; FSQ: the steps scaled to [-1, 1]. */
SNS_API int32_t sns_codebook_decode(sns_codebook codebook, const int64_t* ids, int64_t rows, float* tokens);
SNS_API void sns_codebook_destroy(sns_codebook codebook);

/* ---- self-check: op parity with the float64 oracles and speed, on this machine -------------------------- */

typedef struct sns_check_report {
  int64_t struct_size;
  char op[32];
  char shape[160];
  char measure[32];
  double error, limit; /* ok when error <= limit */
  int32_t ok;
  int32_t reserved;
} sns_check_report;

typedef struct sns_timing_report {
  int64_t struct_size;
  char op[32];
  char shape[160];
  double seconds; /* median of `repeats` runs */
  double gflops, gbytes_per_s;
  double ceiling_share; /* of the nearer of the two measured ceilings, 0..1 */
} sns_timing_report;

SNS_API int32_t sns_check_op_count(int64_t* out);
/* Null outside [0, count). */
SNS_API const char* sns_check_op_name(int64_t index);
/* Random case number `seed` of op `index`, by the CPU's kernels or, of a CUDA engine, by the GPU's.
 * SNS_ERROR_UNAVAILABLE where the op has none for this GPU. Timing and ceiling are the CPU's. */
SNS_API int32_t sns_check_parity(sns_engine engine, int64_t index, int64_t seed, sns_check_report* out);
SNS_API int32_t sns_check_work_count(int64_t index, int64_t* out);
SNS_API int32_t sns_check_timing(sns_engine engine, int64_t index, int64_t work, int64_t repeats,
                                 sns_timing_report* out);
/* All the engine's threads, measured now: fused multiply-adds of fp32, products of bfloat16 (0 where the CPU has no units
 * for them), streaming reads. */
SNS_API int32_t sns_check_ceiling(sns_engine engine, double* gflops, double* bf16_gflops, double* gbytes_per_s);

#ifdef __cplusplus
}
#endif

#endif /* SENSORIUM_H_ */
