// Models on the host SIMT executor beside the same models on the CPU: every tokenizer, encoder, compressor
// and head through the device pipeline and its kernels. The handles and errors are in abi_cuda_session_test.

#include <gtest/gtest.h>

#include <algorithm>

#include "compressors.h"
#include "cuda_sessions.h"
#include "pipeline/codes.h"
#include "pipeline/cuda/cross_attention.h"

namespace sns {
namespace {

class Beside {
 public:
  explicit Beside(const SmallModel& m, const SessionLimits& limits = small_limits(),
                  Precision precision = Precision::kStrict, bool fft = false)
      : cpu_(m.make(), limits),
        cuda_(std::make_shared<const Model>(with_fft(cuda_engine(precision), fft), m.parts), limits) {}
  /// Once as it is, once captured, once replayed.
  void compare(const std::vector<Item>& items, double limit = 1e-9) {
    const Result want = run(cpu_, items);
    for (const char* how : {"plain", "captured", "replayed"}) {
      SCOPED_TRACE(how);
      const Result got = run(cuda_, items);
      ASSERT_EQ(want.tokens_count, got.tokens_count);
      ASSERT_EQ(want.latents_count, got.latents_count);
      const auto expect_same = [&](const auto* a, const auto* b, int64_t width) {
        EXPECT_TRUE(std::equal(a, a + width * want.tokens_count, b));
      };
      expect_same(want.table.modality, got.table.modality, 1);
      expect_same(want.table.item, got.table.item, 1);
      expect_same(want.table.grid, got.table.grid, 2);
      expect_same(want.table.span, got.table.span, 2);
      expect_same(want.table.position, got.table.position, 3);
      const Model& m = cpu_.model();
      EXPECT_LE(nmse(got.tokens, want.tokens, want.tokens_count * m.d_model()), limit);
      ASSERT_EQ(want.latents == nullptr, got.latents == nullptr);
      if (want.latents) {
        EXPECT_LE(nmse(got.latents, want.latents, want.latents_count * m.compressor()->dim()), limit);
      }
      ASSERT_EQ(want.embedding == nullptr, got.embedding == nullptr);
      if (want.embedding) {
        EXPECT_LE(nmse(got.embedding, want.embedding, want.sequences * m.head()->config().dim), limit);
      }
    }
  }
  Session& cpu() { return cpu_; }
  Session& cuda() { return cuda_; }

