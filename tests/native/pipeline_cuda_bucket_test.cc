// Requests of other sizes in one bucket are one graph on the GPU's side, and their results those of a session
// that has seen nothing else.

#include <gtest/gtest.h>

#include <algorithm>

#include "compressors.h"
#include "cuda_sessions.h"

namespace sns {
namespace {

using Items = std::vector<OwnedItem>;

class Bucket {
 public:
  using Prepare = void (*)(Session& session);
  explicit Bucket(
      const SmallModel& m, const SessionLimits& limits = small_limits(), bool fft = false,
      Prepare prepare = [](Session&) {})
      : limits_(limits),
        prepare_(prepare),
        cpu_(m.make(), limits),
        model_(std::make_shared<const Model>(with_fft(cuda_engine(), fft), m.parts)),
        cuda_(model_, limits) {
    prepare_(cpu_);
    prepare_(cuda_);
  }

  /// Twice, so that a request of another bucket would be captured, beside the CPU and a fresh session, which
  /// gives the work piece by piece.
  void check(const std::vector<Item>& items, double limit = 1e-8) {
    const Result want = run(cpu_, items);
    Session fresh(model_, limits_);
    prepare_(fresh);
    const Result eager = run(fresh, items);
    const Model& m = *model_;
    for (int turn = 0; turn < 2; ++turn) {
      const Result got = run(cuda_, items);
      ASSERT_EQ(want.tokens_count, got.tokens_count);
      ASSERT_EQ(want.latents_count, got.latents_count);
      const auto same = [&](const float* a, const float* b, const float* cpu, int64_t count) {
        ASSERT_EQ(cpu == nullptr, a == nullptr);
        if (!cpu) return;
        EXPECT_TRUE(std::equal(a, a + count, b));
        EXPECT_LE(nmse(a, cpu, count), limit);
      };
      same(got.tokens, eager.tokens, want.tokens, want.tokens_count * m.d_model());
      same(got.latents, eager.latents, want.latents,
           m.compressor() ? want.latents_count * m.compressor()->dim() : 0);
      same(got.embedding, eager.embedding, want.embedding,
           m.head() ? want.sequences * m.head()->config().dim : 0);
    }
  }
  /// Requests of `make`, which are all of one bucket.
  template <class Make>
  void one_graph(const Make& make, int64_t sequences = 1, double limit = 1e-8) {
    const int64_t before = graphs();
    for (int i = 0; i < 4; ++i) {
      const Items items = make(i);
      check(request(items, sequences), limit);
    }
    EXPECT_EQ(before + 1, graphs());
  }
  int64_t graphs() { return cuda_.cuda()->graphs(); }

 private:
  SessionLimits limits_;
  Prepare prepare_;
  Session cpu_;
  std::shared_ptr<const Model> model_;
  Session cuda_;
};

/// First the largest, then the smallest of a bucket, then what comes.
class Sizes {
 public:
  explicit Sizes(uint64_t seed) : random(seed) {}
  int64_t operator()(int turn, int64_t least, int64_t most) {
    return turn == 0 ? most : turn == 1 ? least : random.integer(least, most);
  }
  Random random;
};

TEST(CudaBuckets, Texts) {
  for (const Position position : {Position::kNone, Position::kLearned, Position::kSinCos}) {
    for (const bool encoder : {false, true}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(position)) + (encoder ? ", encoder" : ""));
      SmallModel m(1);
      m.sequence(16, true, true).text(position);
      EncoderConfig c;
      c.layers = 1;
      c.heads = 4;
      c.hidden = 24;
      c.causal = true;
      if (encoder) add_encoder(m, Modality::kText, c);
      Bucket bucket(m);
      Sizes sizes(2);
      bucket.one_graph([&](int turn) {  // 17 to 32 ids, however they are spread
        Items items;
        const int64_t total = sizes(turn, 17, 32), first = sizes.random.integer(total - 16, 16);
        for (const int64_t n : {first, total - first}) {
          items.push_back(make_item(Format::kI64Ids, {n}, sizes.random));
        }
        return items;
      });
      bucket.one_graph(
          [&](int turn) {
            Items items;
            for (int i = 0; i < 2; ++i) {
              items.push_back(make_item(Format::kI64Ids, {sizes(turn, 9, 16)}, sizes.random));
            }
            return items;
          },
          2);
    }
  }
}

