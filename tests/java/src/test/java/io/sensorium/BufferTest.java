package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever buffer holds the numbers, the result is the same. */
class BufferTest {
    /** Ways to hold elements of so many bytes in a ByteBuffer, with junk before and behind them. */
    enum Flavour {
        HEAP,
        DIRECT,
        SLICED,
        POSITIONED,
        READ_ONLY,
        READ_ONLY_HEAP,
        BIG_ENDIAN,
        BIG_ENDIAN_HEAP,
        MISALIGNED;

        ByteBuffer empty(int bytes) {
            ByteBuffer buffer =
                    name().endsWith("HEAP") ? ByteBuffer.allocate(bytes + 64) : ByteBuffer.allocateDirect(bytes + 64);
            for (int i = 0; i < buffer.capacity(); i++) {
                buffer.put(i, (byte) 0x7f);
            }
            buffer.order(name().startsWith("BIG") ? ByteOrder.BIG_ENDIAN : ByteOrder.nativeOrder());
            ByteOrder order = buffer.order();
            return switch (this) {
                case MISALIGNED -> buffer.slice(1, bytes).order(order);
                case SLICED -> buffer.slice(16, bytes).order(order);
                default -> buffer.limit(bytes);
            };
        }

        FloatBuffer floats(float... values) {
            FloatBuffer buffer = empty(values.length * 4 + pad()).asFloatBuffer();
            buffer.position(pad() / 4).put(values).position(pad() / 4);
            return readOnly() ? buffer.asReadOnlyBuffer() : buffer;
        }

        ShortBuffer shorts(short... values) {
            ShortBuffer buffer = empty(values.length * 2 + pad()).asShortBuffer();
            buffer.position(pad() / 2).put(values).position(pad() / 2);
            return readOnly() ? buffer.asReadOnlyBuffer() : buffer;
        }

        LongBuffer longs(long... values) {
            LongBuffer buffer = empty(values.length * 8 + pad()).asLongBuffer();
            buffer.position(pad() / 8).put(values).position(pad() / 8);
            return readOnly() ? buffer.asReadOnlyBuffer() : buffer;
        }

        ByteBuffer bytes(byte... values) {
            ByteBuffer buffer = empty(values.length + pad());
            buffer.position(pad()).put(values).position(pad());
            return readOnly() ? buffer.asReadOnlyBuffer() : buffer;
        }

        private int pad() {
            return this == POSITIONED ? 24 : 0;
        }

        boolean readOnly() {
            return name().startsWith("READ_ONLY");
        }
    }

    private static Engine engine;
    private static Model model;
    private static Session session;

    @BeforeAll
    static void open() {
        engine = Engine.builder().threads(1).open();
        model = new TinyModels().build(engine);
        session = model.newSession(TinyModels.LIMITS);
    }

    @AfterAll
    static void close() {
        session.close();
        model.close();
        engine.close();
    }

    private static float[] tokens(Supplier<Session> request) {
        return TinyModels.array(request.get().run().tokens().values());
    }

    @ParameterizedTest
    @EnumSource(Flavour.class)
    void everyFlavourGivesTheSameTokens(Flavour flavour) {
        byte[] image = TinyModels.pixels(5);
        float[] planar = TinyModels.sound(6, 48);
        float[] sound = TinyModels.sound(7, 300);
        short[] sound16 = new short[300];
        for (int i = 0; i < sound16.length; i++) {
            sound16[i] = (short) (sound[i] * 32768);
        }
        long[] ids = {3, 1, 10};
        float[] expected = tokens(() -> session.clear()
                .image(TinyModels.direct(image), 4, 4, 3)
                .pixels(TinyModels.direct(planar), 3, 4, 4)
                .audio(TinyModels.direct(sound))
                .audio(TinyModels.direct(sound16))
                .text(TinyModels.direct(ids)));
        ByteBuffer bytes = flavour.bytes(image);
        FloatBuffer floats = flavour.floats(planar);
        ShortBuffer shorts = flavour.shorts(sound16);
        LongBuffer longs = flavour.longs(ids);
        int position = floats.position();
        float[] actual = tokens(() -> session.clear()
                .image(bytes, 4, 4, 3)
                .pixels(floats, 3, 4, 4)
                .audio(flavour.floats(sound))
                .audio(shorts)
                .text(longs));
        assertArrayEquals(expected, actual);
        assertEquals(position, floats.position(), "the position must stay");
        assertEquals(position + 48, floats.limit(), "the limit must stay");
    }