 private:
  Session cpu_, cuda_;
};

TEST(CudaPipeline, Images) {
  for (const Position position : {Position::kNone, Position::kLearned, Position::kSinCos,
                                  Position::kFourierAdd, Position::kFourierConcat}) {
    for (const PatchOrder order : {PatchOrder::kChannelFirst, PatchOrder::kChannelLast}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(position)) + ", " +
                   std::to_string(static_cast<int>(order)));
      Random random(3);
      Beside beside(SmallModel(5).sequence(16, true, true).image(position, order));
      std::vector<OwnedItem> items;
      const int64_t w = 7;
      items.push_back(make_item(Format::kU8Hwc, {8, w, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {9, 8, 3}, random));
      if (position != Position::kLearned) items.push_back(make_item(Format::kU8Hwc, {17, 20, 3}, random));
      items.push_back(make_item(Format::kF32Chw, {8, w, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {8, w, 3}, random));
      beside.compare(request(items));
      beside.compare(request(items, 3));
    }
  }
}

TEST(CudaPipeline, ImagesOfAnySize) {
  for (const PositionResize how : {PositionResize::kBicubic, PositionResize::kBilinear}) {
    for (const ResizeMode mode : {ResizeMode::kNone, ResizeMode::kSquash, ResizeMode::kShortestEdge}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(how)) + ", " + std::to_string(static_cast<int>(mode)));
      Random random(4);
      SmallModel m(6);
      m.sequence(16, true, false).image(Position::kLearned);
      m.parts.image->position_resize = how;
      ResizeConfig& resize = m.parts.image->resize;
      resize.mode = mode;
      resize.filter = ResizeFilter::kBicubic;
      if (mode == ResizeMode::kSquash) resize.height = 12, resize.width = 9;
      if (mode == ResizeMode::kShortestEdge) resize.height = 10, resize.crop_h = resize.crop_w = 11;
      Beside beside(m);
      std::vector<OwnedItem> items;
      items.push_back(make_item(Format::kU8Hwc, {16, 15, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {16, 15, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {11, 18, 3}, random));
      items.push_back(make_item(Format::kU8Hwc, {8, 7, 3}, random));
      beside.compare(request(items, 2));
    }
  }
}

/// Patches over several frames: of video, and of a picture that stands for all of them.
TEST(CudaPipeline, Video) {
  for (const PatchOrder order : {PatchOrder::kChannelFirst, PatchOrder::kChannelLast}) {
    for (const ResizeMode mode : {ResizeMode::kNone, ResizeMode::kSquash, ResizeMode::kFit}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(order)) + ", " + std::to_string(static_cast<int>(mode)));
      Random random(15);
      SmallModel m(16);
      m.sequence(16, true, true).image(Position::kSinCos, order);
      m.parts.image->geometry.frames = 6;
      m.tensor("image.patch.weight", {16, 6 * 36}, 0.1);
      ResizeConfig& resize = m.parts.image->resize;
      resize.mode = mode;
      resize.filter = ResizeFilter::kBicubic;
      if (mode != ResizeMode::kNone) resize.height = 12, resize.width = 9;
      Beside beside(m);
      std::vector<OwnedItem> items;
      const auto video = [&](int64_t height, int64_t width) {
        OwnedItem item = make_item(Format::kU8Thwc, {6 * height, width, 3}, random);
        item.item.dims[0] = height;
        return item;
      };
      items.push_back(video(16, 15));
      items.push_back(video(16, 15));
      items.push_back(make_item(Format::kU8Hwc, {11, 18, 3}, random));
      items.push_back(make_item(Format::kF32Chw, {8, 7, 3}, random));
      items.push_back(video(9, 13));
      beside.compare(request(items, 2));
    }
  }
}

/// More frames than one run of the kernel multiplies: the parts add up.
TEST(CudaPipeline, LongTemporalPatches) {
  for (const int64_t frames : {16, 17, 32, 35}) {
    for (const PatchOrder order : {PatchOrder::kChannelFirst, PatchOrder::kChannelLast}) {
      SCOPED_TRACE(std::to_string(frames) + ", " + std::to_string(static_cast<int>(order)));
      Random random(15);
      SmallModel m(16);
      m.sequence(16, true, true).image(Position::kSinCos, order);
      m.parts.image->geometry.frames = frames;
      m.tensor("image.patch.weight", {16, frames * 36}, 0.1);
      Beside beside(m);
      std::vector<OwnedItem> items;
      const auto video = [&](int64_t height, int64_t width) {
        OwnedItem item = make_item(Format::kU8Thwc, {frames * height, width, 3}, random);
        item.item.dims[0] = height;
        return item;
      };
      items.push_back(video(16, 15));
      items.push_back(make_item(Format::kU8Hwc, {11, 18, 3}, random));
      items.push_back(make_item(Format::kF32Chw, {8, 7, 3}, random));
      items.push_back(video(9, 13));
      beside.compare(request(items, 2));
    }
  }
}

TEST(CudaPipeline, Sounds) {
  for (const Position position : {Position::kNone, Position::kLearned, Position::kSinCos}) {
    for (const int64_t fixed : {int64_t{0}, int64_t{12}}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(position)) + ", " + std::to_string(fixed));
      Random random(5);
      Beside beside(SmallModel(7).sequence(16, true, true).frames(position, fixed));
      std::vector<OwnedItem> items;
      items.push_back(make_item(Format::kS16Pcm, {200}, random));
      items.push_back(make_item(Format::kS16Pcm, {200}, random));
      items.push_back(make_item(Format::kF32Pcm, {700}, random));
      items.push_back(make_item(Format::kF32Features, {9, 10}, random));
      beside.compare(request(items), 1e-8);
    }
  }
}

