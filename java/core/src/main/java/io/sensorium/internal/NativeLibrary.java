package io.sensorium.internal;

import io.sensorium.DeviceUnavailableException;
import io.sensorium.SensoriumException;
import io.sensorium.internal.binding.Native;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/** Loads the native library once and remembers why it could not. */
public final class NativeLibrary {
    private static final Logger LOG = System.getLogger(NativeLibrary.class.getName());
    private static final @Nullable Throwable FAILURE = load();

    private NativeLibrary() {}

    /** Why the library cannot be used, or null. */
    public static @Nullable Throwable failure() {
        return FAILURE;
    }

    /** Returns if the library can be used. */
    public static void ensureLoaded() {
        if (FAILURE != null) {
            throw new DeviceUnavailableException(message(FAILURE), "", SensoriumException.NO_LIMIT, FAILURE);
        }
    }

    /** What to tell about a failure to load. */
    public static String message(Throwable failure) {
        return "the native library of Sensorium cannot be used (is sensorium-core's jar for " + Loader.getPlatform()
                + " there?): " + failure.getMessage();
    }

    private static @Nullable Throwable load() {
        try {
            // JavaCPP's Pointer finds its own native methods in this library, so it must be first.
            Loader.load(Native.class);
            int version = Native.sns_abi_version();
            if (version != Native.SNS_ABI_VERSION) {
                return new UnsatisfiedLinkError(
                        "its ABI version is " + version + ", this jar needs " + Native.SNS_ABI_VERSION);
            }
            extractCuda();
            return null;
        } catch (LinkageError | RuntimeException e) {
            LOG.log(Level.DEBUG, "loading failed", e);
            return e;
        }
    }

    /** The library looks for its CUDA backend beside itself; JavaCPP extracts only what it loads. */
    private static void extractCuda() {
        try {
            Loader.cacheResource(
                    Native.class, "/io/sensorium/internal/" + Loader.getPlatform() + "/libsensorium_cuda.so");
        } catch (java.io.IOException e) {
            LOG.log(Level.WARNING, "the CUDA backend cannot be extracted", e);
        }
    }
}
