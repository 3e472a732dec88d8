package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.models.Codebooks;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CodesTest {
    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.builder().threads(2).open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    private static float[] normal(int count, int seed) {
        Random random = new Random(seed);
        float[] out = new float[count];
        for (int i = 0; i < count; i++) {
            out[i] = (float) random.nextGaussian();
        }
        return out;
    }

    private static long[] array(LongBuffer ids) {
        long[] out = new long[ids.remaining()];
        ids.get(ids.position(), out);
        return out;
    }

    @Test
    void anyBufferGivesTheSameIds() {
        float[] tokens = normal(20 * 6, 1);
        CodebookConfig config = CodebookConfig.residual(2, 8, 6);
        try (Codebook book = Codebook.of(engine, config, FloatBuffer.wrap(normal(2 * 8 * 6, 2)))) {
            long[] direct = array(book.encode(TinyModels.direct(tokens), 20));
            long[] heap = array(book.encode(FloatBuffer.wrap(tokens), 20));
            LongBuffer into = LongBuffer.wrap(new long[50]).position(3).limit(43);
            book.encode(FloatBuffer.wrap(tokens), 20, into);
            assertArrayEquals(direct, heap);
            assertArrayEquals(direct, array(into));
            assertEquals(0, into.array()[43]);

            float[] decoded = new float[20 * 6];
            book.decode(into, FloatBuffer.wrap(decoded));
            FloatBuffer same = TinyModels.direct(new float[20 * 6]);
            book.decode(TinyModels.direct(direct), same);
            assertArrayEquals(decoded, TinyModels.array(same));
            float[] codes = TinyModels.array(book.codes());
            assertArrayEquals(normal(2 * 8 * 6, 2), codes);
            for (int r = 0; r < 20; r++) {
                for (int i = 0; i < 6; i++) {
                    float sum = codes[(int) direct[2 * r] * 6 + i] + codes[(8 + (int) direct[2 * r + 1]) * 6 + i];
                    assertEquals(sum, decoded[r * 6 + i]);
                }
            }
        }
    }

    @Test
    void sizesAndStateAreChecked() {
        CodebookConfig config = CodebookConfig.vq(4, 3);
        assertThrows(
                IllegalArgumentException.class, () -> Codebook.of(engine, config, FloatBuffer.wrap(normal(11, 1))));
        Codebook book = Codebook.of(engine, config, FloatBuffer.wrap(normal(12, 1)));
        FloatBuffer tokens = FloatBuffer.wrap(normal(6, 2));
        assertThrows(IllegalArgumentException.class, () -> book.encode(tokens, 3));
        assertThrows(IllegalArgumentException.class, () -> book.encode(tokens, 2, LongBuffer.allocate(3)));
        assertThrows(
                OutOfRangeException.class, () -> book.decode(LongBuffer.wrap(new long[] {4}), FloatBuffer.allocate(3)));
        assertThrows(
                InvalidArgumentException.class,
                () -> Codebook.of(
                        engine,
                        new CodebookConfig(
                                CodebookConfig.Kind.VQ, 3, 2, 2, CodebookConfig.Metric.COSINE, java.util.List.of()),
                        FloatBuffer.wrap(normal(12, 1))));
        book.close();
        assertThrows(IllegalStateException.class, () -> book.encode(tokens, 2));
    }

    @Test
    void learnsAndSurvivesItsFile(@TempDir Path folder) throws IOException {
        float[] tokens = normal(200 * 5, 3);
        Path file = folder.resolve("c.safetensors");
        for (CodebookConfig.Metric metric : CodebookConfig.Metric.values()) {
            CodebookConfig config = CodebookConfig.vq(16, 5, metric);
            Codebook.Learned learned = Codebook.learn(engine, config, FloatBuffer.wrap(tokens), 30, 9);
            assertTrue(learned.iterations() > 1 && learned.meanSquare() > 0);
            long[] ids = array(learned.codebook().encode(FloatBuffer.wrap(tokens), 200));
            Codebooks.save(learned.codebook(), file);
            learned.codebook().close();
            try (Codebook loaded = Codebooks.load(engine, file)) {
                assertEquals(config, loaded.config());
                assertArrayEquals(ids, array(loaded.encode(FloatBuffer.wrap(tokens), 200)));
            }
        }
        try (Codebook fsq = Codebook.fsq(engine, 8, 5, 5)) {
            long[] ids = array(fsq.encode(FloatBuffer.wrap(tokens, 0, 300), 100));
            Codebooks.save(fsq, file);
            try (Codebook loaded = Codebooks.load(engine, file)) {
                assertEquals(fsq.config(), loaded.config());
                assertEquals(200, loaded.config().size());
                assertArrayEquals(ids, array(loaded.encode(FloatBuffer.wrap(tokens, 0, 300), 100)));
            }
        }
    }

    @Test
    void filesThatAreNoCodebookAreNamed(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("c.safetensors");
        new SafetensorsWriter()
                .add("code", FloatBuffer.wrap(normal(6, 1)), 2, 3)
                .write(file);
        assertTrue(assertThrows(InvalidWeightsException.class, () -> Codebooks.load(engine, file))
                .getMessage()
                .contains("c.safetensors"));
        new SafetensorsWriter()
                .metadata("metric", "manhattan")
                .add("codes", FloatBuffer.wrap(normal(6, 1)), 2, 3)
                .write(file);
        assertThrows(InvalidWeightsException.class, () -> Codebooks.load(engine, file));
        new SafetensorsWriter().add("codes", FloatBuffer.wrap(normal(6, 1)), 6).write(file);
        assertThrows(InvalidWeightsException.class, () -> Codebooks.load(engine, file));
        new SafetensorsWriter().add("levels", FloatBuffer.wrap(normal(6, 1)), 6).write(file);
        assertThrows(InvalidWeightsException.class, () -> Codebooks.load(engine, file));
        Files.write(file, new byte[] {1, 2, 3});
        assertThrows(InvalidWeightsException.class, () -> Codebooks.load(engine, file));
    }

    @Test
    void oneSpaceHoldsAllModalities() {
        CodeSpace space = CodeSpace.of(100, CodebookConfig.vq(10, 4), CodebookConfig.residual(3, 5, 4));
        assertEquals(125, space.size());
        assertEquals(new CodeSpace.Range(Modality.AUDIO, 110, 3, 5), space.range(Modality.AUDIO));
        for (long id = 0; id < space.size(); id++) {
            assertEquals(id, space.id(space.modality(id), space.stage(id), space.code(id)));
        }
        assertEquals(Modality.TEXT, space.modality(99));
        assertEquals(Modality.IMAGE, space.modality(100));
        assertEquals(Modality.AUDIO, space.modality(124));

        LongBuffer codes =
                LongBuffer.wrap(new long[] {7, 4, 0, 2, 1, 3, 4, 7}).position(1).limit(7);
        long[] before = array(codes);
        space.toIds(Modality.AUDIO, codes);
        assertArrayEquals(new long[] {114, 115, 122, 111, 118, 124}, array(codes));
        assertEquals(7, codes.get(0));
        assertEquals(1, codes.position());
        space.toCodes(Modality.AUDIO, codes);
        assertArrayEquals(before, array(codes));

        assertThrows(OutOfRangeException.class, () -> space.modality(125));
        assertThrows(OutOfRangeException.class, () -> space.modality(-1));
        assertThrows(OutOfRangeException.class, () -> space.id(Modality.IMAGE, 0, 10));
        assertThrows(OutOfRangeException.class, () -> space.id(Modality.IMAGE, 1, 0));
        assertThrows(
                OutOfRangeException.class,
                () -> space.toCodes(Modality.AUDIO, LongBuffer.wrap(new long[] {115, 115, 122})));
        assertThrows(
                IllegalArgumentException.class, () -> space.toIds(Modality.AUDIO, LongBuffer.wrap(new long[] {1, 1})));
        assertThrows(
                IllegalArgumentException.class,
                () -> CodeSpace.builder().add(Modality.TEXT, 5).add(Modality.TEXT, 5));
        CodeSpace other = CodeSpace.builder()
                .add(Modality.AUDIO, CodebookConfig.fsq(8, 5, 5))
                .add(Modality.TEXT, 7)
                .build();
        assertEquals(200, other.id(Modality.TEXT, 0, 0));
        assertThrows(IllegalArgumentException.class, () -> other.range(Modality.IMAGE));
    }
}
