package io.sensorium.align;

import io.sensorium.Activation;
import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.ClipRange;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.LogKind;
import io.sensorium.LogMelConfig;
import io.sensorium.Modality;
import io.sensorium.PerceiverConfig;
import io.sensorium.Position;
import io.sensorium.ResizeConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.TextConfig;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelSpec;
import java.nio.FloatBuffer;
import java.util.SplittableRandom;

/**
 * The small model that {@code train} trains: pictures of 64×64 in 16×16 patches, 50 ms of log-mel a token, bytes of text; an
 * encoder for each, one Perceiver of few latents over all, heads for each modality and for mixtures.
 */
final class Recipe {
    private static final int D = 128;
    private static final int HEADS = 4;
    private static final int SIDE = 64;
    private static final int PATCH = 16;
    private static final int MELS = 80;
    private static final int FRAMES_A_TOKEN = 5;

    /** Initial logit scale and bias: CLIP's and SigLIP's own. */
    static final float CLIP_SCALE = (float) Math.log(1 / 0.07);

    static final float SIGLIP_SCALE = (float) Math.log(10);
    static final float SIGLIP_BIAS = -10;

    private Recipe() {}

    static ModelDesign design(String notice, float logitScale, float logitBias) {
        SequenceConfig sequence = SequenceConfig.builder()
                .dModel(D)
                .modalityEmbedding(true)
                .specialTokens(true)
                .build();
        return tokenizers(sequence, Position.LEARNED, Position.SINCOS, notice, logitScale, logitBias)
                .encoder(Modality.IMAGE, encoder(2))
                .encoder(Modality.AUDIO, encoder(3))
                .encoder(Modality.TEXT, encoder(2))
                .perceiver(PerceiverConfig.builder()
                        .numLatents(4)
                        .dLatents(D)
                        .blocks(1)
                        .layers(1)
                        .crossHeads(HEADS)
                        .selfHeads(HEADS)
                        .crossQk(D)
                        .crossV(D)
                        .selfQk(D)
                        .selfV(D)
                        .crossWidening(2)
                        .selfWidening(2)
                        .activation(Activation.GELU)
                        .normEps(1e-5f)
                        .build());
    }

    /**
     * What the model must beat: patches, 50 ms of log-mel and bytes, without positions, through one linear map, their mean
     * through another: the same as linear heads on the mean of raw features.
     */
    static ModelDesign baseline(String notice, float logitScale, float logitBias) {
        SequenceConfig sequence = SequenceConfig.builder()
                .dModel(D)
                .modalityEmbedding(false)
                .specialTokens(false)
                .build();
        return tokenizers(sequence, Position.NONE, Position.NONE, notice, logitScale, logitBias);
    }

    private static ModelDesign tokenizers(
            SequenceConfig sequence, Position grid, Position line, String notice, float logitScale, float logitBias) {
        return new ModelDesign(sequence)
                .notice(notice)
                .image(ImageConfig.builder()
                        .channels(3)
                        .patchH(PATCH)
                        .patchW(PATCH)
                        .strideH(PATCH)
                        .strideW(PATCH)
                        .gridH(grid == Position.NONE ? 0 : SIDE / PATCH)
                        .gridW(grid == Position.NONE ? 0 : SIDE / PATCH)
                        .position(grid)
                        .resize(ResizeConfig.squash(SIDE, SIDE, ResizeConfig.Filter.BILINEAR))
                        .mean(0.8f, 0.75f, 0.7f)
                        .std(0.3f, 0.3f, 0.3f)
                        .build())
                .audio(AudioConfig.builder()
                        .logMel(LogMelConfig.builder()
                                .sampleRate(16000)
                                .nFft(400)
                                .winLength(400)
                                .hop(160)
                                .nMels(MELS)
                                .log(LogKind.LOG10)
                                .floor(1e-10)
                                .clip(ClipRange.CLIP_MAX)
                                .clipRange(6)
                                .outScale(0.5)
                                .outShift(0.75)
                                .build())
                        .tokens(AudioTokens.PATCHES)
                        .patchFreq(MELS)
                        .patchTime(FRAMES_A_TOKEN)
                        .strideFreq(MELS)
                        .strideTime(FRAMES_A_TOKEN)
                        .position(line)
                        .build())
                .text(
                        TextConfig.builder()
                                .vocabulary(256)
                                .maxTokens(4096)
                                .position(line)
                                .build(),
                        ModelSpec.TextEncoding.UTF8_BYTES)
                .head(HeadConfig.builder()
                        .dim(D)
                        .image(true)
                        .audio(true)
                        .text(true)
                        .joint(true)
                        .logitScale(logitScale)
                        .logitBias(logitBias)
                        .build());
    }

    private static EncoderConfig encoder(int layers) {
        return EncoderConfig.builder()
                .layers(layers)
                .heads(HEADS)
                .hidden(2 * D)
                .activation(Activation.GELU)
                .build();
    }

    /**
     * Initial values: gains 1, biases 0, matrices N(0, 1/inputs), bytes and positions N(0, 1), which is the
     * scale of what they stand beside, other tables N(0, 0.02²): latents that start small say what they read, not what they
     * are.
     */
    static ModelDesign.Values initial(long seed) {
        return (name, dims) -> {
            int count = 1;
            for (long size : dims) {
                count *= Math.toIntExact(size);
            }
            FloatBuffer out = FloatBuffer.allocate(count);
            double deviation = 0;
            if (dims.length == 2) {
                deviation = name.endsWith(".weight") ? 1 / Math.sqrt(dims[1]) : 0.02;
                if (name.equals("text.embedding") || name.endsWith(".position")) {
                    deviation = 1;
                }
            }
            SplittableRandom random = new SplittableRandom(seed * 31 + name.hashCode());
            for (int i = 0; i < count; i++) {
                double constant = dims.length == 1 && name.endsWith(".weight") ? 1 : 0;
                out.put(i, (float) (constant + deviation * Augment.gaussian(random)));
            }
            return out;
        };
    }
}
