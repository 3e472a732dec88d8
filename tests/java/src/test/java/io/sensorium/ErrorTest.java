package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What is wrong has a type, a field and a limit, and leaves everything usable. */
class ErrorTest {
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

    private static <T extends SensoriumException> T fails(Class<T> type, Runnable use) {
        T e = assertThrows(type, use::run);
        assertFalse(e.getMessage().isBlank());
        // Whatever failed, the next request is right.
        assertEquals(
                3, session.clear().text(TinyModels.direct(1)).run().tokens().count());
        return e;
    }

    @Test
    void tokenIdsOutsideTheVocabulary() {
        OutOfRangeException e = fails(
                OutOfRangeException.class,
                () -> session.clear()
                        .text(TinyModels.direct(0))
                        .text(TinyModels.direct(1, 11))
                        .run());
        assertEquals(ErrorCode.OUT_OF_RANGE, e.code());
        assertTrue(e.field().startsWith("items[1]"), e.field());
        fails(
                OutOfRangeException.class,
                () -> session.clear().text(TinyModels.direct(-1)).run());
    }

    @Test
    void samplesThatAreNotNumbers() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            float[] pcm = TinyModels.sound(1, 500);
            pcm[400] = bad;
            OutOfRangeException e = fails(
                    OutOfRangeException.class,
                    () -> session.clear().audio(TinyModels.direct(pcm)).run());
            assertTrue(e.field().startsWith("items[0]"), e.field());
        }
    }

    @Test
    void valuesThatAreNotNumbersCanBeReplacedAndCounted() {
        float[] pcm = TinyModels.sound(1, 500);
        float[] clean = pcm.clone();
        clean[3] = clean[400] = clean[401] = 0;
        pcm[3] = Float.NaN;
        pcm[400] = Float.POSITIVE_INFINITY;
        pcm[401] = Float.NEGATIVE_INFINITY;
        float[] want = TinyModels.array(
                session.clear().audio(FloatBuffer.wrap(clean)).run().tokens().values());
        try {
            session.replaceNonFinite(true);
            for (FloatBuffer buffer : new FloatBuffer[] {TinyModels.direct(pcm), FloatBuffer.wrap(pcm)}) {
                session.clear().text(TinyModels.direct(1)).clear().audio(buffer);
                assertEquals(3, session.replaced());
                assertArrayEquals(want, TinyModels.array(session.run().tokens().values()));
            }
            assertTrue(Float.isNaN(pcm[3]), "the caller's buffer stays as it is");
            assertEquals(0, session.clear().replaced());
        } finally {
            session.clear().replaceNonFinite(false);
        }
        samplesThatAreNotNumbers();
    }

    @Test
    void moreThanTheLimits() {
        LimitExceededException items = fails(LimitExceededException.class, () -> {
            session.clear();
            for (int i = 0; i < 9; i++) {
                session.text(TinyModels.direct(1));
            }
        });
        assertEquals(8, items.limit());
        assertEquals("items", items.field());
        LimitExceededException samples = fails(
                LimitExceededException.class,
                () -> session.clear().audio(TinyModels.direct(new float[4001])).run());
        assertEquals(4000, samples.limit());
        LimitExceededException tokens = fails(
                LimitExceededException.class,
                () -> session.clear()
                        .tokens(Modality.TEXT, FloatBuffer.allocate(255 * 6), 255)
                        .run());
        assertEquals(256, tokens.limit());
        fails(LimitExceededException.class, () -> {
            session.clear();
            for (int i = 0; i < 5; i++) {
                session.text(TinyModels.direct(1));
                if (i < 4) {
                    session.nextSequence();
                }
            }
            session.run();
        });
    }

    @Test
    void shapesThatAreNone() {
        for (int[] shape : new int[][] {{0, 4, 3}, {-4, -4, 3}, {4, 4, 0}}) {
            InvalidShapeException e = fails(
                    InvalidShapeException.class,
                    () -> session.clear().image(TinyModels.direct(new byte[48]), shape[0], shape[1], shape[2]));
            assertEquals("items[0]", e.field());
        }
        fails(
                InvalidShapeException.class,
                () -> session.clear()
                        .pixels(FloatBuffer.allocate(1), Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE));
        // Learned positions take exactly their grid.
        fails(
                InvalidShapeException.class,
                () -> session.clear()
                        .image(TinyModels.direct(new byte[4 * 6 * 3]), 4, 6, 3)
                        .run());
        fails(
                InvalidShapeException.class,
                () -> session.clear().features(FloatBuffer.allocate(8), 2, 4).run());
        fails(InvalidShapeException.class, () -> model.countTokens(Modality.TEXT, Format.I64_IDS));
        assertThrows(IllegalStateException.class, () -> session.clear().nextSequence());
    }

    @Test
    void everyMismatchOfWeightsAtOnce() {
        TinyModels tiny = new TinyModels();
        Model.Builder builder = TinyModels.configured(engine);
        tiny.tensors.forEach((name, values) -> {
            if (name.equals("text.position")) {
                builder.tensor(name, FloatBuffer.wrap(values), values.length); // another shape
            } else if (!name.equals("image.prefix")) { // missing
                builder.tensor(name, FloatBuffer.wrap(values), tiny.shapes.get(name));
            }
        });
        builder.tensor("unknown.name", FloatBuffer.allocate(1), 1);
        InvalidWeightsException e = fails(InvalidWeightsException.class, builder::build);
        for (String name : new String[] {"text.position", "image.prefix", "unknown.name"}) {
            assertTrue(e.getMessage().contains(name), e.getMessage());
        }
        assertTrue(e.mismatches().size() >= 3, e.getMessage());
        builder.close();
    }

    @Test
    void tensorsThatAreNone() {
        try (Model.Builder builder = engine.newModel()) {
            fails(InvalidShapeException.class, () -> builder.tensor("a", FloatBuffer.allocate(1), -1));
            fails(
                    InvalidShapeException.class,
                    () -> builder.tensor("a", FloatBuffer.allocate(1), Long.MAX_VALUE, Long.MAX_VALUE));
            builder.tensor("a", FloatBuffer.allocate(1), 1);
            assertThrows(SensoriumException.class, () -> builder.tensor("a", FloatBuffer.allocate(1), 1));
            fails(InvalidArgumentException.class, builder::build);
        }
    }

    @Test
    void configurationsThatCannotBe() {
        InvalidArgumentException hop = fails(
                InvalidArgumentException.class,
                () -> engine.logMel(LogMelConfig.builder().hop(0).build()));
        assertEquals("hop", hop.field());
        fails(
                InvalidArgumentException.class,
                () -> engine.logMel(LogMelConfig.builder().nFft(-2).build()));
        try (Model.Builder builder = engine.newModel()) {
            fails(
                    InvalidArgumentException.class,
                    () -> builder.sequence(SequenceConfig.builder().dModel(-1).build()));
            fails(
                    InvalidArgumentException.class,
                    () -> builder.image(ImageConfig.builder().patch(0).build()));
            fails(
                    InvalidArgumentException.class,
                    () -> builder.image(ImageConfig.builder().mean(1, 2).build()));
        }
        fails(
                InvalidArgumentException.class,
                () -> model.newSession(SessionLimits.builder().maxItems(0).build()));
        fails(
                LimitExceededException.class,
                () -> model.newSession(
                        SessionLimits.builder().maxItems(Integer.MAX_VALUE).build()));
    }

    @Test
    void hostileSampleRates() {
        fails(InvalidArgumentException.class, () -> engine.resampler(0, 16000));
        fails(InvalidArgumentException.class, () -> engine.resampler(16000, -1));
        fails(LimitExceededException.class, () -> engine.resampler(Integer.MAX_VALUE, Integer.MAX_VALUE - 1));
        try (Resampler resampler = engine.resampler(44099, 16000)) {
            assertEquals(16000, resampler.outputLength(44099));
        }
    }

    @Test
    void negativeThreads() {
        fails(InvalidArgumentException.class, () -> Engine.builder().threads(-1).open());
    }

    @Test
    void devicesTellWhatTheyAre() {
        Device cpu = Device.cpu();
        assertTrue(cpu.isAvailable());
        assertTrue(cpu.units() > 0);
        assertTrue(cpu.memoryBytes() > 0);
        assertFalse(cpu.isa().isBlank());
        Device cuda = Device.cuda();
        if (cuda.isAvailable()) {
            assertTrue(cuda.isa().startsWith("sm_"), cuda.isa());
        } else {
            String cause = cuda.unavailabilityCause().orElseThrow();
            assertFalse(cause.isBlank());
            DeviceUnavailableException e = assertThrows(
                    DeviceUnavailableException.class,
                    () -> Engine.builder().device(cuda).open());
            assertEquals(cause, e.getMessage());
        }
    }

    @Test
    void selfCheckRunsEveryOp() {
        SelfCheck check = engine.selfCheck();
        assertTrue(check.ops().contains("log_mel"), check.ops().toString());
        for (int op = 0; op < check.ops().size(); op++) {
            ParityReport report = check.parity(op, 3);
            assertEquals(check.ops().get(op), report.op());
            assertTrue(report.ok(), report.toString());
            assertTrue(report.error() <= report.limit(), report.toString());
        }
        fails(SensoriumException.class, () -> check.parity(-1, 0));
        fails(SensoriumException.class, () -> check.parity(1000, 0));
    }
}
