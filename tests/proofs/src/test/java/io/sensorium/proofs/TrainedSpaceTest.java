package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.demo.EmojiModel;
import io.sensorium.health.Baseline;
import io.sensorium.health.Figure;
import io.sensorium.health.HealthReport;
import io.sensorium.health.Settings;
import io.sensorium.health.SpaceMonitor;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The monitor on the shipped model and what it was made for: pictures of emoji and their names spoken by several voices.
 * Faults are of the files and of the weights, and are flagged within 500 items; healthy traffic is drawn again and again.
 */
class TrainedSpaceTest {
    private static final int VOICES = 8;
    private static final int WINDOW = 500;
    private static final int HEALTHY_WINDOW = 200;
    private static final int SEEDS = 200;

    @TempDir
    static Path folder;

    private static Engine engine;
    private static List<Item> items;
    private static Space space;
    private static Baseline baseline;

    /** Embeddings of the same items: [n][dim]. */
    private record Space(float[][] pictures, float[][] sounds) {
        Space of(int[] chosen) {
            return new Space(
                    IntStream.of(chosen).mapToObj(i -> pictures[i]).toArray(float[][]::new),
                    IntStream.of(chosen).mapToObj(i -> sounds[i]).toArray(float[][]::new));
        }
    }

    @BeforeAll
    static void embed() throws IOException {
        engine = Engine.open();
        items = items(emoji());
        try (ModelSpec model = EmojiModel.open()) {
            space = embed(model, items, UnaryOperator.identity(), UnaryOperator.identity());
        }
        SpaceMonitor monitor = new SpaceMonitor(settings(WINDOW, 50, 1));
        feed(monitor, space.of(draw(WINDOW, 1)));
        baseline = monitor.baseline();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    /** Where {@code ./sensorium index --data emoji} builds it. */
    private static DataSet emoji() throws IOException {
        String home = System.getenv("XDG_CACHE_HOME");
        Path cache = (home == null || home.isEmpty()
                        ? Path.of(System.getProperty("user.home"), ".cache")
                        : Path.of(home))
                .resolve("sensorium");
        Path set = cache.resolve("emoji");
        try {
            return DataSet.open(set);
        } catch (NoSuchFileException e) {
            return DataSet.build(DataSet.Builtin.EMOJI, cache.resolve("packages"), set, System.out::println);
        }
    }

    /** One of each concept, the first voices in turn. */
    private static List<Item> items(DataSet set) throws IOException {
        Map<String, Map<String, Item>> concepts = new LinkedHashMap<>();
        Set<String> voices = new LinkedHashSet<>();
        try (Stream<Item> all = set.items()) {
            all.filter(item -> voices.contains(item.source()) || voices.size() < VOICES && voices.add(item.source()))
                    .forEach(item -> concepts.computeIfAbsent(item.concept(), c -> new LinkedHashMap<>())
                            .put(item.source(), item));
        }
        List<String> turn = List.copyOf(voices);
        List<Item> chosen = new ArrayList<>();
        concepts.values().forEach(spoken -> chosen.add(spoken.get(turn.get(chosen.size() % turn.size()))));
        return chosen;
    }

    private static Space embed(
            ModelSpec model, List<Item> of, UnaryOperator<Picture> camera, UnaryOperator<Sound> microphone)
            throws IOException {
        float[][] pictures = new float[of.size()][];
        float[][] sounds = new float[of.size()][];
        try (Embedder embedder = new Embedder(engine, model)) {
            for (int i = 0; i < of.size(); i++) {
                pictures[i] =
                        embedder.image(camera.apply(Pictures.read(of.get(i).image())));
                sounds[i] = embedder.audio(microphone.apply(Wav.read(of.get(i).audio())));
            }
        }
        return new Space(pictures, sounds);
    }

    private static Settings settings(int window, int resamples, long seed) {
        return new Settings(space.pictures()[0].length, "image", "audio", window, 100, resamples, 1e-3, seed);
    }

    /** Different items, in an order of chance. */
    private static int[] draw(int n, long seed) {
        List<Integer> order =
                new ArrayList<>(IntStream.range(0, items.size()).boxed().toList());
        Collections.shuffle(order, new Random(seed));
        return order.stream().limit(n).mapToInt(Integer::intValue).toArray();
    }

    private static void feed(SpaceMonitor monitor, Space part) {
        for (int i = 0; i < part.pictures().length; i++) {
            monitor.x(part.pictures()[i]);
            monitor.y(part.sounds()[i]);
            monitor.pair(part.pictures()[i], part.sounds()[i]);
        }
    }

    /** Healthy traffic up to a full window, then the fault, for as many items as the window holds. */
    private static void flagged(String fault, Space faulty, String... names) {
        SpaceMonitor monitor = new SpaceMonitor(settings(WINDOW, 50, 3), baseline);
        feed(monitor, space.of(draw(WINDOW, 2)));
        assertEquals(List.of(), monitor.report().alarms());
        feed(monitor, faulty);
        HealthReport report = monitor.report();
        List<String> alarms = report.alarms().stream().map(Figure::name).toList();
        System.out.println(fault + ": " + alarms);
        assertTrue(!alarms.isEmpty() && alarms.containsAll(List.of(names)), fault + ": " + alarms);
    }

    private static Space seen(ModelSpec model, UnaryOperator<Picture> camera, UnaryOperator<Sound> microphone)
            throws IOException {
        return embed(model, IntStream.of(draw(WINDOW, 3)).mapToObj(items::get).toList(), camera, microphone);
    }

    @Test
    void healthyTrafficRaisesHardlyAnyAlarm() {
        int reports = 0;
        for (int seed = 0; seed < SEEDS; seed++) {
            // Each with its own baseline, so that no lucky one decides.
            SpaceMonitor first = new SpaceMonitor(settings(HEALTHY_WINDOW, 20, seed));
            feed(first, space.of(draw(HEALTHY_WINDOW, 10_000 + seed)));
            SpaceMonitor monitor = new SpaceMonitor(settings(HEALTHY_WINDOW, 20, 1_000 + seed), first.baseline());
            feed(monitor, space.of(draw(HEALTHY_WINDOW, 20_000 + seed)));
            HealthReport report = monitor.report();
            if (!report.alarms().isEmpty()) {
                reports++;
                System.out.println("false alarm, seed " + seed + ": " + report.alarms());
            }
        }
        System.out.println(reports + " false alarms in " + SEEDS);
        assertTrue(reports < SEEDS / 100, reports + " false alarms in " + SEEDS);
    }

    @Test
    void shuffledPairsAreFlagged() {
        Space part = space.of(draw(WINDOW, 3));
        Collections.rotate(java.util.Arrays.asList(part.sounds()), 1);
        flagged("shuffled", part, "image_to_audio.R@1", "audio_to_image.MRR", "margin", "alignment");
    }

    @Test
    void sensorsThatDriftAreFlagged() throws IOException {
        try (ModelSpec model = EmojiModel.open()) {
            UnaryOperator<Picture> eye = UnaryOperator.identity();
            UnaryOperator<Sound> ear = UnaryOperator.identity();
            flagged("gain", seen(model, eye, TrainedSpaceTest::quiet), "frechet_audio");
            flagged("band", seen(model, eye, TrainedSpaceTest::dull), "frechet_audio");
            flagged("cast", seen(model, TrainedSpaceTest::warm, ear), "frechet_image");
        }
    }

    /** 40 dB less, so that of 16 bits not ten are left. */
    private static Sound quiet(Sound sound) {
        float[] out = samples(sound);
        for (int i = 0; i < out.length; i++) {
            out[i] = Math.round(0.01f * out[i] * 32768) / 32768f;
        }
        return sound(out, sound);
    }

    /** As through a telephone that loses what is above 2 kHz: a windowed sinc. */
    private static Sound dull(Sound sound) {
        float[] in = samples(sound);
        double cutoff = 2000.0 / sound.sampleRate();
        int half = 40;
        double[] taps = new double[2 * half + 1];
        for (int k = -half; k <= half; k++) {
            double sinc = k == 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * k) / (Math.PI * k);
            taps[k + half] = sinc * (0.5 + 0.5 * Math.cos(Math.PI * k / (half + 1)));
        }
        float[] out = new float[in.length];
        for (int i = 0; i < in.length; i++) {
            double sum = 0;
            for (int k = Math.max(-half, i - in.length + 1); k <= Math.min(half, i); k++) {
                sum += taps[k + half] * in[i - k];
            }
            out[i] = (float) sum;
        }
        return sound(out, sound);
    }

