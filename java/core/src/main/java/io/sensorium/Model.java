package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.ItemTable;
import io.sensorium.internal.Memory;
import io.sensorium.internal.Staging;
import io.sensorium.internal.Structs;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_audio_config;
import io.sensorium.internal.binding.sns_encoder_config;
import io.sensorium.internal.binding.sns_head_config;
import io.sensorium.internal.binding.sns_image_config;
import io.sensorium.internal.binding.sns_latent_resampler_config;
import io.sensorium.internal.binding.sns_merge_config;
import io.sensorium.internal.binding.sns_perceiver_config;
import io.sensorium.internal.binding.sns_perceiver_decoder_config;
import io.sensorium.internal.binding.sns_pool_config;
import io.sensorium.internal.binding.sns_qformer_config;
import io.sensorium.internal.binding.sns_sequence_config;
import io.sensorium.internal.binding.sns_session_limits;
import io.sensorium.internal.binding.sns_text_config;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Configurations and weights, packed for the device; immutable. Any number of threads may use it at once. */
public final class Model implements AutoCloseable {
    private final Engine engine;
    private final Handle handle;
    private final SequenceConfig sequence;
    private final @Nullable ImageConfig image;
    private final @Nullable AudioConfig audio;
    private final @Nullable TextConfig text;
    private final Map<Modality, EncoderConfig> encoders;
    private final @Nullable PerceiverConfig perceiver;
    private final @Nullable PerceiverDecoderConfig perceiverDecoder;
    private final @Nullable LatentResamplerConfig latentResampler;
    private final @Nullable QFormerConfig qFormer;
    private final @Nullable PoolConfig pool;
    private final @Nullable MergeConfig merge;
    private final @Nullable HeadConfig head;
    private final @Nullable Adapter adapter;

    private Model(Builder builder, SequenceConfig sequence, long address) {
        this.engine = builder.engine;
        this.sequence = sequence;
        this.image = builder.image;
        this.audio = builder.audio;
        this.text = builder.text;
        this.encoders = new EnumMap<>(builder.encoders);
        this.perceiver = builder.perceiver;
        this.perceiverDecoder = builder.perceiverDecoder;
        this.latentResampler = builder.latentResampler;
        this.qFormer = builder.qFormer;
        this.pool = builder.pool;
        this.merge = builder.merge;
        this.head = builder.head;
        this.adapter = builder.adapter;
        this.handle = Handle.of(this, "model", address, Native::sns_model_destroy, engine.handle());
    }

    /** What it was made from. */
    public Engine engine() {
        return engine;
    }

    /** The packed sequence. */
    public SequenceConfig sequence() {
        return sequence;
    }

    /** The image tokenizer, if the model has one. */
    public Optional<ImageConfig> image() {
        return Optional.ofNullable(image);
    }

    /** The audio tokenizer, if the model has one. */
    public Optional<AudioConfig> audio() {
        return Optional.ofNullable(audio);
    }

    /** The text embedder, if the model has one. */
    public Optional<TextConfig> text() {
        return Optional.ofNullable(text);
    }

    /** The encoder over a modality's tokens, if the model has one. */
    public Optional<EncoderConfig> encoder(Modality modality) {
        return Optional.ofNullable(encoders.get(modality));
    }

    /** The Perceiver, if the model has one. */
    public Optional<PerceiverConfig> perceiver() {
        return Optional.ofNullable(perceiver);
    }

    /** The Perceiver's decoder, if the model has one. */
    public Optional<PerceiverDecoderConfig> perceiverDecoder() {
        return Optional.ofNullable(perceiverDecoder);
    }

    /** The resampler, if the model has one. */
    public Optional<LatentResamplerConfig> latentResampler() {
        return Optional.ofNullable(latentResampler);
    }

    /** The Q-Former, if the model has one. */
    public Optional<QFormerConfig> qFormer() {
        return Optional.ofNullable(qFormer);
    }

    /** The pool, if the model has one. */
    public Optional<PoolConfig> pool() {
        return Optional.ofNullable(pool);
    }

    /** The projection heads, if the model has any. */
    public Optional<HeadConfig> head() {
        return Optional.ofNullable(head);
    }

    /** What its sessions begin with, if the model has one. */
    public Optional<AdapterConfig> adapter() {
        return Optional.ofNullable(adapter).map(Adapter::config);
    }

    /** The token merger, if the model has one. */
    public Optional<MergeConfig> merge() {
        return Optional.ofNullable(merge);
    }

    /** Whether the model compresses tokens to latents. */
    public boolean hasCompressor() {
        return perceiver != null || latentResampler != null || qFormer != null || pool != null || merge != null;
    }

