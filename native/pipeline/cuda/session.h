#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "pipeline/adapter.h"
#include "pipeline/cuda/adapter.h"
#include "pipeline/cuda/bucket.h"
#include "pipeline/cuda/graphs.h"
#include "pipeline/cuda/model.h"
#include "pipeline/interleave.h"

namespace sns {

/// What a session computes on the GPU: everything between the checked plan of a request and its results.
///
/// A request is staged in page-locked memory (offsets and other small arrays first, then the items), copied
/// to the device at once and computed in one stream. All memory is taken when the session is made. One thread
/// at a time.
///
/// All that the host decides (launches, their arguments, addresses, sizes of copies) is that of the request's
/// bucket (bucket.h); the sizes themselves lie in the parcel. So one graph serves all requests that have as
/// many items of each format and sequences, and whose numbers of tokens, longest sequence, bytes and the like
/// fall into the same buckets, whatever the lengths of the single items; where sequences are merged, by
/// rounds of launches for each, every one of them falls into its bucket, too. What is computed past the last
/// row is never read. Items in the inbox are copied from wherever they lie in it. A request that comes first,
/// which no graph serves yet, is computed for the same bounds, and so are its bits the same.
class CudaSession {
 public:
  CudaSession(std::shared_ptr<const Model> model, const SessionLimits& limits);
  ~CudaSession();

  /// A request whose items are planned and checked; arrays are the host's.
  struct Request {
    const ItemPlan* plans = nullptr;
    int64_t count = 0, sequences = 0;
    const int64_t* cu_seqlens = nullptr;  ///< [sequences + 1]
    const int64_t* cu_latents = nullptr;  ///< likewise; null without a compressor
    const TokenRun* runs = nullptr;       ///< the tokens in another order than the items'; null: theirs
    int64_t run_count = 0;
    Head::Buffers head;  ///< with the kind of every sequence, if the model has a head
  };
  /// Where the results lie. Null where the model gives no such thing.
  struct Output {
    const float *tokens = nullptr, *latents = nullptr, *embedding = nullptr;
  };

  /// Takes the memory that requests with runs need. Call it before the first of them.
  void reserve_order();
  /// Of the following requests, or null; it fits the model and sees at most so many rows.
  void set_adapter(std::shared_ptr<const Adapter> adapter, int64_t max_rows);
  /// Gives the request to the stream. The items' data has been read when it returns.
  void start(const Request& request);
  /// Whether the last request is done; throws kDeviceFatal if it failed.
  bool poll();
  /// Gives the last request's work to the stream once more, without its copies from and to the host: what a
  /// benchmark times. The request must have fit into the staging memory at once.
  void recompute();
  /// Until poll() is true: spins for a while, then blocks.
  void wait();
  /// Of the last request; on the host (page-locked copies) once it is done and unless results are kept.
  const Output& device_output() const { return device_output_; }
  const Output& host_output() const { return host_output_; }

  /// Rows of the last request's packed sequence, as its compressor read them, to the host.
  void copy_tokens(int64_t first, int64_t count, float* out);

  /// Results of the following requests stay on the device and are not copied.
  void keep_on_device(bool keep) { keep_ = keep; }
  bool keeps_on_device() const { return keep_; }
  /// Work goes into this CUstream of the caller from now on; null takes the session's own again.
  void use_stream(void* stream);
  /// What is given to the stream later begins once this CUevent of the caller has passed.
  void wait_event(void* event);
  void* stream() const { return stream_.get(); }
  int32_t device_index() const { return stream_.device().index(); }
  /// Recorded behind the last request's work.
  void* event() const { return event_; }
  /// Page-locked memory for the caller's items: what lies in it is copied to the device from there, with no
  /// copy in between. A larger one replaces the one before.
  void* inbox(int64_t bytes);

  int64_t device_bytes() const { return workspace_.size() + in_.size() + ordered_.size() + adapted_.size(); }
  int64_t host_bytes() const { return staging_.size() + out_.size() + inbox_.size(); }
  /// Graphs that are captured at present.
  int64_t graphs() const { return graphs_.captured(); }

