package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avformat.AVSEEK_SIZE;
import static org.bytedeco.ffmpeg.global.avformat.avio_alloc_context;
import static org.bytedeco.ffmpeg.global.avformat.avio_context_free;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EOF;
import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EXIT;
import static org.bytedeco.ffmpeg.global.avutil.av_free;
import static org.bytedeco.ffmpeg.global.avutil.av_malloc;
import static org.bytedeco.ffmpeg.presets.avutil.AVERROR_EIO;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVIOContext;
import org.bytedeco.ffmpeg.avformat.AVIOInterruptCB;
import org.bytedeco.ffmpeg.avformat.Read_packet_Pointer_BytePointer_int;
import org.bytedeco.ffmpeg.avformat.Seek_Pointer_long_int;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * The only way by which FFmpeg gets at bytes: reads of one source, in Java. It opens no file and no connection itself. Native
 * code holds a number, not an object; there is one callback of each kind for all sources, because JavaCPP has room for few.
 */
final class SourceIo implements AutoCloseable {
    private static final int BUFFER = 1 << 16;
    private static final Map<Long, SourceIo> OPEN = new ConcurrentHashMap<>();
    private static final AtomicLong NEXT = new AtomicLong(1);
    private static final Read READ = new Read();
    private static final Seek SEEK = new Seek();
    private static final Interrupt INTERRUPT = new Interrupt();

    private final Source source;
    private final long id = NEXT.getAndIncrement();
    private final Number number = new Number(id);
    private final AVIOContext context;
    private long at;
    private volatile boolean cancelled;
    private volatile @Nullable Throwable failure;

    SourceIo(Source source) {
        this.source = source;
        OPEN.put(id, this);
        BytePointer buffer = new BytePointer(av_malloc(BUFFER));
        context = buffer.isNull()
                ? new AVIOContext(null)
                : avio_alloc_context(buffer, BUFFER, 0, number, READ, null, SEEK);
        if (context == null || context.isNull()) {
            OPEN.remove(id);
            av_free(buffer);
            throw new OutOfMemoryError("FFmpeg has no memory for a file");
        }
    }

    void attach(AVFormatContext format) {
        format.pb(context);
        AVIOInterruptCB interrupt = format.interrupt_callback();
        interrupt.callback(INTERRUPT);
        interrupt.opaque(number);
    }

    /** Makes what runs and all that follows end with AVERROR_EXIT; any thread. */
    void cancel() {
        cancelled = true;
    }

    boolean cancelled() {
        return cancelled;
    }

    /** What a read threw, which FFmpeg only saw as an error. */
    @Nullable
    Throwable failure() {
        return failure;
    }

    @Override
    public void close() {
        OPEN.remove(id);
        av_free(context.buffer());
        avio_context_free(context);
        source.close();
    }

    private int read(BytePointer buffer, int size) {
        if (cancelled) {
            return AVERROR_EXIT;
        }
        try {
            int count = source.read(at, buffer.position(0).capacity(size).asByteBuffer());
            if (count < 0) {
                return AVERROR_EOF;
            }
            at += count;
            return count;
        } catch (Throwable e) {
            failure = e;
            return AVERROR_EIO();
        }
    }

    private long seek(long offset, int whence) {
        if ((whence & AVSEEK_SIZE) != 0) {
            return source.size();
        }
        long to = switch (whence & 3) {
            case 0 -> offset;
            case 1 -> at + offset;
            case 2 -> source.size() + offset;
            default -> -1;
        };
        if (to < 0) {
            return AVERROR_EIO();
        }
        at = to;
        return to;
    }

    /** A number that looks like an address. */
    private static final class Number extends Pointer {
        Number(long value) {
            super((Pointer) null);
            address = value;
        }
    }

    private static final class Read extends Read_packet_Pointer_BytePointer_int {
        @Override
        public int call(Pointer opaque, BytePointer buffer, int size) {
            SourceIo io = OPEN.get(opaque.address());
            return io == null ? AVERROR_EXIT : io.read(buffer, size);
        }
    }

    private static final class Seek extends Seek_Pointer_long_int {
        @Override
        public long call(Pointer opaque, long offset, int whence) {
            SourceIo io = OPEN.get(opaque.address());
            return io == null ? AVERROR_EXIT : io.seek(offset, whence);
        }
    }

    private static final class Interrupt extends AVIOInterruptCB.Callback_Pointer {
        @Override
        public int call(Pointer opaque) {
            SourceIo io = OPEN.get(opaque.address());
            return io == null || io.cancelled ? 1 : 0;
        }
    }
}