    /**
     * How many latents a sequence of so many tokens gives.
     *
     * @param most what {@link Session#latents} was called with; {@link Integer#MAX_VALUE} for no limit
     */
    public int countLatents(long tokens, int most) {
        long address = handle.acquire();
        try {
            long[] out = new long[1];
            Errors.check(Native.sns_model_count_latents(address, tokens, most, out));
            return (int) out[0];
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    /** A workspace for requests up to the limits; all its memory is allocated now. */
    public Session newSession(SessionLimits limits) {
        Objects.requireNonNull(limits, "limits");
        if (limits.maxItems() > ItemTable.MOST) {
            throw new LimitExceededException("max_items is above " + ItemTable.MOST, "max_items", ItemTable.MOST, null);
        }
        // Before anything native is made, so that running out of heap leaks nothing; below 1 is rejected natively.
        ItemTable items = new ItemTable(Math.max(0, limits.maxItems()));
        long address = handle.acquire();
        try (sns_session_limits c = Structs.of(limits)) {
            long[] out = new long[1];
            Errors.check(Native.sns_session_create(address, c, out));
            Session session = new Session(this, limits, items, out[0]);
            if (adapter != null) {
                try {
                    session.adapter(adapter);
                } catch (RuntimeException e) {
                    session.close();
                    throw e;
                }
            }
            return session;
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    /**
     * How many tokens an item gives, special and prefix tokens included.
     *
     * @param dims image: height, width, channels; sound: samples; features: frames, mels; ids: count; tokens: count,
     *     dModel
     */
    public long countTokens(Modality modality, Format format, long... dims) {
        if (dims.length < 1 || dims.length > 3) {
            throw new InvalidShapeException("dims has " + dims.length + " values, not 1 to 3", "dims");
        }
        long address = handle.acquire();
        try {
            long[] all = new long[3];
            System.arraycopy(dims, 0, all, 0, dims.length);
            long[] out = new long[1];
            Errors.check(Native.sns_model_count_tokens(address, modality.ordinal(), format.ordinal(), all, out));
            return out[0];
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    @Override
    public void close() {
        handle.close();
        if (adapter != null) {
            adapter.close();
        }
    }

    Handle handle() {
        return handle;
    }

    /**
     * Collects configurations and tensors; their names and shapes are in the documentation of each configuration. It copies
     * the tensors, so their memory can be released at once. Used by one thread. {@link #build()} closes it unless it throws.
     */
    public static final class Builder implements AutoCloseable {
        private final Engine engine;
        private final Handle handle;
        private @Nullable SequenceConfig sequence;
        private @Nullable ImageConfig image;
        private @Nullable AudioConfig audio;
        private @Nullable TextConfig text;
        private final Map<Modality, EncoderConfig> encoders = new EnumMap<>(Modality.class);
        private @Nullable PerceiverConfig perceiver;
        private @Nullable PerceiverDecoderConfig perceiverDecoder;
        private @Nullable LatentResamplerConfig latentResampler;
        private @Nullable QFormerConfig qFormer;
        private @Nullable PoolConfig pool;
        private @Nullable MergeConfig merge;
        private @Nullable HeadConfig head;
        private @Nullable Adapter adapter;

        Builder(Engine engine, long address) {
            this.engine = engine;
            this.handle = Handle.of(this, "model builder", address, Native::sns_builder_destroy, engine.handle());
        }

        /** Sets the packed sequence, which every model has. */
        public Builder sequence(SequenceConfig config) {
            call(address -> {
                try (sns_sequence_config c = Structs.of(config)) {
                    return Native.sns_builder_sequence(address, c);
                }
            });
            sequence = config;
            return this;
        }

        /** Adds an image tokenizer. */
        public Builder image(ImageConfig config) {
            call(address -> {
                try (sns_image_config c = Structs.of(config)) {
                    return Native.sns_builder_image(address, c);
                }
            });
            image = config;
            return this;
        }

        /** Adds an audio tokenizer. */
        public Builder audio(AudioConfig config) {
            call(address -> {
                try (sns_audio_config c = Structs.of(config)) {
                    return Native.sns_builder_audio(address, c);
                }
            });
            audio = config;
            return this;
        }

        /** Adds a text embedder. */
        public Builder text(TextConfig config) {
            call(address -> {
                try (sns_text_config c = Structs.of(config)) {
                    return Native.sns_builder_text(address, c);
                }
            });
            text = config;
            return this;
        }

        /** Adds an encoder over the tokens that the modality's tokenizer gives. */
        public Builder encoder(Modality modality, EncoderConfig config) {
            call(address -> {
                try (sns_encoder_config c = Structs.of(config)) {
                    return Native.sns_builder_encoder(address, modality.ordinal(), c);
                }
            });
            encoders.put(modality, config);
            return this;
        }

        /** Adds a Perceiver; see {@link #latentResampler}. */
        public Builder perceiver(PerceiverConfig config) {
            call(address -> {
                try (sns_perceiver_config c = Structs.of(config)) {
                    return Native.sns_builder_perceiver(address, c);
                }
            });
            perceiver = config;
            return this;
        }

        /** Lets learned queries read the Perceiver, which must be set first. */
        public Builder perceiverDecoder(PerceiverDecoderConfig config) {
            call(address -> {
                try (sns_perceiver_decoder_config c = Structs.of(config)) {
                    return Native.sns_builder_perceiver_decoder(address, c);
                }
            });
            perceiverDecoder = config;
            return this;
        }

        /** Adds a resampler. A model has one compressor: a second kind is an {@link InvalidArgumentException}. */
        public Builder latentResampler(LatentResamplerConfig config) {
            call(address -> {
                try (sns_latent_resampler_config c = Structs.of(config)) {
                    return Native.sns_builder_latent_resampler(address, c);
                }
            });
            latentResampler = config;
            return this;
        }

        /** Adds a Q-Former; see {@link #latentResampler}. */
        public Builder qFormer(QFormerConfig config) {
            call(address -> {
                try (sns_qformer_config c = Structs.of(config)) {
                    return Native.sns_builder_qformer(address, c);
                }
            });
            qFormer = config;
            return this;
        }

        /** Adds a pool; see {@link #latentResampler}. */
        public Builder pool(PoolConfig config) {
            call(address -> {
                try (sns_pool_config c = Structs.of(config)) {
                    return Native.sns_builder_pool(address, c);
                }
            });
            pool = config;
            return this;
        }

        /** Adds projection heads. */
        public Builder head(HeadConfig config) {
            call(address -> {
                try (sns_head_config c = Structs.of(config)) {
                    return Native.sns_builder_head(address, c);
                }
            });
            head = config;
            return this;
        }

        /** What sessions begin with, as if {@link Session#adapter} had been called. The model closes it with itself. */
        public Builder adapter(Adapter adapter) {
            this.adapter = Objects.requireNonNull(adapter, "adapter");
            return this;
        }

        /**
         * Adds a token merger: the compressor, or, beside one that attends (not a mean or prefix pool), what comes before it:
         * that one reads the merged tokens, log(size) added to their scores.
         */
        public Builder merge(MergeConfig config) {
            call(address -> {
                try (sns_merge_config c = Structs.of(config)) {
                    return Native.sns_builder_merge(address, c);
                }
            });
            merge = config;
            return this;
        }

        /**
         * Copies a tensor.
         *
         * @param name such as {@code image.patch.weight}; may be set once
         * @param data row-major, from position to limit; any buffer
         * @param dims 1 to 4 sizes whose product is what remains in {@code data}
         */
        public Builder tensor(String name, FloatBuffer data, long... dims) {
            Objects.requireNonNull(name, "name");
            long count = 1;
            for (long dim : dims) {
                if (dim < 0 || (dim > 0 && count > Long.MAX_VALUE / Float.BYTES / dim)) {
                    throw new InvalidShapeException(name + ": a size is negative or the product overflows", name);
                }
                count *= dim;
            }
            if (count != data.remaining()) {
                throw new IllegalArgumentException(
                        name + " has " + data.remaining() + " values, its sizes say " + count);
            }
            Staging staging = new Staging();
            long direct = Memory.address(data);
            long elements = direct != 0 ? direct : staging.copy(data);
            ByteBuffer chars = Memory.allocate(name.getBytes(StandardCharsets.UTF_8).length + 1);
            chars.put(name.getBytes(StandardCharsets.UTF_8)).put((byte) 0).flip();
            ByteBuffer sizes = Memory.allocate(Math.max(1, dims.length) * Long.BYTES);
            sizes.asLongBuffer().put(dims);
            long bytes = count * Float.BYTES;
            call(address -> Native.sns_builder_tensor(
                    address, Memory.address(chars), elements, bytes, dims.length, Memory.address(sizes)));
            Reference.reachabilityFence(data);
            Reference.reachabilityFence(staging);
            Reference.reachabilityFence(chars);
            Reference.reachabilityFence(sizes);
            return this;
        }

        /**
         * Checks that everything fits, packs the weights for the device and closes the builder.
         *
         * @throws InvalidWeightsException that lists every missing, extra or misshapen tensor; the builder stays usable
         */
        public Model build() {
            SequenceConfig config = sequence;
            if (config == null) {
                handle.ensureOpen();
                throw new InvalidArgumentException("a model needs a sequence configuration", "sequence");
            }
            long[] out = new long[1];
            call(address -> Native.sns_model_create(address, out));
            Model model = new Model(this, config, out[0]);
            close();
            return model;
        }

        /** Gives up what was collected. */
        @Override
        public void close() {
            handle.close();
        }

        private void call(Handle.Call call) {
            handle.call(this, call);
        }
    }
}
