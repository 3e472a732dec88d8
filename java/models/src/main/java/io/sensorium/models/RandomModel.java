package io.sensorium.models;

import io.sensorium.AudioConfig;
import io.sensorium.Codebook;
import io.sensorium.CodebookConfig;
import io.sensorium.Engine;
import io.sensorium.ImageConfig;
import io.sensorium.LatentResamplerConfig;
import io.sensorium.LogMelConfig;
import io.sensorium.MergeConfig;
import io.sensorium.PerceiverConfig;
import io.sensorium.PoolConfig;
import io.sensorium.PoolKind;
import io.sensorium.Position;
import io.sensorium.QFormerConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.TextConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A small model with seeded random weights for trying things out: 16×16 image patches, one token per 12.5 ms of
 * sound, text as UTF-8 bytes, compressed to 64 latents. It is not trained: its tokens carry no meaning.
 */
public final class RandomModel {
    /** What is written into the model and shown to its users. */
    public static final String NOTICE =
            "model of seeded random weights: untrained, its tokens and latents carry no meaning";

    /** How the model compresses. */
    public enum Compression {
        /** Perceiver encoder. */
        PERCEIVER,
        /** Idefics2's resampler. */
        RESAMPLER,
        /** Q-Former. */
        QFORMER,
        /** SigLIP's head: one latent. */
        ATTENTION_POOL,
        /** Means of runs of tokens. */
        MEAN,
        /** Token merging. */
        MERGE;

        /** As it is written on the command line. */
        @Override
        public String toString() {
            return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
        }
    }

    private static final int LATENTS = 64;
    private static final int D = 192;
    private static final int CODES = 256;
    private static final long SEED = 20240601;

    private RandomModel() {}

    /** With a Perceiver. */
    public static ModelSpec spec() {
        return spec(Compression.PERCEIVER);
    }

    /** The model in memory; the same bytes on every machine. */
    public static ModelSpec spec(Compression compression) {
        return new ModelDesign(parts(compression)).spec(RandomModel::values);
    }

    /** A codebook for this model's tokens: seeded directions, as untrained as the model. */
    public static Codebook codebook(Engine engine) {
        return Codebook.of(engine, CodebookConfig.vq(CODES, D, CodebookConfig.Metric.COSINE), codes());
    }

    private static FloatBuffer codes() {
        return values("codebook.codes", new long[] {CODES, D});
    }

    /** Writes config.json, model.safetensors and codebook.safetensors into a directory, which is made if need be. */
    public static void write(Path directory) throws IOException {
        write(directory, Compression.PERCEIVER);
    }

    /** The same with another compressor. */
    public static void write(Path directory, Compression compression) throws IOException {
        new ModelDesign(parts(compression)).write(directory, Map.of(), RandomModel::values);
        new SafetensorsWriter()
                .metadata("notice", NOTICE)
                .metadata("kind", "vq")
                .metadata("metric", "cosine")
                .add("codes", codes(), CODES, D)
                .write(directory.resolve(Codebooks.FILE));
    }

    private static ModelSpec.Parts parts(Compression compression) {
        ModelSpec.Parts parts = new ModelSpec.Parts();
        parts.family = "sensorium";
        parts.notice = NOTICE;
        parts.textEncoding = ModelSpec.TextEncoding.UTF8_BYTES;
        parts.sequence = SequenceConfig.builder()
                .dModel(D)
                .modalityEmbedding(true)
                .specialTokens(true)
                .build();
        parts.image = ImageConfig.builder()
                .channels(3)
                .patchH(16)
                .patchW(16)
                .strideH(16)
                .strideW(16)
                .position(Position.SINCOS)
                .hasBias(true)
                .mean(0.5f, 0.5f, 0.5f)
                .std(0.5f, 0.5f, 0.5f)
                .build();
        parts.audio = AudioConfig.builder()
                .logMel(LogMelConfig.builder()
                        .sampleRate(16000)
                        .nFft(400)
                        .winLength(400)
                        .hop(200)
                        .nMels(128)
                        .log(io.sensorium.LogKind.LOG10)
                        .floor(1e-10)
                        .outScale(0.25)
                        .outShift(1)
                        .build())
                .tokens(io.sensorium.AudioTokens.FRAMES)
                .position(Position.SINCOS)
                .hasBias(true)
                .build();
        parts.text = TextConfig.builder()
                .vocabulary(256)
                .maxTokens(4096)
                .position(Position.SINCOS)
                .build();
        compress(parts, compression);
        return parts;
    }

    private static void compress(ModelSpec.Parts parts, Compression compression) {
        switch (compression) {
            case PERCEIVER ->
                parts.perceiver = PerceiverConfig.builder()
                        .numLatents(LATENTS)
                        .dLatents(D)
                        .blocks(2)
                        .layers(2)
                        .crossHeads(4)
                        .selfHeads(4)
                        .crossQk(D)
                        .crossV(D)
                        .selfQk(D)
                        .selfV(D)
                        .crossWidening(2)
                        .selfWidening(2)
                        .activation(io.sensorium.Activation.GELU)
                        .queryResidual(true)
                        .normEps(1e-5f)
                        .build();
            case RESAMPLER ->
                parts.latentResampler = LatentResamplerConfig.builder()
                        .numLatents(LATENTS)
                        .layers(3)
                        .heads(4)
                        .kvHeads(2)
                        .headDim(48)
                        .mlpHidden(4 * D)
                        .build();
            case QFORMER ->
                parts.qFormer = QFormerConfig.builder()
                        .numLatents(LATENTS)
                        .dLatents(D)
                        .layers(4)
                        .heads(4)
                        .crossFrequency(2)
                        .mlpHidden(4 * D)
                        .build();
            case ATTENTION_POOL ->
                parts.pool = PoolConfig.builder()
                        .kind(PoolKind.ATTENTION)
                        .heads(4)
                        .mlpHidden(4 * D)
                        .activation(io.sensorium.Activation.GELU_TANH)
                        .build();
            case MEAN ->
                parts.pool =
                        PoolConfig.builder().kind(PoolKind.MEAN).count(LATENTS).build();
            case MERGE ->
                parts.merge = MergeConfig.builder().numLatents(LATENTS).build();
        }
    }

    /**
     * Norm gains 1, biases 0, matrices N(0, 1/fan-in); tables N(0, 1), which is the scale of the positions that are
     * added to them.
     */
    private static FloatBuffer values(String name, long[] dims) {
        int count = Math.toIntExact(Arrays.stream(dims).reduce(1, Math::multiplyExact));
        FloatBuffer out = ByteBuffer.allocateDirect(count * 4)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        if (name.endsWith(".bias")) {
            return out;
        }
        if (dims.length == 1) {
            for (int i = 0; i < count; i++) {
                out.put(i, 1f);
            }
            return out;
        }
        boolean matrix = name.endsWith(".weight");
        double deviation = matrix ? 1 / Math.sqrt(dims[1]) : 1;
        // String.hashCode and SplittableRandom are specified to the bit; so is StrictMath.
        SplittableRandom random = new SplittableRandom(SEED + name.hashCode());
        for (int i = 0; i < count; i++) {
            double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - random.nextDouble()));
            out.put(i, (float) (deviation * radius * StrictMath.cos(2 * Math.PI * random.nextDouble())));
        }
        return out;
    }
}
