package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ContextBudgetTest {
    private static final int D = 3;

    private Engine engine;
    private Model model;
    private Session session;

    @BeforeEach
    void open() {
        engine = Engine.builder().threads(1).open();
        model = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(D).build())
                .pool(PoolConfig.builder().kind(PoolKind.MEAN).count(8).build())
                .build();
        session = model.newSession(SessionLimits.builder()
                .maxItems(4)
                .maxSequences(4)
                .maxTokens(200)
                .build());
    }

    @AfterEach
    void close() {
        session.close();
        model.close();
        engine.close();
    }

    private static FloatBuffer tokens(int count) {
        float[] values = new float[count * D];
        for (int i = 0; i < values.length; i++) {
            values[i] = i / D;
        }
        return TinyModels.direct(values);
    }

    private Session request() {
        return session.clear()
                .tokens(Modality.TEXT, tokens(60), 60)
                .nextSequence()
                .tokens(Modality.TEXT, tokens(2), 2)
                .nextSequence()
                .tokens(Modality.TEXT, tokens(30), 30);
    }

    @Test
    void sharesAreInProportionAndReported() {
        ContextBudget.Report report = request().budget(10);
        assertArrayEquals(new long[] {60, 2, 30}, report.tokens());
        assertArrayEquals(new int[] {6, 1, 3}, report.latents());
        assertEquals(10, report.spent());
        assertEquals(8 + 2 + 8, report.offered());
        assertEquals(8, report.cut());
        assertTrue(report.fits());
        Latents latents = session.run().latents();
        assertEquals(10, latents.count());
        assertEquals(6, latents.count(0));
        assertEquals(1, latents.count(1));
        assertEquals(3, latents.count(2));
        assertThrows(IllegalStateException.class, latents::perSequence);
        assertEquals(7, latents.cuLatents().get(2));
        assertEquals(4.5f, latents.values().get(0), "the mean of tokens 0 to 9");
        assertEquals(0.5f, latents.values().get(6 * D), "of both tokens");
    }

    @Test
    void clearTakesTheBudgetBackButNotTheLimit() {
        request().latents(4).budget(3);
        assertEquals(3, session.run().latents().count());
        assertEquals(4 + 2 + 4, request().run().latents().count());
        assertEquals(
                8 + 2 + 8, request().latents(Integer.MAX_VALUE).run().latents().count());
    }

    @Test
    void aBudgetThatIsTooSmallSaysSo() {
        ContextBudget.Report report = request().budget(1);
        assertArrayEquals(new int[] {1, 1, 1}, report.latents());
        assertFalse(report.fits());
        assertThrows(InvalidArgumentException.class, () -> session.budget(0));
        assertThrows(InvalidArgumentException.class, () -> session.latents(0));
    }

    @Test
    void everySharingKeepsItsPromises() {
        Random random = new Random(5);
        for (int i = 0; i < 500; i++) {
            int n = 1 + random.nextInt(6);
            long[] tokens = random.longs(n, 0, 1000).toArray();
            int[] least = new int[n];
            int[] most = new int[n];
            for (int s = 0; s < n; s++) {
                most[s] = (int) Math.min(tokens[s], 1 + random.nextInt(64));
                least[s] = Math.min(1, most[s]);
            }
            int total = 1 + random.nextInt(200);
            int[] shares = ContextBudget.share(total, tokens, least, most);
            long sum = Arrays.stream(shares).sum();
            for (int s = 0; s < n; s++) {
                assertTrue(shares[s] >= least[s] && shares[s] <= most[s]);
            }
            long floor = Arrays.stream(least).sum();
            long ceiling = Arrays.stream(most).sum();
            assertEquals(Math.max(floor, Math.min(total, ceiling)), sum, "all is spent and no more");
            for (int a = 0; a < n; a++) {
                for (int b = 0; b < n; b++) {
                    boolean free = shares[b] < most[b] && shares[a] > least[a];
                    assertFalse(
                            free && tokens[b] > tokens[a] && shares[b] + 1 < shares[a],
                            "more tokens, not less latents");
                }
            }
        }
    }

    @Test
    void attentionTellsTheRuns() {
        request().latents(2).run();
        FloatBuffer out = TinyModels.direct(new float[2 * 30]);
        session.attention(2, out);
        for (int t = 0; t < 60; t++) {
            assertEquals(t < 15 || t >= 45 ? 1f / 15 : 0, out.get(t));
        }
        assertThrows(IllegalArgumentException.class, () -> session.attention(2, FloatBuffer.allocate(60)));
        assertThrows(InvalidShapeException.class, () -> session.attention(1, out));
        assertThrows(InvalidArgumentException.class, () -> session.attention(3, out));
    }

    @Test
    void aModelHasOneCompressor() {
        try (Model.Builder builder = engine.newModel()
                .sequence(SequenceConfig.builder().dModel(D).build())
                .pool(PoolConfig.builder().build())) {
            assertThrows(
                    InvalidArgumentException.class,
                    () -> builder.qFormer(QFormerConfig.builder()
                            .numLatents(1)
                            .dLatents(2)
                            .layers(1)
                            .mlpHidden(2)
                            .build()));
            assertThrows(
                    InvalidArgumentException.class,
                    () -> builder.perceiverDecoder(PerceiverDecoderConfig.builder()
                            .numQueries(1)
                            .dQueries(2)
                            .qk(2)
                            .v(2)
                            .build()));
            builder.pool(PoolConfig.builder().count(2).build());
            builder.merge(MergeConfig.builder().numLatents(2).build());
            assertThrows(InvalidArgumentException.class, builder::build, "a mean would forget how large tokens are");
        }
    }
}
