// Nothing on the heap, nothing page-locked and nothing of the device's memory during sns_session_run on a
// CUDA engine. What the host SIMT executor itself allocates, as the CUDA runtime may, is not counted.

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>

#include <algorithm>
#include <array>

#include "abi_cuda_support.h"
#include "malloc_counter.h"

namespace sns_test {
namespace {

/// Where the code of the executor lies.
uintptr_t simt_begin = 0, simt_end = 0;

/// Whether nobody on the stack is the executor.
bool not_the_executor() {
  void* frames[64];
  const int count = backtrace(frames, 64);
  for (int i = 0; i < count; ++i) {
    const auto at = reinterpret_cast<uintptr_t>(frames[i]);
    if (at >= simt_begin && at < simt_end) return false;
  }
  return true;
}

/// False if it cannot be found, or the counter is not there.
bool find_executor() {
  void* const symbol = dlsym(dlopen(SIMT_LIBRARY, RTLD_NOW), "sns_simt_control");
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* s) {
        uintptr_t begin = UINTPTR_MAX, end = 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& h = info->dlpi_phdr[i];
          if (h.p_type != PT_LOAD) continue;
          begin = std::min<uintptr_t>(begin, info->dlpi_addr + h.p_vaddr);
          end = std::max<uintptr_t>(end, info->dlpi_addr + h.p_vaddr + h.p_memsz);
        }
        const auto at = reinterpret_cast<uintptr_t>(s);
        if (at < begin || at >= end) return 0;
        simt_begin = begin, simt_end = end;
        return 1;
      },
      symbol);
  return installed && simt_begin < simt_end;
}

TEST(CudaMalloc, IsNotCalledByARun) {
  ASSERT_TRUE(find_executor());
  const Engine engine = cuda_engine();
  const Model model = make_model(engine.get());
  const Session session = make_session(model.get());
  const Samples samples;
  const auto items = samples.items();
  not_the_executor();  // the first backtrace loads what it needs
  counted = not_the_executor;
  const int64_t before_any = allocations.load();
  for (int i = 0; i < 10; ++i) {
    void* volatile p = std::malloc(8);
    std::free(p);
  }
  ASSERT_LE(before_any + 10, allocations.load());  // the counter counts
  const std::vector<int64_t> ids = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  sns_result result;
  int32_t bad = 0;
  bad |= sns_session_set_order(session.get(), SNS_ORDER_TIME, 0);
  bad |= sns_session_set_order(session.get(), SNS_ORDER_ITEMS, 0);
  for (int i = 0; i < 2; ++i) bad |= sns_session_run(session.get(), items.data(), 7, &result);
  control("memory", 0);
  const int64_t before = allocations.load();
  for (int i = 0; i < 3; ++i) bad |= sns_session_run(session.get(), items.data(), 7, &result);  // replayed
  for (int64_t count = 1; count < 4; ++count) {  // new buckets: as they are, captured and replayed
    for (int i = 0; i < 3; ++i) bad |= sns_session_run(session.get(), items.data(), count, &result);
  }
  for (int64_t count = 1; count < 10; ++count) {  // other sizes of one bucket
    sns_item text = make_item(SNS_MODALITY_TEXT, SNS_FORMAT_I64_IDS, ids, count);
    text.bytes = count * static_cast<int64_t>(sizeof(int64_t));
    bad |= sns_session_run(session.get(), &text, 1, &result);
  }
  bad |= sns_session_set_order(session.get(), SNS_ORDER_TIME, 0);
  for (int i = 0; i < 3; ++i) bad |= sns_session_run(session.get(), items.data(), 7, &result);
  const int64_t after = allocations.load();
  counted = nullptr;
  control("reset", 0);
  EXPECT_EQ(SNS_OK, bad) << sns_last_error();
  EXPECT_EQ(before, after);
}

