package io.sensorium.video;

import io.sensorium.media.MediaReader;
import io.sensorium.media.Picture;
import io.sensorium.media.Sound;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Gives {@link io.sensorium.media.Pictures} and {@link io.sensorium.media.Sounds} what Java itself cannot read. */
public final class FFmpegReader implements MediaReader {
    private static final int MOST_SAMPLES = 1 << 28;
    /** How pictures begin, after so many bytes: FFmpeg itself guesses, and takes noise for video. */
    private static final Map<String, Integer> MAGIC =
            Map.of("WEBP", 8, "ftyp", 4, "GIF8", 0, "BM", 0, "II*\0", 0, "MM\0*", 0);

    /** For the service loader. */
    public FFmpegReader() {}

    @Override
    public Picture picture(byte[] bytes, String name, long maxPixels) {
        boolean known = MAGIC.entrySet().stream().anyMatch(magic -> begins(bytes, magic.getKey(), magic.getValue()));
        if (!known) {
            throw FFmpeg.corrupt(name, "at byte 0: not a picture that can be read");
        }
        MediaLimits limits =
                MediaLimits.builder().maxPixels(maxPixels).threads(1).build();
        try (MediaFile file = MediaFile.open(bytes, name, limits)) {
            for (Decoded decoded = file.next(); decoded != null; decoded = file.next()) {
                if (decoded instanceof VideoFrame frame) {
                    ByteBuffer pixels = ByteBuffer.allocateDirect(
                            Math.multiplyExact(Math.multiplyExact(frame.height(), frame.width()), 3));
                    frame.rgb(pixels);
                    return new Picture(pixels, frame.height(), frame.width(), 1);
                }
            }
            throw FFmpeg.corrupt(name, "no picture");
        }
    }

    private static boolean begins(byte[] bytes, String magic, int at) {
        return bytes.length >= at + magic.length()
                && magic.equals(new String(bytes, at, magic.length(), StandardCharsets.ISO_8859_1));
    }

    @Override
    public Sound sound(byte[] bytes, String name) {
        MediaLimits limits = MediaLimits.builder().threads(1).build();
        try (MediaFile file = MediaFile.open(bytes, name, limits)) {
            StreamInfo stream = file.audio().orElseThrow(() -> FFmpeg.corrupt(name, "no sound"));
            SoundTimeline timeline = new SoundTimeline(stream, limits.maxMicros(), file.paged(), warning -> {});
            Samples samples = new Samples(name);
            for (Decoded decoded = file.next(); decoded != null; decoded = file.next()) {
                if (decoded instanceof SoundBlock block) {
                    timeline.push(block, samples::add);
                }
            }
            timeline.finish(samples::add);
            return new Sound(samples.all(), stream.sampleRate(), stream.channels());
        }
    }

    private static final class Samples {
        private final String name;
        private FloatBuffer buffer = direct(1 << 16);

        Samples(String name) {
            this.name = name;
        }

        void add(FloatBuffer more) {
            if (buffer.remaining() < more.remaining()) {
                long needed = (long) buffer.position() + more.remaining();
                if (needed > MOST_SAMPLES) {
                    throw FFmpeg.exceeded(name, needed + " samples", MOST_SAMPLES);
                }
                buffer = direct((int) Math.min(MOST_SAMPLES, 2 * needed)).put(buffer.flip());
            }
            buffer.put(more);
        }

        FloatBuffer all() {
            return buffer.flip().slice();
        }

        private static FloatBuffer direct(int floats) {
            return ByteBuffer.allocateDirect(4 * floats)
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
        }
    }
}
