#pragma once

#include <dlfcn.h>

#include <cstdlib>

#include "abi_support.h"

// Engines of the host SIMT executor: libsensorium_simt.so stands in for libsensorium_cuda.so.

namespace sns_test {

/// simt::control of the library.
inline void control(const char* what, int64_t n) {
  using Control = void (*)(const char*, int64_t);
  static const auto call =
      reinterpret_cast<Control>(dlsym(dlopen(SIMT_LIBRARY, RTLD_NOW), "sns_simt_control"));
  ASSERT_NE(nullptr, call);
  call(what, n);
}

inline Engine cuda_engine(int32_t precision = SNS_PRECISION_STRICT, int64_t capability = 90) {
  setenv("SENSORIUM_CUDA_LIBRARY", SIMT_LIBRARY, 1);
  control("reset", 0);
  control("capability", capability);
  auto config = engine_config();
  config.device = SNS_DEVICE_CUDA;
  config.precision = precision;
  sns_engine e = nullptr;
  EXPECT_EQ(SNS_OK, sns_engine_create(&config, &e)) << sns_last_error();
  return Engine(e);
}

using sns::nmse;

/// Those of all_tensors() that are the sequence's or the part's.
inline void add_tensors(sns_builder builder, const std::string& part, sns::Random& random) {
  for (const NamedShape& t : all_tensors()) {
    if (t.name.rfind("sequence", 0) == 0 || t.name.rfind(part, 0) == 0) {
      EXPECT_EQ(SNS_OK, add_tensor(builder, t, random));
    }
  }
}

/// Text and finished tokens, without a compressor.
inline Model text_model(sns_engine engine) {
  sns_builder b = nullptr;
  EXPECT_EQ(SNS_OK, sns_builder_create(engine, &b));
  const Builder builder(b);
  const auto sequence = sequence_config();
  const auto text = text_config();
  EXPECT_EQ(SNS_OK, sns_builder_sequence(b, &sequence));
  EXPECT_EQ(SNS_OK, sns_builder_text(b, &text));
  sns::Random random(7);
  add_tensors(b, "text", random);
  sns_model m = nullptr;
  EXPECT_EQ(SNS_OK, sns_model_create(b, &m)) << sns_last_error();
  return Model(m);
}

inline std::vector<sns_item> text_items(const Samples& samples) {
  const std::vector<sns_item> all = samples.items();
  std::vector<sns_item> items = {all[5], all[6], all[5]};
  items[2].sequence = 1;
  items[1].start_us = items[1].end_us = 5;
  return items;
}

}  // namespace sns_test