TEST(CudaBuckets, Sounds) {
  for (const bool patches : {false, true}) {
    for (const Position position : {Position::kNone, Position::kLearned, Position::kSinCos}) {
      if (patches && position == Position::kLearned) continue;  // of one length only
      SCOPED_TRACE(std::to_string(static_cast<int>(position)) + (patches ? ", patches" : ""));
      SmallModel m(3);
      m.sequence(16, true, true);
      if (patches) {
        m.patches(position, 0);
      } else {
        m.frames(position);
      }
      Bucket bucket(m);
      Sizes sizes(4);
      for (const Format format : {Format::kS16Pcm, Format::kF32Pcm}) {
        bucket.one_graph([&](int turn) {  // 33 to 40 frames, 7 to 9 patches across
          Items items;
          items.push_back(make_item(format, {sizes(turn, 830, 990)}, sizes.random));
          return items;
        });
      }
      bucket.one_graph([&](int turn) {
        Items items;
        items.push_back(make_item(Format::kF32Features, {sizes(turn, 33, 40), 10}, sizes.random));
        return items;
      });
      bucket.one_graph(
          [&](int turn) {
            Items items;
            for (int i = 0; i < 2; ++i) {
              items.push_back(make_item(Format::kF32Pcm, {sizes(turn, 430, 490)}, sizes.random));
            }
            return items;
          },
          2);
    }
  }
}

/// Frames that are padded or cut to one number, with an encoder.
TEST(CudaBuckets, SoundsOfFixedLength) {
  SmallModel m(5);
  m.sequence(16, true, true).frames(Position::kSinCos, 12);
  EncoderConfig c;
  c.layers = 1;
  c.heads = 4;
  c.hidden = 24;
  c.rotary = true;
  add_encoder(m, Modality::kAudio, c);
  Bucket bucket(m);
  Sizes sizes(6);
  bucket.one_graph([&](int turn) {  // padded
    Items items;
    items.push_back(make_item(Format::kF32Pcm, {sizes(turn, 100, 250)}, sizes.random));
    return items;
  });
  bucket.one_graph([&](int turn) {  // cut
    Items items;
    items.push_back(make_item(Format::kF32Pcm, {sizes(turn, 430, 700)}, sizes.random));
    return items;
  });
}

TEST(CudaBuckets, ConvolvedSounds) {
  SmallModel m(7);
  m.sequence(16, true, true).frames(Position::kSinCos);
  m.parts.audio->tokens = AudioTokens::kConvolved;
  m.tensor("audio.conv1.weight", {16, 10, 3}, 0.2);
  m.tensor("audio.conv2.weight", {16, 16, 3}, 0.2);
  m.tensor("audio.conv1.bias", {16});
  m.tensor("audio.conv2.bias", {16});
  m.parts.tensors.erase("audio.frame.weight");
  m.parts.tensors.erase("audio.frame.bias");
  Bucket bucket(m);
  Sizes sizes(8);
  bucket.one_graph(
      [&](int turn) {  // 22 to 24 frames and 11 or 12 tokens each
        Items items;
        for (int i = 0; i < 3; ++i) {
          items.push_back(make_item(Format::kF32Pcm, {sizes(turn, 530, 590)}, sizes.random));
        }
        return items;
      },
      3);
}

TEST(CudaBuckets, NormedPatches) {
  SmallModel m(9);
  m.sequence(16, true, false).patches(Position::kSinCos, 0);
  m.parts.audio->norm = true;
  m.norm("audio.norm", 16);
  Bucket bucket(m);
  Sizes sizes(10);
  bucket.one_graph([&](int turn) {
    Items items;
    for (const int64_t n : {sizes(turn, 430, 490), sizes(turn, 430, 490)}) {
      items.push_back(make_item(Format::kF32Pcm, {n}, sizes.random));
    }
    return items;
  });
}

