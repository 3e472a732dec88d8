#pragma once

#include <memory>
#include <optional>

#include "pipeline/cuda/audio.h"
#include "pipeline/cuda/encoder.h"
#include "pipeline/cuda/head.h"
#include "pipeline/cuda/image.h"

namespace sns {

/// A model's weights on the GPU. The host's Model beside it plans requests and folds tables; nothing of a
/// request is computed there. Immutable, shared by sessions.
class CudaModel {
 public:
  /// Throws kUnavailable naming the part that has no device form, kOutOfMemory.
  CudaModel(CudaDevicePtr device, const Model& host, const ModelParts& parts);
  const CudaDevicePtr& device() const { return device_; }

  /// What stands around and is added to each modality's tokens; device pointers, null where there is none.
  struct Rows {
    const float *begin = nullptr, *end = nullptr, *modality = nullptr, *prefix = nullptr;
  };
  const Rows& rows(Modality m) const { return rows_[static_cast<int>(m)]; }

  struct Text {
    CudaArray<float> table, position;
  };
  const CudaImage* image() const { return image_ ? &*image_ : nullptr; }
  const CudaAudio* audio() const { return audio_ ? &*audio_ : nullptr; }
  const Text* text() const { return text_ ? &*text_ : nullptr; }
  const CudaEncoder* encoder(Modality m) const {
    const std::optional<CudaEncoder>& e = encoders_[static_cast<int>(m)];
    return e ? &*e : nullptr;
  }
  const CudaCompressor* compressor() const { return compressor_.get(); }
  const CudaHead* head() const { return head_ ? &*head_ : nullptr; }

 private:
  CudaDevicePtr device_;
  CudaArray<float> begin_, end_, modality_, prefix_[kModalities];
  Rows rows_[kModalities];
  std::optional<CudaImage> image_;
  std::optional<CudaAudio> audio_;
  std::optional<Text> text_;
  std::optional<CudaEncoder> encoders_[kModalities];
  std::unique_ptr<const CudaCompressor> compressor_;
  std::optional<CudaHead> head_;
};

}  // namespace sns
