package io.sensorium.video;

import io.sensorium.AudioConfig;
import io.sensorium.AudioStream;
import io.sensorium.AudioTokens;
import io.sensorium.ClipRange;
import io.sensorium.Engine;
import io.sensorium.FeatureNorm;
import io.sensorium.Format;
import io.sensorium.LogMelConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Resampler;
import io.sensorium.Session;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Sound that waits for its window. */
abstract class SoundQueue implements AutoCloseable {
    /** Values that wait, from position 0 of the queue on. */
    private FloatBuffer waiting = direct(1 << 14);

    private int head;
    private int tail;

    static SoundQueue of(Model model, int inputRate) {
        AudioConfig config = model.audio().orElseThrow();
        LogMelConfig logMel = config.logMel();
        boolean streams = logMel.clip() != ClipRange.CLIP_MAX && logMel.norm() == FeatureNorm.NONE;
        return streams ? new Features(model, config, inputRate) : new Samples(model, config, inputRate);
    }

    /** Takes samples of the sound's own rate. */
    abstract void push(FloatBuffer samples);

    /** The sound ends. */
    abstract void finish();

    /** Whether everything that begins before {@code end} is here. */
    abstract boolean complete(Rational start, Rational end);

    /** How many tokens the part before {@code end} gives; 0 if it is too short for one. */
    abstract long tokens(Rational start, Rational end);

    /** Adds the part before {@code end}, which must give tokens, and forgets it once {@link #release} is called. */
    abstract void add(Session session, Rational start, Rational end);

    /** Forgets the part before {@code end}. */
    abstract void release(Rational start, Rational end);

    /** Samples at the model's rate that a session must take. */
    abstract long maxSamples(Rational start, Rational end);

    /** Whether something waits. */
    boolean isEmpty() {
        return head == tail;
    }

    long bytes() {
        return 4L * (tail - head);
    }

    final int waitingCount() {
        return tail - head;
    }

    final FloatBuffer first(int count) {
        return waiting.duplicate().position(head).limit(head + count);
    }

    final void drop(int count) {
        head += count;
    }

    /** Room for {@code count} more values at the end; their number is told by {@link #filled}. */
    final FloatBuffer room(int count) {
        if (tail + count > waiting.capacity()) {
            int kept = tail - head;
            FloatBuffer larger =
                    kept + count <= waiting.capacity() / 2 ? waiting : direct(Math.max(2 * kept, kept) + count);
            // Not over itself when the two halves overlap: put copies as memmove does.
            larger.put(0, waiting, head, kept);
            waiting = larger;
            head = 0;
            tail = kept;
        }
        return waiting.duplicate().position(tail).limit(tail + count);
    }

    final void filled(int count) {
        tail += count;
    }

    static FloatBuffer direct(int floats) {
        return ByteBuffer.allocateDirect(Math.multiplyExact(4, floats))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }

    /** Twice the sample at the middle of frame 0's window. */
    static long firstCentre(LogMelConfig c) {
        long left = c.windowCentred() ? (c.nFft() - c.winLength()) / 2 : 0;
        return switch (c.padding()) {
            case NONE -> 2 * left + c.winLength();
            case REFLECT, ZERO, EDGE -> 2 * (left - c.nFft() / 2) + c.winLength();
            case KALDI_REFLECT -> 2 * (c.hop() / 2 - c.winLength() / 2) + c.winLength();
        };
    }

    /** Time from one token to the next, in half samples of the model's rate. */
    static long tokenStep(AudioConfig c) {
        return 2L * c.logMel().hop() * (c.tokens() == AudioTokens.PATCHES ? c.strideTime() : 1);
    }

    /** Twice the sample in the middle of token 0. */
    static long tokenCentre(AudioConfig c) {
        int frames = c.tokens() == AudioTokens.PATCHES ? c.patchTime() : 1;
        return firstCentre(c.logMel()) + (long) c.logMel().hop() * (frames - 1);
    }

    /**
     * The usual case: log-mel frames are made as the sound comes, and are those of the whole sound to the bit wherever windows
     * cut it.
     */
    private static final class Features extends SoundQueue {
        private final Model model;
        private final AudioStream stream;
        private final LogMelConfig logMel;
        private final int least;
        private long dropped;
        private boolean finished;

