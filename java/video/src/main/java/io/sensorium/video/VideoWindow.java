package io.sensorium.video;

import io.sensorium.Result;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A part of a video that was run as one sequence; valid while {@link VideoSink#window} runs.
 *
 * @param index its number on the file's clock: it begins at index·length
 * @param images what was tokenized of the pictures, by time; item i of the result is image i
 * @param result tokens and latents; the sound, if there is any, is the item behind the images
 */
public record VideoWindow(long index, List<Image> images, Result result) {
    /**
     * A frame, or the frames of one temporal patch.
     *
     * @param micros the first frame's time
     * @param endMicros when the last frame is replaced by the next one of the video
     * @param pixels direct, [frames, height, width, 3], at the size that the tokenizer gets
     * @param height in pixels
     * @param width in pixels
     */
    public record Image(long micros, long endMicros, ByteBuffer pixels, int height, int width) {}
}