    private static float[] samples(Sound sound) {
        float[] out = new float[sound.samples().remaining()];
        sound.samples().duplicate().get(out);
        return out;
    }

    private static Sound sound(float[] samples, Sound like) {
        FloatBuffer buffer = ByteBuffer.allocateDirect(4 * samples.length)
                .order(java.nio.ByteOrder.nativeOrder())
                .asFloatBuffer();
        return new Sound(buffer.put(samples).flip(), like.sampleRate(), 1);
    }

    /** A white balance for lamps: less blue, more red. */
    private static Picture warm(Picture picture) {
        ByteBuffer pixels = picture.pixels().rewind();
        ByteBuffer out = ByteBuffer.allocateDirect(pixels.remaining());
        double[] gains = {1.15, 1, 0.6};
        for (int i = 0; i < pixels.limit(); i++) {
            out.put((byte) Math.min(255, Math.round(gains[i % 3] * (pixels.get(i) & 0xFF))));
        }
        return new Picture(out.flip(), picture.height(), picture.width());
    }

    @Test
    void aHeadThatCollapsedIsFlagged() throws IOException {
        try (ModelSpec model = EmojiModel.open();
                ModelSpec broken = copy(model, "collapsed", (name, weight, dims) -> {
                    if (name.equals("head.audio.weight")) {
                        collapse(weight, (int) dims[0], (int) dims[1]);
                    }
                })) {
            Space part = seen(broken, UnaryOperator.identity(), UnaryOperator.identity());
            flagged("collapsed", part, "rankme_audio", "uniformity_audio", "image_to_audio.R@1", "frechet_audio");
        }
    }