/// Transforms of cuFFT go by 64 at a time.
TEST(CudaBuckets, SoundsThroughCuFft) {
  SmallModel m(11);
  m.sequence(16, true, false).frames(Position::kNone);
  LogMelConfig& c = m.parts.audio->log_mel;
  c.n_fft = 4500;
  c.win_length = 400;
  c.hop = 600;
  SessionLimits limits = small_limits();
  limits.max_samples = 4000;
  Bucket bucket(m, limits, true);
  Sizes sizes(12);
  bucket.one_graph([&](int turn) {
    Items items;
    items.push_back(make_item(Format::kF32Pcm, {sizes(turn, 3100, 4000)}, sizes.random));
    return items;
  });
}

TEST(CudaBuckets, Pictures) {
  for (const Position position : {Position::kNone, Position::kSinCos}) {
    for (const Format format : {Format::kU8Hwc, Format::kF32Chw}) {
      for (const bool encoder : {false, true}) {
        if (encoder && format == Format::kF32Chw) continue;
        SCOPED_TRACE(std::to_string(static_cast<int>(position)) + ", " +
                     std::to_string(static_cast<int>(format)) + (encoder ? ", encoder" : ""));
        SmallModel m(13);
        m.sequence(16, true, true).image(position);
        EncoderConfig c;
        c.layers = 1;
        c.heads = 4;
        c.hidden = 24;
        c.rotary = true;
        if (encoder) add_encoder(m, Modality::kImage, c);
        Bucket bucket(m);
        Sizes sizes(14);
        const auto picture = [&](int turn) {
          return make_item(format, {sizes(turn, 12, 18), sizes(turn, 13, 18), 3}, sizes.random);
        };
        bucket.one_graph([&](int turn) {  // 3 or 4 rows of 6 to 8 patches
          Items items;
          items.push_back(picture(turn));
          return items;
        });
      }
    }
  }
}

/// Pictures that become one size, some of them of that size: beside others, padded, several frames, in the
/// inbox.
TEST(CudaBuckets, ResizedPictures) {
  for (const ResizeMode mode : {ResizeMode::kSquash, ResizeMode::kShortestEdge, ResizeMode::kFit}) {
    for (const bool frames : {false, true}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(mode)) + (frames ? ", frames" : ""));
      SmallModel m(41);
      m.sequence(16, true, true).image(Position::kSinCos);
      ResizeConfig& resize = m.parts.image->resize;
      resize.mode = mode;
      resize.filter = ResizeFilter::kBicubic;
      if (mode == ResizeMode::kSquash) resize.height = 12, resize.width = 9;
      if (mode == ResizeMode::kShortestEdge) resize.height = 10, resize.crop_h = resize.crop_w = 11;
      if (mode == ResizeMode::kFit) resize.height = resize.width = 16;
      if (frames) {
        m.parts.image->geometry.frames = 3;
        m.tensor("image.patch.weight", {16, 3 * 36}, 0.1);
      }
      Bucket bucket(m);
      Sizes sizes(42);
      bucket.one_graph([&](int turn) {
        Items items;
        for (int i = 0; i < 5; ++i) {
          const bool own = mode == ResizeMode::kSquash && i == 1;
          const int64_t height = own      ? 12
                                 : i == 0 ? 22
                                 : i == 2 ? 23
                                          : sizes(turn, 22, 23),
                        width = own ? 9 : 17;
          items.push_back(make_item(frames ? Format::kU8Thwc : Format::kU8Hwc,
                                    {(frames ? 3 : 1) * height, width, 3}, sizes.random));
          items.back().item.dims[0] = height;
        }
        return items;
      });
    }
  }
}

