#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check/guarded.h"
#include "ops/attention/attention.h"
#include "ops/embed/embed.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/mlp/mlp.h"
#include "pipeline/session.h"

// A small model of every part, and its pipelines written again as plain compositions of the float64 oracles.

namespace sns {

using Floats = std::vector<float>;

inline Floats to_float(const std::vector<double>& x) { return Floats(x.begin(), x.end()); }

struct SmallModel {
  ModelParts parts;
  uint64_t seed = 1;
  Random random{1};

  explicit SmallModel(uint64_t s = 1) : seed(s), random(s) {}

  void tensor(const std::string& name, std::vector<int64_t> dims, double deviation = 0.5, double mean = 0) {
    Tensor t;
    t.dims = dims;
    int64_t count = 1;
    for (int64_t d : dims) count *= d;
    t.data = AlignedArray<float>(count);
    for (float& x : t.data) x = static_cast<float>(mean + deviation * random.normal());
    parts.tensors[name] = std::move(t);
  }
  const float* at(const std::string& name) const {
    const auto found = parts.tensors.find(name);
    return found == parts.tensors.end() ? nullptr : found->second.data.data();
  }
  int64_t d() const { return parts.sequence->d_model; }

  SmallModel& sequence(int64_t d_model, bool modality, bool special) {
    SequenceConfig c;
    c.d_model = d_model;
    c.modality_embedding = modality;
    c.special_tokens = special;
    parts.sequence = c;
    if (modality) tensor("sequence.modality", {3, d_model});
    if (special) {
      tensor("sequence.begin", {3, d_model});
      tensor("sequence.end", {3, d_model});
    }
    return *this;
  }
  SmallModel& image(Position position, PatchOrder order = PatchOrder::kChannelFirst) {
    ImageConfig c;
    c.geometry.channels = 3;
    c.geometry.patch_h = 4;
    c.geometry.patch_w = 3;
    c.geometry.stride_h = 4;
    c.geometry.stride_w = 2;
    c.geometry.order = order;
    c.position = position;
    c.prefix_tokens = 2;
    c.has_bias = true;
    if (position == Position::kLearned) {
      c.grid_h = 2;
      c.grid_w = 3;
      tensor("image.position", {2 + 6, d()});
    }
    if (is_fourier(position)) {
      c.grid_h = 4;
      c.grid_w = 6;
      c.fourier_bands = 2;
    }
    if (position == Position::kFourierAdd) {
      tensor("image.position.weight", {d(), 10});
      tensor("image.position.bias", {d()});
    }
    const int64_t width = position == Position::kFourierConcat ? d() - 10 : d();
    for (int i = 0; i < 3; ++i) {
      c.mean[i] = 0.4f + 0.05f * static_cast<float>(i);
      c.std[i] = 0.2f + 0.03f * static_cast<float>(i);
    }
    parts.image = c;
    tensor("image.patch.weight", {width, 36}, 0.2);
    tensor("image.patch.bias", {width});
    tensor("image.prefix", {2, d()});
    return *this;
  }
  static LogMelConfig log_mel() {
    LogMelConfig c;
    c.sample_rate = 16000;
    c.n_fft = 64;
    c.win_length = 60;
    c.hop = 25;
    c.n_mels = 10;
    c.log = LogKind::kLn;
    return c;
  }
  SmallModel& frames(Position position, int64_t fixed_frames = 0) {
    AudioConfig c;
    c.log_mel = log_mel();
    c.tokens = AudioTokens::kFrames;
    c.position = position;
    c.prefix_tokens = 1;
    c.has_bias = true;
    c.fixed_frames = fixed_frames;
    c.pad_value = 0.25f;
    if (position == Position::kLearned) {
      c.max_frames = 40;
      tensor("audio.position", {1 + 40, d()});
    }
    parts.audio = c;
    tensor("audio.frame.weight", {d(), 10}, 0.2);
    tensor("audio.frame.bias", {d()});
    tensor("audio.prefix", {1, d()});
    return *this;
  }
  SmallModel& patches(Position position, int64_t fixed_frames) {
    AudioConfig c;
    c.log_mel = log_mel();
    c.tokens = AudioTokens::kPatches;
    c.patch_freq = 4;
    c.patch_time = 5;
    c.stride_freq = 3;
    c.stride_time = 4;
    c.position = position;
    c.fixed_frames = fixed_frames;
    c.pad_value = -0.5f;
    parts.audio = c;
    if (position == Position::kLearned) {
      const int64_t rows = 3 * ((fixed_frames - 5) / 4 + 1);
      tensor("audio.position", {rows, d()});
    }
    tensor("audio.patch.weight", {d(), 20}, 0.2);
    return *this;
  }
  SmallModel& text(Position position) {
    TextConfig c;
    c.vocabulary = 50;
    c.max_tokens = 20;
    c.position = position;
    parts.text = c;
    tensor("text.embedding", {50, d()});
    if (position == Position::kLearned) tensor("text.position", {20, d()});
    return *this;
  }
  void affine(const std::string& name, int64_t out, int64_t in) {
    tensor(name + ".weight", {out, in}, 0.3);
    tensor(name + ".bias", {out}, 0.2);
  }
  void norm(const std::string& name, int64_t dim) {
    tensor(name + ".weight", {dim}, 0.1, 1.0);
    tensor(name + ".bias", {dim}, 0.1);
  }
  void layer(const std::string& stem, int64_t in, int64_t latents, int64_t qk, int64_t v, int64_t widening) {
    affine(stem + "q", qk, latents);
    affine(stem + "k", qk, in);
    affine(stem + "v", v, in);
    affine(stem + "o", latents, v);
    norm(stem + "norm_mlp", latents);
    affine(stem + "mlp.up", widening * latents, latents);
    affine(stem + "mlp.down", latents, widening * latents);
  }
  SmallModel& perceiver(bool query_residual = true) {
    PerceiverConfig c;
    c.num_latents = 5;
    c.d_latents = 12;
    c.blocks = 2;
    c.layers = 2;
    c.cross_heads = 2;
    c.self_heads = 3;
    c.cross_qk = 8;
    c.cross_v = 10;
    c.self_qk = 9;
    c.self_v = 6;
    c.cross_widening = 1;
    c.self_widening = 2;
    c.query_residual = query_residual;
    parts.perceiver = c;
    tensor("perceiver.latents", {5, 12});
    norm("perceiver.cross.norm_latents", 12);
    norm("perceiver.cross.norm_inputs", d());
    layer("perceiver.cross.", d(), 12, 8, 10, 1);
    for (int i = 0; i < 2; ++i) {
      const std::string stem = "perceiver.self." + std::to_string(i) + ".";
      norm(stem + "norm", 12);
      layer(stem, 12, 12, 9, 6, 2);
    }
    return *this;
  }