TEST(CudaPipeline, SpectrogramPatches) {
  for (const Position position : {Position::kNone, Position::kSinCos}) {
    Random random(6);
    SmallModel m(8);
    m.sequence(16, true, false).patches(position, 24);
    Beside beside(m);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kF32Pcm, {500}, random));
    items.push_back(make_item(Format::kF32Pcm, {800}, random));
    items.push_back(make_item(Format::kF32Features, {20, 10}, random));
    beside.compare(request(items, 2), 1e-8);
  }
}

TEST(CudaPipeline, NormedPatches) {
  for (const Position position : {Position::kNone, Position::kSinCos, Position::kLearned}) {
    Random random(25);
    SmallModel m(26);
    m.sequence(16, true, false).patches(position, 24);
    m.parts.audio->norm = true;
    m.norm("audio.norm", 16);
    Beside beside(m);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kF32Pcm, {500}, random));
    items.push_back(make_item(Format::kF32Pcm, {800}, random));
    items.push_back(make_item(Format::kF32Features, {20, 10}, random));
    beside.compare(request(items, 2), 1e-8);
  }
}

TEST(CudaPipeline, ConvolvedFrames) {
  for (const Position position : {Position::kNone, Position::kLearned, Position::kSinCos}) {
    for (const int64_t fixed : {int64_t{0}, int64_t{13}}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(position)) + ", " + std::to_string(fixed));
      Random random(27);
      SmallModel m(28);
      m.sequence(16, true, true).frames(position, fixed);
      m.parts.audio->tokens = AudioTokens::kConvolved;
      m.tensor("audio.conv1.weight", {16, 10, 3}, 0.2);
      m.tensor("audio.conv2.weight", {16, 16, 3}, 0.2);
      m.tensor("audio.conv1.bias", {16});
      m.tensor("audio.conv2.bias", {16});
      if (position == Position::kLearned) m.tensor("audio.position", {1 + 20, 16});
      m.parts.tensors.erase("audio.frame.weight");
      m.parts.tensors.erase("audio.frame.bias");
      Beside beside(m);
      std::vector<OwnedItem> items;
      items.push_back(make_item(Format::kS16Pcm, {200}, random));
      items.push_back(make_item(Format::kS16Pcm, {500}, random));
      items.push_back(make_item(Format::kF32Pcm, {700}, random));
      items.push_back(make_item(Format::kF32Features, {9, 10}, random));
      items.push_back(make_item(Format::kF32Features, {31, 10}, random));
      beside.compare(request(items, 2), 1e-8);
    }
  }
}

/// Finished features may be many more than the frames that are used, and than the session's samples give.
TEST(CudaPipeline, LongFeaturesAreCut) {
  for (const bool patches : {false, true}) {
    Random random(29);
    SmallModel m(30);
    m.sequence(16, true, false);
    if (patches) {
      m.patches(Position::kSinCos, 24);
    } else {
      m.frames(Position::kSinCos, 12);
    }
    SessionLimits limits = small_limits();
    limits.max_items = 2;
    Beside beside(m, limits);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kF32Features, {40000, 10}, random));
    items.push_back(make_item(Format::kF32Features, {7, 10}, random));
    beside.compare(request(items), 1e-8);
  }
}

/// Few tokens of very many frames each.
TEST(CudaPipeline, WidePatches) {
  Random random(31);
  SmallModel m(32);
  m.sequence(16, true, false).patches(Position::kNone, 0);
  AudioConfig& c = *m.parts.audio;
  c.patch_freq = 10;
  c.patch_time = c.stride_time = 40;
  c.stride_freq = 10;
  m.tensor("audio.patch.weight", {16, 400}, 0.1);
  SessionLimits limits = small_limits();
  limits.max_items = 1;
  Beside beside(m, limits);
  std::vector<OwnedItem> items;
  items.push_back(make_item(Format::kF32Features, {40 * 300 + 7, 10}, random));
  beside.compare(request(items), 1e-8);
}