/// Positions that are made for each grid: interpolated or of Fourier features.
TEST(CudaBuckets, PicturesOfOtherGrids) {
  for (const Position position : {Position::kFourierAdd, Position::kFourierConcat, Position::kLearned}) {
    SCOPED_TRACE(static_cast<int>(position));
    SmallModel m(15);
    m.sequence(16, true, true).image(position);
    if (position == Position::kLearned) m.parts.image->position_resize = PositionResize::kBicubic;
    Bucket bucket(m);
    Sizes sizes(16);
    const auto picture = [&](int64_t height, int64_t width) {
      return make_item(Format::kU8Hwc, {height, width, 3}, sizes.random);
    };
    bucket.one_graph([&](int turn) {  // 3 or 4 rows of 6 to 8 patches
      Items items;
      items.push_back(picture(sizes(turn, 12, 19), sizes(turn, 13, 18)));
      return items;
    });
    bucket.one_graph([&](int turn) {  // two of 3 rows of 7 or 8, of the same grid or not
      Items items;
      for (int i = 0; i < 2; ++i) items.push_back(picture(12, turn < 2 ? sizes(turn, 15, 18) : 15 + 2 * i));
      return items;
    });
    bucket.one_graph([&](int turn) {  // and one of the model's own grid among others
      Items items;
      items.push_back(picture(12, 13));
      items.push_back(picture(8, 7));
      items.push_back(picture(12, sizes(turn, 15, 18)));
      return items;
    });
  }
}

TEST(CudaBuckets, Compressors) {
  for (const Kind kind : {Kind::kPerceiver, Kind::kDecoder, Kind::kIdefics2, Kind::kFlamingo, Kind::kQFormer,
                          Kind::kAttentionPool, Kind::kMean, Kind::kPrefix, Kind::kSuffix}) {
    SCOPED_TRACE(static_cast<int>(kind));
    Bucket bucket(compressing(kind));
    Sizes sizes(17);
    bucket.one_graph(
        [&](int turn) {
          Items items;
          for (int i = 0; i < 2; ++i) items.push_back(token_item(sizes(turn, 25, 32), 16, sizes.random));
          return items;
        },
        2);
  }
}

/// A pool whose sequences give fewer latents where they have fewer tokens.
TEST(CudaBuckets, LatentsOfShortSequences) {
  Bucket bucket(compressing(Kind::kMean, 40));
  Sizes sizes(18);
  bucket.one_graph(
      [&](int turn) {
        Items items;
        for (int i = 0; i < 2; ++i) items.push_back(token_item(sizes(turn, 17, 24), 16, sizes.random));
        return items;
      },
      2, 1e-9);
}

/// Absorbed projections, and sequences without tokens anywhere among the others.
TEST(CudaBuckets, AbsorbedCrossAttention) {
  SmallModel m = compressing(Kind::kAttentionPool, 6, 256);
  for (auto& named : m.parts.tensors) {
    if (named.first.find("weight") == std::string::npos || named.second.dims.size() < 2) continue;
    for (float& x : named.second.data) x *= 0.25f;
  }
  Bucket bucket(m);
  Sizes sizes(19);
  for (const bool empty : {false, true}) {
    bucket.one_graph(
        [&](int turn) {
          Items items;
          for (int i = 0; i < 3; ++i) {
            const bool none = empty && i == turn % 3;
            items.push_back(
                token_item(none ? 0 : sizes(turn, empty ? 29 : 25, empty ? 32 : 26), 256, sizes.random));
          }
          return items;
        },
        3, 1e-9);
  }
}

const Kind kMerging[] = {Kind::kMerge, Kind::kMergedPerceiver, Kind::kMergedIdefics2, Kind::kMergedPool,
                         Kind::kMergedQFormer};

/// Rounds of other numbers of rows; some sequences are left as they are, and some have no tokens.
TEST(CudaBuckets, MergedTokens) {
  for (const Kind kind : kMerging) {
    for (const bool protect : {false, true}) {
      if (protect && kind != Kind::kMerge) continue;
      SCOPED_TRACE(std::to_string(static_cast<int>(kind)) + (protect ? ", first protected" : ""));
      SmallModel m = compressing(kind);
      m.parts.merge = MergeConfig{25, protect};
      Bucket bucket(m);
      Sizes sizes(20);
      for (const int64_t most : {16, 32, 48}) {  // none, some and all are merged
        bucket.one_graph([&](int turn) {
          Items items;
          items.push_back(token_item(sizes(turn, most - 15, most), 16, sizes.random));
          return items;
        });
      }
      bucket.one_graph(
          [&](int turn) {  // 17 to 31 tokens each
            Items items;
            const int64_t total = sizes(turn, 36, 48),
                          first = sizes.random.integer(std::max<int64_t>(17, total - 31), total - 17);
            for (const int64_t n : {first, int64_t{0}, total - first}) {
              items.push_back(token_item(n, 16, sizes.random));
            }
            return items;
          },
          3);
    }
  }
}

