package io.sensorium.models;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The tensor names of a model family as data. One line a tensor:
 *
 * <pre>canonical shape published[:shape] [older name[:shape]]</pre>
 *
 * Shapes are sums of products of numbers and the configuration's sizes ({@code 1+g,d}), without spaces; a published
 * tensor has the canonical shape unless it says otherwise. Names that end with {@code .*} stand for a weight and a bias
 * of the first size; {@code .*?flag} for a bias only with the flag, and {@code name?flag} for a tensor only with it.
 * {@code #} is the number of a layer; {@code a&b} are tensors one after the other, {@code a[1/3]} is the second third of
 * one, and {@code 0} stands for zeros. {@code /a} never has a prefix.
 */
final class NameTable {
    private static final Pattern CUT = Pattern.compile("(.+)\\[(\\d)/(\\d)\\]");

    private record Row(String name, String flag, String shape, List<String> sources) {}

    private final List<Row> rows = new ArrayList<>();
    private final List<String> prefixes;
    private final Pattern unused;
    private final int variants;

    /**
     * @param prefixes that published names may have in front, likeliest first
     * @param unused names (without prefix) that belong to parts of the family that are not run
     */
    NameTable(List<String> prefixes, String unused, String... tables) {
        this.prefixes = prefixes;
        this.unused = Pattern.compile(unused);
        int most = 1;
        for (String table : tables) {
            for (String line : table.lines().toList()) {
                String[] fields = line.strip().split("\\s+");
                if (fields.length >= 3) {
                    add(fields);
                    most = Math.max(most, fields.length - 2);
                }
            }
        }
        variants = most;
    }

    private void add(String[] fields) {
        String[] name = fields[0].split("\\?");
        String flag = name.length > 1 ? name[1] : "";
        List<String> sources = Arrays.asList(fields).subList(2, fields.length);
        if (!name[0].endsWith(".*")) {
            rows.add(new Row(name[0], flag, fields[1], sources));
            return;
        }
        rows.add(new Row(weight(name[0]), "", fields[1], each(sources, ".weight")));
        rows.add(new Row(bias(name[0]), flag, fields[1].split(",")[0], each(sources, ".bias")));
    }

    private static String weight(String name) {
        return name.replace(".*", ".weight");
    }

    private static String bias(String name) {
        return name.replace(".*", ".bias");
    }

    /** Fused layers end in {@code _weight} and {@code _bias}: {@code in_proj_*}. */
    private static List<String> each(List<String> sources, String ending) {
        return sources.stream()
                .map(s -> s.replace("_*", "_" + ending.substring(1)).replace(".*", ending))
                .toList();
    }

    /**
     * The map of this file's tensors to the canonical ones; one error lists all that does not fit. Among prefixes and
     * older names the combination that most of the file's tensors have is taken.
     *
     * @param sizes what the letters of shapes stand for
     * @param flags that are set
     */
    WeightMap resolve(Weights file, Map<String, Long> sizes, Set<String> flags, int layers) {
        WeightMap best = null;
        String bestPrefix = "";
        long bestHits = -1;
        for (String prefix : prefixes) {
            for (int variant = 0; variant < variants; variant++) {
                WeightMap map = map(prefix, variant, sizes, flags, layers);
                long hits = map.weights().stream()
                        .flatMap(w -> w.parts().stream())
                        .filter(p -> file.tensors().containsKey(p.source()))
                        .count();
                if (hits > bestHits) {
                    best = map;
                    bestPrefix = prefix;
                    bestHits = hits;
                }
            }
        }
        String prefix = bestPrefix;
        best.check(
                file,
                name -> unused.matcher(name).matches()
                        || name.startsWith(prefix)
                                && unused.matcher(name.substring(prefix.length()))
                                        .matches());
        return best;
    }

    private WeightMap map(String prefix, int variant, Map<String, Long> sizes, Set<String> flags, int layers) {
        WeightMap map = new WeightMap();
        for (Row row : rows) {
            if (!row.flag().isEmpty() && !flags.contains(row.flag())) {
                continue;
            }
            String source = row.sources().get(Math.min(variant, row.sources().size() - 1));
            int times = row.name().contains("#") ? layers : 1;
            for (int layer = 0; layer < times; layer++) {
                String number = String.valueOf(layer);
                map.add(
                        row.name().replace("#", number),
                        shape(row.shape(), sizes),
                        parts(prefix, source.replace("#", number), row.shape(), sizes));
            }
        }
        return map;
    }

    private static WeightMap.Part[] parts(String prefix, String source, String shape, Map<String, Long> sizes) {
        if (source.equals("0")) {
            return new WeightMap.Part[0];
        }
        String[] pieces = source.split("&");
        WeightMap.Part[] parts = new WeightMap.Part[pieces.length];
        for (int i = 0; i < pieces.length; i++) {
            String[] piece = pieces[i].split(":");
            long[] dims = shape(piece.length > 1 ? piece[1] : shape, sizes);
            Matcher cut = CUT.matcher(piece[0]);
            boolean whole = !cut.matches();
            String name = whole ? piece[0] : cut.group(1);
            int of = whole ? 1 : Integer.parseInt(cut.group(3));
            if (piece.length == 1) {
                dims[0] = Math.multiplyExact(dims[0], of);
            }
            parts[i] = new WeightMap.Part(
                    name.startsWith("/") ? name.substring(1) : prefix + name,
                    whole ? 0 : Integer.parseInt(cut.group(2)),
                    of,
                    dims);
        }
        return parts;
    }

    private static long[] shape(String text, Map<String, Long> sizes) {
        return Arrays.stream(text.split(","))
                .mapToLong(size -> sum(size, sizes))
                .toArray();
    }

    private static long sum(String text, Map<String, Long> sizes) {
        try {
            long sum = 0;
            for (String term : text.split("\\+")) {
                long product = 1;
                for (String factor : term.split("\\*")) {
                    Long size = sizes.get(factor);
                    product = Math.multiplyExact(product, size != null ? size : Long.parseLong(factor));
                }
                sum = Math.addExact(sum, product);
            }
            return sum;
        } catch (ArithmeticException e) {
            throw Errors.weights("config.json: sizes overflow");
        }
    }
}