/// An n_fft that the fused kernel does not serve; an odd one is transformed at twice its length.
TEST(CudaPipeline, SoundsThroughCuFft) {
  for (int i = 0; i < 4; ++i) {
    const LogKind log = i % 2 ? LogKind::kLn : LogKind::kNone;  // float and double transforms
    Random random(13);
    SmallModel m(14);
    m.sequence(16, true, false).frames(Position::kNone);
    LogMelConfig& c = m.parts.audio->log_mel;
    c.n_fft = i < 2 ? 4500 : 211;
    c.win_length = i < 2 ? 400 : 200;
    c.hop = 600;
    c.log = log;
    try {
      Model model(cuda_engine(), m.parts);
      FAIL() << "there is no cuFFT";
    } catch (const Error& e) {
      EXPECT_EQ(Code::kUnavailable, e.code());
      EXPECT_EQ("audio.log_mel.n_fft", e.field());
    }
    SessionLimits limits = small_limits();
    limits.max_samples = 4000;
    Beside beside(m, limits, Precision::kStrict, true);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kF32Pcm, {3000}, random));
    items.push_back(make_item(Format::kF32Pcm, {3500}, random));
    beside.compare(request(items, 2), 1e-8);
  }
}

/// Frames and sound that cross each other differently in every request.
TEST(CudaPipeline, OrderByTimeAndChunks) {
  for (const bool compressed : {false, true}) {
    Random random(18);
    SmallModel m(19);
    m.sequence(16, true, true).image(Position::kSinCos).patches(Position::kSinCos, 24).text(Position::kNone);
    if (compressed) m.perceiver();
    HeadConfig h;
    h.dim = 12;
    h.present[kJointHead] = true;
    m.tensor("head.joint.weight", {12, compressed ? 12 : 16});
    m.parts.head = h;
    Beside beside(m);
    std::vector<OwnedItem> items;
    for (int i = 0; i < 3; ++i) items.push_back(make_item(Format::kU8Hwc, {8, 5, 3}, random));
    items.push_back(make_item(Format::kF32Pcm, {900}, random));
    items.push_back(make_item(Format::kI64Ids, {5}, random));
    items.push_back(make_item(Format::kF32Pcm, {700}, random));
    items.push_back(make_item(Format::kU8Hwc, {12, 9, 3}, random));
    for (int64_t round = 0; round < 1; ++round) {
      for (OwnedItem& owned : items) {
        if (owned.item.modality == Modality::kText) continue;
        owned.item.start_us = random.integer(0, 8) * 6250 - 12500;
        owned.item.end_us = owned.item.start_us + (owned.item.modality == Modality::kImage ? 100 : 0);
      }
      for (const int64_t chunk : {int64_t{0}, int64_t{7000}}) {
        for (Session* session : {&beside.cpu(), &beside.cuda()}) {
          session->set_order(chunk ? TokenOrder::kChunks : TokenOrder::kTime, chunk);
        }
        beside.compare(request(items), 1e-8);
        beside.compare(request({items[0], items[3]}), 1e-8);
        beside.compare(request({items[5], items[6], items[4], items[1], items[3]}, 2), 1e-8);
      }
      for (Session* session : {&beside.cpu(), &beside.cuda()}) session->set_order(TokenOrder::kItems, 0);
      beside.compare(request(items), 1e-8);
    }
    beside.cuda().set_order(TokenOrder::kTime, 0);
    beside.cpu().set_order(TokenOrder::kTime, 0);
    beside.compare({});
  }
}

/// A replayed graph of the one order says where its tokens lie after one of the other.
TEST(CudaPipeline, OrdersHaveTheirOwnTokens) {
  Random random(34);
  SmallModel m(35);
  m.sequence(16, false, false).text(Position::kNone);
  Session session(std::make_shared<const Model>(cuda_engine(), m.parts), small_limits());
  std::vector<OwnedItem> items;
  items.push_back(token_item(3, 16, random));  // a copy would point into what it was copied from
  const float* where[2] = {};
  for (int turn = 0; turn < 4; ++turn) {
    for (const bool timed : {false, true}) {
      session.set_order(timed ? TokenOrder::kTime : TokenOrder::kItems, 0);
      run(session, request(items));
      const float* tokens = session.cuda()->device_output().tokens;
      if (turn == 0) where[timed] = tokens;
      EXPECT_EQ(where[timed], tokens) << turn;
    }
  }
  EXPECT_NE(where[0], where[1]);
}