/// Many rounds, of which short sequences need fewer, up to all that a session takes.
TEST(CudaBuckets, RoundsOfMerging) {
  for (const bool protect : {false, true}) {
    for (const bool fewer : {false, true}) {
      SCOPED_TRACE(std::string(protect ? "first protected" : "") + (fewer ? ", fewer latents" : ""));
      SmallModel m = compressing(Kind::kMerge, 17);
      m.parts.merge->protect_first = protect;
      SessionLimits limits = small_limits();
      limits.max_tokens = 150;
      Bucket bucket(
          m, limits, false, fewer ? [](Session& session) { session.set_latents(2); } : [](Session&) {});
      Sizes sizes(43);
      for (const int64_t most : {32, 64, 150}) {
        bucket.one_graph([&](int turn) {
          Items items;
          items.push_back(token_item(sizes(turn, most == 150 ? 129 : most - 15, most), 16, sizes.random));
          return items;
        });
      }
    }
  }
}

/// A limit of its own for each sequence: more graphs where that takes other numbers of rounds.
TEST(CudaBuckets, MergedToOtherLatents) {
  for (const Kind kind : {Kind::kMerge, Kind::kMergedPerceiver}) {
    SCOPED_TRACE(static_cast<int>(kind));
    SmallModel m = compressing(kind);
    m.parts.merge->num_latents = 25;
    for (const int64_t latents : {2, 5, 25}) {
      static int64_t limits[2];
      limits[0] = latents, limits[1] = 3;
      Bucket bucket(m, small_limits(), false,
                    [](Session& session) { session.set_sequence_latents(limits, 2); });
      Sizes sizes(44);
      for (int turn = 0; turn < 4; ++turn) {
        Items items;
        for (int i = 0; i < 2; ++i) items.push_back(token_item(sizes(turn, 1, 64), 16, sizes.random));
        bucket.check(request(items, 2));
      }
    }
  }
}

TEST(CudaBuckets, HeadsAndAdapters) {
  for (const Kind kind : {Kind::kPrefix, Kind::kMean, Kind::kMerge}) {
    SCOPED_TRACE(static_cast<int>(kind));
    SmallModel m = compressing(kind, 4);
    if (kind == Kind::kPrefix) m.parts.pool.reset();  // no compressor
    HeadConfig h;
    h.dim = 12;
    h.has_bias = true;
    for (const char* kind : {"text", "joint"}) {
      const int k = kind[0] == 't' ? static_cast<int>(Modality::kText) : kJointHead;
      h.present[k] = true;
      m.tensor(std::string("head.") + kind + ".weight", {12, 16});
      m.tensor(std::string("head.") + kind + ".bias", {12});
    }
    m.parts.head = h;
    const Bucket::Prepare plain = [](Session&) {}, adapted = [](Session&session) {
      AdapterConfig c;
      c.d = 16;
      c.bottleneck = 5;
      Random weights(21);
      Floats down(80), up(80), bias(5);
      for (Floats* w : {&down, &up, &bias}) weights.fill_normal(w->begin(), w->end(), 0.3);
      session.set_adapter(std::make_shared<const Adapter>(c, down.data(), bias.data(), up.data(), nullptr,
                                                          session.model().engine().cuda()));
    };
    for (const Bucket::Prepare prepare : {plain, adapted}) {
      Bucket bucket(m, small_limits(), false, prepare);
      Sizes sizes(22);
      bucket.one_graph([&](int turn) {
        Items items;
        for (int i = 0; i < 3; ++i) {
          items.push_back(make_item(Format::kF32Tokens, {sizes(turn, 11, 16), 16}, sizes.random,
                                    i == 1 ? Modality::kAudio : Modality::kText));
        }
        return items;
      });
    }
  }
}