        Features(Model model, AudioConfig config, int inputRate) {
            this.model = model;
            this.logMel = config.logMel();
            this.stream = model.engine().audioStream(logMel, inputRate, 0);
            this.least = config.tokens() == AudioTokens.PATCHES && config.fixedFrames() == 0 ? config.patchTime() : 1;
        }

        @Override
        void push(FloatBuffer samples) {
            while (samples.hasRemaining()) {
                stream.push(samples);
                read();
            }
        }

        private void read() {
            int frames = Math.toIntExact(stream.frames());
            if (frames > 0) {
                filled(stream.read(room(frames * stream.mels())) * stream.mels());
            }
        }

        @Override
        void finish() {
            stream.finish();
            read();
            finished = true;
        }

        private long framesBefore(Rational start, Rational end) {
            Rational samples = end.minus(start).times(2L * logMel.sampleRate());
            Rational frames = samples.minus(Rational.of(firstCentre(logMel), 1)).dividedBy(2L * logMel.hop());
            return Math.max(0, frames.ceil());
        }

        private int count(Rational start, Rational end) {
            long here = waitingCount() / stream.mels();
            return (int) Math.max(0, Math.min(here, framesBefore(start, end) - dropped));
        }

        @Override
        boolean complete(Rational start, Rational end) {
            return finished || dropped + waitingCount() / stream.mels() >= framesBefore(start, end);
        }

        @Override
        long tokens(Rational start, Rational end) {
            int frames = count(start, end);
            return frames < least ? 0 : model.countTokens(Modality.AUDIO, Format.F32_FEATURES, frames, stream.mels());
        }

        @Override
        void add(Session session, Rational start, Rational end) {
            int frames = count(start, end);
            session.at(start.micros(), 0).features(first(frames * stream.mels()), frames, stream.mels(), dropped);
        }

        @Override
        void release(Rational start, Rational end) {
            int frames = count(start, end);
            drop(frames * stream.mels());
            dropped += frames;
        }

        @Override
        long maxSamples(Rational start, Rational end) {
            return 1;
        }

        @Override
        public void close() {
            stream.close();
        }
    }

    /** Front ends that look at a whole clip at once (Whisper's range, norms): each window is a clip of its own. */
    private static final class Samples extends SoundQueue {
        private final Model model;
        private final Resampler resampler;
        private final int inputRate;
        private FloatBuffer resampled = direct(0);
        private long dropped;
        private boolean finished;

        Samples(Model model, AudioConfig config, int inputRate) {
            this.model = model;
            this.inputRate = inputRate;
            Engine engine = model.engine();
            this.resampler = engine.resampler(inputRate, config.logMel().sampleRate());
        }

        @Override
        void push(FloatBuffer samples) {
            int count = samples.remaining();
            room(count).put(samples);
            filled(count);
        }

        @Override
        void finish() {
            finished = true;
        }

        private long samplesBefore(Rational start, Rational end) {
            return Math.max(0, end.minus(start).times(inputRate).ceil());
        }

        private int count(Rational start, Rational end) {
            return (int) Math.max(0, Math.min(waitingCount(), samplesBefore(start, end) - dropped));
        }

        @Override
        boolean complete(Rational start, Rational end) {
            return finished || dropped + waitingCount() >= samplesBefore(start, end);
        }

        @Override
        long maxSamples(Rational start, Rational end) {
            return Math.max(1, resampler.outputLength(count(start, end)));
        }

        @Override
        long tokens(Rational start, Rational end) {
            int count = count(start, end);
            try {
                return count == 0
                        ? 0
                        : model.countTokens(Modality.AUDIO, Format.F32_PCM, resampler.outputLength(count));
            } catch (io.sensorium.InvalidShapeException tooShort) {
                return 0;
            }
        }

        @Override
        void add(Session session, Rational start, Rational end) {
            int count = count(start, end);
            int length = Math.toIntExact(resampler.outputLength(count));
            if (resampled.capacity() < length) {
                resampled = direct(length);
            }
            resampled.clear().limit(length);
            resampler.run(first(count), resampled);
            Rational at = start.plus(new Rational(dropped, inputRate));
            session.at(at.micros(), 0).audio(resampled);
        }

        @Override
        void release(Rational start, Rational end) {
            int count = count(start, end);
            drop(count);
            dropped += count;
        }

        @Override
        public void close() {
            resampler.close();
        }
    }

    @Override
    public abstract void close();
}
