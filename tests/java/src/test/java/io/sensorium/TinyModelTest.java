package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whole requests against the definitions, computed in double in plain Java. */
class TinyModelTest {
    private static final int D = TinyModels.DIM;

    private final TinyModels tiny = new TinyModels();
    private Engine engine;
    private Model model;
    private Session session;

    @BeforeEach
    void open() {
        engine = Engine.builder().threads(2).open();
        model = tiny.build(engine);
        session = model.newSession(TinyModels.LIMITS);
    }

    @AfterEach
    void close() {
        session.close();
        model.close();
        engine.close();
    }

    private double at(String tensor, int index) {
        return tiny.tensors.get(tensor)[index];
    }

    /** [begin] prefix, patches [end]. */
    private double[] expectedImage(byte[] hwc) {
        double[] mean = {0.5, 0.25, 0.75};
        double[] std = {0.5, 0.25, 1};
        int patches = TinyModels.GRID * TinyModels.GRID;
        int row = TinyModels.CHANNELS * TinyModels.PATCH * TinyModels.PATCH;
        double[] tokens = new double[(patches + 3) * D];
        for (int d = 0; d < D; d++) {
            tokens[d] = at("sequence.begin", d);
            tokens[(patches + 2) * D + d] = at("sequence.end", d);
            tokens[D + d] = at("image.prefix", d) + at("image.position", d) + at("sequence.modality", d);
            for (int p = 0; p < patches; p++) {
                double sum =
                        at("image.patch.bias", d) + at("image.position", (1 + p) * D + d) + at("sequence.modality", d);
                for (int c = 0; c < TinyModels.CHANNELS; c++) {
                    for (int i = 0; i < TinyModels.PATCH * TinyModels.PATCH; i++) {
                        int y = p / TinyModels.GRID * TinyModels.PATCH + i / TinyModels.PATCH;
                        int x = p % TinyModels.GRID * TinyModels.PATCH + i % TinyModels.PATCH;
                        double value = (hwc[(y * TinyModels.SIZE + x) * TinyModels.CHANNELS + c] & 0xff) / 255.0;
                        int column = c * TinyModels.PATCH * TinyModels.PATCH + i;
                        sum += (value - mean[c]) / std[c] * at("image.patch.weight", d * row + column);
                    }
                }
                tokens[(2 + p) * D + d] = sum;
            }
        }
        return tokens;
    }

    private double[] expectedText(long... ids) {
        double[] tokens = new double[(ids.length + 2) * D];
        for (int d = 0; d < D; d++) {
            tokens[d] = at("sequence.begin", 2 * D + d);
            tokens[(ids.length + 1) * D + d] = at("sequence.end", 2 * D + d);
            for (int i = 0; i < ids.length; i++) {
                tokens[(1 + i) * D + d] = at("text.embedding", (int) ids[i] * D + d)
                        + at("text.position", i * D + d)
                        + at("sequence.modality", 2 * D + d);
            }
        }
        return tokens;
    }

    private double[] expectedFeatures(float[] features) {
        int frames = features.length / TinyModels.MELS;
        double[] tokens = new double[(frames + 2) * D];
        for (int d = 0; d < D; d++) {
            tokens[d] = at("sequence.begin", D + d);
            tokens[(frames + 1) * D + d] = at("sequence.end", D + d);
            for (int f = 0; f < frames; f++) {
                double sum = at("audio.frame.bias", d) + at("sequence.modality", D + d);
                for (int m = 0; m < TinyModels.MELS; m++) {
                    sum += features[f * TinyModels.MELS + m] * at("audio.frame.weight", d * TinyModels.MELS + m);
                }
                tokens[(1 + f) * D + d] = sum;
            }
        }
        return tokens;
    }

    private double[] norm(String name, double[] x, int dim) {
        double[] y = new double[x.length];
        for (int r = 0; r < x.length; r += dim) {
            double mean = 0;
            double variance = 0;
            for (int i = 0; i < dim; i++) {
                mean += x[r + i] / dim;
            }
            for (int i = 0; i < dim; i++) {
                variance += (x[r + i] - mean) * (x[r + i] - mean) / dim;
            }
            for (int i = 0; i < dim; i++) {
                y[r + i] = (x[r + i] - mean) / Math.sqrt(variance + 1e-5) * at(name + ".weight", i)
                        + at(name + ".bias", i);
            }
        }
        return y;
    }

    private double[] linear(String name, double[] x, int in) {
        int out = TinyModels.D_LATENTS;
        double[] y = new double[x.length / in * out];
        for (int r = 0; r < x.length / in; r++) {
            for (int o = 0; o < out; o++) {
                double sum = at(name + ".bias", o);
                for (int i = 0; i < in; i++) {
                    sum += x[r * in + i] * at(name + ".weight", o * in + i);
                }
                y[r * out + o] = sum;
            }
        }
        return y;
    }

