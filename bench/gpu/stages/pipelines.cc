// Stages that a model has: each is a model of its own with random weights, timed through a session.

#include <cstring>
#include <optional>

#include "pipeline/session.h"
#include "stages/stage.h"

namespace sns {
namespace {

/// A model's parts; its tensors are asked for by name.
struct Weights {
  ModelParts parts;
  Random random{1};
  void tensor(const std::string& name, std::vector<int64_t> dims) {
    Tensor t;
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    t.dims = std::move(dims);
    t.data = AlignedArray<float>(count);
    random.fill_normal(t.data.begin(), t.data.end(), 0.02);
    parts.tensors[name] = std::move(t);
  }
  void affine(const std::string& name, int64_t out, int64_t in) {
    tensor(name + ".weight", {out, in});
    tensor(name + ".bias", {out});
  }
  void norm(const std::string& name, int64_t d) {
    tensor(name + ".weight", {d});
    tensor(name + ".bias", {d});
  }
  void sequence(int64_t d) {
    parts.sequence.emplace();
    parts.sequence->d_model = d;
  }
};

struct Pipeline {
  explicit Pipeline(const Bench& b) { stage.batch = b.batch; }
  Stage stage;
  Weights weights;
  SessionLimits limits;
  Item item;  ///< every sequence has one
  std::vector<unsigned char> data;
};

template <class T, class Value>
void fill(std::vector<unsigned char>& data, Value value) {
  for (size_t i = 0; i < data.size(); i += sizeof(T)) {
    const T v = value();
    std::memcpy(&data[i], &v, sizeof(T));
  }
}

void give(Pipeline& p, Modality modality, Format format, std::vector<int64_t> dims, size_t bytes) {
  p.item.modality = modality;
  p.item.format = format;
  std::copy(dims.begin(), dims.end(), p.item.dims);
  p.item.bytes = static_cast<int64_t>(bytes);
  p.data.resize(bytes);
  Random& r = p.weights.random;
  if (format == Format::kU8Hwc) {
    fill<uint8_t>(p.data, [&] { return static_cast<uint8_t>(r.integer(0, 255)); });
  } else if (format == Format::kS16Pcm) {
    fill<int16_t>(p.data, [&] { return static_cast<int16_t>(r.integer(-9999, 9999)); });
  } else if (format == Format::kI64Ids) {
    fill<int64_t>(p.data, [&] { return r.integer(0, p.weights.parts.text->vocabulary - 1); });
  } else {
    fill<float>(p.data, [&] { return static_cast<float>(r.normal()); });
  }
}

void give_tokens(Pipeline& p, int64_t batch, int64_t tokens, int64_t d) {
  p.limits = {batch, batch, tokens * batch, 0, 0};
  give(p, Modality::kText, Format::kF32Tokens, {tokens, d}, static_cast<size_t>(tokens * d * 4));
}

/// ViT-B/16: bytes → 196 tokens of 768; of 224×224, or of 640×480 resized (PIL's bicubic) and cropped first.
Pipeline picture(const Bench& b, bool resized) {
  const int64_t side = b.size(224, 32), tokens = side / 16 * (side / 16), d = b.size(768, 32);
  const int64_t h = resized ? b.size(480, 48) : side, w = resized ? b.size(640, 64) : side;
  Pipeline p(b);
  p.stage.name = resized ? "resize_patch_embed" : "patch_embed";
  p.stage.shape = text(w) + "x" + text(h) + " u8 -> " +
                  (resized ? text(side) + "x" + text(side) + " -> " : "") + text(tokens) + "x" + text(d);
  p.weights.sequence(d);
  ImageConfig c;
  c.has_bias = true;
  for (int i = 0; i < 3; ++i) c.mean[i] = c.std[i] = 0.5f;
  if (resized) {
    c.resize.mode = ResizeMode::kShortestEdge;
    c.resize.filter = ResizeFilter::kBicubic;
    c.resize.height = c.resize.width = c.resize.crop_h = c.resize.crop_w = side;
  }
  p.weights.parts.image = c;
  p.weights.affine("image.patch", d, 768);
  // Twice the tokens: a session takes a whole request's bytes at once up to those of its tokens.
  p.limits = {b.batch, b.batch, (resized ? 2 : 1) * tokens * b.batch, h * w, 0};
  give(p, Modality::kImage, Format::kU8Hwc, {h, w, 3}, static_cast<size_t>(h * w * 3));
  const int64_t seen = resized ? h * h : h * w;  // of the shortest edge's square
  p.stage.bytes = product({b.batch, seen * 3 + tokens * d * 4}) + product({d, 768, 2});
  p.stage.flops = product({2, b.batch, tokens, d, 768});
  return p;
}
Pipeline patch_embed(const Bench& b) { return picture(b, false); }
Pipeline resize_patch_embed(const Bench& b) { return picture(b, true); }

/// 10 s at 16 kHz, n_fft 400, hop 160, 128 mels, projected to one token a frame.
Pipeline log_mel_project(const Bench& b) {
  const int64_t samples = b.size(160000, 1600), frames = samples / 160 + 1, d = b.size(768, 32);
  Pipeline p(b);
  p.stage.name = "log_mel_project";
  p.stage.shape = text(samples) + " s16 -> " + text(frames) + "x128 -> " + text(frames) + "x" + text(d);
  p.weights.sequence(d);
  AudioConfig c;
  c.log_mel.hop = 160;
  c.log_mel.log = LogKind::kLog10;
  c.has_bias = true;
  p.weights.parts.audio = c;
  p.weights.affine("audio.frame", d, 128);
  p.limits = {b.batch, b.batch, frames * b.batch, 0, samples};
  give(p, Modality::kAudio, Format::kS16Pcm, {samples}, static_cast<size_t>(2 * samples));
  p.stage.bytes = product({b.batch, 2 * samples + frames * d * 4}) + product({d, 128, 2});
  p.stage.flops = product({b.batch, frames, 9000 + 2 * 128 * d});  // 2.5·400·log2 400 of a real FFT
  return p;
}

/// AST: 1024 frames of 128 mels, patches of 16×16 every 10 → 1212 tokens of 768.
Pipeline ast_patches(const Bench& b) {
  const int64_t frames = b.size(1024, 36), d = b.size(768, 32), mels = b.size(128, 26);
  const int64_t tokens = ((mels - 16) / 10 + 1) * ((frames - 16) / 10 + 1);
  Pipeline p(b);
  p.stage.name = "ast_patches";
  p.stage.shape = text(frames) + "x" + text(mels) + " f32 -> " + text(tokens) + "x" + text(d);
  p.weights.sequence(d);
  AudioConfig c;
  c.log_mel.n_mels = mels;
  c.tokens = AudioTokens::kPatches;
  c.patch_freq = c.patch_time = 16;
  c.stride_freq = c.stride_time = 10;
  c.fixed_frames = frames;
  c.has_bias = true;
  p.weights.parts.audio = c;
  p.weights.affine("audio.patch", d, 256);
  p.limits = {b.batch, b.batch, tokens * b.batch, 0, 160 * frames};
  give(p, Modality::kAudio, Format::kF32Features, {frames, mels}, static_cast<size_t>(frames * mels * 4));
  p.stage.bytes = product({b.batch, frames * mels * 4 + tokens * d * 4}) + product({d, 256, 2});
  p.stage.flops = product({2, b.batch, tokens, d, 256});
  return p;
}

/// CLIP's text: 77 of 49 408 ids, 512 wide, with positions.
Pipeline text_embed(const Bench& b) {
  const int64_t ids = b.size(77, 9), vocabulary = b.size(49408, 100), d = b.size(512, 32);
  Pipeline p(b);
  p.stage.name = "text_embed";
  p.stage.shape = text(ids) + " of " + text(vocabulary) + " ids -> " + text(ids) + "x" + text(d);
  p.weights.sequence(d);
  TextConfig c;
  c.vocabulary = vocabulary;
  c.max_tokens = ids;
  c.position = Position::kLearned;
  p.weights.parts.text = c;
  p.weights.tensor("text.embedding", {vocabulary, d});
  p.weights.tensor("text.position", {ids, d});
  p.limits = {b.batch, b.batch, ids * b.batch, 0, 0};
  give(p, Modality::kText, Format::kI64Ids, {ids}, static_cast<size_t>(8 * ids));
  p.stage.bytes = product({b.batch, ids, 8 + d * 8}) + product({ids, d, 4});
  p.stage.flops = product({b.batch, ids, d});
  return p;
}

/// 256 latents read 4096 tokens of 1024, one layer: 8 heads with projections, or one with K and V absorbed.
Pipeline cross_attend(const Bench& b, int64_t heads) {
  const int64_t latents = b.size(256, 16), tokens = b.size(4096, 40), d = b.size(1024, 32);
  const int64_t batch = std::min<int64_t>(b.batch, 64);
  Pipeline p(b);
  p.stage.name = heads == 1 ? "perceiver_absorbed" : "perceiver";
  p.stage.shape =
      text(latents) + " latents x " + text(tokens) + " tokens, d " + text(d) + ", heads " + text(heads);
  p.stage.batch = batch;
  p.weights.sequence(d);
  PerceiverConfig c;
  c.num_latents = latents;
  c.d_latents = c.cross_qk = c.cross_v = c.self_qk = c.self_v = d;
  c.cross_heads = c.self_heads = heads;
  p.weights.parts.perceiver = c;
  p.weights.tensor("perceiver.latents", {latents, d});
  for (const char* name : {"norm_latents", "norm_inputs", "norm_mlp"}) {
    p.weights.norm(std::string("perceiver.cross.") + name, d);
  }
  for (const char* name : {"q", "k", "v", "o", "mlp.up", "mlp.down"}) {
    p.weights.affine(std::string("perceiver.cross.") + name, d, d);
  }
  give_tokens(p, batch, tokens, d);
  // Queries are of the latents alone and made at load. Absorbed: V after attention.
  const int64_t weights = heads == 1 ? 4 : 5;
  p.stage.bytes = product({batch, tokens + latents, d, 4}) + product({weights, d, d, 2});
  p.stage.flops = product({batch, 4, latents, tokens, d}) + product({batch, 6, latents, d, d}) +
                  (heads == 1 ? product({batch, 2, latents, d, d}) : product({batch, 4, tokens, d, d}));
  return p;
}
Pipeline perceiver(const Bench& b) { return cross_attend(b, 8); }
Pipeline perceiver_absorbed(const Bench& b) { return cross_attend(b, 1); }

/// SigLIP's attention pooling of 196 tokens: one probe, 12 heads, MLP.
Pipeline attention_pool(const Bench& b) {
  const int64_t tokens = b.size(196, 21), d = b.size(768, 36), heads = 12, hidden = 4 * d;
  Pipeline p(b);
  p.stage.name = "attention_pool";
  p.stage.shape = text(tokens) + "x" + text(d) + " -> 1x" + text(d) + ", 12 heads";
  p.weights.sequence(d);
  PoolConfig c;
  c.kind = PoolKind::kAttention;
  c.heads = heads;
  c.mlp_hidden = hidden;
  c.activation = Activation::kGeluTanh;
  p.weights.parts.pool = c;
  p.weights.tensor("pool.probe", {1, d});
  p.weights.affine("pool.in", 3 * d, d);
  p.weights.affine("pool.o", d, d);
  p.weights.norm("pool.norm", d);
  p.weights.affine("pool.mlp.up", hidden, d);
  p.weights.affine("pool.mlp.down", d, hidden);
  give_tokens(p, b.batch, tokens, d);
  // The probe's scores need no K: q·W_K is made at load.
  p.stage.bytes = product({b.batch, tokens + 1, d, 4}) + product({2 * d + 2 * hidden, d, 2});
  p.stage.flops = product({4, b.batch, heads, tokens, d}) + product({2, b.batch, 2 * d + 2 * hidden, d});
  return p;
}

Pipeline mean_pool(const Bench& b) {
  const int64_t tokens = b.size(196, 21), d = b.size(768, 32);
  Pipeline p(b);
  p.stage.name = "mean_pool";
  p.stage.shape = text(tokens) + "x" + text(d) + " -> 1x" + text(d);
  p.weights.sequence(d);
  p.weights.parts.pool = PoolConfig();
  give_tokens(p, b.batch, tokens, d);
  p.stage.bytes = product({b.batch, tokens + 1, d, 4});
  p.stage.flops = product({b.batch, tokens, d});
  return p;
}

/// ToMe: 196 tokens of 768 become 98.
Pipeline token_merge(const Bench& b) {
  const int64_t tokens = b.size(196, 20), d = b.size(768, 32);
  Pipeline p(b);
  p.stage.name = "token_merge";
  p.stage.shape = text(tokens) + "x" + text(d) + " -> " + text(tokens / 2) + "x" + text(d);
  p.weights.sequence(d);
  MergeConfig c;
  c.num_latents = tokens / 2;
  p.weights.parts.merge = c;
  give_tokens(p, b.batch, tokens, d);
  p.stage.bytes = product({b.batch, tokens + tokens / 2, d, 4});
  p.stage.flops = product({2, b.batch, tokens / 2, tokens / 2, d});
  return p;
}

Item item_of(const void* context, int64_t i) {
  Item item = *static_cast<const Item*>(context);
  item.sequence = i;
  return item;
}

void time_pipeline(const Bench& bench, Pipeline p) {
  Session session(std::make_shared<const Model>(bench.engine, p.weights.parts), p.limits);
  CudaSession& cuda = *session.cuda();
  p.item.data = p.data.data();
  const ItemSource source{item_of, &p.item};
  const int64_t count = p.stage.batch;
  cuda.keep_on_device(true);
  session.run(source, count);
  CudaStream stream(bench.device());
  cuda.use_stream(stream.get());
  print(bench, p.stage, "device", replayed(stream, bench.repeats, [&] { cuda.recompute(); }));
  cuda.use_stream(nullptr);
  if (count > 1) return;
  // As from Java: the item lies in page-locked memory, and the caller waits.
  void* inbox = cuda.inbox(p.item.bytes);
  std::memcpy(inbox, p.data.data(), p.data.size());
  p.item.data = inbox;
  for (const bool keep : {false, true}) {
    cuda.keep_on_device(keep);
    const double seconds = median(
        10 * bench.repeats, [&] { session.run(source, count); }, [] {}, 1);
    print(bench, p.stage, keep ? "host to device" : "host to host", seconds);
  }
}

}  // namespace

int time_pipelines(const Bench& bench) {
  struct Entry {
    const char* name;
    Pipeline (*make)(const Bench&);
    bool rounds;  ///< the precisions differ; what is fp32 in both is timed in kStrict alone
  };
  static constexpr Entry kAll[] = {{"patch_embed", patch_embed, true},
                                   {"resize_patch_embed", resize_patch_embed, true},
                                   {"log_mel_project", log_mel_project, true},
                                   {"ast_patches", ast_patches, true},
                                   {"text_embed", text_embed, false},
                                   {"perceiver", perceiver, true},
                                   {"perceiver_absorbed", perceiver_absorbed, true},
                                   {"attention_pool", attention_pool, true},
                                   {"mean_pool", mean_pool, false},
                                   {"token_merge", token_merge, false}};
  int failed = 0;
  for (const Entry& e : kAll) {
    if (!bench.wanted(e.name) || (bench.fast() && !e.rounds)) continue;
    failed += attempt(e.name, [&] { time_pipeline(bench, e.make(bench)); });
  }
  return failed;
}

}  // namespace sns
