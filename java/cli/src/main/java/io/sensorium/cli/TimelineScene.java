package io.sensorium.cli;

import io.sensorium.AudioConfig;
import io.sensorium.Modality;
import io.sensorium.Tokens;
import io.sensorium.video.MediaFile;
import io.sensorium.video.VideoWindow;
import java.awt.image.BufferedImage;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** What {@link TimelinePlot} draws, thinned out as the video grows longer. */
final class TimelineScene {
    private static final int MOST_THUMBNAILS = 64;
    private static final int THUMBNAIL = 320;
    private static final int MOST_TICKS = 8192;
    private static final int BINS = 8192;

    record Thumbnail(long micros, BufferedImage image) {}

    /** A token of the first sequence, in its order. */
    record Token(Modality modality, int item, boolean body, long start, long end) {}

    final String name;
    final String described;
    final boolean hears;
    final List<Thumbnail> thumbnails = new ArrayList<>();
    final List<Token> first = new ArrayList<>();
    long soundTokens;
    /** Loudest sample of each bin. */
    float[] peaks = new float[BINS];

    long binMicros = 1000;
    long[] ticks = new long[1024];
    int tickCount;

    private long used;
    private long thumbnailStride = 1;
    private long frames;
    private long tickStride = 1;

    TimelineScene(MediaFile file, Optional<AudioConfig> audio) {
        name = file.name();
        hears = audio.isPresent() && file.audio().isPresent();
        List<String> parts = new ArrayList<>();
        file.video().ifPresent(v -> parts.add(v.codec() + " " + v.width() + "×" + v.height()));
        file.audio().ifPresent(a -> parts.add(a.codec() + " " + a.sampleRate() + " Hz"));
        described = String.join(", ", parts);
    }

    void frame(long micros) {
        if (frames++ % tickStride != 0) {
            return;
        }
        if (tickCount == MOST_TICKS) {
            for (int i = 0; i < tickCount / 2; i++) {
                ticks[i] = ticks[2 * i];
            }
            tickCount /= 2;
            tickStride *= 2;
        }
        if (tickCount == ticks.length) {
            ticks = Arrays.copyOf(ticks, 2 * tickCount);
        }
        ticks[tickCount++] = micros;
    }

    void sound(long micros, FloatBuffer samples, int rate) {
        for (int i = 0; i < samples.remaining(); i++) {
            long at = Math.max(0, micros + i * 1_000_000L / rate);
            while (at / binMicros >= BINS) {
                for (int b = 0; b < BINS; b++) {
                    peaks[b] = 2 * b < BINS ? Math.max(peaks[2 * b], peaks[2 * b + 1]) : 0;
                }
                binMicros *= 2;
            }
            int bin = (int) (at / binMicros);
            peaks[bin] = Math.max(peaks[bin], Math.abs(samples.get(samples.position() + i)));
        }
    }

    void add(VideoWindow window) {
        for (VideoWindow.Image image : window.images()) {
            if (used++ % thumbnailStride != 0) {
                continue;
            }
            if (thumbnails.size() == MOST_THUMBNAILS) {
                for (int i = MOST_THUMBNAILS - 1; i > 0; i -= 2) {
                    thumbnails.remove(i);
                }
                thumbnailStride *= 2;
                if ((used - 1) % thumbnailStride != 0) {
                    continue;
                }
            }
            thumbnails.add(new Thumbnail(image.micros(), thumbnail(image)));
        }
        Tokens tokens = window.result().tokens();
        boolean fill = first.isEmpty();
        for (int i = 0; i < tokens.count(); i++) {
            boolean body = tokens.gridColumn(i) >= 0;
            if (tokens.modality(i) == Modality.AUDIO && body) {
                soundTokens++;
            }
            if (fill) {
                first.add(new Token(
                        tokens.modality(i), tokens.item(i), body, tokens.startMicros(i), tokens.endMicros(i)));
            }
        }
    }

    private static BufferedImage thumbnail(VideoWindow.Image image) {
        int step = Math.max(1, Math.max(image.width(), image.height()) / THUMBNAIL);
        int w = image.width() / step;
        int h = image.height() / step;
        BufferedImage small = new BufferedImage(w, h, BufferedImage.TYPE_INT_RGB);
        ByteBuffer pixels = image.pixels();
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int at = (y * step * image.width() + x * step) * 3;
                small.setRGB(
                        x,
                        y,
                        (pixels.get(at) & 255) << 16 | (pixels.get(at + 1) & 255) << 8 | pixels.get(at + 2) & 255);
            }
        }
        return small;
    }
}