TEST(CudaPipeline, Encoders) {
  for (const int form : {0, 1, 2, 3}) {
    SCOPED_TRACE(form);
    const bool norms = form % 2 == 1;
    Random random(7);
    SmallModel m(9);
    m.sequence(16, true, true).image(Position::kSinCos).frames(Position::kSinCos).text(Position::kNone);
    EncoderConfig c;
    c.layers = 2;
    c.heads = 4;
    c.hidden = 24;
    c.pre_norm = c.final_norm = norms;
    c.activation = norms ? Activation::kQuickGelu : Activation::kGelu;
    c.rotary = form >= 2;
    add_encoder(m, Modality::kImage, c);
    if (norms) add_encoder(m, Modality::kAudio, c);
    if (form >= 2) {
      c.causal = true;
      c.rotary = false;
      add_encoder(m, Modality::kText, c);
    }
    Beside beside(m);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kU8Hwc, {8, 7, 3}, random));
    items.push_back(make_item(Format::kI64Ids, {5}, random));
    items.push_back(make_item(Format::kF32Pcm, {300}, random));
    items.push_back(make_item(Format::kU8Hwc, {12, 9, 3}, random));
    items.push_back(make_item(Format::kF32Tokens, {3, 16}, random, Modality::kImage));
    beside.compare(request(items, 2), 1e-8);
  }
}

TEST(CudaPipeline, Compressors) {
  for (const Kind kind : {Kind::kPerceiver, Kind::kDecoder, Kind::kIdefics2, Kind::kFlamingo, Kind::kQFormer,
                          Kind::kAttentionPool, Kind::kMean, Kind::kPrefix, Kind::kSuffix}) {
    SCOPED_TRACE(static_cast<int>(kind));
    Random random(8);
    Beside beside(compressing(kind));
    std::vector<OwnedItem> items;
    for (const int64_t tokens : {3, 20, 0, 7}) items.push_back(token_item(tokens, 16, random));
    beside.compare(request(items, 4));
    beside.compare(request({items[1]}));
    beside.cpu().set_latents(2);
    beside.cuda().set_latents(2);
    beside.compare(request(items, 4));
  }
}

/// Wide tokens and few queries: the projections of keys and values are absorbed.
TEST(CudaPipeline, AbsorbedCrossAttention) {
  const int64_t d = 256;
  const CudaDevicePtr device = cuda_engine()->cuda();
  Random random(33);
  Floats q(static_cast<size_t>(64 * d)), weight(static_cast<size_t>(d * d));
  EXPECT_TRUE(
      CudaLearnedCross(device, q.data(), 1, d, 4, d, d, {{weight.data()}, {weight.data()}}).absorbed());
  EXPECT_FALSE(
      CudaLearnedCross(device, q.data(), 64, d, 4, d, d, {{weight.data()}, {weight.data()}}).absorbed());
  for (const Kind kind : {Kind::kAttentionPool, Kind::kMergedPool}) {
    SCOPED_TRACE(static_cast<int>(kind));
    SmallModel m = compressing(kind, 6, d);
    for (auto& named : m.parts.tensors) {  // scores about as large as those of 16 channels
      if (named.first.find("weight") == std::string::npos || named.second.dims.size() < 2) continue;
      for (float& x : named.second.data) x *= 0.25f;
    }
    Beside beside(m);
    std::vector<OwnedItem> items;
    for (const int64_t tokens : {70, 0, 3}) items.push_back(token_item(tokens, d, random));
    beside.compare(request(items, 3));
    beside.compare(request({items[0]}));
  }
}

