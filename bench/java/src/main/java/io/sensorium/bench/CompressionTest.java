package io.sensorium.bench;

import io.sensorium.Precision;
import java.util.List;
import java.util.function.Consumer;

/**
 * How cross-attention grows with its tokens: 1k to 64k of them to 64 and 256 latents (d = 768, 8 heads, MLP 1×), time and
 * memory, beside libtorch's scaled_dot_product_attention with the same layers around it.
 */
final class CompressionTest {
    static final String NAME = "compression";
    private static final int[] TOKENS = {1 << 10, 1 << 12, 1 << 14, 1 << 16};
    private static final int[] LATENTS = {64, 256};

    /**
     * One row.
     *
     * @param nanosPerToken median time of a run over its tokens: constant where the growth is linear
     * @param heldMebibytes memory of the session
     * @param torchRatio libtorch's time over ours, median over the rounds
     */
    record Result(
            int threads,
            int tokens,
            int latents,
            double bestMillis,
            double medianMillis,
            double tokensPerSecond,
            double nanosPerToken,
            double heldMebibytes,
            double torchMillis,
            double torchRatio) {}

    private CompressionTest() {}

    static void run(int[] threads, double seconds, Consumer<Result> row) throws Exception {
        for (int n : threads) {
            for (int latents : LATENTS) {
                for (int tokens : TOKENS) {
                    row.accept(measure(n, tokens, latents, seconds));
                }
            }
        }
    }

    private static Result measure(int threads, int tokens, int latents, double seconds) throws Exception {
        try (Closing closing = new Closing()) {
            LatentWorks.Opened opened =
                    LatentWorks.open(new LatentWorks.Size(tokens, latents, 1, 0), Precision.STRICT, threads, closing);
            List<Contender> contenders = List.of(opened.ours(), opened.torch());
            Main.compare(NAME, 1e-8, contenders);
            List<Timing> timings = Rounds.run(contenders, seconds, 3);
            Timing ours = timings.get(0);
            Timing torch = timings.get(1);
            return new Result(
                    threads,
                    tokens,
                    latents,
                    ours.bestMillis(),
                    ours.medianMillis(),
                    tokens / ours.medianMillis() * 1e3,
                    ours.medianMillis() * 1e6 / tokens,
                    opened.session().workspaceBytes() / 1048576.0,
                    torch.medianMillis(),
                    torch.ratio());
        }
    }
}
