package io.sensorium;

import io.sensorium.internal.Completions;
import io.sensorium.internal.DeviceBlock;
import io.sensorium.internal.Errors;
import io.sensorium.internal.Flag;
import io.sensorium.internal.Handle;
import io.sensorium.internal.ItemTable;
import io.sensorium.internal.Memory;
import io.sensorium.internal.ResultBlock;
import io.sensorium.internal.Staging;
import io.sensorium.internal.binding.Native;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A fixed workspace that runs one request at a time: {@link #clear}, items, {@link #run}. Keep one for each thread, or a
 * pool of them.
 *
 * <p>Items are read from position to limit, which stay as they are. Direct buffers in native order are read in place when
 * {@link #run} is called, so their contents must not change before it returns; nothing is then allocated. Heap buffers,
 * buffers in foreign byte order and misaligned ones are copied at once. A buffer that has not exactly as many elements as
 * the sizes say is an {@link IllegalArgumentException}. A method that throws adds no item.
 *
 * <p>One thread at a time: a call while {@link #run} is running is an {@link IllegalStateException}. {@link #close} may be
 * called by any thread and waits for {@link #run}.
 */
public final class Session implements AutoCloseable {
    private final Model model;
    private final SessionLimits limits;
    private final Handle handle;
    private final AtomicBoolean running = new AtomicBoolean();
    private final ItemTable items;
    /** Keeps the buffers of a request reachable. */
    private final @Nullable Object[] sources;

    private final Staging staging = new Staging();
    private final ResultBlock block = new ResultBlock();
    private final Flag done = new Flag();
    private final Result result;
    private int count;
    /** Whether a budget must be taken back before the next request. */
    private boolean budgeted;

    private int mostLatents = Integer.MAX_VALUE;
    private int sequence;
    private boolean sequenceHasItem;
    private boolean replaceNonFinite;
    private long startMicros;
    private long endMicros;

    Session(Model model, SessionLimits limits, ItemTable items, long address) {
        this.model = model;
        this.limits = limits;
        this.handle = Handle.of(this, "session", address, Native::sns_session_destroy, model.handle());
        this.items = items;
        this.sources = new Object[limits.maxItems()];
        this.result = new Result(this, block);
    }

    /** Whose session this is. */
    public Model model() {
        return model;
    }

    /** The largest request it takes. */
    public SessionLimits limits() {
        return limits;
    }

    /** Native memory of the workspace in bytes. */
    public long workspaceBytes() {
        long address = handle.acquire();
        try {
            long[] out = new long[1];
            Errors.check(Native.sns_session_workspace(address, out));
            return out[0];
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
    }

    /** Begins a request: forgets all items. */
    public Session clear() {
        change();
        if (budgeted) {
            latents(mostLatents);
        }
        Arrays.fill(sources, 0, count, null);
        staging.reset();
        count = 0;
        sequence = 0;
        sequenceHasItem = false;
        startMicros = 0;
        endMicros = 0;
        return this;
    }

    /**
     * Sets the time of the next item, which is 0 to 0 otherwise.
     *
     * @param start of its first sample, frame or character on the caller's clock, in microseconds
     * @param end until when an image or text lasts; a sound's length gives its own
     */
    public Session at(long start, long end) {
        change();
        startMicros = start;
        endMicros = end;
        return this;
    }

    /** Following items belong to the next sequence of the batch. The current one must have an item. */
    public Session nextSequence() {
        change();
        if (!sequenceHasItem) {
            throw new IllegalStateException("sequence " + sequence + " has no item");
        }
        sequence++;
        sequenceHasItem = false;
        return this;
    }

    /**
     * What happens to samples, pixels, features and tokens that are NaN or infinite, from now on. At first {@link #run}
     * refuses them with an {@link OutOfRangeException}; with {@code replace} each is 0 in a copy of the item, and counted.
     */
    public Session replaceNonFinite(boolean replace) {
        change();
        replaceNonFinite = replace;
        return this;
    }

    /** How many values of this request's items {@link #replaceNonFinite} replaced so far. */
    public long replaced() {
        return staging.replaced();
    }

    /**
     * Adds an image of bytes.
     *
     * @param hwc [height, width, channels], interleaved
     */
    public Session image(ByteBuffer hwc, int height, int width, int channels) {
        int slot = slot();
        check(hwc.remaining(), product(height, width, channels));
        long direct = Memory.address(hwc);
        add(
                slot,
                hwc,
                Modality.IMAGE,
                Format.U8_HWC,
                direct != 0 ? direct : staging.copy(hwc),
                hwc.remaining(),
                height,
                width,
                channels);
        return this;
    }

    /**
     * Adds the frames of one temporal patch, {@link ImageConfig#temporalPatch()} of them.
     *
     * @param thwc [frames, height, width, channels], interleaved
     */
    public Session frames(ByteBuffer thwc, int height, int width, int channels) {
        int slot = slot();
        int frames = model.image().map(ImageConfig::temporalPatch).orElse(1);
        check(thwc.remaining(), product(product(frames, height, width), channels, 1));
        long direct = Memory.address(thwc);
        add(
                slot,
                thwc,
                Modality.IMAGE,
                Format.U8_THWC,
                direct != 0 ? direct : staging.copy(thwc),
                thwc.remaining(),
                height,
                width,
                channels);
        return this;
    }

    /**
     * Adds an image of floats that are already normalised.
     *
     * @param chw [channels, height, width], planar
     */
    public Session pixels(FloatBuffer chw, int channels, int height, int width) {
        int slot = slot();
        check(chw.remaining(), product(height, width, channels));
        addFloats(slot, chw, Modality.IMAGE, Format.F32_CHW, height, width, channels);
        return this;
    }

    /**
     * Adds a sound.
     *
     * @param pcm mono samples in [-1, 1] at the model's sample rate
     */
    public Session audio(FloatBuffer pcm) {
        addFloats(slot(), pcm, Modality.AUDIO, Format.F32_PCM, pcm.remaining(), 0, 0);
        return this;
    }

    /**
     * Adds a sound.
     *
     * @param pcm mono 16-bit samples at the model's sample rate
     */
    public Session audio(ShortBuffer pcm) {
        int slot = slot();
        long direct = Memory.address(pcm);
        add(
                slot,
                pcm,
                Modality.AUDIO,
                Format.S16_PCM,
                direct != 0 ? direct : staging.copy(pcm),
                (long) pcm.remaining() * Short.BYTES,
                pcm.remaining(),
                0,
                0);
        return this;
    }

    /**
     * Adds a sound as features.
     *
     * @param logMel [frames, mels] as the model's front end would give
     */
    public Session features(FloatBuffer logMel, int frames, int mels) {
        return features(logMel, frames, mels, 0);
    }

    /**
     * Adds a part of a sound as features, such as {@link AudioStream} gives them: times of tokens are then those of the whole
     * sound, whose first sample {@link #at} tells.
     *
     * @param logMel [frames, mels] as the model's front end would give
     * @param before how many frames of the same sound came before these
     */
    public Session features(FloatBuffer logMel, int frames, int mels, long before) {
        int slot = slot();
        check(logMel.remaining(), product(frames, mels, 1));
        addFloats(slot, logMel, Modality.AUDIO, Format.F32_FEATURES, frames, mels, before);
        return this;
    }

    /**
     * Adds a text.
     *
     * @param ids token ids
     */
    public Session text(LongBuffer ids) {
        int slot = slot();
        long direct = Memory.address(ids);
        add(
                slot,
                ids,
                Modality.TEXT,
                Format.I64_IDS,
                direct != 0 ? direct : staging.copy(ids),
                (long) ids.remaining() * Long.BYTES,
                ids.remaining(),
                0,
                0);
        return this;
    }

    /**
     * Adds finished tokens.
     *
     * @param modality what they were made from
     * @param tokens [count, dModel]
     */
    public Session tokens(Modality modality, FloatBuffer tokens, int tokenCount) {
        int slot = slot();
        int dModel = model.sequence().dModel();
        check(tokens.remaining(), product(tokenCount, dModel, 1));
        addFloats(slot, tokens, modality, Format.F32_TOKENS, tokenCount, dModel, 0);
        return this;
    }

    /**
     * Puts an adapter behind the compressor, or behind the packed tokens if there is none, for all following runs; null
     * takes it off. The session keeps what it needs: the adapter may be closed at once. Memory is allocated here, not in the
     * runs. The result's latents (or tokens) and the embedding are then of the adapted rows.
     */
    public Session adapter(@Nullable Adapter adapter) {
        change();
        long address = handle.acquire();
        try {
            long other = adapter == null ? 0 : adapter.handle().acquire();
            try {
                Errors.check(Native.sns_session_set_adapter(address, other));
            } finally {
                if (adapter != null) {
                    adapter.handle().release();
                    Reference.reachabilityFence(adapter);
                }
            }
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
        return this;
    }

    /**
     * In which order the tokens of a sequence stand, from now on; at first {@link TokenOrder#ITEMS}. Text stands where it was
     * added; the images and sounds between two texts are merged. Tokens of one image stay together, those of a sound are
     * parted. Memory is allocated here, not in the runs.
     *
     * @param chunkMicros length of a chunk, counted from time 0; {@link TokenOrder#CHUNKS} only, else 0
     */
    public Session order(TokenOrder order, long chunkMicros) {
        change();
        long address = handle.acquire();
        try {
            Errors.check(Native.sns_session_set_order(address, order.ordinal(), chunkMicros));
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
        return this;
    }

    /**
     * Limits the latents of each sequence, from now on. Learned latents: the first ones are used; with a decoder, its first
     * queries. Mean pools have fewer, longer runs, mergers merge further; attention and prefix pools give their one latent.
     *
     * @param most at least 1; {@link Integer#MAX_VALUE} for as many as the model gives
     */
    public Session latents(int most) {
        change();
        long address = handle.acquire();
        try {
            Errors.check(Native.sns_session_set_latents(address, most));
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
        mostLatents = most;
        budgeted = false;
        return this;
    }

    /**
     * Shares a budget among the sequences of this request: call it after the last item. It holds until {@link #clear}, which
     * brings the limit of {@link #latents} back.
     *
     * @param total latents for the whole request
     * @return what each sequence got
     */
    public ContextBudget.Report budget(int total) {
        change();
        long[] tokens = new long[count == 0 ? 0 : items.sequence(count - 1) + 1];
        for (int i = 0; i < count; i++) {
            tokens[items.sequence(i)] += model.countTokens(
                    Modality.values()[items.modality(i)], Format.values()[items.format(i)], items.dims(i));
        }
        ContextBudget.Report report = ContextBudget.share(model, total, tokens);
        LongBuffer limits =
                Memory.allocate(Math.max(1, tokens.length) * Long.BYTES).asLongBuffer();
        int[] latents = report.latents();
        for (int s = 0; s < tokens.length; s++) {
            limits.put(s, Math.max(1, latents[s]));
        }
        long address = handle.acquire();
        try {
            Errors.check(Native.sns_session_set_sequence_latents(address, Memory.address(limits), tokens.length));
        } finally {
            handle.release();
            Reference.reachabilityFence(this);
        }
        budgeted = true;
        return report;
    }

    /**
     * What each latent of a sequence took from each of its tokens, after {@link #run}. Of cross-attention: the softmax,
     * averaged over heads, of the last layer that reads the sequence; with a decoder its weights times the encoder's; of
     * pools and mergers: the weights of the mean. Computed anew and slow: for looking at.
     *
     * @param out [latents of the sequence, tokens of the sequence]; direct, in native order
     */
    public void attention(int sequenceIndex, FloatBuffer out) {
        long direct = out.remaining() == 0 ? 0 : Memory.address(out);
        if (out.isReadOnly() || (direct == 0 && out.remaining() > 0)) {
            throw new IllegalArgumentException("the buffer must be direct, writable and in native order");
        }
        if (!running.compareAndSet(false, true)) {
            throw inUse();
        }
        try {
            long address = handle.acquire();
            try {
                Errors.check(Native.sns_session_attention(address, sequenceIndex, direct, out.remaining()));
            } finally {
                handle.release();
            }
        } finally {
            running.set(false);
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(out);
        }
    }

    /**
     * Runs the request. The items stay, so that it can be run again.
     *
     * @return a view that is valid until the next call of this session, always the same object
     */
    public Result run() {
        result.invalidate();
        if (!running.compareAndSet(false, true)) {
            throw inUse();
        }
        try {
            long address = handle.acquire();
            try {
                int code = Native.sns_session_run(address, items.address(), count, block.address());
                if (code != Native.SNS_OK) {
                    Errors.check(code);
                }
            } finally {
                handle.release();
            }
        } finally {
            running.set(false);
            Reference.reachabilityFence(this);
        }
        result.update();
        return result;
    }

    /**
     * Runs the request without waiting for it. On a CUDA engine the caller's thread gives the work to the GPU, after which
     * the items' buffers may be changed, and one thread of the library completes all futures: keep what hangs on them
     * short. On a CPU engine a thread of the common pool runs it, and the buffers must stay until it is done. Until then
     * the session is in use, and {@link #close} waits.
     */
    public CompletableFuture<Result> runAsync() {
        result.invalidate();
        if (!running.compareAndSet(false, true)) {
            throw inUse();
        }
        long address;
        try {
            address = handle.acquire();
        } catch (RuntimeException e) {
            running.set(false);
            throw e;
        }
        CompletableFuture<Result> future = new CompletableFuture<>();
        if (model.engine().device().kind() == Device.Kind.CPU) {
            CompletableFuture.runAsync(
                    () -> end(future, Native.sns_session_run(address, items.address(), count, block.address())));
            return future;
        }
        int code = Native.sns_session_start(address, items.address(), count);
        if (code != Native.SNS_OK) {
            end(future, code);
        } else {
            Completions.add(() -> poll(address, future));
        }
        return future;
    }

    private boolean poll(long address, CompletableFuture<Result> future) {
        int code = Native.sns_session_poll(address, done.address());
        if (code == Native.SNS_OK && done.get() == 0) {
            return false;
        }
        // A failed poll fails here again, which also ends the request.
        end(future, Native.sns_session_finish(address, block.address()));
        return true;
    }

    /** Ends an asynchronous request on the thread whose native call gave {@code code}. */
    private void end(CompletableFuture<Result> future, int code) {
        RuntimeException failure = null;
        try {
            Errors.check(code);
        } catch (RuntimeException e) {
            failure = e;
        }
        handle.release();
        running.set(false);
        if (failure != null) {
            future.completeExceptionally(failure);
        } else {
            result.update();
            future.complete(result);
        }
        Reference.reachabilityFence(this);
    }

    /**
     * Where the results of the following requests are. Of a CUDA engine only, as are {@link #deviceResult}, {@link #tensor},
     * {@link #stream}, {@link #waitFor} and {@link #inbox}: {@link DeviceUnavailableException} otherwise.
     */
    public Session output(Output output) {
        change();
        call(address -> Native.sns_session_set_output(address, output.ordinal()));
        return this;
    }

    /** Where the last request's results lie on the GPU. */
    public DeviceResult deviceResult() {
        DeviceBlock device = new DeviceBlock();
        call(address -> Native.sns_session_device_result(address, device.address()));
        return new DeviceResult(
                device.tokens(),
                device.latents(),
                device.embedding(),
                block.get(ResultBlock.TOKENS_COUNT),
                block.get(ResultBlock.LATENTS_COUNT),
                block.get(ResultBlock.SEQUENCES),
                block.get(ResultBlock.D_MODEL),
                block.get(ResultBlock.D_LATENTS),
                block.get(ResultBlock.D_EMBEDDING),
                device.stream(),
                device.event(),
                (int) device.index());
    }

    /** One of the last request's results as a DLPack tensor. Throws {@link IllegalStateException} if there is none. */
    public DeviceTensor tensor(DeviceTensor.Kind kind) {
        ByteBuffer out = Memory.allocate(Long.BYTES);
        call(address -> Native.sns_session_dlpack(address, kind.ordinal(), Memory.address(out)));
        return new DeviceTensor(out.getLong(0));
    }

    /**
     * Runs the following requests in a stream of the caller's, which must outlive them.
     *
     * @param cuStream address of a {@code CUstream} of this engine's GPU, such as that of a {@code CUstream_st} of the
     *     JavaCPP presets; 0 for the session's own
     */
    public Session stream(long cuStream) {
        change();
        call(address -> Native.sns_session_use_stream(address, cuStream));
        return this;
    }

    /**
     * Lets the session's stream wait for an event of the caller's: the following requests begin once it has passed. The
     * caller's thread does not wait.
     *
     * @param cuEvent address of a recorded {@code CUevent} of this engine's GPU
     */
    public Session waitFor(long cuEvent) {
        change();
        call(address -> Native.sns_session_wait_event(address, cuEvent));
        return this;
    }

    /**
     * Page-locked memory of the session: items in it are copied to the GPU without another copy on the host. Valid until the
     * session is closed or a larger one is asked for.
     *
     * @param bytes at least 1
     */
    public ByteBuffer inbox(int bytes) {
        change();
        ByteBuffer out = Memory.allocate(Long.BYTES);
        call(address -> Native.sns_session_inbox(address, bytes, Memory.address(out)));
        return Memory.view(out.getLong(0), bytes);
    }

    private void call(Handle.Call call) {
        handle.call(this, call);
    }

    /** Frees the workspace. Buffers of results must not be used afterwards: their memory is gone. */
    @Override
    public void close() {
        handle.close();
    }

    void ensureOpen() {
        handle.ensureOpen();
    }

    private void change() {
        if (running.get()) {
            throw inUse();
        }
        handle.ensureOpen();
        result.invalidate();
    }

    private static IllegalStateException inUse() {
        return new IllegalStateException("this session is running a request of another thread");
    }

    private int slot() {
        change();
        if (count == limits.maxItems()) {
            throw new LimitExceededException(
                    "the session takes at most " + count + " items a request", "items", count, null);
        }
        return count;
    }

    private long product(long a, long b, long c) {
        if (a <= 0 || b <= 0 || c <= 0 || a * b > Long.MAX_VALUE / c) {
            throw new InvalidShapeException(
                    "items[" + count + "]: " + a + " × " + b + " × " + c + " is not a shape", "items[" + count + "]");
        }
        return a * b * c;
    }

    private static void check(long remaining, long expected) {
        if (remaining != expected) {
            throw new IllegalArgumentException("the buffer has " + remaining + " elements, the sizes say " + expected);
        }
    }

    private void addFloats(
            int slot, FloatBuffer data, Modality modality, Format format, long dim0, long dim1, long dim2) {
        long direct = replaceNonFinite ? 0 : Memory.address(data);
        long copy = direct != 0 ? 0 : replaceNonFinite ? staging.copyFinite(data) : staging.copy(data);
        add(slot, data, modality, format, direct + copy, (long) data.remaining() * Float.BYTES, dim0, dim1, dim2);
    }

    private void add(
            int slot,
            Object source,
            Modality modality,
            Format format,
            long data,
            long bytes,
            long dim0,
            long dim1,
            long dim2) {
        items.set(
                slot,
                modality.ordinal(),
                format.ordinal(),
                sequence,
                data,
                bytes,
                dim0,
                dim1,
                dim2,
                startMicros,
                endMicros);
        sources[slot] = source;
        count = slot + 1;
        sequenceHasItem = true;
        startMicros = 0;
        endMicros = 0;
    }
}