TEST(CudaPipeline, AttentionWeights) {
  for (const Kind kind : {Kind::kPerceiver, Kind::kDecoder, Kind::kIdefics2, Kind::kQFormer, Kind::kMean,
                          Kind::kMergedPerceiver}) {
    SCOPED_TRACE(static_cast<int>(kind));
    Random random(21);
    Beside beside(compressing(kind));
    std::vector<OwnedItem> items;
    for (const int64_t tokens : {3, 40}) items.push_back(token_item(tokens, 16, random));
    const Result want = run(beside.cpu(), request(items, 2));
    run(beside.cuda(), request(items, 2));
    for (int64_t s = 0; s < 2; ++s) {
      const int64_t size =
          (want.cu_seqlens[s + 1] - want.cu_seqlens[s]) * (want.cu_latents[s + 1] - want.cu_latents[s]);
      Floats expected(static_cast<size_t>(size)), got(static_cast<size_t>(size), -1.0f);
      beside.cpu().attention(s, expected.data(), size);
      beside.cuda().attention(s, got.data(), size);
      EXPECT_LE(nmse(got.data(), expected.data(), size), 1e-9);
    }
  }
}

TEST(CudaPipeline, Adapters) {
  for (const bool compressed : {false, true}) {
    Random random(22);
    SmallModel m = compressing(Kind::kMean, 4);
    if (!compressed) m.parts.pool.reset();
    HeadConfig h;
    h.dim = 12;
    h.present[static_cast<int>(Modality::kText)] = true;
    m.tensor("head.text.weight", {12, 16});
    m.parts.head = h;
    Beside beside(m);
    AdapterConfig c;
    c.d = 16;
    c.bottleneck = 5;
    c.scale = 0.7f;
    const auto make = [&](std::shared_ptr<const CudaDevice> device) {
      Random weights(23);
      Floats down(80), up(80), down_bias(5);
      for (Floats* w : {&down, &up, &down_bias}) weights.fill_normal(w->begin(), w->end(), 0.3);
      return std::make_shared<const Adapter>(c, down.data(), down_bias.data(), up.data(), nullptr,
                                             std::move(device));
    };
    std::vector<OwnedItem> items;
    for (const int64_t tokens : {5, 1, 9}) items.push_back(token_item(tokens, 16, random));
    beside.compare(request(items, 3));
    try {
      beside.cuda().set_adapter(make(nullptr));
      FAIL() << "the GPU has no copy of it";
    } catch (const Error& e) {
      EXPECT_EQ(Code::kInvalidArgument, e.code());
      EXPECT_EQ("adapter", e.field());
    }
    beside.cpu().set_adapter(make(nullptr));
    beside.cuda().set_adapter(make(beside.cuda().model().engine().cuda()));
    beside.compare(request(items, 3));
    beside.compare(request(items));
    for (Session* session : {&beside.cpu(), &beside.cuda()}) session->set_adapter(nullptr);
    beside.compare(request(items, 3));
  }
}

/// Ids are those of the CPU, and so are the tokens that they stand for.
TEST(CudaPipeline, Codebooks) {
  Random random(24);
  const auto on_gpu = cuda_engine(), on_cpu = std::make_shared<Engine>(1);
  std::vector<CodesConfig> configs(3);
  configs[0].dim = configs[1].dim = 7;
  configs[0].size = configs[1].size = 60;
  configs[0].stages = 3;
  configs[1].metric = CodeMetric::kCosine;
  configs[2].kind = CodesKind::kFsq;
  configs[2].dim = 3;
  for (int i = 0; i < 3; ++i) configs[2].levels[i] = 8 - i;
  for (const CodesConfig& c : configs) {
    const int64_t rows = 130;
    Floats codes(static_cast<size_t>(c.stages * c.size * c.dim)), tokens(static_cast<size_t>(rows * c.dim));
    for (Floats* values : {&codes, &tokens}) random.fill_normal(values->begin(), values->end(), 1.0);
    const float* given = c.kind == CodesKind::kVq ? codes.data() : nullptr;
    const Codes gpu(on_gpu, c, given), cpu(on_cpu, c, given);
    std::vector<int64_t> ids(static_cast<size_t>(rows * c.stages)), want = ids;
    Floats decoded(tokens.size()), expected(tokens.size());
    for (const int64_t n : {rows, int64_t{1}, rows}) {
      gpu.encode(tokens.data(), n, ids.data());
      cpu.encode(tokens.data(), n, want.data());
      EXPECT_EQ(want, ids);
      gpu.decode(ids.data(), n, decoded.data());
      cpu.decode(want.data(), n, expected.data());
      EXPECT_LE(nmse(decoded.data(), expected.data(), n * c.dim), 1e-13);
    }
  }
}