  std::shared_ptr<const Model> make(int threads = 1) const {
    return std::make_shared<const Model>(std::make_shared<Engine>(threads), parts);
  }
};

/// Adds an encoder with small random weights to a modality.
inline void add_encoder(SmallModel& m, Modality modality, const EncoderConfig& c) {
  const int64_t d = m.d();
  const std::string stem = std::string(part_name(modality)) + ".encoder.";
  const auto linear = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    m.tensor(name + ".weight", {out, in}, 0.3);
    if (bias) m.tensor(name + ".bias", {out}, 0.2);
  };
  if (c.pre_norm) m.norm(stem + "pre_norm", d);
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = stem + std::to_string(i) + ".";
    m.norm(layer + "norm1", d);
    for (const char* name : {"q", "k", "v"}) linear(layer + name, d, d, c.qkv_bias);
    linear(layer + "o", d, d, c.bias);
    m.norm(layer + "norm2", d);
    linear(layer + "mlp.up", c.hidden, d, c.bias);
    linear(layer + "mlp.down", d, c.hidden, c.bias);
  }
  if (c.final_norm) m.norm(stem + "final_norm", d);
  m.parts.encoders[static_cast<int>(modality)] = c;
}

inline SessionLimits small_limits() {
  SessionLimits l;
  l.max_items = 16;
  l.max_sequences = 8;
  l.max_tokens = 400;
  l.max_pixels = 400;
  l.max_samples = 2000;
  return l;
}

