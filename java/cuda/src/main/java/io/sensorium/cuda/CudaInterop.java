package io.sensorium.cuda;

import io.sensorium.DeviceResult;
import io.sensorium.Session;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Streams, events and device memory of a session in the types of the JavaCPP presets. Nothing here owns what it points at:
 * the caller keeps his stream and event, the session its results. Only {@code cuda}'s Java is needed, no library of CUDA.
 */
public final class CudaInterop {
    private CudaInterop() {}

    /**
     * Runs the session's following requests in a stream of the caller's, which must outlive them; null for its own again.
     */
    public static Session stream(Session session, @Nullable CUstream_st stream) {
        return session.stream(stream == null ? 0 : stream.address());
    }

    /** Lets the session's following requests wait for a recorded event of the caller's. */
    public static Session waitFor(Session session, CUevent_st event) {
        return session.waitFor(event.address());
    }

    /** The stream that the last request was given to. */
    public static CUstream_st stream(DeviceResult result) {
        return new CUstream_st(new At(result.stream(), 0));
    }

    /** The event behind the last request: {@code cuStreamWaitEvent} makes another stream wait for it. */
    public static CUevent_st event(DeviceResult result) {
        return new CUevent_st(new At(result.event(), 0));
    }

    /** The packed tokens in device memory, {@code tokensCount · dModel} floats. Of the device: Java must not read them. */
    public static FloatPointer tokens(DeviceResult result) {
        return floats(result.tokens(), result.tokensCount() * result.dModel());
    }

    /** The latents in device memory, {@code latentsCount · dLatents} floats; a null pointer without a compressor. */
    public static FloatPointer latents(DeviceResult result) {
        return floats(result.latents(), result.latentsCount() * result.dLatents());
    }

    /** The embeddings in device memory, {@code sequences · dEmbedding} floats; a null pointer without a head. */
    public static FloatPointer embedding(DeviceResult result) {
        return floats(result.embedding(), result.sequences() * result.dEmbedding());
    }

    private static FloatPointer floats(long address, long count) {
        return new FloatPointer(new At(address, address == 0 ? 0 : count));
    }

    /** An address as a pointer that owns nothing. */
    private static final class At extends Pointer {
        At(long address, long count) {
            super((Pointer) null);
            this.address = address;
            this.limit = count;
            this.capacity = count;
        }
    }
}
