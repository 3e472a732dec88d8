#include "abi_support.h"

namespace sns_test {
namespace {

/// Thousands of random requests, valid and not. What matters is what AddressSanitizer sees; besides, every
/// answer must be a documented code, every success must hold finite numbers, and the count of tokens must be
/// the one that sns_model_count_tokens announced.
class Fuzz {
 public:
  explicit Fuzz(uint64_t seed) : random_(seed) {}

  int64_t weird() {
    static const int64_t kValues[] = {0,
                                      1,
                                      -1,
                                      2,
                                      3,
                                      4,
                                      7,
                                      INT32_MAX,
                                      INT64_MAX,
                                      INT64_MIN,
                                      INT64_MAX / 2,
                                      int64_t{1} << 32,
                                      1 << 20,
                                      int64_t{1} << 62};
    return kValues[random_.integer(0, 13)];
  }

  void mutate(sns_item& item) {
    int64_t* fields[] = {&item.modality, &item.format,  &item.sequence, &item.bytes, &item.dims[0],
                         &item.dims[1],  &item.dims[2], &item.start_us, &item.end_us};
    const int64_t which = random_.integer(0, 9);
    if (which == 9) {
      item.data = nullptr;
    } else {
      *fields[which] = weird();
    }
  }

  /// A valid item over freshly allocated memory of exactly its size.
  sns_item item(std::vector<std::vector<uint8_t>>& memory) {
    sns_item x;
    std::memset(&x, 0, sizeof(x));
    int64_t bytes = 0;
    switch (random_.integer(0, 6)) {
      case 0:
        x.dims[0] = random_.integer(4, 20);
        x.dims[1] = random_.integer(4, 20);
        x.dims[2] = 3;
        x.format = SNS_FORMAT_U8_HWC;
        bytes = x.dims[0] * x.dims[1] * 3;
        break;
      case 1:
        x.dims[0] = random_.integer(4, 20);
        x.dims[1] = random_.integer(4, 20);
        x.dims[2] = 3;
        x.format = SNS_FORMAT_F32_CHW;
        bytes = x.dims[0] * x.dims[1] * 3 * 4;
        break;
      case 2:
        x.modality = SNS_MODALITY_AUDIO;
        x.format = SNS_FORMAT_S16_PCM;
        x.dims[0] = random_.integer(1, 1200);
        bytes = x.dims[0] * 2;
        break;
      case 3:
        x.modality = SNS_MODALITY_AUDIO;
        x.format = SNS_FORMAT_F32_PCM;
        x.dims[0] = random_.integer(1, 1200);
        bytes = x.dims[0] * 4;
        break;
      case 4:
        x.modality = SNS_MODALITY_AUDIO;
        x.format = SNS_FORMAT_F32_FEATURES;
        x.dims[0] = random_.integer(1, 60);
        x.dims[1] = 10;
        bytes = x.dims[0] * 40;
        break;
      case 5:
        x.modality = SNS_MODALITY_TEXT;
        x.format = SNS_FORMAT_I64_IDS;
        x.dims[0] = random_.integer(0, 20);
        bytes = x.dims[0] * 8;
        break;
      default:
        x.modality = random_.integer(0, 2);
        x.format = SNS_FORMAT_F32_TOKENS;
        x.dims[0] = random_.integer(0, 20);
        x.dims[1] = 16;
        bytes = x.dims[0] * 64;
    }
    memory.emplace_back(static_cast<size_t>(bytes));
    uint8_t* data = memory.back().data();
    if (x.format == SNS_FORMAT_I64_IDS) {
      // One id in twenty is wild.
      for (int64_t i = 0; i < x.dims[0]; ++i) {
        const int64_t id = random_.integer(0, 19) ? random_.integer(0, 49) : weird();
        std::memcpy(data + 8 * i, &id, 8);
      }
    } else if (x.format == SNS_FORMAT_U8_HWC || x.format == SNS_FORMAT_S16_PCM ||
               random_.integer(0, 9) == 0) {
      for (int64_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(random_.next());  // any bits at all
    } else {
      for (int64_t i = 0; i < bytes / 4; ++i) {
        const float v = static_cast<float>(random_.normal());
        std::memcpy(data + 4 * i, &v, 4);
      }
    }
    x.data = data;
    x.bytes = bytes;
    x.start_us = random_.integer(-1000000, 1000000);
    x.end_us = x.start_us + random_.integer(0, 1000000);
    return x;
  }

  void request(sns_model model, sns_session session, int64_t* succeeded) {
    std::vector<std::vector<uint8_t>> memory;
    std::vector<sns_item> items;
    int64_t sequence = 0;
    const int64_t count = random_.integer(0, 9);
    for (int64_t i = 0; i < count; ++i) {
      items.push_back(item(memory));
      items.back().sequence = sequence;
      if (random_.coin()) ++sequence;
    }
    if (count > 0 && random_.integer(0, 2) == 0) {
      mutate(items[static_cast<size_t>(random_.integer(0, count - 1))]);
    }
    sns_result result;
    const int32_t code = sns_session_run(session, items.data(), count, &result);
    if (code != SNS_OK) {
      ASSERT_TRUE(code == SNS_ERROR_INVALID_ARGUMENT || code == SNS_ERROR_INVALID_SHAPE ||
                  code == SNS_ERROR_LIMIT_EXCEEDED || code == SNS_ERROR_OUT_OF_RANGE)
          << code << ": " << sns_last_error();
      ASSERT_STRNE("", sns_last_error());
      return;
    }
    ++*succeeded;
    int64_t tokens = 0;
    for (const sns_item& x : items) {
      int64_t n = 0;
      ASSERT_SNS_OK(sns_model_count_tokens(model, x.modality, x.format, x.dims, &n));
      tokens += n;
    }
    ASSERT_EQ(tokens, result.tokens_count);
    ASSERT_EQ(tokens, result.cu_seqlens[result.sequences]);
    for (int64_t s = 0; s < result.sequences; ++s) ASSERT_LE(result.cu_seqlens[s], result.cu_seqlens[s + 1]);
    for (int64_t i = 0; i < tokens; ++i) {
      ASSERT_LE(result.span[2 * i], result.span[2 * i + 1]);
      ASSERT_GE(result.item[i], 0);
      ASSERT_LT(result.item[i], count);
    }
  }

 private:
  sns::Random random_;
};

TEST(Requests, RandomOnesNeverBreakTheSession) {
  const Engine engine = make_engine(2);
  const Model model = make_model(engine.get());
  const Session session = make_session(model.get());
  int64_t succeeded = 0;
  constexpr int kRequests = 6000;
  for (int i = 0; i < kRequests; ++i) {
    SCOPED_TRACE(i);
    Fuzz(static_cast<uint64_t>(i)).request(model.get(), session.get(), &succeeded);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(succeeded, kRequests / 10);  // the generator is not so wild that nothing is tested
  EXPECT_LT(succeeded, kRequests * 9 / 10);
}

TEST(Configurations, RandomOnesAreMadeOrRefused) {
  const Engine engine = make_engine(1);
  int64_t made = 0;
  for (int i = 0; i < 1500; ++i) {
    SCOPED_TRACE(i);
    Fuzz fuzz(static_cast<uint64_t>(i) + 77777);
    const auto audio = audio_config();
    const auto image = image_config();
    const auto perceiver = perceiver_config();
    // Any 8-byte field of a configuration gets any value.
    auto spoil = [&](auto config, auto set) {
      sns_builder b = nullptr;
      ASSERT_SNS_OK(sns_builder_create(engine.get(), &b));
      const Builder builder(b);
      ASSERT_SNS_OK(set_configs(b));
      char* raw = reinterpret_cast<char*>(&config);
      const int64_t words = static_cast<int64_t>(sizeof(config) / 8);
      const int64_t value = fuzz.weird();
      std::memcpy(raw + 8 * sns::Random(static_cast<uint64_t>(i)).integer(1, words - 1), &value, 8);
      if (set(b, &config) != SNS_OK) return;
      sns::Random random(1);
      for (const NamedShape& t : all_tensors()) ASSERT_SNS_OK(add_tensor(b, t, random));
      sns_model m = nullptr;
      const int32_t code = sns_model_create(b, &m);
      const Model model(m);
      if (code == SNS_OK) {
        ++made;
        const auto limits = session_limits();
        sns_session s = nullptr;
        const int32_t session_code = sns_session_create(m, &limits, &s);
        const Session session(s);
        if (session_code == SNS_OK) {
          const Samples samples;
          sns_result result;
          for (const sns_item& item : samples.items()) sns_session_run(s, &item, 1, &result);
        }
      } else {
        ASSERT_TRUE(code == SNS_ERROR_INVALID_WEIGHTS || code == SNS_ERROR_INVALID_ARGUMENT ||
                    code == SNS_ERROR_INVALID_SHAPE || code == SNS_ERROR_LIMIT_EXCEEDED)
            << code << ": " << sns_last_error();
      }
    };
    if (i % 3 == 0) spoil(audio, sns_builder_audio);
    if (i % 3 == 1) spoil(image, sns_builder_image);
    if (i % 3 == 2) spoil(perceiver, sns_builder_perceiver);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(made, 10);
}

}  // namespace
}  // namespace sns_test

extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
