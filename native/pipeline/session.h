#pragma once

#include <chrono>
#include <memory>

#include "pipeline/adapter.h"
#include "pipeline/cuda/session.h"
#include "pipeline/interleave.h"

namespace sns {

/// Nanoseconds spent in each stage of one request.
struct StageTimes {
  int64_t image = 0, audio = 0, text = 0, pack = 0, latents = 0, embedding = 0, total = 0;
};

/// What one request gave; the arrays are the session's (shapes in sensorium.h).
struct Result {
  int64_t tokens_count = 0, sequences = 0, latents_count = 0;
  const float* tokens = nullptr;
  TokenTable table;
  const int64_t* cu_seqlens = nullptr;
  const float* latents = nullptr;
  const int64_t* cu_latents = nullptr;
  const float* embedding = nullptr;
  StageTimes times;
};

/// Where a request's items come from, one after the other.
struct ItemSource {
  Item (*get)(const void* context, int64_t index);
  const void* context;
};

/// A fixed workspace, laid out from the limits when the session is made; run() allocates nothing unless it
/// fails. One thread at a time.
class Session {
 public:
  Session(std::shared_ptr<const Model> model, const SessionLimits& limits);
  const Model& model() const { return *model_; }
  int64_t workspace_bytes() const { return workspace_.size(); }
  /// Everything is checked before any work is done; errors name items[i]. No items give no sequences.
  Result run(const ItemSource& items, int64_t count);
  /// run() in two halves. The items' data has been read when start() returns; finish() waits for the device,
  /// poll() says whether it would. On the CPU start() does everything.
  void start(const ItemSource& items, int64_t count);
  bool poll();
  Result finish();
  /// What the GPU keeps of this session; null on a CPU engine.
  const std::shared_ptr<CudaSession>& cuda() const { return cuda_; }
  /// Of the request that was started last.
  const Result& result() const { return result_; }
  /// At most so many latents for each sequence of the following requests.
  void set_latents(int64_t max_latents);
  /// The same for sequence i: max_latents[i]; sequences from `count` on have the model's.
  void set_sequence_latents(const int64_t* max_latents, int64_t count);
  /// Compressor::attention of the last run, which must have succeeded; out_count must be its size.
  void attention(int64_t sequence, float* out, int64_t out_count);
  /// In which order the tokens of all following runs stand. Memory is allocated here.
  void set_order(TokenOrder order, int64_t chunk_us);
  /// Used by all following runs; null = none. Scratch is allocated here.
  void set_adapter(std::shared_ptr<const Adapter> adapter);

 private:
  /// The last 2-D position table, so that a stream of equally sized images makes it once.
  struct GridTable {
    float* axis = nullptr;  ///< [max_axis, d_model/2], sine-cosine only
    float* rows = nullptr;  ///< [max_rows, d_model]
    int64_t grid_h = 0, grid_w = 0;
  };
  struct Pieces {
    ItemPlan* plans = nullptr;
    PackSegment* segments = nullptr;
    float* tokens = nullptr;
    TokenTable table;
    int64_t* cu_seqlens = nullptr;
    float* features = nullptr;
    GridTable image, audio;
    float* fourier = nullptr;                  ///< [max_patches, feature_width] of the image tokenizer
    float *frames = nullptr, *text = nullptr;  ///< 1-D sine-cosine tables
    uint8_t* pixels = nullptr;                 ///< one resized picture
    Encoder::Buffers encoder;
    int64_t* max_latents = nullptr;  ///< [max_sequences]
    int64_t* cu_latents = nullptr;
    unsigned char* compressor = nullptr;
    Head::Buffers head;
    unsigned char* scratch = nullptr;
  };
  /// The packed sequence in another order than the items'.
  struct Ordered {
    float* tokens = nullptr;
    TokenTable table;
    TokenRun* runs = nullptr;
    PackSegment* segments = nullptr;
  };
  Pieces lay_out(Carver& carver) const;
  TokenTable lay_out_table(Carver& carver) const;
  Ordered lay_out_ordered(Carver& carver) const;
  void prepare();
  int64_t plan(const ItemSource& items, int64_t count);
  void accept(const ItemSource& items, int64_t count);
  void describe_all(int64_t count);
  void compute(int64_t count);
  void choose_heads(int64_t count);
  void attention_of_device(int64_t first, int64_t tokens, int64_t latents, float* out);
  int64_t order_runs(int64_t count);
  void reorder(Result& result, int64_t count);
  void finish_rows(Result& result);
  CompressorLimits compressor_limits() const {
    return {limits_.max_tokens, limits_.max_sequences, model_->engine().threads()};
  }
  CompressorMemory compressor_memory() const { return {compressor_limits(), at_.compressor, at_.scratch}; }
  CompressorInput compressor_input(int64_t sequences) const {
    return {tokens_, at_.cu_seqlens, at_.cu_latents, sequences};
  }
  void check_resize(const ItemPlan& plan) const;
  const float* sincos_positions(GridTable& table, Modality modality, int64_t grid_h, int64_t grid_w);
  const float* image_positions(const ItemPlan& plan);
  void tokenize(const ItemPlan& plan, float* y);
  void tokenize_all(Modality modality, int64_t count);

  std::shared_ptr<const Model> model_;
  SessionLimits limits_;
  ResizeSpace resize_space_;
  AlignedArray<unsigned char> workspace_;
  Pieces at_;
  std::shared_ptr<CudaSession> cuda_;
  std::chrono::steady_clock::time_point started_;
  Result result_;                  ///< of the request that was started last
  int64_t sequences_ = 0;          ///< of the last run, 0 if it failed
  const float* tokens_ = nullptr;  ///< of the last run
  TokenOrder order_ = TokenOrder::kItems;
  int64_t chunk_us_ = 0;
  AlignedArray<unsigned char> order_memory_;
  Ordered ordered_;
  std::shared_ptr<const Adapter> adapter_;
  AlignedArray<float> adapted_;  ///< the rows that the adapter gives
  AlignedArray<unsigned char> adapter_scratch_;
};

}  // namespace sns