    @ParameterizedTest
    @EnumSource(Flavour.class)
    void everyFlavourOfWeightsGivesTheSameModel(Flavour flavour) {
        TinyModels tiny = new TinyModels();
        Model.Builder builder = TinyModels.configured(engine);
        tiny.tensors.forEach((name, values) -> builder.tensor(name, flavour.floats(values), tiny.shapes.get(name)));
        try (Model same = builder.build();
                Session s = same.newSession(TinyModels.LIMITS)) {
            LongBuffer ids = TinyModels.direct(1, 2, 3);
            assertArrayEquals(
                    tokens(() -> session.clear().text(ids)),
                    tokens(() -> s.clear().text(ids)));
        }
    }

    @ParameterizedTest
    @EnumSource(Flavour.class)
    void everyFlavourOfLogMelAndResampler(Flavour flavour) {
        float[] sound = TinyModels.sound(8, 500);
        try (LogMel logMel = engine.logMel(TinyModels.LOG_MEL);
                Resampler resampler = engine.resampler(16000, 8000)) {
            FloatBuffer features = TinyModels.direct(new float[logMel.frames(500) * logMel.mels()]);
            FloatBuffer resampled = TinyModels.direct(new float[(int) resampler.outputLength(500)]);
            logMel.run(TinyModels.direct(sound), features);
            resampler.run(TinyModels.direct(sound), resampled);
            FloatBuffer features2 = flavour.floats(new float[features.remaining()]);
            FloatBuffer resampled2 = flavour.floats(new float[resampled.remaining()]);
            if (flavour.readOnly()) {
                FloatBuffer in = flavour.floats(sound);
                assertThrows(IllegalArgumentException.class, () -> logMel.run(in, features2));
                assertThrows(IllegalArgumentException.class, () -> resampler.run(in, resampled2));
                return;
            }
            logMel.run(flavour.floats(sound), features2);
            resampler.run(flavour.floats(sound), resampled2);
            assertArrayEquals(TinyModels.array(features), TinyModels.array(features2));
            assertArrayEquals(TinyModels.array(resampled), TinyModels.array(resampled2));
        }
    }

    @Test
    void wrongSizesAreRefusedAndAddNothing() {
        session.clear();
        assertThrows(IllegalArgumentException.class, () -> session.image(ByteBuffer.allocateDirect(47), 4, 4, 3));
        assertThrows(IllegalArgumentException.class, () -> session.image(ByteBuffer.allocateDirect(49), 4, 4, 3));
        assertThrows(IllegalArgumentException.class, () -> session.pixels(FloatBuffer.allocate(47), 3, 4, 4));
        assertThrows(IllegalArgumentException.class, () -> session.features(FloatBuffer.allocate(9), 2, 5));
        assertThrows(IllegalArgumentException.class, () -> session.tokens(Modality.TEXT, FloatBuffer.allocate(5), 1));
        assertEquals(0, session.run().tokens().count());
        try (LogMel logMel = engine.logMel(TinyModels.LOG_MEL);
                Resampler resampler = engine.resampler(2, 1)) {
            FloatBuffer in = FloatBuffer.allocate(500);
            assertThrows(IllegalArgumentException.class, () -> logMel.run(in, FloatBuffer.allocate(3)));
            assertThrows(IllegalArgumentException.class, () -> resampler.run(in, FloatBuffer.allocate(249)));
            assertThrows(IllegalArgumentException.class, () -> resampler.run(in, FloatBuffer.allocate(251)));
        }
        try (Model.Builder builder = engine.newModel()) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> builder.tensor("text.embedding", FloatBuffer.allocate(5), 2, 3));
        }
    }
}
