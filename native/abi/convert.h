#pragma once

#include "pipeline/config.h"
#include "pipeline/head.h"
#include "sensorium.h"

namespace sns {

// C structures → the pipeline's, with every enumeration, flag and range checked.
LogMelConfig convert(const sns_log_mel_config& c, const char* prefix);
SequenceConfig convert(const sns_sequence_config& c);
ResizeConfig convert(const sns_resize_config& c, const char* prefix);
ImageConfig convert(const sns_image_config& c);
AudioConfig convert(const sns_audio_config& c);
TextConfig convert(const sns_text_config& c);
EncoderConfig convert(const sns_encoder_config& c);
PerceiverConfig convert(const sns_perceiver_config& c);
PerceiverDecoderConfig convert(const sns_perceiver_decoder_config& c);
LatentResamplerConfig convert(const sns_latent_resampler_config& c);
QFormerConfig convert(const sns_qformer_config& c);
PoolConfig convert(const sns_pool_config& c);
MergeConfig convert(const sns_merge_config& c);
HeadConfig convert(const sns_head_config& c);
Item convert(const sns_item& c);

}  // namespace sns