TEST(CudaPipeline, TokenMerging) {
  for (const Kind kind : {Kind::kMerge, Kind::kMergedPerceiver, Kind::kMergedIdefics2, Kind::kMergedQFormer,
                          Kind::kMergedPool}) {
    for (const bool protect : {false, true}) {
      if (protect && kind != Kind::kMerge) continue;
      SCOPED_TRACE(std::to_string(static_cast<int>(kind)) + (protect ? ", first protected" : ""));
      Random random(20);
      SmallModel m = compressing(kind);
      m.parts.merge->protect_first = protect;
      if (kind != Kind::kMerge) m.parts.merge->num_latents = 9;
      Beside beside(m);
      std::vector<OwnedItem> items;
      for (const int64_t tokens : {70, 3, 0, 20, 1}) items.push_back(token_item(tokens, 16, random));
      beside.compare(request(items, 5));
      beside.compare(request({items[0]}));
      beside.cpu().set_latents(2);
      beside.cuda().set_latents(2);
      beside.compare(request(items, 5));
    }
  }
}

TEST(CudaPipeline, Heads) {
  for (const bool compressed : {false, true}) {
    Random random(9);
    SmallModel m = compressing(Kind::kMean, 4);
    if (!compressed) m.parts.pool.reset();
    HeadConfig h;
    h.dim = 12;
    h.has_bias = true;
    for (const int k : {0, 2, 3}) {
      const std::string name = std::string("head.") + (k == 0 ? "image" : k == 2 ? "text" : "joint");
      h.present[k] = true;
      m.tensor(name + ".weight", {12, 16});
      m.tensor(name + ".bias", {12});
    }
    m.parts.head = h;
    Beside beside(m);
    std::vector<OwnedItem> items;
    items.push_back(make_item(Format::kF32Tokens, {5, 16}, random, Modality::kImage));
    items.push_back(token_item(9, 16, random));
    items.push_back(make_item(Format::kF32Tokens, {4, 16}, random, Modality::kAudio));
    items.push_back(token_item(2, 16, random));
    beside.compare(request(items, 4));
    beside.compare(request(items, 2));
  }
}

/// More items than the staging memory holds at once.
TEST(CudaPipeline, Waves) {
  Random random(10);
  SmallModel m(11);
  m.sequence(16, true, true).image(Position::kSinCos).text(Position::kNone);
  SessionLimits limits = small_limits();
  limits.max_pixels = 3 << 20;  // 36 MB of floats: the largest item is all that fits
  limits.max_items = 4;
  limits.max_tokens = 4000;
  m.parts.image->resize.mode = ResizeMode::kSquash;
  m.parts.image->resize.height = m.parts.image->resize.width = 12;
  m.parts.image->geometry.patch_h = m.parts.image->geometry.stride_h = 4;
  Beside beside(m, limits);
  std::vector<OwnedItem> items;
  for (int i = 0; i < 4; ++i) {
    OwnedItem item = make_item(Format::kU8Hwc, {1, 1, 3}, random);
    item.item.dims[0] = 2000 + i;
    item.item.dims[1] = 1500;
    item.bytes.assign(static_cast<size_t>(item.item.dims[0] * 1500 * 3), static_cast<unsigned char>(40 * i));
    for (size_t b = 0; b < item.bytes.size(); b += 1001) item.bytes[b] = static_cast<unsigned char>(b);
    item.own();
    items.push_back(std::move(item));
  }
  beside.compare(request({items[0], items[1], items[2], items[3]}, 2));
}

TEST(CudaPipeline, FastIsNearStrict) {
  Random random(12);
  Beside beside(compressing(Kind::kPerceiver), small_limits(), Precision::kFast);
  std::vector<OwnedItem> items;
  for (const int64_t tokens : {5, 20}) items.push_back(token_item(tokens, 16, random));
  beside.compare(request(items, 2), 1e-3);
}

}  // namespace
}  // namespace sns