inline Result run(Session& session, const std::vector<Item>& items) {
  const auto get = [](const void* context, int64_t i) { return static_cast<const Item*>(context)[i]; };
  return session.run({get, items.data()}, static_cast<int64_t>(items.size()));
}

/// An item and the memory its data lies in.
struct OwnedItem {
  Item item;
  std::vector<unsigned char> bytes;  // from operator new: aligned for any element
  void own() {
    item.data = bytes.data();
    item.bytes = static_cast<int64_t>(bytes.size());
  }
  template <class T>
  void fill(int64_t count, T (*make)(Random&), Random& random) {
    bytes.resize(static_cast<size_t>(count) * sizeof(T));
    T* out = reinterpret_cast<T*>(bytes.data());
    for (int64_t i = 0; i < count; ++i) out[i] = make(random);
    own();
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

inline OwnedItem make_item(Format format, std::initializer_list<int64_t> dims, Random& random,
                           Modality modality = Modality::kImage) {
  OwnedItem o;
  int64_t count = 1, i = 0;
  for (int64_t d : dims) {
    o.item.dims[i++] = d;
    count *= d;
  }
  o.item.format = format;
  const auto normal = +[](Random& r) { return static_cast<float>(r.normal()); };
  switch (format) {
    case Format::kU8Hwc:
    case Format::kU8Thwc:
      o.fill(
          count, +[](Random& r) { return static_cast<unsigned char>(r.integer(0, 255)); }, random);
      modality = Modality::kImage;
      break;
    case Format::kF32Chw:
      o.fill(count, normal, random);
      modality = Modality::kImage;
      break;
    case Format::kS16Pcm:
      o.fill(
          count, +[](Random& r) { return static_cast<int16_t>(r.integer(-32768, 32767)); }, random);
      modality = Modality::kAudio;
      break;
    case Format::kF32Pcm:
      o.fill(
          count, +[](Random& r) { return static_cast<float>(0.2 * r.normal()); }, random);
      modality = Modality::kAudio;
      break;
    case Format::kF32Features:
      o.fill(count, normal, random);
      modality = Modality::kAudio;
      break;
    case Format::kI64Ids:
      o.fill(
          count, +[](Random& r) { return r.integer(0, 49); }, random);
      modality = Modality::kText;
      break;
    case Format::kF32Tokens:
      o.fill(count, normal, random);
      break;
  }
  o.item.modality = modality;
  return o;
}

/// Sine-cosine rows straight from the papers' formulas, independent of pipeline/positions.cc.
inline std::vector<double> ref_sincos_1d(int64_t p, int64_t dim) {
  std::vector<double> row(static_cast<size_t>(dim));
  for (int64_t k = 0; k < dim; ++k) {
    const double exponent = static_cast<double>(k - k % 2) / static_cast<double>(dim);
    const double angle = static_cast<double>(p) / std::exp(std::log(10000.0) * exponent);
    row[static_cast<size_t>(k)] = k % 2 == 0 ? std::sin(angle) : std::cos(angle);
  }
  return row;
}
inline std::vector<double> ref_sincos_2d(int64_t row, int64_t column, int64_t dim) {
  std::vector<double> out;
  const int64_t quarter = dim / 4;
  for (int64_t coordinate : {column, row}) {
    for (bool sine : {true, false}) {
      for (int64_t i = 0; i < quarter; ++i) {
        const double angle =
            static_cast<double>(coordinate) /
            std::exp(std::log(10000.0) * static_cast<double>(i) / static_cast<double>(quarter));
        out.push_back(sine ? std::sin(angle) : std::cos(angle));
      }
    }
  }
  return out;
}

/// Perceiver's features of one place of a grid: the positions, the sines and the cosines of both axes.
inline std::vector<double> ref_fourier_2d(int64_t r, int64_t c, int64_t grid_h, int64_t grid_w,
                                          int64_t resolution_h, int64_t resolution_w, int64_t bands) {
  const auto at = [](int64_t i, int64_t n) { return n == 1 ? -1 : -1 + 2 * double(i) / double(n - 1); };
  const double y = at(r, grid_h), x = at(c, grid_w);
  std::vector<double> angles, out = {y, x};
  for (const auto& [position, resolution] : {std::pair{y, resolution_h}, std::pair{x, resolution_w}}) {
    for (int64_t k = 0; k < bands; ++k) {
      const double step = bands == 1 ? 0 : (double(resolution) / 2 - 1) / double(bands - 1);
      angles.push_back(M_PI * position * (1 + step * double(k)));
    }
  }
  for (double a : angles) out.push_back(std::sin(a));
  for (double a : angles) out.push_back(std::cos(a));
  return out;
}

/// One item's tokens [rows, d], special and prefix tokens included.
inline std::vector<double> ref_item(const SmallModel& m, const OwnedItem& owned) {
  const Item& item = owned.item;
  const int64_t d = m.d();
  const int64_t modality = static_cast<int64_t>(item.modality);
  std::vector<double> body, prefix, position, prefix_position;
  int64_t prefix_tokens = 0, rows = 0;
  const auto learned = [&](const std::string& name, int64_t prefixes) {
    const float* table = m.at(name);
    prefix_position.assign(table, table + prefixes * d);
    position.assign(table + prefixes * d, table + (prefixes + rows) * d);
  };
  const auto append = [](std::vector<double>& to, const std::vector<double>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  if (item.format == Format::kU8Hwc || item.format == Format::kF32Chw) {
    const ImageConfig& c = *m.parts.image;
    const int64_t height = item.dims[0], width = item.dims[1];
    std::vector<float> chw(static_cast<size_t>(3 * height * width));
    for (int64_t ch = 0; ch < 3; ++ch) {
      for (int64_t p = 0; p < height * width; ++p) {
        chw[static_cast<size_t>(ch * height * width + p)] =
            item.format == Format::kF32Chw
                ? owned.as<float>()[ch * height * width + p]
                : (owned.bytes[static_cast<size_t>(p * 3 + ch)] / 255.0f - c.mean[ch]) / c.std[ch];
      }
    }
    const int64_t gh = c.geometry.grid_h(height), gw = c.geometry.grid_w(width);
    rows = gh * gw;
    PatchEmbedArgs a;
    a.image = {chw.data(), false, height, width, width, 1, height * width};
    const float scale[3] = {1, 1, 1}, shift[3] = {0, 0, 0};
    const int64_t filled = m.parts.tensors.at("image.patch.weight").dims[0];
    std::vector<double> patches(static_cast<size_t>(rows * filled));
    patch_embed_ref(c.geometry, m.at("image.patch.weight"), m.at("image.patch.bias"), filled, scale, shift, a,
                    patches.data());
    for (int64_t r = 0; r < rows; ++r) {
      body.insert(body.end(), patches.begin() + r * filled, patches.begin() + (r + 1) * filled);
      body.insert(body.end(), static_cast<size_t>(d - filled), 0.0);
    }
    prefix_tokens = c.prefix_tokens;
    prefix.assign(m.at("image.prefix"), m.at("image.prefix") + prefix_tokens * d);
    if (c.position == Position::kLearned) learned("image.position", prefix_tokens);
    if (c.position == Position::kSinCos) {
      for (int64_t r = 0; r < gh; ++r) {
        for (int64_t x = 0; x < gw; ++x) append(position, ref_sincos_2d(r, x, d));
      }
    }
    for (int64_t p = 0; p < rows && is_fourier(c.position); ++p) {
      const auto features = ref_fourier_2d(p / gw, p % gw, gh, gw, c.grid_h, c.grid_w, c.fourier_bands);
      if (c.position == Position::kFourierConcat) {
        position.insert(position.end(), static_cast<size_t>(filled), 0.0);
        append(position, features);
      }
      for (int64_t o = 0; o < d && c.position == Position::kFourierAdd; ++o) {
        double sum = m.at("image.position.bias")[o];
        for (size_t i = 0; i < features.size(); ++i) {
          sum += features[i] * m.at("image.position.weight")[o * static_cast<int64_t>(features.size()) +
                                                             static_cast<int64_t>(i)];
        }
        position.push_back(sum);
      }
    }
  } else if (item.format == Format::kS16Pcm || item.format == Format::kF32Pcm ||
             item.format == Format::kF32Features) {
    const AudioConfig& c = *m.parts.audio;
    const int64_t mels = c.log_mel.n_mels;
    std::vector<float> features;
    int64_t frames = item.dims[0];
    if (item.format == Format::kF32Features) {
      features.assign(owned.as<float>(), owned.as<float>() + frames * mels);
    } else {
      frames = LogMelPlan(c.log_mel).frames(item.dims[0]);
      std::vector<double> mel(static_cast<size_t>(frames * mels));
      LogMelArgs a;
      a.samples = owned.bytes.data();
      a.s16 = item.format == Format::kS16Pcm;
      a.sample_count = item.dims[0];
      log_mel_ref(c.log_mel, a, mel.data());
      features = to_float(mel);
    }
    if (c.fixed_frames > 0) {
      frames = c.fixed_frames;
      features.resize(static_cast<size_t>(frames * mels), c.pad_value);
    }
    if (c.tokens == AudioTokens::kFrames) {
      rows = frames;
      LinearArgs a;
      a.x = features.data();
      a.rows = rows;
      a.ldx = mels;
      body.resize(static_cast<size_t>(rows * d));
      linear_ref(m.at("audio.frame.weight"), m.at("audio.frame.bias"), d, mels, a, body.data());
      if (c.position == Position::kSinCos) {
        for (int64_t f = 0; f < frames; ++f) append(position, ref_sincos_1d(f, d));
      }
    } else {
      // The spectrogram as an image of frequency rows and time columns, transposed for real here.
      std::vector<float> turned(features.size());
      for (int64_t f = 0; f < frames; ++f) {
        for (int64_t b = 0; b < mels; ++b) {
          turned[static_cast<size_t>(b * frames + f)] = features[static_cast<size_t>(f * mels + b)];
        }
      }
      PatchGeometry g;
      g.channels = 1;
      g.patch_h = c.patch_freq;
      g.patch_w = c.patch_time;
      g.stride_h = c.stride_freq;
      g.stride_w = c.stride_time;
      const int64_t gh = g.grid_h(mels), gw = g.grid_w(frames);
      rows = gh * gw;
      PatchEmbedArgs a;
      a.image = {turned.data(), false, mels, frames, frames, 1, 0};
      const float scale = 1, shift = 0;
      body.resize(static_cast<size_t>(rows * d));
      patch_embed_ref(g, m.at("audio.patch.weight"), m.at("audio.patch.bias"), d, &scale, &shift, a,
                      body.data());
      if (c.position == Position::kSinCos) {
        for (int64_t r = 0; r < gh; ++r) {
          for (int64_t x = 0; x < gw; ++x) append(position, ref_sincos_2d(r, x, d));
        }
      }
    }
    prefix_tokens = c.prefix_tokens;
    if (prefix_tokens) prefix.assign(m.at("audio.prefix"), m.at("audio.prefix") + prefix_tokens * d);
    if (c.position == Position::kLearned) learned("audio.position", prefix_tokens);
  } else if (item.format == Format::kI64Ids) {
    rows = item.dims[0];
    for (int64_t i = 0; i < rows; ++i) {
      const float* row = m.at("text.embedding") + owned.as<int64_t>()[i] * d;
      append(body, std::vector<double>(row, row + d));
      if (m.parts.text->position == Position::kSinCos) append(position, ref_sincos_1d(i, d));
    }
    if (m.parts.text->position == Position::kLearned) learned("text.position", 0);
  } else {
    rows = item.dims[0];
    body.assign(owned.as<float>(), owned.as<float>() + rows * d);
  }

  std::vector<double> all;
  append(all, prefix);
  append(all, body);
  append(prefix_position, {});
  for (size_t i = 0; i < prefix_position.size(); ++i) all[i] += prefix_position[i];
  for (size_t i = 0; i < position.size(); ++i) all[prefix.size() + i] += position[i];
  if (m.parts.sequence->modality_embedding) {
    for (size_t i = 0; i < all.size(); ++i) {
      all[i] += m.at("sequence.modality")[modality * d + static_cast<int64_t>(i) % d];
    }
  }
  if (m.parts.sequence->special_tokens) {
    const float* begin = m.at("sequence.begin") + modality * d;
    const float* end = m.at("sequence.end") + modality * d;
    all.insert(all.begin(), begin, begin + d);
    all.insert(all.end(), end, end + d);
  }
  return all;
}

/// Latents [num_latents, d_latents] of one sequence's tokens, transformer-style, op by op.
inline std::vector<double> ref_latents(const SmallModel& m, const Floats& tokens) {
  const PerceiverConfig& c = *m.parts.perceiver;
  const int64_t d = m.d(), dl = c.d_latents, nl = c.num_latents;
  const auto norm = [&](const std::string& name, const Floats& x, int64_t dim) {
    LayerNormArgs a;
    a.x = x.data();
    a.rows = static_cast<int64_t>(x.size()) / dim;
    a.dim = a.ldx = dim;
    a.gamma = m.at(name + ".weight");
    a.beta = m.at(name + ".bias");
    a.eps = c.norm_eps;
    std::vector<double> y(x.size());
    layer_norm_ref(a, y.data());
    return to_float(y);
  };
  const auto linear = [&](const std::string& name, const Floats& x, int64_t in, int64_t out) {
    LinearArgs a;
    a.x = x.data();
    a.rows = static_cast<int64_t>(x.size()) / in;
    a.ldx = in;
    std::vector<double> y(static_cast<size_t>(a.rows * out));
    linear_ref(m.at(name + ".weight"), m.at(name + ".bias"), out, in, a, y.data());
    return to_float(y);
  };
  const auto plus = [](Floats a, const Floats& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  };
  const auto layer = [&](const std::string& stem, const Floats& latents, const Floats& normed_queries,
                         const Floats& normed_inputs, int64_t in, int64_t qk, int64_t v, int64_t heads,
                         int64_t widening, bool residual) {
    const Floats q = linear(stem + "q", normed_queries, dl, qk);
    const Floats k = linear(stem + "k", normed_inputs, in, qk);
    const Floats vs = linear(stem + "v", normed_inputs, in, v);
    const int64_t cu_q[2] = {0, nl}, cu_k[2] = {0, static_cast<int64_t>(normed_inputs.size()) / in};
    AttentionArgs a;
    a.q = q.data();
    a.k = k.data();
    a.v = vs.data();
    a.ldq = a.ldk = qk;
    a.ldv = v;
    a.heads = a.kv_heads = heads;
    a.qk_dim = qk / heads;
    a.v_dim = v / heads;
    a.scale = 1 / std::sqrt(static_cast<float>(a.qk_dim));
    a.cu_q = cu_q;
    a.cu_k = cu_k;
    std::vector<double> attended(static_cast<size_t>(nl * v));
    attention_ref(a, attended.data());
    Floats x = linear(stem + "o", to_float(attended), v, dl);
    if (residual) x = plus(x, latents);
    const Floats n = norm(stem + "norm_mlp", x, dl);
    MlpArgs mlp;
    mlp.x = n.data();
    mlp.rows = nl;
    mlp.ldx = dl;
    mlp.activation = c.activation;
    std::vector<double> y(x.size());
    mlp_ref(m.at(stem + "mlp.up.weight"), m.at(stem + "mlp.up.bias"), m.at(stem + "mlp.down.weight"),
            m.at(stem + "mlp.down.bias"), dl, widening * dl, dl, mlp, y.data());
    return plus(x, to_float(y));
  };
  const float* learned = m.at("perceiver.latents");
  Floats x(learned, learned + nl * dl);
  x = layer("perceiver.cross.", x, norm("perceiver.cross.norm_latents", x, dl),
            norm("perceiver.cross.norm_inputs", tokens, d), d, c.cross_qk, c.cross_v, c.cross_heads,
            c.cross_widening, c.query_residual);
  for (int64_t b = 0; b < c.blocks; ++b) {
    for (int64_t l = 0; l < c.layers; ++l) {
      const std::string stem = "perceiver.self." + std::to_string(l) + ".";
      const Floats n = norm(stem + "norm", x, dl);
      x = layer(stem, x, n, n, dl, c.self_qk, c.self_v, c.self_heads, c.self_widening, true);
    }
  }
  return std::vector<double>(x.begin(), x.end());
}

}  // namespace sns
