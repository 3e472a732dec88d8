package io.sensorium.cuda;

import io.sensorium.DeviceUnavailableException;
import io.sensorium.Engine;
import io.sensorium.SensoriumException;
import java.util.Optional;
import org.bytedeco.cuda.global.cufft;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/**
 * cuFFT as the JavaCPP presets load it, for sound whose n_fft the fused kernel does not serve. It needs the presets' jar for
 * the platform ({@code org.bytedeco:cuda}, classifier {@code linux-x86_64}), and libcufft and libcudart of CUDA 13, which the
 * toolkit brings. Without them everything else works.
 */
public final class CuFft {
    /** The name that libcufft was linked under: the process has it once the presets are loaded. */
    private static final String LIBRARY = "libcufft.so." + cufft.CUFFT_VER_MAJOR;

    private CuFft() {}

    /** Why it cannot be used: a jar or a library that is missing. Empty if it can. */
    public static Optional<String> unavailabilityCause() {
        return Optional.ofNullable(Presets.CAUSE);
    }

    /**
     * Gives it to an engine, for the models that are made afterwards.
     *
     * @throws DeviceUnavailableException with {@link #unavailabilityCause()}, or if the engine is one of the CPU
     */
    public static void give(Engine engine) {
        if (Presets.CAUSE != null) {
            throw new DeviceUnavailableException(Presets.CAUSE, "cufft", SensoriumException.NO_LIMIT, Presets.FAILURE);
        }
        engine.fft(LIBRARY);
    }

    /** Loaded once: a class whose loading failed only says so the first time. */
    private static final class Presets {
        static final @Nullable Throwable FAILURE = load();
        static final @Nullable String CAUSE = FAILURE == null
                ? null
                : "cuFFT cannot be used (are org.bytedeco:cuda's jar for " + Loader.getPlatform() + " and CUDA's "
                        + LIBRARY + " and libcudart there?): " + FAILURE.getMessage();

        private static @Nullable Throwable load() {
            try {
                Loader.load(cufft.class);
                return null;
            } catch (LinkageError | RuntimeException e) {
                return e;
            }
        }
    }
}
