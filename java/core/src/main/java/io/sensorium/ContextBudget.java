package io.sensorium;

import java.util.Arrays;

/**
 * Shares what a caller can afford, a number of latents for a whole request, among its sequences: in proportion to their
 * tokens, at least one each, at most what the model gives. What one sequence cannot use goes to the others. {@link
 * Session#budget} applies it.
 */
public final class ContextBudget {
    private ContextBudget() {}

    /**
     * What was decided.
     *
     * @param total what could be spent
     * @param tokens of each sequence
     * @param latents most latents for each sequence; none for one without tokens that the model gives none
     * @param spent sum of the latents; more than the total only if every sequence is down to its least
     * @param offered latents that the model would have given without a budget
     */
    public record Report(int total, long[] tokens, int[] latents, long spent, long offered) {
        /** Copies the arrays. */
        public Report {
            tokens = tokens.clone();
            latents = latents.clone();
        }

        /** A copy. */
        @Override
        public long[] tokens() {
            return tokens.clone();
        }

        /** A copy. */
        @Override
        public int[] latents() {
            return latents.clone();
        }

        /** Whether the request stays within the budget. */
        public boolean fits() {
            return spent <= total;
        }

        /** Latents that the budget took away. */
        public long cut() {
            return offered - spent;
        }

        @Override
        public String toString() {
            return spent + " of " + total + " latents spent, " + offered + " offered: " + Arrays.toString(latents)
                    + " for " + Arrays.toString(tokens) + " tokens";
        }
    }

    /**
     * Decides.
     *
     * @param model with a compressor
     * @param total latents for the whole request, at least 1
     * @param tokens of each sequence
     */
    public static Report share(Model model, int total, long... tokens) {
        if (total < 1) {
            throw new InvalidArgumentException("the budget is " + total + ", below 1", "total");
        }
        int n = tokens.length;
        int[] least = new int[n];
        int[] most = new int[n];
        for (int s = 0; s < n; s++) {
            least[s] = model.countLatents(tokens[s], 1);
            most[s] = model.countLatents(tokens[s], Integer.MAX_VALUE);
        }
        int[] latents = share(total, tokens, least, most);
        // Ask the model what it makes of its share: pools and mergers have their own ideas of short sequences.
        for (int s = 0; s < n; s++) {
            latents[s] = latents[s] == 0 ? 0 : model.countLatents(tokens[s], latents[s]);
        }
        return new Report(
                total,
                tokens,
                latents,
                Arrays.stream(latents).asLongStream().sum(),
                Arrays.stream(most).asLongStream().sum());
    }

    /**
     * The largest shares min(most, max(least, ⌊λ·tokens⌋)) that fit; what rounding leaves goes to the sequences with most
     * tokens, one each.
     */
    static int[] share(int total, long[] tokens, int[] least, int[] most) {
        double low = 0;
        double high = 0;
        for (int s = 0; s < tokens.length; s++) {
            if (tokens[s] > 0) {
                high = Math.max(high, (most[s] + 1.0) / tokens[s]);
            }
        }
        if (sum(at(high, tokens, least, most)) <= total) {
            return at(high, tokens, least, most);
        }
        for (int i = 0; i < 100; i++) {
            double middle = (low + high) / 2;
            if (sum(at(middle, tokens, least, most)) <= total) {
                low = middle;
            } else {
                high = middle;
            }
        }
        int[] shares = at(low, tokens, least, most);
        long left = total - sum(shares);
        Integer[] order = new Integer[tokens.length];
        Arrays.setAll(order, s -> s);
        Arrays.sort(order, (a, b) -> Long.compare(tokens[b], tokens[a]));
        for (int s : order) {
            if (left > 0 && shares[s] < most[s]) {
                shares[s]++;
                left--;
            }
        }
        return shares;
    }

    private static int[] at(double rate, long[] tokens, int[] least, int[] most) {
        int[] shares = new int[tokens.length];
        Arrays.setAll(shares, s -> (int) Math.min(most[s], Math.max(least[s], Math.floor(rate * tokens[s]))));
        return shares;
    }

    private static long sum(int[] values) {
        return Arrays.stream(values).asLongStream().sum();
    }
}
