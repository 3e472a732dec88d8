package io.sensorium.video;

import java.nio.FloatBuffer;

/** What {@link VideoTokenizer#run} tells while it works. All calls come from its thread, and what they get is reused. */
public interface VideoSink {
    /** A window is done. */
    void window(VideoWindow window);

    /** A frame was decoded. */
    default void frame(long micros) {}

    /** Sound was put in its place: mono samples at the file's rate, one part after the other; silence is told as such. */
    default void sound(long micros, FloatBuffer samples, int sampleRate) {}

    /** Everything before {@code micros} is done; {@code length} is the file's, 0 if it is not known. */
    default void progress(long micros, long length) {}
}
