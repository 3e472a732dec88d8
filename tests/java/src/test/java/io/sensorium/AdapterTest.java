package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.models.Adapters;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterTest {
    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.builder().threads(2).open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    private static FloatBuffer normal(int count, int seed) {
        Random random = new Random(seed);
        FloatBuffer out = FloatBuffer.allocate(count);
        for (int i = 0; i < count; i++) {
            out.put(i, (float) random.nextGaussian() * 0.5f);
        }
        return out;
    }

    private static Adapter adapter(AdapterConfig config) {
        int size = config.d() * config.bottleneck();
        return new Adapter(
                engine,
                config,
                normal(size, 1),
                normal(config.bottleneck(), 2),
                normal(size, 3),
                normal(config.d(), 4));
    }

    private static Model model(int dim) {
        return engine.newModel()
                .sequence(SequenceConfig.builder().dModel(6).build())
                .head(HeadConfig.builder()
                        .dim(dim)
                        .text(true)
                        .joint(true)
                        .hasBias(true)
                        .build())
                .tensor("head.text.weight", normal(dim * 6, 5), dim, 6)
                .tensor("head.text.bias", normal(dim, 6), dim)
                .tensor("head.joint.weight", normal(dim * 6, 7), dim, 6)
                .tensor("head.joint.bias", normal(dim, 8), dim)
                .build();
    }

    private static final SessionLimits LIMITS =
            SessionLimits.builder().maxItems(4).maxSequences(2).maxTokens(20).build();

    @Test
    void adaptersAreSwappedAndTheirRowsAreEmbedded() {
        try (Model model = model(3);
                Session session = model.newSession(LIMITS)) {
            assertEquals(3, model.head().orElseThrow().dim());
            FloatBuffer rows = normal(4 * 6, 9);
            session.clear().tokens(Modality.TEXT, rows.slice(0, 18), 3).nextSequence();
            session.tokens(Modality.IMAGE, rows.slice(18, 6), 1);
            float[] plain = TinyModels.array(session.run().embedding());
            assertArrayEquals(embed(TinyModels.array(rows), 0, 3, 5), Arrays.copyOf(plain, 3), 1e-5f);
            assertArrayEquals(embed(TinyModels.array(rows), 3, 4, 7), Arrays.copyOfRange(plain, 3, 6), 1e-5f);

            Adapter adapter = adapter(AdapterConfig.of(6, 4));
            session.adapter(adapter);
            adapter.close();
            Result result = session.run();
            float[] adapted = TinyModels.array(result.tokens().values());
            assertFalse(Arrays.equals(TinyModels.array(rows), adapted));
            float[] embedding = TinyModels.array(result.embedding());
            assertArrayEquals(embed(adapted, 0, 3, 5), Arrays.copyOf(embedding, 3), 1e-5f);
            assertTrue(result.nanos(Stage.EMBEDDING) > 0);

            session.adapter(null);
            assertArrayEquals(plain, TinyModels.array(session.run().embedding()));
            try (Adapter wide = adapter(AdapterConfig.of(7, 2))) {
                assertThrows(InvalidShapeException.class, () -> session.adapter(wide));
            }
            assertThrows(IllegalStateException.class, () -> session.adapter(adapter));
        }
    }

    private static float[] embed(float[] rows, int begin, int end, int seed) {
        FloatBuffer weight = normal(3 * 6, seed);
        FloatBuffer bias = normal(3, seed + 1);
        double[] e = new double[3];
        double square = 0;
        for (int k = 0; k < 3; k++) {
            e[k] = bias.get(k);
            for (int i = 0; i < 6; i++) {
                double mean = 0;
                for (int r = begin; r < end; r++) {
                    mean += rows[r * 6 + i] / (double) (end - begin);
                }
                e[k] += weight.get(k * 6 + i) * mean;
            }
            square += e[k] * e[k];
        }
        float[] out = new float[3];
        for (int k = 0; k < 3; k++) {
            out[k] = (float) (e[k] / Math.sqrt(square));
        }
        return out;
    }

    @Test
    void aModelWithoutHeadsHasNoEmbedding() {
        try (Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(6).build())
                        .build();
                Session session = model.newSession(LIMITS)) {
            Result result =
                    session.clear().tokens(Modality.TEXT, normal(6, 1), 1).run();
            assertFalse(result.hasEmbedding());
            assertThrows(IllegalStateException.class, result::embedding);
        }
        Model.Builder builder =
                engine.newModel().sequence(SequenceConfig.builder().dModel(6).build());
        assertThrows(
                InvalidArgumentException.class,
                () -> builder.head(HeadConfig.builder().dim(3).build()));
        builder.head(HeadConfig.builder().dim(3).image(true).build());
        assertTrue(assertThrows(InvalidWeightsException.class, builder::build)
                .getMessage()
                .contains("head.image.weight"));
        builder.close();
    }

    @Test
    void survivesItsFile(@TempDir Path folder) throws IOException {
        AdapterConfig config = new AdapterConfig(6, 4, Activation.SILU, 0.25f);
        Path file = folder.resolve("a.safetensors");
        Adapters.save(file, config, normal(24, 1), normal(4, 2), normal(24, 3), normal(6, 4));
        try (Adapter loaded = Adapters.load(engine, file);
                Adapter same = adapter(config);
                Model model = model(3);
                Session session = model.newSession(LIMITS)) {
            assertEquals(config, loaded.config());
            session.clear().tokens(Modality.TEXT, normal(12, 5), 2);
            float[] a = TinyModels.array(session.adapter(loaded).run().embedding());
            session.clear().tokens(Modality.TEXT, normal(12, 5), 2);
            assertArrayEquals(a, TinyModels.array(session.adapter(same).run().embedding()));
        }
        Adapters.save(
                file,
                new AdapterConfig(4, 6, Activation.SILU, 1),
                normal(24, 1),
                normal(6, 2),
                normal(24, 3),
                normal(4, 4));
        try (Model model = model(3);
                Session session = model.newSession(LIMITS);
                Adapter narrow = Adapters.load(engine, file)) {
            assertThrows(InvalidShapeException.class, () -> session.adapter(narrow));
        }
    }

    @Test
    void aModelsOwnAdapterSurvivesItsFilesAndServesFromTheBeginning(@TempDir Path folder) throws IOException {
        AdapterConfig config = new AdapterConfig(6, 4, Activation.SILU, 0.5f);
        ModelDesign design = new ModelDesign(SequenceConfig.builder().dModel(6).build())
                .head(HeadConfig.builder().dim(3).text(true).build());
        ModelDesign.Values values = (name, dims) -> {
            long count = Arrays.stream(dims).reduce(1, (a, b) -> a * b);
            return normal((int) count, name.hashCode());
        };
        design.write(folder.resolve("plain"), Map.of(), values);
        design.adapter(config).write(folder.resolve("adapted"), Map.of(), values);
        FloatBuffer rows = normal(2 * 6, 5);
        try (ModelSpec plain = ModelLoader.open(folder.resolve("plain"));
                ModelSpec adapted = ModelLoader.open(folder.resolve("adapted"));
                Model bare = plain.build(engine);
                Model model = adapted.build(engine);
                Session byHand = bare.newSession(LIMITS);
                Session own = model.newSession(LIMITS);
                Adapter adapter = new Adapter(
                        engine,
                        config,
                        adapted.read("adapter.down.weight"),
                        adapted.read("adapter.down.bias"),
                        adapted.read("adapter.up.weight"),
                        adapted.read("adapter.up.bias"))) {
            assertEquals(config, adapted.adapter().orElseThrow());
            assertEquals(config, model.adapter().orElseThrow());
            assertTrue(bare.adapter().isEmpty());
            byHand.clear().tokens(Modality.TEXT, rows, 2);
            float[] without = TinyModels.array(byHand.run().embedding());
            byHand.adapter(adapter).clear().tokens(Modality.TEXT, rows, 2);
            float[] with = TinyModels.array(byHand.run().embedding());
            own.clear().tokens(Modality.TEXT, rows, 2);
            assertArrayEquals(with, TinyModels.array(own.run().embedding()));
            assertFalse(Arrays.equals(without, with));
            own.adapter(null).clear().tokens(Modality.TEXT, rows, 2);
            assertArrayEquals(without, TinyModels.array(own.run().embedding()));
        }
        Path json = folder.resolve("adapted/config.json");
        Files.writeString(json, Files.readString(json).replaceFirst("\"bottleneck\" : 4", "\"bottleneck\" : 0"));
        assertThrows(InvalidWeightsException.class, () -> ModelLoader.open(folder.resolve("adapted")));
    }
}
