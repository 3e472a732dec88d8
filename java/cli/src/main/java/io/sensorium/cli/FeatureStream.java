package io.sensorium.cli;

import io.sensorium.AudioStream;
import io.sensorium.Engine;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.media.Sound;
import io.sensorium.models.AudioPreset;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Feeds a sound to a stream in chunks, as a microphone would. */
final class FeatureStream {
    /**
     * What a stream gave.
     *
     * @param values [frames, mels]
     * @param pushes chunks
     * @param nanos spent in the stream's calls
     * @param latencyMicros from the centre of a frame's window until it can be read
     */
    record Run(FloatBuffer values, long frames, int pushes, long nanos, long latencyMicros) {}

    private FeatureStream() {}

    /** The transform of a preset with what a stream needs in place of what takes the whole sound. */
    static LogMelConfig config(AudioPreset preset, Double maximum) {
        LogMelConfig config = preset.logMel();
        return switch (config.clip()) {
            case CLIP_MAX -> {
                boolean whisper = preset.name().startsWith("whisper");
                if (maximum == null && !whisper) {
                    throw new UserError(preset.name() + " is clipped below the sound's own maximum: give a fixed one"
                            + " for the stream with --maximum");
                }
                yield config.withFixedMaximum(maximum == null ? LogMelConfig.WHISPER_STREAM_MAXIMUM : maximum);
            }
            default -> config;
        };
    }

    static Run run(Engine engine, LogMelConfig config, Sound sound, double millis) {
        FloatBuffer samples = sound.samples().duplicate();
        int chunk = Math.toIntExact(
                Math.min(Math.max(1, Math.round(millis * sound.sampleRate() / 1e3)), Math.max(1, samples.remaining())));
        try (AudioStream stream = engine.audioStream(config, sound.sampleRate(), 0)) {
            FloatBuffer out = direct(Math.max(1, (estimate(sound, config) + 16) * config.nMels()));
            int end = samples.limit();
            int pushes = 0;
            long start = System.nanoTime();
            while (samples.position() < end) {
                samples.limit(Math.min(end, samples.position() + chunk));
                pushes++;
                while (samples.hasRemaining()) {
                    stream.push(samples);
                    stream.read(out);
                }
            }
            stream.finish();
            stream.read(out);
            long nanos = System.nanoTime() - start;
            if (stream.frames() != 0) {
                throw new IllegalStateException("frames are left in the stream");
            }
            long frames = out.position() / config.nMels();
            long latency = stream.latency() * 1_000_000 / sound.sampleRate();
            return new Run(out.flip(), frames, pushes, nanos, latency);
        }
    }

    /** Features of the whole sound at once, [frames, mels]. */
    static FloatBuffer offline(Engine engine, LogMelConfig config, Sound sound) {
        FloatBuffer samples = Inputs.atRate(engine, sound, config.sampleRate());
        try (LogMel logMel = engine.logMel(config.toBuilder().melMajor(false).build())) {
            long frames = logMel.frames(samples.remaining());
            FloatBuffer out = direct(frames * config.nMels());
            if (frames > 0) {
                logMel.run(samples, out);
            }
            return out;
        }
    }

    private static long estimate(Sound sound, LogMelConfig config) {
        double seconds = (double) sound.samples().remaining() / sound.sampleRate();
        double frames = seconds * config.sampleRate() / config.hop();
        if (frames * config.nMels() > 1 << 28) {
            throw new UserError("the features would have " + (long) frames + " frames");
        }
        return (long) frames;
    }

    private static FloatBuffer direct(long count) {
        return ByteBuffer.allocateDirect(Math.toIntExact(Math.multiplyExact(count, 4L)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
