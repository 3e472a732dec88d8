package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avutil.av_frame_clone;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_free;

import java.nio.ByteBuffer;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.jspecify.annotations.Nullable;

/** A decoded picture, still in the video's own colours: only frames that are used are converted. */
public final class VideoFrame implements Decoded, AutoCloseable {
    private final MediaFile file;
    private final Rational time;
    private final Rational duration;
    private final long index;
    private final Orientation orientation;
    private @Nullable AVFrame frame;
    private final int width;
    private final int height;
    private final boolean kept;

    VideoFrame(
            MediaFile file,
            AVFrame frame,
            Rational time,
            Rational duration,
            long index,
            Orientation orientation,
            boolean kept) {
        this.file = file;
        this.frame = frame;
        this.time = time;
        this.duration = duration;
        this.index = index;
        this.orientation = orientation;
        this.width = orientation.swaps() ? frame.height() : frame.width();
        this.height = orientation.swaps() ? frame.width() : frame.height();
        this.kept = kept;
    }

    @Override
    public Rational time() {
        return time;
    }

    /** How long it is shown, as the file tells it; 0 if it does not. The next frame's time is what counts. */
    public Rational duration() {
        return duration;
    }

    /** Its number in the stream, from 0. */
    public long index() {
        return index;
    }

    /** In pixels, upright. */
    public int width() {
        return width;
    }

    /** In pixels, upright. */
    public int height() {
        return height;
    }

    /**
     * Converts it to RGB. The frame's tags choose BT.601 or BT.709 and limited or full range; without tags BT.601, limited, as
     * FFmpeg does. Rotations that the file asks for are applied.
     *
     * @param out direct; receives [height, width, 3] from its position on, which stays
     */
    public void rgb(ByteBuffer out) {
        if (out.remaining() < Math.multiplyExact(Math.multiplyExact(width, height), 3)) {
            throw new IllegalArgumentException(
                    "the buffer has " + out.remaining() + " bytes, a frame of " + width + "×" + height + " has more");
        }
        AVFrame pixels = frame;
        if (pixels == null) {
            throw new IllegalStateException("this frame is closed");
        }
        file.convert(pixels, orientation, out);
    }

    /** The same frame for longer than the next call of {@link MediaFile#next}; it must be closed. */
    public VideoFrame keep() {
        AVFrame pixels = frame;
        if (pixels == null) {
            throw new IllegalStateException("this frame is closed");
        }
        return new VideoFrame(file, av_frame_clone(pixels), time, duration, index, orientation, true);
    }

    /** Frees a frame that was kept; of others nothing. */
    @Override
    public void close() {
        AVFrame pixels = frame;
        frame = null;
        if (kept && pixels != null) {
            av_frame_free(pixels);
        }
    }
}
