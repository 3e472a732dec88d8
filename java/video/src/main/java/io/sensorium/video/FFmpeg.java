package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avutil.AVERROR_EXIT;
import static org.bytedeco.ffmpeg.global.avutil.AV_LOG_QUIET;
import static org.bytedeco.ffmpeg.global.avutil.av_log_set_level;
import static org.bytedeco.ffmpeg.global.avutil.av_strerror;
import static org.bytedeco.ffmpeg.presets.avutil.AVERROR_ENOMEM;

import io.sensorium.CorruptInputException;
import io.sensorium.DeviceUnavailableException;
import io.sensorium.LimitExceededException;
import io.sensorium.SensoriumException;
import io.sensorium.SensoriumOutOfMemoryException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CancellationException;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.javacpp.Loader;

/** Loads FFmpeg and puts its errors into words. */
final class FFmpeg {
    private FFmpeg() {}

    private static final class Loaded {
        static {
            // JavaCPP would refuse memory when the process is larger than twice the Java heap.
            if (System.getProperty("org.bytedeco.javacpp.maxPhysicalBytes") == null) {
                System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
            }
            Loader.load(avutil.class);
            Loader.load(avcodec.class);
            Loader.load(avformat.class);
            Loader.load(swscale.class);
            // It writes what it thinks of a file to stderr.
            av_log_set_level(AV_LOG_QUIET);
        }

        static void touch() {}
    }

    static void load() {
        try {
            Loaded.touch();
        } catch (LinkageError e) {
            throw new DeviceUnavailableException(
                    "FFmpeg cannot be used (is org.bytedeco:ffmpeg's jar for " + Loader.getPlatform() + " there?): "
                            + e.getMessage(),
                    "",
                    SensoriumException.NO_LIMIT,
                    e);
        }
    }

    static String text(int error) {
        byte[] text = new byte[256];
        av_strerror(error, text, text.length);
        int end = 0;
        while (end < text.length && text[end] != 0) {
            end++;
        }
        return new String(text, 0, end, StandardCharsets.UTF_8);
    }

    /** {@code what} went wrong with {@code error} in the file. */
    static RuntimeException error(String name, String what, int error, SourceIo io) {
        Throwable failure = io.failure();
        if (io.cancelled() || error == AVERROR_EXIT) {
            return new CancellationException(name + ": cancelled");
        }
        if (failure instanceof java.io.IOException e) {
            return new java.io.UncheckedIOException(name + ": " + e.getMessage(), e);
        }
        if (error == AVERROR_ENOMEM()) {
            return new SensoriumOutOfMemoryException(
                    name + ": " + what + ": FFmpeg has no memory", "", SensoriumException.NO_LIMIT, failure);
        }
        return new CorruptInputException(
                name + ": " + what + ": " + text(error), name, SensoriumException.NO_LIMIT, failure);
    }

    static CorruptInputException corrupt(String name, String what) {
        return new CorruptInputException(name + ": " + what, name);
    }

    static LimitExceededException exceeded(String name, String what, long limit) {
        return new LimitExceededException(name + ": " + what + "; the limit is " + limit, name, limit, null);
    }
}