    private double[] plus(double[] a, double[] b) {
        double[] sum = a.clone();
        Arrays.setAll(sum, i -> a[i] + b[i]);
        return sum;
    }

    private double[] perceiverLayer(String name, double[] latents, double[] normedQ, double[] normedKv, int in) {
        int d = TinyModels.D_LATENTS;
        double[] q = linear(name + ".q", normedQ, d);
        double[] k = linear(name + ".k", normedKv, in);
        double[] v = linear(name + ".v", normedKv, in);
        int keys = normedKv.length / in;
        double[] attended = new double[latents.length];
        for (int r = 0; r < latents.length / d; r++) {
            double[] weights = new double[keys];
            double total = 0;
            for (int j = 0; j < keys; j++) {
                double dot = 0;
                for (int i = 0; i < d; i++) {
                    dot += q[r * d + i] * k[j * d + i];
                }
                weights[j] = Math.exp(dot / Math.sqrt(d));
                total += weights[j];
            }
            for (int j = 0; j < keys; j++) {
                for (int i = 0; i < d; i++) {
                    attended[r * d + i] += weights[j] / total * v[j * d + i];
                }
            }
        }
        double[] x = plus(latents, linear(name + ".o", attended, d));
        double[] hidden = linear(name + ".mlp.up", norm(name + ".norm_mlp", x, d), d);
        Arrays.setAll(hidden, i -> Math.max(0, hidden[i]));
        return plus(x, linear(name + ".mlp.down", hidden, d));
    }

    private double[] expectedLatents(double[] tokens) {
        int d = TinyModels.D_LATENTS;
        double[] latents = new double[TinyModels.LATENTS * d];
        Arrays.setAll(latents, i -> at("perceiver.latents", i));
        String cross = "perceiver.cross";
        double[] x = perceiverLayer(
                cross, latents, norm(cross + ".norm_latents", latents, d), norm(cross + ".norm_inputs", tokens, D), D);
        double[] normed = norm("perceiver.self.0.norm", x, d);
        return perceiverLayer("perceiver.self.0", x, normed, normed, d);
    }

