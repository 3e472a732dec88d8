package io.sensorium;

import io.sensorium.internal.Errors;
import io.sensorium.internal.NativeLibrary;
import io.sensorium.internal.binding.Native;
import io.sensorium.internal.binding.sns_device_info;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A processor that can run models, as it was found when asked for. */
public final class Device {
    /** Kinds of devices; the order is that of the C ABI. */
    public enum Kind {
        /** The processors of this process. */
        CPU,
        /** An NVIDIA GPU. */
        CUDA
    }

    private final Kind kind;
    private final String name;
    private final String isa;
    private final int units;
    private final long memoryBytes;
    private final @Nullable String cause;
    private final @Nullable Throwable failure;

    private Device(Kind kind) {
        this.kind = kind;
        this.failure = NativeLibrary.failure();
        if (failure != null) {
            name = "";
            isa = "";
            units = 0;
            memoryBytes = 0;
            cause = NativeLibrary.message(failure);
            return;
        }
        try (sns_device_info info = new sns_device_info()) {
            info.struct_size(info.sizeof());
            Errors.check(Native.sns_device_query(kind.ordinal(), 0, info));
            name = Errors.text(info.name());
            isa = Errors.text(info.isa());
            units = info.units();
            memoryBytes = info.memory_bytes();
            cause = info.available() != 0 ? null : Errors.text(info.cause());
        }
    }

    /** The CPU. */
    public static Device cpu() {
        return new Device(Kind.CPU);
    }

    /** The first NVIDIA GPU, which may not be there: see {@link #isAvailable()}. */
    public static Device cuda() {
        return new Device(Kind.CUDA);
    }

    /** What kind of device this is. */
    public Kind kind() {
        return kind;
    }

    /** Whether an engine can be opened on it. */
    public boolean isAvailable() {
        return cause == null;
    }

    /** Why it is not available: a missing library, driver or device. */
    public Optional<String> unavailabilityCause() {
        return Optional.ofNullable(cause);
    }

    /** Throws {@link DeviceUnavailableException} with {@link #unavailabilityCause()} if it is not available. */
    public void ensureAvailable() {
        if (cause != null) {
            throw new DeviceUnavailableException(cause, "device", SensoriumException.NO_LIMIT, failure);
        }
    }

    /** Its name as the maker gives it; empty if it is not available. */
    public String name() {
        return name;
    }

    /** The instructions that kernels use, such as {@code avx512 (+vnni +vbmi +bf16)} or {@code sm_90}. */
    public String isa() {
        return isa;
    }

    /** CPU: logical processors that this process may use; CUDA: multiprocessors. */
    public int units() {
        return units;
    }

    /** Its memory in bytes. */
    public long memoryBytes() {
        return memoryBytes;
    }

    @Override
    public String toString() {
        return kind + (cause == null ? " " + name + ", " + isa : " unavailable: " + cause);
    }
}
