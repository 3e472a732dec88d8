// Sessions of a CUDA engine on the host SIMT executor (libsensorium_simt.so stands in for
// libsensorium_cuda.so): the same C ABI, device pipeline and kernels as on a GPU, compared with the CPU.

#include <algorithm>
#include <limits>
#include <thread>

#include "abi/dlpack.h"
#include "abi_cuda_support.h"

namespace sns_test {
namespace {

/// One model on both devices.
struct Pair {
  explicit Pair(const std::function<Model(sns_engine)>& make) {
    cpu_model = make(cpu.get());
    cuda_model = make(cuda.get());
    cpu_session = make_session(cpu_model.get());
    cuda_session = make_session(cuda_model.get());
  }
  void compare(const std::vector<sns_item>& items, double limit = 1e-9) {
    const int64_t count = static_cast<int64_t>(items.size());
    sns_result want = {}, got = {};
    ASSERT_SNS_OK(sns_session_run(cpu_session.get(), items.data(), count, &want));
    ASSERT_SNS_OK(sns_session_run(cuda_session.get(), items.data(), count, &got));
    ASSERT_EQ(want.tokens_count, got.tokens_count);
    ASSERT_EQ(want.sequences, got.sequences);
    ASSERT_EQ(want.latents_count, got.latents_count);
    EXPECT_LE(nmse(got.tokens, want.tokens, want.tokens_count * want.d_model), limit);
    if (want.latents) {
      EXPECT_LE(nmse(got.latents, want.latents, want.latents_count * want.d_latents), limit);
    }
    const int64_t n = want.tokens_count;
    EXPECT_TRUE(std::equal(want.item, want.item + n, got.item));
    EXPECT_TRUE(std::equal(want.modality, want.modality + n, got.modality));
    EXPECT_TRUE(std::equal(want.grid, want.grid + 2 * n, got.grid));
    EXPECT_TRUE(std::equal(want.span, want.span + 2 * n, got.span));
    EXPECT_TRUE(std::equal(want.cu_seqlens, want.cu_seqlens + want.sequences + 1, got.cu_seqlens));
  }
  int64_t graphs() {
    auto info = sized<sns_session_info>();
    EXPECT_EQ(SNS_OK, sns_session_query(cuda_session.get(), &info));
    return info.graphs;
  }
  Engine cpu = make_engine(), cuda = cuda_engine();
  Model cpu_model, cuda_model;
  Session cpu_session, cuda_session;
};

TEST(CudaSession, TextAndTokens) {
  Pair pair(text_model);
  const Samples samples;
  for (int i = 0; i < 3; ++i) pair.compare(text_items(samples));
  EXPECT_EQ(1, pair.graphs());
}

/// Every format, with sine-cosine and learned positions, prefix and special tokens, and a Perceiver.
TEST(CudaSession, EveryFormat) {
  Pair pair([](sns_engine e) { return make_model(e); });
  const Samples samples;
  std::vector<sns_item> items = samples.items();
  for (int i = 0; i < 3; ++i) pair.compare(items);
  for (size_t i = 3; i < items.size(); ++i) items[i].sequence = 1;
  for (int i = 0; i < 3; ++i) pair.compare(items);
  EXPECT_EQ(2, pair.graphs());
  for (const sns_item& item : samples.items()) pair.compare({item});
  ASSERT_SNS_OK(sns_session_set_latents(pair.cpu_session.get(), 3));
  ASSERT_SNS_OK(sns_session_set_latents(pair.cuda_session.get(), 3));
  for (int i = 0; i < 3; ++i) pair.compare(items);
}

TEST(CudaSession, NoItems) {
  Pair pair(text_model);
  for (int i = 0; i < 3; ++i) pair.compare({});
}

const std::vector<int64_t> kIds = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4};

/// Any number of ids up to 16 is one bucket, and the next begins behind it.
TEST(CudaSession, TextsOfOneBucketAreOneGraph) {
  Pair pair(text_model);
  for (const int64_t count : {16, 1, 7, 15, 20, 17, 2, 19}) {
    const std::vector<int64_t> some(kIds.begin(), kIds.begin() + count);
    for (int i = 0; i < 2; ++i) pair.compare({make_item(SNS_MODALITY_TEXT, SNS_FORMAT_I64_IDS, some, count)});
    EXPECT_EQ(count > 16 || pair.graphs() > 1 ? 2 : 1, pair.graphs());
  }
  EXPECT_EQ(2, pair.graphs());
}

TEST(CudaSession, GraphsAreBounded) {
  Pair pair(text_model);
  const std::vector<int64_t> id = {3};
  for (int64_t sequences = 1; sequences <= 3; ++sequences) {
    for (int64_t count = sequences; count <= 8; ++count) {  // 8 + 7 + 6 of them
      std::vector<sns_item> items(static_cast<size_t>(count),
                                  make_item(SNS_MODALITY_TEXT, SNS_FORMAT_I64_IDS, id, 1));
      for (int64_t i = 0; i < count; ++i) items[static_cast<size_t>(i)].sequence = std::min(i, sequences - 1);
      for (int i = 0; i < 3; ++i) pair.compare(items);
    }
  }
  EXPECT_EQ(16, pair.graphs());
}

TEST(CudaSession, DeviceMemoryRunsOut) {
  const Engine engine = cuda_engine();
  const Model model = text_model(engine.get());
  control("memory", 0);
  const auto limits = session_limits();
  sns_session s = nullptr;
  expect_error(SNS_ERROR_OUT_OF_MEMORY, "device", sns_session_create(model.get(), &limits, &s));
  EXPECT_EQ(nullptr, s);
  control("memory", int64_t{1} << 30);
  EXPECT_EQ(SNS_OK, sns_session_create(model.get(), &limits, &s)) << sns_last_error();
  sns_session_destroy(s);
}

/// Compute capability 7.5: simple kernels run, ops on tensor cores say what they need, and neither spoils
/// anything.
TEST(CudaSession, OlderDevicesRunTheSimpleKernels) {
  const Engine engine = cuda_engine(SNS_PRECISION_STRICT, 75), cpu = make_engine();
  const Model text = text_model(engine.get()), on_cpu = text_model(cpu.get()), all = make_model(engine.get());
  const Session session = make_session(text.get()), expected = make_session(on_cpu.get());
  const Session whole = make_session(all.get());
  const Samples samples;
  const std::vector<sns_item> items = text_items(samples), pictures = samples.items();
  sns_result got = {}, want = {};
  expect_error(SNS_ERROR_UNAVAILABLE, "device", sns_session_run(whole.get(), pictures.data(), 1, &got));
  EXPECT_STREQ("patch_embed: needs compute capability 8.0, and this GPU has 7.5", sns_last_error());
  ASSERT_SNS_OK(sns_session_run(expected.get(), items.data(), 3, &want));
  for (int i = 0; i < 3; ++i) {
    ASSERT_SNS_OK(sns_session_run(session.get(), items.data(), 3, &got));
    EXPECT_LE(nmse(got.tokens, want.tokens, want.tokens_count * want.d_model), 1e-9);
    expect_error(SNS_ERROR_UNAVAILABLE, "device", sns_session_run(whole.get(), pictures.data(), 1, &want));
    ASSERT_SNS_OK(sns_session_run(expected.get(), items.data(), 3, &want));
  }
  control("reset", 0);
}

/// A fault in the middle of a request, as it is given for the first time or replayed as a graph: its results
/// are not handed out, and nothing works afterwards.
TEST(CudaSession, AStickyErrorIsFatal) {
  const Samples samples;
  const std::vector<sns_item> items = text_items(samples);
  for (int64_t i = 0; i < 8; ++i) {
    const int64_t at = i / 2, before = i % 2 == 0 ? 0 : 2;
    SCOPED_TRACE(std::to_string(at) + " after " + std::to_string(before));
    Pair pair(text_model);
    for (int64_t n = 0; n < before; ++n) pair.compare(items);
    EXPECT_EQ(before / 2, pair.graphs());
    const Session other = make_session(pair.cuda_model.get());
    sns_result result = {};
    control("fail", at);
    expect_error(SNS_ERROR_DEVICE_FATAL, "device",
                 sns_session_run(pair.cuda_session.get(), items.data(), 3, &result));
    EXPECT_EQ(nullptr, result.tokens);
    EXPECT_NE(std::string::npos, std::string(sns_last_error()).find("illegal memory access"))
        << sns_last_error();
    expect_error(SNS_ERROR_DEVICE_FATAL, "device",
                 sns_session_run(pair.cuda_session.get(), items.data(), 3, &result));
    expect_error(SNS_ERROR_DEVICE_FATAL, "device", sns_session_run(other.get(), items.data(), 3, &result));
    const auto limits = session_limits();
    sns_session s = nullptr;
    expect_error(SNS_ERROR_DEVICE_FATAL, "device", sns_session_create(pair.cuda_model.get(), &limits, &s));
    const Builder builder = make_builder(pair.cuda.get());
    sns_model m = nullptr;
    expect_error(SNS_ERROR_DEVICE_FATAL, "device", sns_model_create(builder.get(), &m));
  }
}

TEST(CudaSession, BadRequestsChangeNothing) {
  Pair pair(text_model);
  const Samples samples;
  std::vector<sns_item> items = text_items(samples);
  pair.compare(items);
  const std::vector<int64_t> bad = {0, 3, 50};
  items[0].data = bad.data();
  sns_result result = {};
  expect_error(SNS_ERROR_OUT_OF_RANGE, "items[0].data",
               sns_session_run(pair.cuda_session.get(), items.data(), 3, &result));
  pair.compare(text_items(samples));
}

TEST(CudaSession, StartPollFinish) {
  Pair pair(text_model);
  const Samples samples;
  const std::vector<sns_item> items = text_items(samples);
  sns_session s = pair.cuda_session.get();
  sns_result result = {}, want = {};
  ASSERT_SNS_OK(sns_session_run(pair.cpu_session.get(), items.data(), 3, &want));
  int32_t done = 0;
  expect_error(SNS_ERROR_ILLEGAL_STATE, "session", sns_session_poll(s, &done));
  expect_error(SNS_ERROR_ILLEGAL_STATE, "session", sns_session_finish(s, &result));
  {
    Samples gone;  // its memory may be used again once start has returned
    ASSERT_SNS_OK(sns_session_start(s, text_items(gone).data(), 3));
    std::fill(gone.tokens.begin(), gone.tokens.end(), std::nanf(""));
  }
  expect_error(SNS_ERROR_ILLEGAL_STATE, "session", sns_session_run(s, items.data(), 3, &result));
  expect_error(SNS_ERROR_ILLEGAL_STATE, "session", sns_session_start(s, items.data(), 3));
  ASSERT_SNS_OK(sns_session_poll(s, &done));
  EXPECT_EQ(0, done);  // the stand-in is never done at the first question
  while (!done) ASSERT_SNS_OK(sns_session_poll(s, &done));
  ASSERT_SNS_OK(sns_session_finish(s, &result));
  EXPECT_LE(nmse(result.tokens, want.tokens, want.tokens_count * want.d_model), 1e-12);
  ASSERT_SNS_OK(sns_session_start(pair.cpu_session.get(), items.data(), 3));
  ASSERT_SNS_OK(sns_session_poll(pair.cpu_session.get(), &done));
  EXPECT_EQ(1, done);
  ASSERT_SNS_OK(sns_session_finish(pair.cpu_session.get(), &result));
}

TEST(CudaSession, ResultsStayOnTheDevice) {
  Pair pair(text_model);
  const Samples samples;
  const std::vector<sns_item> items = text_items(samples);
  sns_session s = pair.cuda_session.get();
  ASSERT_SNS_OK(sns_session_set_output(s, SNS_OUTPUT_DEVICE));
  void* tensor = nullptr;
  for (int i = 0; i < 3; ++i) {  // plain, captured, replayed
    sns_result result = {};
    ASSERT_SNS_OK(sns_session_run(s, items.data(), 3, &result));
    EXPECT_EQ(nullptr, result.tokens);
    auto device = sized<sns_device_result>();
    ASSERT_SNS_OK(sns_session_device_result(s, &device));
    EXPECT_NE(nullptr, device.tokens);
    EXPECT_EQ(nullptr, device.latents);
    EXPECT_NE(nullptr, device.event);
    EXPECT_NE(nullptr, device.stream);
    ASSERT_SNS_OK(sns_session_dlpack(s, SNS_OUT_TOKENS, &tensor));
    auto* managed = static_cast<DLManagedTensor*>(tensor);
    EXPECT_EQ(device.tokens, managed->dl_tensor.data);
    EXPECT_EQ(2, managed->dl_tensor.device.device_type);
    EXPECT_EQ(2, managed->dl_tensor.ndim);
    EXPECT_EQ(result.tokens_count, managed->dl_tensor.shape[0]);
    EXPECT_EQ(16, managed->dl_tensor.shape[1]);
    if (i < 2) managed->deleter(managed);
  }
  void* none = nullptr;
  expect_error(SNS_ERROR_ILLEGAL_STATE, "what", sns_session_dlpack(s, SNS_OUT_LATENTS, &none));
  ASSERT_SNS_OK(sns_session_set_output(s, SNS_OUTPUT_HOST));
  pair.compare(items);
  pair.cuda_session.reset();  // the tensor keeps the memory
  sns_dlpack_delete(tensor);
  sns_dlpack_delete(nullptr);
}

/// A session that waits for another's event meets what happened to the other's work.
TEST(CudaSession, WaitsForAnEvent) {
  Pair pair(text_model);
  const Samples samples;
  const std::vector<sns_item> items = text_items(samples);
  const Session first = make_session(pair.cuda_model.get());
  ASSERT_SNS_OK(sns_session_set_output(first.get(), SNS_OUTPUT_DEVICE));
  sns_result result = {};
  ASSERT_SNS_OK(sns_session_run(first.get(), items.data(), 3, &result));
  auto device = sized<sns_device_result>();
  ASSERT_SNS_OK(sns_session_device_result(first.get(), &device));
  ASSERT_SNS_OK(sns_session_wait_event(pair.cuda_session.get(), device.event));
  pair.compare(items);
  expect_error(SNS_ERROR_INVALID_ARGUMENT, "event", sns_session_wait_event(first.get(), nullptr));
  control("fail", 2);
  ASSERT_SNS_OK(sns_session_run(first.get(), items.data(), 3, &result));
  expect_error(SNS_ERROR_DEVICE_FATAL, "device",
               sns_session_wait_event(pair.cuda_session.get(), device.event));
}

TEST(CudaSession, InboxIsReadInPlace) {
  Pair pair(text_model);
  const Samples samples;
  std::vector<sns_item> items = text_items(samples);
  void* inbox = nullptr;
  ASSERT_SNS_OK(sns_session_inbox(pair.cuda_session.get(), 4096, &inbox));
  std::memcpy(inbox, samples.tokens.data(), static_cast<size_t>(items[1].bytes));
  items[1].data = inbox;
  for (int i = 0; i < 4; ++i) {
    static_cast<float*>(inbox)[i] = static_cast<float>(i);
    pair.compare(items);
  }
  EXPECT_EQ(1, pair.graphs());
}

/// Wherever they lie, items in the inbox take one graph; results that are under way are not those of the next
/// request.
TEST(CudaSession, InboxIsReadAnywhere) {
  Pair pair(text_model);
  const Samples samples;
  void* inbox = nullptr;
  constexpr int64_t kSlot = 512;
  ASSERT_SNS_OK(sns_session_inbox(pair.cuda_session.get(), 4 * kSlot, &inbox));
  sns::Random random(5);
  for (const int64_t slot : {0, 1, 3, 2, 0, 3}) {
    std::vector<sns_item> items = text_items(samples);
    auto* const at = reinterpret_cast<float*>(static_cast<char*>(inbox) + slot * kSlot);
    ASSERT_LE(items[1].bytes, kSlot);
    std::fill_n(static_cast<float*>(inbox), kSlot, std::nanf(""));
    random.fill_normal(at, at + items[1].bytes / 4, 1.0);
    items[1].data = at;
    for (int i = 0; i < 2; ++i) pair.compare(items);
    EXPECT_EQ(1, pair.graphs());
  }
}

/// What is copied from it ends at its end, and what lies behind an item stays out of the results.
TEST(CudaSession, InboxIsReadByBuckets) {
  Pair pair(text_model);
  const Samples samples;
  constexpr int64_t kBytes = 16 * static_cast<int64_t>(sizeof(float));
  void* inbox = nullptr;
  ASSERT_SNS_OK(sns_session_inbox(pair.cuda_session.get(), 9 * kBytes, &inbox));
  for (const int64_t rows : {9, 1, 8, 5}) {
    std::fill_n(static_cast<float*>(inbox), 9 * 16, std::nanf(""));
    std::vector<sns_item> items = text_items(samples);
    std::vector<float> tokens(static_cast<size_t>(rows * 16));
    sns::Random random(static_cast<uint64_t>(rows));
    random.fill_normal(tokens.begin(), tokens.end(), 1.0);
    std::copy(tokens.begin(), tokens.end(), static_cast<float*>(inbox));
    items[1].data = inbox;
    items[1].bytes = rows * kBytes;
    items[1].dims[0] = rows;
    for (int i = 0; i < 2; ++i) pair.compare(items);
    EXPECT_EQ(1, pair.graphs());
  }
}

TEST(CudaSession, CpuSessionsHaveNoDeviceSide) {
  const Engine engine = make_engine();
  const Model model = text_model(engine.get());
  const Session session = make_session(model.get());
  auto device = sized<sns_device_result>();
  void* p = nullptr;
  expect_error(SNS_ERROR_UNAVAILABLE, "session", sns_session_device_result(session.get(), &device));
  expect_error(SNS_ERROR_UNAVAILABLE, "session", sns_session_set_output(session.get(), SNS_OUTPUT_DEVICE));
  expect_error(SNS_ERROR_UNAVAILABLE, "session", sns_session_dlpack(session.get(), SNS_OUT_TOKENS, &p));
  expect_error(SNS_ERROR_UNAVAILABLE, "session", sns_session_use_stream(session.get(), nullptr));
  expect_error(SNS_ERROR_UNAVAILABLE, "session", sns_session_wait_event(session.get(), &device));
  expect_error(SNS_ERROR_UNAVAILABLE, "session", sns_session_inbox(session.get(), 1, &p));
}

/// Single stages beside those of a CPU engine.
TEST(CudaEngine, LogMel) {
  const Engine engines[] = {make_engine(), cuda_engine()};
  const Samples samples;
  for (const int32_t mel_major : {0, 1}) {
    std::vector<float> y[2];
    for (int i = 0; i < 2; ++i) {
      auto config = log_mel_config();
      config.mel_major = mel_major;
      config.clip = SNS_CLIP_MAX;
      config.clip_range = 3;
      sns_log_mel handle = nullptr;
      ASSERT_SNS_OK(sns_log_mel_create(engines[i].get(), &config, &handle));
      const LogMel log_mel(handle);
      int64_t frames = 0;
      ASSERT_SNS_OK(sns_log_mel_frames(handle, 500, &frames));
      y[i].resize(static_cast<size_t>(frames * 10), -1.0f);
      for (int n = 0; n < 2; ++n) {
        ASSERT_SNS_OK(
            sns_log_mel_run(handle, samples.f32.data(), SNS_FORMAT_F32_PCM, 500, y[i].data(), frames * 10));
      }
    }
    EXPECT_LE(nmse(y[1].data(), y[0].data(), static_cast<int64_t>(y[0].size())), 1e-9);
  }
}

/// Beyond the fused kernel, and odd with a great prime: that one is transformed at twice its length.
TEST(CudaEngine, LogMelThroughCuFft) {
  const Engine cpu = make_engine(), gpu = cuda_engine();
  std::vector<float> x(4000), y[2];
  sns::Random random(3);
  random.fill_normal(x.begin(), x.end(), 0.2);
  for (const int64_t n_fft : {4500, 211}) {
    auto config = log_mel_config();
    config.n_fft = n_fft;
    config.win_length = std::min(config.win_length, n_fft);
    config.hop = 600;
    sns_log_mel handle = nullptr;
    const Engine without = cuda_engine();
    expect_error(SNS_ERROR_UNAVAILABLE, "n_fft", sns_log_mel_create(without.get(), &config, &handle));
    ASSERT_SNS_OK(sns_engine_fft(gpu.get(), SIMT_LIBRARY));
    for (int i = 0; i < 2; ++i) {
      ASSERT_SNS_OK(sns_log_mel_create(i == 0 ? cpu.get() : gpu.get(), &config, &handle));
      const LogMel log_mel(handle);
      int64_t frames = 0;
      ASSERT_SNS_OK(sns_log_mel_frames(handle, 4000, &frames));
      y[i].resize(static_cast<size_t>(frames * 10));
      ASSERT_SNS_OK(sns_log_mel_run(handle, x.data(), SNS_FORMAT_F32_PCM, 4000, y[i].data(), frames * 10));
    }
    EXPECT_LE(nmse(y[1].data(), y[0].data(), static_cast<int64_t>(y[0].size())), 1e-8) << n_fft;
  }
}

/// The bits of the whole sound on the same engine, whatever the chunks; nothing is allocated after it is
/// made.
TEST(CudaEngine, AudioStream) {
  const Engine engine = cuda_engine();
  std::vector<float> x(3000);
  sns::Random random(5);
  random.fill_normal(x.begin(), x.end(), 0.2);
  std::vector<float> want;
  auto config = sized<sns_audio_stream_config>();
  config.log_mel = log_mel_config();
  config.input_rate = 8000;
  config.capacity = 300;
  {
    sns_resampler r = nullptr;
    ASSERT_SNS_OK(sns_resampler_create(engine.get(), 8000, 16000, &r));
    const Resampler resampler(r);
    std::vector<float> y(6000);
    ASSERT_SNS_OK(sns_resampler_run(r, x.data(), 3000, y.data(), 6000));
    sns_log_mel m = nullptr;
    ASSERT_SNS_OK(sns_log_mel_create(engine.get(), &config.log_mel, &m));
    const LogMel log_mel(m);
    int64_t frames = 0;
    ASSERT_SNS_OK(sns_log_mel_frames(m, 6000, &frames));
    want.resize(static_cast<size_t>(frames * 10));
    ASSERT_SNS_OK(sns_log_mel_run(m, y.data(), SNS_FORMAT_F32_PCM, 6000, want.data(), frames * 10));
  }
  sns_audio_stream handle = nullptr;
  ASSERT_SNS_OK(sns_audio_stream_create(engine.get(), &config, &handle));
  const AudioStream stream(handle);
  control("memory", 0);
  std::vector<float> got, rows(70);
  auto read = [&] {
    for (int64_t n = 1; n > 0;) {
      ASSERT_SNS_OK(sns_audio_stream_read(handle, rows.data(), 70, &n));
      got.insert(got.end(), rows.begin(), rows.begin() + n * 10);
    }
  };
  for (int64_t at = 0, n = 0; at < 3000; at += n) {
    const int64_t chunk = std::min<int64_t>(3000 - at, random.integer(1, 500));
    ASSERT_SNS_OK(sns_audio_stream_push(handle, x.data() + at, SNS_FORMAT_F32_PCM, chunk, &n));
    EXPECT_EQ(std::min<int64_t>(300, chunk), n);
    read();
  }
  int64_t n = 0;
  x[1] = std::numeric_limits<float>::quiet_NaN();
  expect_error(SNS_ERROR_OUT_OF_RANGE, "samples[1]",
               sns_audio_stream_push(handle, x.data(), SNS_FORMAT_F32_PCM, 3, &n));
  ASSERT_SNS_OK(sns_audio_stream_finish(handle));
  expect_error(SNS_ERROR_ILLEGAL_STATE, "stream",
               sns_audio_stream_push(handle, x.data(), SNS_FORMAT_F32_PCM, 1, &n));
  read();
  ASSERT_EQ(want.size(), got.size());
  EXPECT_EQ(0, std::memcmp(want.data(), got.data(), want.size() * sizeof(float)));
  ASSERT_SNS_OK(sns_audio_stream_clear(handle));
  control("reset", 0);
}

TEST(CudaEngine, AudioStreamErrorsAreTyped) {
  Engine engine = cuda_engine();
  auto config = sized<sns_audio_stream_config>();
  config.log_mel = log_mel_config();
  config.input_rate = 8000;
  sns_audio_stream handle = nullptr;
  config.log_mel.clip = SNS_CLIP_MAX;
  expect_error(SNS_ERROR_INVALID_ARGUMENT, "log_mel.clip",
               sns_audio_stream_create(engine.get(), &config, &handle));
  config.log_mel = log_mel_config();
  config.log_mel.n_fft = 4500;
  expect_error(SNS_ERROR_UNAVAILABLE, "log_mel.n_fft",
               sns_audio_stream_create(engine.get(), &config, &handle));
  config.log_mel = log_mel_config();
  control("memory", 1000);
  expect_error(SNS_ERROR_OUT_OF_MEMORY, "device", sns_audio_stream_create(engine.get(), &config, &handle));
  control("memory", int64_t{1} << 30);
  ASSERT_SNS_OK(sns_audio_stream_create(engine.get(), &config, &handle));
  const AudioStream stream(handle);
  engine.reset();
  const std::vector<float> x(2000, 0.25f);
  std::vector<float> y(700);
  int64_t n = 0;
  ASSERT_SNS_OK(sns_audio_stream_push(handle, x.data(), SNS_FORMAT_F32_PCM, 2000, &n));
  control("fail", 0);
  expect_error(SNS_ERROR_DEVICE_FATAL, "device", sns_audio_stream_read(handle, y.data(), 700, &n));
  expect_error(SNS_ERROR_DEVICE_FATAL, "device",
               sns_audio_stream_push(handle, x.data(), SNS_FORMAT_F32_PCM, 1, &n));
  control("reset", 0);
}

TEST(CudaEngine, Resampler) {
  const Engine engines[] = {make_engine(), cuda_engine()};
  std::vector<float> x(700), y[2];
  sns::Random random(4);
  random.fill_normal(x.begin(), x.end(), 0.2);
  for (int i = 0; i < 2; ++i) {
    sns_resampler handle = nullptr;
    ASSERT_SNS_OK(sns_resampler_create(engines[i].get(), 44100, 16000, &handle));
    const Resampler resampler(handle);
    int64_t length = 0;
    ASSERT_SNS_OK(sns_resampler_length(handle, 700, &length));
    y[i].resize(static_cast<size_t>(length));
    ASSERT_SNS_OK(sns_resampler_run(handle, x.data(), 700, y[i].data(), length));
    ASSERT_SNS_OK(sns_resampler_run(handle, nullptr, 0, nullptr, 0));
  }
  EXPECT_LE(nmse(y[1].data(), y[0].data(), static_cast<int64_t>(y[0].size())), 1e-12);
}

TEST(CudaEngine, Resize) {
  const Engine engines[] = {make_engine(), cuda_engine()};
  std::vector<uint8_t> x(20 * 30 * 3);
  sns::Random random(5);
  for (uint8_t& v : x) v = static_cast<uint8_t>(random.integer(0, 255));
  auto config = sized<sns_resize_config>();
  config.filter = SNS_FILTER_BICUBIC;
  config.height = 8;
  config.width = 11;
  for (const int32_t mode : {SNS_RESIZE_SQUASH, SNS_RESIZE_FIT, SNS_RESIZE_SHORTEST_EDGE}) {
    config.mode = mode;
    config.crop_h = config.crop_w = mode == SNS_RESIZE_SHORTEST_EDGE ? 20 : 0;  // padded, and then a crop
    if (mode == SNS_RESIZE_SHORTEST_EDGE) config.height = 20, config.width = 0;
    int64_t height = 0, width = 0;
    ASSERT_SNS_OK(sns_resize_size(&config, 20, 30, &height, &width));
    std::vector<uint8_t> y[2];
    for (int i = 0; i < 2; ++i) {
      y[i].resize(static_cast<size_t>(height * width * 3));
      ASSERT_SNS_OK(sns_resize_run(engines[i].get(), &config, x.data(), static_cast<int64_t>(x.size()), 20,
                                   30, 3, y[i].data(), static_cast<int64_t>(y[i].size())));
    }
    EXPECT_EQ(y[0], y[1]);
  }
}

}  // namespace
}  // namespace sns_test