    private static void assertClose(double[] expected, FloatBuffer actual, String what) {
        assertEquals(expected.length, actual.remaining(), what);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual.get(actual.position() + i), 2e-5 * (1 + Math.abs(expected[i])), what + i);
        }
    }

    @Test
    void tokensTablesAndLatentsOfTwoSequences() {
        byte[] image = TinyModels.pixels(1);
        float[] features = TinyModels.sound(2, 3 * TinyModels.MELS);
        Result result = session.clear()
                .at(1_000_000, 3_000_000)
                .image(TinyModels.direct(image), 4, 4, 3)
                .text(TinyModels.direct(4, 0, 10))
                .nextSequence()
                .at(500, 0)
                .features(TinyModels.direct(features), 3, TinyModels.MELS)
                .run();

        double[] first = concatenate(expectedImage(image), expectedText(4, 0, 10));
        double[] second = expectedFeatures(features);
        Tokens tokens = result.tokens();
        assertEquals(17, tokens.count());
        assertEquals(D, tokens.dim());
        assertEquals(2, tokens.sequences());
        assertClose(concatenate(first, second), tokens.values(), "token value ");
        assertArrayEquals(new long[] {0, 12, 17}, new long[] {
            tokens.cuSeqlens().get(0),
            tokens.cuSeqlens().get(1),
            tokens.cuSeqlens().get(2)
        });
        int[] items = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2};
        int[] rows = {-1, -1, 0, 0, 1, 1, -1, -1, 0, 0, 0, -1, -1, 0, 0, 0, -1};
        int[] columns = {-1, -1, 0, 1, 0, 1, -1, -1, 0, 1, 2, -1, -1, 0, 1, 2, -1};
        Modality[] modalities = {Modality.IMAGE, Modality.TEXT, Modality.AUDIO};
        for (int i = 0; i < items.length; i++) {
            assertEquals(items[i], tokens.item(i), "item of token " + i);
            assertEquals(rows[i], tokens.gridRow(i), "row of token " + i);
            assertEquals(columns[i], tokens.gridColumn(i), "column of token " + i);
            assertEquals(modalities[items[i]], tokens.modality(i), "modality of token " + i);
        }
        assertEquals(1_000_000, tokens.startMicros(3));
        assertEquals(3_000_000, tokens.endMicros(3));
        assertEquals(0, tokens.startMicros(8), "the time is that of one item only");
        assertTrue(tokens.startMicros(14) > tokens.startMicros(13), "frames follow each other in time");
        int[] times = {0, 1, 2, 2, 2, 2, 4, 5, 6, 7, 8, 9};
        int[] heights = {0, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9};
        int[] widths = {0, 1, 2, 3, 2, 3, 4, 5, 6, 7, 8, 9};
        for (int i = 0; i < times.length; i++) {
            assertEquals(times[i], tokens.positions().get(3 * i), "time id of token " + i);
            assertEquals(heights[i], tokens.positions().get(3 * i + 1), "height id of token " + i);
            assertEquals(widths[i], tokens.positions().get(3 * i + 2), "width id of token " + i);
        }
        assertEquals(0, tokens.positions().get(3 * 12), "each sequence starts at 0");

        Latents latents = result.latents();
        assertEquals(2, latents.sequences());
        assertEquals(TinyModels.LATENTS, latents.perSequence());
        assertEquals(TinyModels.D_LATENTS, latents.dim());
        assertClose(concatenate(expectedLatents(first), expectedLatents(second)), latents.values(), "latent value ");
        assertTrue(result.nanos(Stage.TOTAL) > 0);
    }

    @Test
    void soundGivesTheTokensOfItsFeatures() {
        float[] pcm = TinyModels.sound(3, 1000);
        float[] features;
        try (LogMel logMel = engine.logMel(TinyModels.LOG_MEL)) {
            FloatBuffer out = FloatBuffer.allocate(logMel.frames(1000) * logMel.mels());
            logMel.run(FloatBuffer.wrap(pcm), out);
            features = out.array();
        }
        Tokens tokens = session.clear().audio(TinyModels.direct(pcm)).run().tokens();
        assertClose(expectedFeatures(features), tokens.values(), "token value ");
    }

    @Test
    void finishedTokensPassThrough() {
        float[] rows = TinyModels.sound(4, 2 * D);
        Tokens tokens = session.clear()
                .tokens(Modality.AUDIO, TinyModels.direct(rows), 2)
                .run()
                .tokens();
        assertEquals(4, tokens.count(), "begin and end stand around them");
        for (int i = 0; i < 2 * D; i++) {
            assertEquals(
                    rows[i] + at("sequence.modality", D + i % D),
                    tokens.values().get(D + i),
                    1e-6);
        }
    }

    @Test
    void resultsAreReusedAndGuarded() {
        Result result = session.clear().text(TinyModels.direct(1)).run();
        FloatBuffer values = result.tokens().values();
        assertTrue(values.isReadOnly());
        Tokens tokens = result.tokens();
        session.clear();
        assertThrows(IllegalStateException.class, tokens::count);
        assertThrows(IllegalStateException.class, result::latents);
        assertSame(result, session.text(TinyModels.direct(2)).run());
        assertSame(values, result.tokens().values());
        assertThrows(IndexOutOfBoundsException.class, () -> tokens.item(3));
        assertEquals(3, tokens.count());
    }

    @Test
    void requestsCanBeRunAgainAndBeEmpty() {
        float[] once = TinyModels.array(
                session.clear().text(TinyModels.direct(1, 2)).run().tokens().values());
        assertArrayEquals(once, TinyModels.array(session.run().tokens().values()));
        assertEquals(0, session.clear().run().tokens().count());
    }

    @Test
    void countTokensAgreesWithRun() {
        assertEquals(7, model.countTokens(Modality.IMAGE, Format.U8_HWC, 4, 4, 3));
        assertEquals(5, model.countTokens(Modality.TEXT, Format.I64_IDS, 3));
        long frames = model.countTokens(Modality.AUDIO, Format.F32_PCM, 1000);
        assertEquals(
                frames,
                session.clear()
                        .audio(TinyModels.direct(new float[1000]))
                        .run()
                        .tokens()
                        .count());
    }

    @Test
    void modelWithoutCompressorHasNoLatents() {
        try (Model small = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(1).build())
                        .text(TextConfig.builder().vocabulary(2).maxTokens(8).build())
                        .tensor("text.embedding", FloatBuffer.wrap(new float[] {5, 6}), 2, 1)
                        .build();
                Session s = small.newSession(SessionLimits.builder().build())) {
            Result result = s.clear().text(TinyModels.direct(1)).run();
            assertEquals(6, result.tokens().values().get(0));
            assertFalse(result.hasLatents());
            assertThrows(IllegalStateException.class, result::latents);
        }
    }

    private static double[] concatenate(double[] a, double[] b) {
        double[] all = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }
}
