package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class AudioStreamTest {
    private static final LogMelConfig WHISPER = LogMelConfig.builder()
            .hop(160)
            .nMels(80)
            .dropLastFrame(true)
            .melScale(MelScale.SLANEY)
            .slaneyNorm(true)
            .log(LogKind.LOG10)
            .clip(ClipRange.CLIP_MAX)
            .clipRange(8)
            .outScale(0.25)
            .outShift(1)
            .melMajor(true)
            .build();
    private static final LogMelConfig STREAMED = WHISPER.withFixedMaximum(LogMelConfig.WHISPER_STREAM_MAXIMUM);

    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.builder().threads(2).open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    private static FloatBuffer direct(int count) {
        return ByteBuffer.allocateDirect(4 * count)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }

    private static float[] sound(int count) {
        Random random = new Random(count);
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = (float) (0.3 * Math.sin(i * 0.03) + 0.01 * random.nextGaussian());
        }
        return x;
    }

    private static float[] array(FloatBuffer buffer) {
        float[] out = new float[buffer.remaining()];
        buffer.get(buffer.position(), out);
        return out;
    }

    /** [frames, mels] of the whole. */
    private static float[] offline(LogMelConfig config, int rate, float[] samples) {
        FloatBuffer x = FloatBuffer.wrap(samples);
        if (rate != config.sampleRate()) {
            try (Resampler resampler = engine.resampler(rate, config.sampleRate())) {
                FloatBuffer y = direct((int) resampler.outputLength(samples.length));
                resampler.run(x, y);
                x = y;
            }
        }
        try (LogMel logMel = engine.logMel(config.toBuilder().melMajor(false).build())) {
            FloatBuffer out = direct(logMel.frames(x.remaining()) * config.nMels());
            logMel.run(x, out);
            return array(out);
        }
    }

    private static float[] streamed(AudioStream stream, float[] samples, Random random) {
        FloatBuffer out = direct(1 << 20);
        for (int at = 0; at < samples.length; ) {
            int count = Math.min(samples.length - at, random.nextBoolean() ? 1 : random.nextInt(3000));
            FloatBuffer chunk = random.nextBoolean()
                    ? FloatBuffer.wrap(samples, at, count).slice()
                    : direct(count).put(0, samples, at, count);
            int taken = stream.push(chunk);
            assertEquals(taken, chunk.position());
            at += taken;
            if (taken < Math.min(count, stream.capacity()) || random.nextBoolean()) {
                stream.read(out);
            }
        }
        stream.finish();
        stream.read(out);
        assertEquals(0, stream.frames());
        return array(out.flip());
    }

    @ParameterizedTest
    @ValueSource(ints = {16000, 44100, 48000, 22050, 8000, 44099})
    void isBitEqualToTheWholeAtAnyRate(int rate) {
        float[] x = sound(rate + 77);
        float[] want = offline(STREAMED, rate, x);
        try (AudioStream stream = engine.audioStream(STREAMED, rate, 0)) {
            for (int seed = 0; seed < 3; seed++) {
                assertArrayEquals(want, streamed(stream, x, new Random(seed)), "seed " + seed);
                stream.clear();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Padding.class)
    void isBitEqualToTheWholeForEveryPadding(Padding padding) {
        LogMelConfig config = LogMelConfig.builder()
                .nFft(512)
                .winLength(400)
                .hop(160)
                .padding(padding)
                .preemphasis(0.97)
                .preemphasisSignal(padding == Padding.ZERO)
                .removeDc(true)
                .log(LogKind.LN)
                .build();
        float[] x = sound(5003);
        try (AudioStream stream = engine.audioStream(config, 16000, 1000)) {
            assertArrayEquals(offline(config, 16000, x), streamed(stream, x, new Random(1)));
        }
    }

    @Test
    void int16AndForeignBuffersGiveTheSame() {
        short[] s = new short[4000];
        float[] x = new float[s.length];
        for (int i = 0; i < s.length; i++) {
            s[i] = (short) (i * 37);
            x[i] = s[i] / 32768f;
        }
        float[] want = offline(STREAMED, 16000, x);
        try (AudioStream stream = engine.audioStream(STREAMED, 16000, 0)) {
            ShortBuffer big = ByteBuffer.allocateDirect(8000)
                    .order(ByteOrder.BIG_ENDIAN)
                    .asShortBuffer()
                    .put(0, s);
            assertEquals(4000, stream.push(big));
            stream.finish();
            FloatBuffer out = FloatBuffer.allocate(want.length + 5);
            assertEquals(25, stream.read(out));
            assertArrayEquals(want, array(out.flip()));
            stream.clear();
            stream.push(ShortBuffer.wrap(s));
            stream.finish();
            FloatBuffer bigOut = ByteBuffer.allocateDirect(4 * want.length)
                    .order(ByteOrder.BIG_ENDIAN)
                    .asFloatBuffer();
            assertEquals(25, stream.read(bigOut));
            assertArrayEquals(want, array(bigOut.flip()));
        }
    }

    /** Frames of a stream through a session give the tokens of the whole sound. */
    @Test
    void tokensAreThoseOfTheWholeSound() {
        float[] x = sound(20000);
        float[] weight = sound(24 * 80);
        try (Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(24).build())
                        .audio(AudioConfig.builder()
                                .logMel(STREAMED)
                                .tokens(AudioTokens.FRAMES)
                                .hasBias(false)
                                .build())
                        .tensor("audio.frame.weight", FloatBuffer.wrap(weight), 24, 80)
                        .build();
                Session session = model.newSession(SessionLimits.builder()
                        .maxItems(1)
                        .maxTokens(200)
                        .maxSamples(20000)
                        .build());
                AudioStream stream = engine.audioStream(STREAMED, 16000, 0)) {
            float[] want = array(
                    session.clear().audio(FloatBuffer.wrap(x)).run().tokens().values());
            FloatBuffer rows = direct(100 * 80);
            FloatBuffer got = FloatBuffer.allocate(want.length);
            for (int at = 0; at <= x.length; at += 777) {
                FloatBuffer chunk = FloatBuffer.wrap(x, at, Math.min(777, x.length - at));
                while (chunk.hasRemaining()) {
                    stream.push(chunk);
                }
                if (at + 777 > x.length) {
                    stream.finish();
                }
                int frames = stream.read(rows.clear());
                if (frames > 0) {
                    got.put(session.clear()
                            .features(rows.flip(), frames, 80)
                            .run()
                            .tokens()
                            .values());
                }
            }
            assertArrayEquals(want, array(got.flip()));
        }
    }

    @Test
    void whatNeedsTheWholeSoundIsRefused() {
        InvalidArgumentException clip =
                assertThrows(InvalidArgumentException.class, () -> engine.audioStream(WHISPER, 16000, 0));
        assertEquals("log_mel.clip", clip.field());
        LogMelConfig zScore = LogMelConfig.builder().norm(FeatureNorm.PER_BIN).build();
        InvalidArgumentException norm =
                assertThrows(InvalidArgumentException.class, () -> engine.audioStream(zScore, 16000, 0));
        assertEquals("log_mel.norm", norm.field());
        assertThrows(InvalidArgumentException.class, () -> engine.audioStream(STREAMED, 0, 0));
        LimitExceededException rates =
                assertThrows(LimitExceededException.class, () -> engine.audioStream(STREAMED, Integer.MAX_VALUE, 0));
        assertEquals("input_rate", rates.field());
    }

    @Test
    void misuseIsRefused() {
        AudioStream stream = engine.audioStream(STREAMED, 16000, 0);
        FloatBuffer bad = FloatBuffer.wrap(new float[] {0, 0, Float.NaN});
        OutOfRangeException e = assertThrows(OutOfRangeException.class, () -> stream.push(bad));
        assertEquals("samples[2]", e.field());
        assertEquals(0, bad.position());
        assertThrows(
                IllegalArgumentException.class,
                () -> stream.read(FloatBuffer.allocate(80).asReadOnlyBuffer()));
        assertTrue(stream.latency() > 0 && stream.capacity() == 16000 && stream.memoryBytes() > 0);
        stream.finish();
        assertThrows(RuntimeException.class, () -> stream.push(FloatBuffer.allocate(1)));
        stream.close();
        stream.close();
        assertThrows(IllegalStateException.class, stream::frames);
        assertThrows(IllegalStateException.class, () -> stream.push(FloatBuffer.allocate(1)));
    }

    @Test
    void aChunkAllocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();
        FloatBuffer chunk = direct(160).put(0, sound(160));
        FloatBuffer rows = direct(80 * 4);
        try (AudioStream stream = engine.audioStream(STREAMED, 16000, 0)) {
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 6; round++) {
                long before = threads.getThreadAllocatedBytes(thread);
                for (int i = 0; i < 500; i++) {
                    stream.push(chunk.clear());
                    stream.read(rows.clear());
                }
                least = Math.min(least, threads.getThreadAllocatedBytes(thread) - before);
            }
            assertEquals(0, least);
        }
    }
}