    /** As good as the shipped one to the last figure of pairs, in a space of its own: all heads are turned alike. */
    @Test
    void anotherCheckpointIsFlagged() throws IOException {
        int dim = space.pictures()[0].length;
        float[][] turn = rotation(dim, new Random(5));
        try (ModelSpec model = EmojiModel.open();
                ModelSpec other = copy(model, "other", (name, weight, dims) -> {
                    if (name.startsWith("head.")) {
                        turn(turn, weight, dims.length == 1 ? 1 : (int) dims[1]);
                    }
                })) {
            Space part = seen(other, UnaryOperator.identity(), UnaryOperator.identity());
            flagged("checkpoint", part, "frechet_image", "frechet_audio");
            Space half = new Space(space.of(draw(WINDOW, 3)).pictures(), part.sounds());
            flagged("checkpoint of one side", half, "frechet_audio", "image_to_audio.R@1", "margin");
        }
    }

    private interface Change {
        void of(String name, FloatBuffer weight, long[] dims);
    }

    /** The model with other weights, through its files. */
    private static ModelSpec copy(ModelSpec model, String name, Change change) throws IOException {
        Path directory = folder.resolve(name);
        ModelDesign.of(model).write(directory, Map.of(), (tensor, dims) -> {
            FloatBuffer values = model.read(tensor);
            FloatBuffer out =
                    FloatBuffer.allocate(values.remaining()).put(values).flip();
            change.of(tensor, out, dims);
            return out;
        });
        return ModelLoader.open(directory);
    }

    /** Leaves 2 % of all but the weight's first singular direction, by the power method. */
    private static void collapse(FloatBuffer weight, int rows, int columns) {
        double[] right = new Random(1).doubles(columns).toArray();
        double[] left = new double[rows];
        for (int step = 0; step < 100; step++) {
            double length = 0;
            for (int r = 0; r < rows; r++) {
                left[r] = 0;
                for (int c = 0; c < columns; c++) {
                    left[r] += weight.get(r * columns + c) * right[c];
                }
            }
            for (int c = 0; c < columns; c++) {
                right[c] = 0;
                for (int r = 0; r < rows; r++) {
                    right[c] += weight.get(r * columns + c) * left[r];
                }
                length += right[c] * right[c];
            }
            for (int c = 0; c < columns; c++) {
                right[c] /= Math.sqrt(length);
            }
        }
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                int at = r * columns + c;
                weight.put(at, (float) (0.02 * weight.get(at) + left[r] * right[c]));
            }
        }
    }

    /** Gram and Schmidt on normal numbers. */
    private static float[][] rotation(int n, Random random) {
        float[][] out = new float[n][n];
        for (int i = 0; i < n; i++) {
            double[] row = random.doubles(n).map(v -> v - 0.5).toArray();
            for (int pass = 0; pass < 2; pass++) {
                for (int j = 0; j < i; j++) {
                    double dot = 0;
                    for (int k = 0; k < n; k++) {
                        dot += row[k] * out[j][k];
                    }
                    for (int k = 0; k < n; k++) {
                        row[k] -= dot * out[j][k];
                    }
                }
            }
            double length = 0;
            for (double v : row) {
                length += v * v;
            }
            for (int k = 0; k < n; k++) {
                out[i][k] = (float) (row[k] / Math.sqrt(length));
            }
        }
        return out;
    }

    private static void turn(float[][] by, FloatBuffer weight, int columns) {
        float[] old = new float[weight.remaining()];
        weight.duplicate().get(old);
        for (int r = 0; r < by.length; r++) {
            for (int c = 0; c < columns; c++) {
                double sum = 0;
                for (int k = 0; k < by.length; k++) {
                    sum += by[r][k] * old[k * columns + c];
                }
                weight.put(r * columns + c, (float) sum);
            }
        }
    }
}
