package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.Handle;
import io.sensorium.internal.Structs;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_audio_stream_config;
import io.sensorium.internal.binding.sns_engine_config;
import io.sensorium.internal.binding.sns_log_mel_config;
import java.lang.ref.Reference;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A device and its threads; any number of threads may use it at once.
 *
 * <p>Closing it waits for calls that run on it and refuses new ones. What was made from it stays usable until it is itself
 * closed: the device's memory and threads go when the last of them does. A use after close is an {@link
 * IllegalStateException}.
 */
public final class Engine implements AutoCloseable {
    private final Handle handle;
    private final Device device;
    private final Precision precision;
    private final int threads;

    private Engine(Device device, int wantedThreads, Precision precision) {
        device.ensureAvailable();
        long[] out = new long[1];
        try (sns_engine_config config = new sns_engine_config()) {
            config.struct_size(config.sizeof());
            config.device(device.kind().ordinal());
            config.threads(wantedThreads);
            config.precision(precision.ordinal());
            Errors.check(Native.sns_engine_create(config, out));
        }
        this.device = device;
        this.precision = precision;
        this.handle = Handle.of(this, "engine", out[0], Native::sns_engine_destroy, null);
        int[] count = new int[1];
        Errors.check(Native.sns_engine_threads(out[0], count));
        this.threads = count[0];
    }

    /** The CPU with all its processors. */
    public static Engine open() {
        return builder().open();
    }

    /** A choice of device and threads. */
    public static Builder builder() {
        return new Builder();
    }

    /** Where this engine computes. */
    public Device device() {
        return device;
    }

    /** CPU: threads that share the work of a call, the caller's included. */
    public int threads() {
        return threads;
    }

    /** Of the models made from this engine. */
    public Precision precision() {
        return precision;
    }

    /**
     * Gives a CUDA engine its cuFFT, for sound whose n_fft the fused kernel does not serve (above 4096). It serves models
     * that are made afterwards; without it such a model is a {@link DeviceUnavailableException}. {@code CuFft} of the module
     * {@code io.sensorium.cuda} calls this with the library of the JavaCPP presets.
     *
     * @param library name or path of libcufft, such as {@code libcufft.so.12}; opened unless the process has it already
     * @throws DeviceUnavailableException if it cannot be opened, or the engine is one of the CPU
     */
    public void fft(String library) {
        Objects.requireNonNull(library, "library");
        handle.call(this, address -> Native.sns_engine_fft(address, library));
    }

    /** Begins a model. */
    public Model.Builder newModel() {
        return create(address -> {
            long[] out = new long[1];
            Errors.check(Native.sns_builder_create(address, out));
            return new Model.Builder(this, out[0]);
        });
    }

    /** A log-mel front end by itself. Throws {@link InvalidArgumentException} that names the field. */
    public LogMel logMel(LogMelConfig config) {
        Objects.requireNonNull(config, "config");
        return create(address -> {
            long[] out = new long[1];
            try (sns_log_mel_config c = Structs.of(config)) {
                Errors.check(Native.sns_log_mel_create(address, c, out));
            }
            return new LogMel(handle, config, out[0]);
        });
    }

    /**
     * A band-limited resampler, equal to torchaudio's {@code sinc_interp_hann}.
     *
     * @param origRate of the input in Hz
     * @param targetRate of the output in Hz
     * @throws LimitExceededException if the rates are coprime and so large that the filter would pass 2²⁴ taps
     */
    public Resampler resampler(int origRate, int targetRate) {
        return create(address -> {
            long[] out = new long[1];
            Errors.check(Native.sns_resampler_create(address, origRate, targetRate, out));
            return new Resampler(handle, out[0]);
        });
    }

    /**
     * Log-mel features of sound that comes in chunks. Throws {@link InvalidArgumentException} naming {@code log_mel.clip} or
     * {@code log_mel.norm} if a frame would depend on the whole sound: see {@link LogMelConfig#withFixedMaximum}.
     *
     * @param config of the features; its {@code sampleRate} is theirs
     * @param inputRate of the samples that will be pushed, in Hz
     * @param capacity samples that can be pushed while no frame is read; 0 is a second of sound
     * @throws LimitExceededException if the rates or the hop would need too much memory
     * @throws DeviceUnavailableException naming {@code log_mel.n_fft} if it needs cuFFT, and the GPU's engine has none
     */
    public AudioStream audioStream(LogMelConfig config, int inputRate, long capacity) {
        Objects.requireNonNull(config, "config");
        return create(address -> {
            long[] out = new long[1];
            try (sns_audio_stream_config c = Structs.of(config, inputRate, capacity)) {
                Errors.check(Native.sns_audio_stream_create(address, c, out));
            }
            return new AudioStream(handle, config, inputRate, out[0]);
        });
    }

    /** Brings pictures to size by itself. Values are checked when it is used. */
    public Resizer resizer(ResizeConfig config) {
        Objects.requireNonNull(config, "config");
        handle.ensureOpen();
        return new Resizer(handle, config);
    }

    /** Checks and times the kernels on this machine. */
    public SelfCheck selfCheck() {
        handle.ensureOpen();
        return new SelfCheck(this);
    }

    @Override
    public void close() {
        handle.close();
    }

    Handle handle() {
        return handle;
    }

    private interface Creator<T> {
        T create(long address);
    }

    private <T> T create(Creator<T> creator) {
        long address = handle.acquire();
        try {
            return creator.create(address);
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    /** Chooses a device and threads. */
    public static final class Builder {
        private @Nullable Device device;
        private int threads;
        private Precision precision = Precision.STRICT;

        private Builder() {}

        /**
         * Where to compute; the CPU if not set. Of a CUDA engine's parts and models what the GPU has no form of is a
         * {@link DeviceUnavailableException} that names it, nothing is computed elsewhere in silence:
         *
         * <ul>
         *   <li>an n_fft above 4096 or with a prime factor above 5, unless the engine was given cuFFT ({@link #fft}),
         *   <li>matrix products, attention and all that is made of them where the GPU's compute capability is below 8.0.
         * </ul>
         *
         * Attention weights ({@link Session#attention}) are computed by the host from the tokens that the GPU made.
         */
        public Builder device(Device value) {
            device = Objects.requireNonNull(value, "device");
            return this;
        }

        /** CPU: threads that share the work of a call; 0 means all processors, 1 only the caller's thread. */
        public Builder threads(int value) {
            threads = value;
            return this;
        }

        /** How exact the models' matrix products are; {@link Precision#STRICT} if not set. */
        public Builder precision(Precision value) {
            precision = Objects.requireNonNull(value, "precision");
            return this;
        }

        /** Opens the engine. Throws {@link DeviceUnavailableException} if the device is not available. */
        public Engine open() {
            return new Engine(device == null ? Device.cpu() : device, threads, precision);
        }
    }
}