/// Pictures that are resized, to grids for which positions are interpolated.
Model resizing_model(sns_engine engine) {
  sns_builder b = nullptr;
  EXPECT_EQ(SNS_OK, sns_builder_create(engine, &b));
  const Builder builder(b);
  const auto sequence = sequence_config();
  auto image = image_config();
  image.resize.mode = SNS_RESIZE_SHORTEST_EDGE;
  image.resize.filter = SNS_FILTER_BICUBIC;
  image.resize.height = 8;
  image.position = SNS_POSITION_LEARNED;
  image.position_resize = SNS_POSITION_BICUBIC;
  image.grid_h = image.grid_w = 2;
  EXPECT_EQ(SNS_OK, sns_builder_sequence(b, &sequence));
  EXPECT_EQ(SNS_OK, sns_builder_image(b, &image)) << sns_last_error();
  sns::Random random(3);
  add_tensors(b, "image", random);
  EXPECT_EQ(SNS_OK, add_tensor(b, {"image.position", {1 + 4, 16}}, random));
  sns_model m = nullptr;
  EXPECT_EQ(SNS_OK, sns_model_create(b, &m)) << sns_last_error();
  return Model(m);
}

TEST(CudaMalloc, IsNotCalledByResizedPictures) {
  ASSERT_TRUE(find_executor());
  const Engine engine = cuda_engine();
  const Model model = resizing_model(engine.get());
  const Session session = make_session(model.get());
  void* inbox = nullptr;
  ASSERT_SNS_OK(sns_session_inbox(session.get(), 4096, &inbox));
  const std::vector<uint8_t> bytes(30 * 30 * 3, 77);
  int32_t bad = 0;
  const auto run = [&](int64_t height, int64_t width, int64_t offset) {
    std::array<sns_item, 2> items;
    for (sns_item& item : items) {
      item = make_item(SNS_MODALITY_IMAGE, SNS_FORMAT_U8_HWC, bytes, height, width, 3);
      item.bytes = height * width * 3;
    }
    items[1].data = static_cast<unsigned char*>(inbox) + offset;
    sns_result result;
    bad |= sns_session_run(session.get(), items.data(), 2, &result);
  };
  not_the_executor();  // the first backtrace loads what it needs
  counted = not_the_executor;
  for (const int64_t longest : {10, 30}) {  // the thread's room for the longest window
    run(longest, 30, 0);
    run(30, longest, 0);
  }
  control("memory", 0);
  const int64_t before = allocations.load();
  for (int64_t height = 9; height < 31; height += 3) {
    for (int64_t width = 10; width < 31; width += 5) {
      for (int64_t turn = 0; turn < 3; ++turn) run(height, width, turn * 300);
    }
  }
  const int64_t after = allocations.load();
  counted = nullptr;
  control("reset", 0);
  EXPECT_EQ(SNS_OK, bad) << sns_last_error();
  EXPECT_EQ(before, after);
}

TEST(CudaMalloc, IsNotCalledByAStreamOfSound) {
  ASSERT_TRUE(find_executor());
  const Engine engine = cuda_engine();
  auto config = sized<sns_audio_stream_config>();
  config.log_mel = log_mel_config();
  config.input_rate = 44100;
  sns_audio_stream handle = nullptr;
  ASSERT_SNS_OK(sns_audio_stream_create(engine.get(), &config, &handle));
  const AudioStream stream(handle);
  const std::vector<float> x(2000, 0.25f);
  std::vector<float> y(1000);
  int32_t bad = 0;
  int64_t frames = 0;
  not_the_executor();  // the first backtrace loads what it needs
  counted = not_the_executor;
  control("memory", 0);
  const int64_t before = allocations.load();
  for (int sound = 0; sound < 2; ++sound) {
    for (int64_t i = 0; i < 100; ++i) {  // past the samples that are on their way at once
      int64_t n = 0;
      bad |= sns_audio_stream_push(handle, x.data(), SNS_FORMAT_F32_PCM, 20 * i, &n);
      bad |= sns_audio_stream_read(handle, y.data(), 1000, &n);
      frames += n;
    }
    bad |= sns_audio_stream_finish(handle);
    bad |= sns_audio_stream_clear(handle);
  }
  const int64_t after = allocations.load();
  counted = nullptr;
  control("reset", 0);
  EXPECT_EQ(SNS_OK, bad) << sns_last_error();
  EXPECT_LT(100, frames);
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace sns_test
