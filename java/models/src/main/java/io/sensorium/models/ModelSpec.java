package io.sensorium.models;

import io.sensorium.Adapter;
import io.sensorium.AdapterConfig;
import io.sensorium.AudioConfig;
import io.sensorium.EncoderConfig;
import io.sensorium.Engine;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.LatentResamplerConfig;
import io.sensorium.MergeConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.PerceiverConfig;
import io.sensorium.PerceiverDecoderConfig;
import io.sensorium.PoolConfig;
import io.sensorium.QFormerConfig;
import io.sensorium.ResizeConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.TextConfig;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A model directory that was read and checked: configurations, and tensors that fit them. Tensors are copied when
 * {@link #build} runs; close it afterwards.
 */
public final class ModelSpec implements AutoCloseable {
    /** How text becomes ids. */
    public enum TextEncoding {
        /** No text, or the caller brings ids. */
        NONE,
        /** Ids are the bytes of the UTF-8 text. */
        UTF8_BYTES
    }

    private static final String ADAPTER = "adapter.";

    private final String family;
    private final String notice;
    private final SequenceConfig sequence;
    private ImageConfig image;
    private final AudioConfig audio;
    private final TextConfig text;
    private final Map<Modality, EncoderConfig> encoders;
    private final PerceiverConfig perceiver;
    private final PerceiverDecoderConfig perceiverDecoder;
    private final LatentResamplerConfig latentResampler;
    private final QFormerConfig qFormer;
    private final PoolConfig pool;
    private final MergeConfig merge;
    private final HeadConfig head;
    private final AdapterConfig adapter;
    private final TextEncoding textEncoding;
    private final Weights file;
    private final WeightMap map;

    ModelSpec(Parts parts, Weights file, WeightMap map) {
        this.family = parts.family;
        this.notice = parts.notice;
        this.sequence = parts.sequence;
        this.image = parts.image;
        this.audio = parts.audio;
        this.text = parts.text;
        this.encoders = parts.encoders;
        this.perceiver = parts.perceiver;
        this.perceiverDecoder = parts.perceiverDecoder;
        this.latentResampler = parts.latentResampler;
        this.qFormer = parts.qFormer;
        this.pool = parts.pool;
        this.merge = parts.merge;
        this.head = parts.head;
        this.adapter = parts.adapter;
        this.textEncoding = parts.textEncoding;
        this.file = file;
        this.map = map;
    }

    /** The configurations alone, in the project's own format. */
    Parts parts() {
        Parts parts = new Parts();
        parts.family = "sensorium";
        parts.notice = notice;
        parts.sequence = sequence;
        parts.image = image;
        parts.audio = audio;
        parts.text = text;
        parts.encoders.putAll(encoders);
        parts.perceiver = perceiver;
        parts.perceiverDecoder = perceiverDecoder;
        parts.latentResampler = latentResampler;
        parts.qFormer = qFormer;
        parts.pool = pool;
        parts.merge = merge;
        parts.head = head;
        parts.adapter = adapter;
        parts.textEncoding = textEncoding;
        return parts;
    }

    /** What a family's reader fills in. */
    static final class Parts {
        String family;
        String notice = "";
        SequenceConfig sequence;
        ImageConfig image;
        AudioConfig audio;
        TextConfig text;
        final Map<Modality, EncoderConfig> encoders = new EnumMap<>(Modality.class);
        PerceiverConfig perceiver;
        PerceiverDecoderConfig perceiverDecoder;
        LatentResamplerConfig latentResampler;
        QFormerConfig qFormer;
        PoolConfig pool;
        MergeConfig merge;
        HeadConfig head;
        AdapterConfig adapter;
        TextEncoding textEncoding = TextEncoding.NONE;
    }

    /** The configuration's {@code model_type}. */
    public String family() {
        return family;
    }

    /** What users of the model must be told (the random model: that it is untrained); may be empty. */
    public String notice() {
        return notice;
    }

    /** The packed sequence. */
    public SequenceConfig sequence() {
        return sequence;
    }

    /** The image tokenizer, if there is one. */
    public Optional<ImageConfig> image() {
        return Optional.ofNullable(image);
    }

    /** The audio tokenizer, if there is one. */
    public Optional<AudioConfig> audio() {
        return Optional.ofNullable(audio);
    }

    /** The text embedding, if there is one. */
    public Optional<TextConfig> text() {
        return Optional.ofNullable(text);
    }

    /** The encoder over a modality's tokens, if there is one. */
    public Optional<EncoderConfig> encoder(Modality modality) {
        return Optional.ofNullable(encoders.get(modality));
    }

    /** The Perceiver, if there is one. */
    public Optional<PerceiverConfig> perceiver() {
        return Optional.ofNullable(perceiver);
    }

    /** The Perceiver's decoder, if there is one. */
    public Optional<PerceiverDecoderConfig> perceiverDecoder() {
        return Optional.ofNullable(perceiverDecoder);
    }

    /** The resampler, if there is one. */
    public Optional<LatentResamplerConfig> latentResampler() {
        return Optional.ofNullable(latentResampler);
    }

    /** The Q-Former, if there is one. */
    public Optional<QFormerConfig> qFormer() {
        return Optional.ofNullable(qFormer);
    }

    /** The pool, if there is one. */
    public Optional<PoolConfig> pool() {
        return Optional.ofNullable(pool);
    }

    /** The token merger, if there is one. */
    public Optional<MergeConfig> merge() {
        return Optional.ofNullable(merge);
    }

    /** The projection heads, if there are any. */
    public Optional<HeadConfig> head() {
        return Optional.ofNullable(head);
    }

    /** The adapter that sessions begin with, if there is one. */
    public Optional<AdapterConfig> adapter() {
        return Optional.ofNullable(adapter);
    }

    /** How text becomes ids. */
    public TextEncoding textEncoding() {
        return textEncoding;
    }

    /** Number of float32 parameters that the model takes from the file. */
    public long parameters() {
        long sum = 0;
        for (WeightMap.Weight weight : map.weights()) {
            for (WeightMap.Part part : weight.parts()) {
                sum += file.info(part.source()).count() / part.of();
            }
        }
        return sum;
    }

    /** Copies the tensors into a model on the engine's device. */
    public Model build(Engine engine) {
        return build(engine, Extent.WHOLE);
    }

    /** The tokenizers alone: embeddings before any encoder, and no compressor. */
    public Model buildTokenizers(Engine engine) {
        return build(engine, Extent.TOKENIZERS);
    }

    /**
     * For finished pixel values of several frames: from now on a picture has the channels of all frames of a patch, frame
     * by frame within a channel.
     */
    void stackFrames() {
        image = image.toBuilder()
                .channels(Math.multiplyExact(image.channels(), image.temporalPatch()))
                .temporalPatch(1)
                .resize(ResizeConfig.NONE)
                .mean()
                .std()
                .build();
    }

    /** With the head's projection inside the pool: latents are what the head would normalise. */
    Model buildProjected(Engine engine) {
        return build(engine, Extent.PROJECTED);
    }

    private enum Extent {
        TOKENIZERS,
        WHOLE,
        PROJECTED
    }

    private Model build(Engine engine, Extent extent) {
        boolean whole = extent != Extent.TOKENIZERS;
        boolean projected = extent == Extent.PROJECTED;
        Model.Builder builder = engine.newModel().sequence(sequence);
        if (image != null) builder.image(image);
        if (audio != null) builder.audio(audio);
        if (text != null) builder.text(text);
        if (whole) {
            encoders.forEach(builder::encoder);
            if (perceiver != null) builder.perceiver(perceiver);
            if (perceiverDecoder != null) builder.perceiverDecoder(perceiverDecoder);
            if (latentResampler != null) builder.latentResampler(latentResampler);
            if (qFormer != null) builder.qFormer(qFormer);
            if (pool != null) {
                builder.pool(projected ? pool.toBuilder().dense(head.dim()).build() : pool);
            }
            if (head != null && !projected) builder.head(head);
            if (merge != null) builder.merge(merge);
        }
        for (WeightMap.Weight weight : map.weights()) {
            if (whole && !weight.name().startsWith(ADAPTER) || isTokenizer(weight.name())) {
                String name =
                        projected ? weight.name().replaceFirst("^head\\.[a-z]+\\.", "pool.dense.") : weight.name();
                builder.tensor(name, WeightMap.read(file, weight), weight.dims());
            }
        }
        if (!whole || adapter == null) {
            return builder.build();
        }
        Adapter made = new Adapter(
                engine,
                adapter,
                read(ADAPTER + "down.weight"),
                read(ADAPTER + "down.bias"),
                read(ADAPTER + "up.weight"),
                read(ADAPTER + "up.bias"));
        try {
            return builder.adapter(made).build();
        } catch (RuntimeException e) {
            made.close();
            throw e;
        }
    }

    private static boolean isTokenizer(String name) {
        return name.matches("(sequence|image|audio|text)\\..*") && !name.matches("[a-z]+\\.encoder\\..*");
    }

    /** Whether the file has a tensor of that name. */
    boolean has(String tensor) {
        return file.tensors().containsKey(tensor);
    }

    /** The values of a tensor under its name in the file. */
    FloatBuffer readFile(String tensor) {
        return file.floats(tensor);
    }

    /** The tensors under their canonical names: sizes, in a fixed order. */
    public Map<String, long[]> tensors() {
        Map<String, long[]> tensors = new LinkedHashMap<>();
        for (WeightMap.Weight weight : map.weights()) {
            tensors.put(weight.name(), weight.dims());
        }
        return tensors;
    }

    /** The values of a tensor under its canonical name. */
    public FloatBuffer read(String tensor) {
        for (WeightMap.Weight weight : map.weights()) {
            if (weight.name().equals(tensor)) {
                return WeightMap.read(file, weight);
            }
        }
        throw new IllegalArgumentException("no tensor '" + tensor + "'");
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
