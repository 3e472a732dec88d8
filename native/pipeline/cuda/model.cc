#include "pipeline/cuda/model.h"

namespace sns {

CudaModel::CudaModel(CudaDevicePtr device, const Model& host, const ModelParts& parts)
    : device_(std::move(device)) {
  device_->enter();
  const int64_t d = host.d_model();
  WeightReader reader(parts.tensors);  // the host's model has found everything in order
  begin_ = CudaArray<float>(device_, host.begin(Modality::kImage), kModalities * d);
  end_ = CudaArray<float>(device_, host.end(Modality::kImage), kModalities * d);
  modality_ = CudaArray<float>(device_, host.modality(Modality::kImage), kModalities * d);
  const auto row = [d](const CudaArray<float>& table, int m) {
    return table.data() ? table.data() + m * d : nullptr;
  };
  if (const ImageTokenizer* image = host.image()) {
    image_.emplace(device_, *image, take_image(image->config(), d, reader), d);
    prefix_[0] = CudaArray<float>(device_, image->prefix(), image->config().prefix_tokens * d);
  }
  if (const AudioTokenizer* audio = host.audio()) {
    audio_.emplace(device_, *audio, take_audio(audio->config(), d, reader), d);
    prefix_[1] = CudaArray<float>(device_, audio->prefix(), audio->config().prefix_tokens * d);
  }
  if (const TextEmbedder* text = host.text()) {
    text_.emplace();
    text_->table = CudaArray<float>(device_, text->table().data(), text->table().size());
    text_->position = CudaArray<float>(device_, text->position().data(), text->position().size());
  }
  for (int m = 0; m < kModalities; ++m) {
    rows_[m] = {row(begin_, m), row(end_, m), row(modality_, m), prefix_[m].data()};
    if (!parts.encoders[m]) continue;
    const EncoderTensors tensors =
        take_encoder(*parts.encoders[m], part_name(static_cast<Modality>(m)), d, reader);
    encoders_[m].emplace(device_, *parts.encoders[m], d, tensors);
  }
  compressor_ = make_cuda_compressor(device_, parts, d, host.engine().parallel());
  if (const Head* head = host.head()) {
    head_.emplace(device_, *head, host.row_width(), take_head(head->config(), host.row_width(), reader));
  }
}

}  // namespace sns