 private:
  struct Pieces {
    float* tokens = nullptr;
    CudaEncoder::Buffers encoder[kModalities];
    CudaHead::Buffers head;
    CudaScratch scratch;
  };
  /// A run of items of one format that is computed together.
  struct Batch {
    Format format = Format::kF32Tokens;
    int64_t first = 0, count = 0;  ///< of order_
    bool wave = false;             ///< its items take the place of those staged before
    int64_t begin = 0, end = 0;    ///< in the staging memory and its copy on the device
    int64_t staged_end = 0;        ///< what follows comes from the inbox
    EmbedCudaItem* texts_host = nullptr;
    EmbedCudaArgs texts;
    PackSegment* rows_host = nullptr;  ///< finished tokens
    PackArgs rows;
    CudaPictures::Batch pictures;
    CudaSounds::Batch sounds;
  };
  /// An item on its way.
  struct Staged {
    const ItemPlan* plan = nullptr;
    int64_t offset = 0, extra_offset = 0;  ///< in the staging memory and its copy on the device
    int64_t inbox_bytes = 0;               ///< what is copied from its place in the inbox, if it lies there
    float* y = nullptr;                    ///< where its body goes
  };
  /// Rows of a sequence, or of many, of which some are the same in every request of a bucket.
  struct Rows {
    int64_t fixed = 0, open = 0;
    void add(int64_t body, bool fixed_body, int64_t others) {
      (fixed_body ? fixed : open) += body;
      fixed += others;
    }
    int64_t most(int64_t limit) const { return std::min(fixed + bucket(open), limit); }
  };

  Pieces lay_out(Carver& carver) const;
  Output lay_out_results(Carver& carver) const;
  int64_t parcel_bytes() const;
  int64_t grid_bytes() const;
  int64_t staging_bytes() const;
  int64_t key_size() const { return 64 + 24 * limits_.max_items + 2 * limits_.max_sequences; }
  int64_t make_key(const Request& request);
  bool fixed(const ItemPlan& plan) const;
  const float* added(Modality m, bool on_device) const;

  void make_batches();
  void put_offsets(const Request& request);
  void put_segments(const Request& request);
  void put_order(const Request& request);
  void reserve_rows(Batch& batch);
  void place_items();
  bool remember_layout(int64_t size_before);
  void stage(Batch& batch);
  void copy_staged();
  void enqueue(bool copies);
  void run(const Batch& batch);
  void encode(Modality modality);
  void copy_results();
  int64_t inbox_bytes(const ItemPlan& plan) const;
  int64_t staged_bytes(const ItemPlan& plan) const;
  unsigned char* staging(int64_t offset) const {
    return static_cast<unsigned char*>(staging_.data()) + offset;
  }
  unsigned char* in(int64_t offset) const { return static_cast<unsigned char*>(in_.data()) + offset; }

  const std::shared_ptr<const Model> owner_;
  const Model& model_;
  const CudaModel& weights_;
  SessionLimits limits_;
  CudaLimits sizes_;
  CudaStream stream_;
  void* event_ = nullptr;
  CudaBlock workspace_, in_, staging_, out_, inbox_;
  int64_t inbox_size_ = 0;  ///< of it what is the caller's
  std::shared_ptr<const Adapter> adapter_;
  CudaBlock adapted_;  ///< the rows that it gives, then its scratch
  CudaScratch adapter_scratch_;
  CudaBlock ordered_;  ///< [max_tokens, d_model] the packed sequence in another order than the items'
  std::optional<CudaPictures> pictures_;
  std::optional<CudaSounds> sounds_;
  CudaArray<float> text_positions_;  ///< sine-cosine
  std::unique_ptr<CudaCompression> compression_;
  CudaGraphs graphs_;
  Pieces at_;
  AlignedArray<int64_t> key_, layout_;
  int64_t layout_size_ = 0;  ///< 0: what was staged last is not known
  bool keep_ = false, pending_ = false;

  // Of the current request; sized once.
  DeviceBlock parcel_{nullptr, nullptr};
  CudaCompressorInput input_;
  AlignedArray<int64_t> cu_items_host_;  ///< [max_items + 1]
  CudaOffsets cu_items_[kModalities];    ///< of the items that the modality's encoder reads
  const PackSegment *prefixes_[kModalities] = {}, *segments_ = nullptr;
  int64_t prefix_count_[kModalities] = {}, segment_count_ = 0;
  const PackSegment* runs_ = nullptr;
  int64_t run_count_ = 0, longest_run_ = 0;
  std::vector<Staged> order_;  ///< modality by modality
  std::vector<Batch> batches_;
  std::vector<CudaPicture> picture_items_;
  std::vector<CudaSound> sound_items_;
  std::vector<DeviceBlock> extras_;
  int64_t items_count_ = 0, batch_count_ = 0;
  int64_t data_begin_ = 0, data_end_ = 0;  ///< of the items in the staging memory
  bool waves_ = false;                     ///< the items do not fit together
  bool same_layout_ = false;               ///< as the request before
  Output device_output_, host_output_;
};

}  // namespace sns