/// All formats, two encoders, a Perceiver and other orders in one request.
TEST(CudaBuckets, MixedRequests) {
  SmallModel m(23);
  m.sequence(16, true, true).image(Position::kSinCos).frames(Position::kSinCos).text(Position::kSinCos);
  m.perceiver();
  EncoderConfig c;
  c.layers = 1;
  c.heads = 4;
  c.hidden = 24;
  add_encoder(m, Modality::kImage, c);
  add_encoder(m, Modality::kText, c);
  for (const bool timed : {false, true}) {
    Bucket bucket(
        m, small_limits(), false,
        timed ? [](Session& session) { session.set_order(TokenOrder::kTime, 0); } : [](Session&) {});
    Sizes sizes(24);
    bucket.one_graph([&](int turn) {
      Items items;
      items.push_back(turn % 2 == 0 ? make_item(Format::kU8Hwc, {20, 13, 3}, sizes.random)
                                    : make_item(Format::kU8Hwc, {16, 18, 3}, sizes.random));
      items.push_back(make_item(Format::kI64Ids, {sizes(turn, 11, 13)}, sizes.random));
      items.push_back(make_item(Format::kF32Tokens, {sizes(turn, 4, 5), 16}, sizes.random, Modality::kImage));
      items.push_back(make_item(Format::kF32Pcm, {sizes(turn, 830, 870)}, sizes.random));
      items.push_back(make_item(Format::kF32Features, {sizes(turn, 5, 8), 10}, sizes.random));
      items.back().item.start_us = 1000000;  // behind the other sound
      return items;
    });
  }
}

/// Requests as large as the session takes, which end their buckets early, and as small.
TEST(CudaBuckets, Edges) {
  SmallModel m(25);
  m.sequence(16, true, false).text(Position::kLearned).frames(Position::kSinCos).image(Position::kSinCos);
  m.perceiver();
  EncoderConfig c;
  c.layers = 1;
  c.heads = 4;
  c.hidden = 24;
  c.rotary = true;
  for (const Modality modality : {Modality::kText, Modality::kAudio, Modality::kImage}) {
    add_encoder(m, modality, c);
  }
  SessionLimits limits = small_limits();
  limits.max_items = 3;
  limits.max_sequences = 2;
  limits.max_tokens = 42;
  limits.max_samples = 1007;  // 41 frames and a prefix token
  limits.max_pixels = 330;
  Bucket bucket(m, limits);
  Random random(26);
  for (const int64_t n : {42, 41, 1, 0, 42}) {
    SCOPED_TRACE(n);
    Items items;
    items.push_back(token_item(n, 16, random));
    bucket.check(request(items));
  }
  for (const int64_t n : {20, 19, 1, 0}) {
    SCOPED_TRACE(n);
    Items items;
    items.push_back(make_item(Format::kI64Ids, {n}, random));
    items.push_back(make_item(Format::kI64Ids, {20}, random));
    items.push_back(token_item(n == 20 ? 2 : 1, 16, random));
    bucket.check(request(items, 2));
  }
  for (const Format format : {Format::kS16Pcm, Format::kF32Pcm}) {
    for (const int64_t n : {1007, 1006, 40}) {
      SCOPED_TRACE(n);
      Items items;
      items.push_back(make_item(format, {n}, random));
      bucket.check(request(items));
    }
  }
  for (const int64_t n : {41, 40, 1}) {
    SCOPED_TRACE(n);
    Items items;
    items.push_back(make_item(Format::kF32Features, {n, 10}, random));
    bucket.check(request(items));
  }
  for (const int64_t n : {1, 0}) {  // 22 × 15 pixels are 5 × 7 patches
    SCOPED_TRACE(n);
    Items items;
    items.push_back(make_item(Format::kU8Hwc, {22 - n, 15, 3}, random));
    items.push_back(token_item(5 - n, 16, random));
    bucket.check(request(items));
  }
  bucket.check({});
}

}  // namespace
}  // namespace sns
