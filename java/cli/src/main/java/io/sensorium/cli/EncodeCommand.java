package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.AudioConfig;
import io.sensorium.Codebook;
import io.sensorium.CodebookConfig;
import io.sensorium.ContextBudget;
import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.ImageConfig;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.ResizeConfig;
import io.sensorium.Resizer;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.Stage;
import io.sensorium.Tokens;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Sounds;
import io.sensorium.models.Codebooks;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.RandomModel;
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.text.TextTokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Files and text in, tokens and latents out. */
@Command(
        name = "encode",
        description = {
            "Turn pictures, sounds and text into one packed sequence of tokens, and that into latents.",
            "Models with a pooled output (CLIP, SigLIP, AST) take each input as a sequence of its own.",
            "--image, --audio and --text can be repeated and mixed; their order is kept in the sequence."
        })
final class EncodeCommand implements Callable<Integer> {
    private static final String RANDOM = "random";

    @Option(
            names = "--model",
            defaultValue = "demo",
            paramLabel = "demo|random|DIR",
            description = {
                "'demo' (default; small, trained on emoji), 'random' (untrained) or a directory with config.json and"
                        + " model.safetensors."
            })
    private String model;

    @Option(
            names = "--compress",
            paramLabel = "HOW",
            description = "The random model's compressor: ${COMPLETION-CANDIDATES} (default: perceiver).")
    private RandomModel.Compression compress;

    @Option(names = "--latents", paramLabel = "K", description = "At most K latents for the sequence.")
    private Integer latents;

    @Option(names = "--budget", paramLabel = "N", description = "Latents to spend on the whole request.")
    private Integer budget;

    @Option(
            names = "--codes",
            arity = "0..1",
            fallbackValue = "",
            paramLabel = "F",
            description = {
                "Also write each token's ids by the codebook F; without F by the model's own (codebook.safetensors in its"
                        + " directory), or, if it has none, by one that is learned from these very tokens."
            })
    private String codes;

    @ArgGroup(exclusive = true, multiplicity = "1..*")
    private List<Item> items;

    @picocli.CommandLine.Mixin
    private VideoEncode.Options videoOptions;

    @Option(names = "--out", required = true, paramLabel = "F", description = "The safetensors file to write.")
    private Path out;

    @Option(names = "--plot", paramLabel = "F", description = "Also draw the request as a PNG.")
    private Path plot;

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    /** What --codes gave: [tokens, stages]. */
    private record Codes(LongBuffer ids, CodebookConfig config, String source, long used) {}

    private Codes coded;

    /** What the budget gave. */
    private ContextBudget.Report spent;

    /** One input, as given. */
    static final class Item {
        @Option(names = "--image", required = true, paramLabel = "F", description = "A PNG, JPEG, WebP, AVIF or GIF.")
        private Path image;

        @Option(
                names = "--audio",
                required = true,
                paramLabel = "F",
                description = "WAV, FLAC, MP3, AAC, Opus or Vorbis, resampled if need be.")
        private Path audio;

        @Option(names = "--text", required = true, paramLabel = "S", description = "Text.")
        private String text;

        @Option(
                names = "--video",
                required = true,
                paramLabel = "F",
                description = "A video, alone: frames and sound in one sequence by time, window by window.")
        private Path video;
    }

    /** One input, decoded. */
    private record Loaded(
            Modality modality,
            String name,
            Picture picture,
            FloatBuffer samples,
            String text,
            LongBuffer ids,
            long tokens) {}

    @Override
    public Integer call() throws IOException {
        Inputs.checkWritable(out, plot);
        try (Engine engine = options.open();
                ModelSpec modelSpec = model();
                Model built = modelSpec.build(engine)) {
            if (video()) {
                if (codes != null || budget != null) {
                    throw new UserError("--codes and --budget are not for videos");
                }
                String title = "sensorium encode · model " + modelName();
                new VideoEncode(items.get(0).video, out, plot, videoOptions, latents)
                        .run(
                                modelSpec,
                                built,
                                engine,
                                title,
                                options.json,
                                spec.commandLine().getOut());
                return 0;
            }
            List<Loaded> loaded = new ArrayList<>();
            for (Item item : items) {
                loaded.add(load(engine, modelSpec, built, item));
            }
            // A tower with a pooled output (CLIP, SigLIP, AST) describes one input at a time.
            boolean apart = modelSpec.pool().isPresent()
                    && Arrays.stream(Modality.values())
                            .anyMatch(modality -> modelSpec.encoder(modality).isPresent());
            if ((latents != null || budget != null) && !built.hasCompressor()) {
                throw new UserError("model '" + model + "' has no compressor to limit");
            }
            try (Session session = built.newSession(limits(loaded, apart ? loaded.size() : 1))) {
                if (latents != null) {
                    session.latents(latents);
                }
                // Once for the caches, once for the times that are told.
                request(session, loaded, apart).run();
                request(session, loaded, apart);
                spent = budget == null ? null : session.budget(budget);
                Result result = session.run();
                coded = codes == null ? null : codes(engine, result.tokens());
                write(result, modelSpec, loaded);
                if (plot != null) {
                    EncodePlot.write(scene(engine, modelSpec, loaded, session, result), plot);
                }
                if (options.json) {
                    printJson(engine, modelSpec, loaded, result);
                } else {
                    printTable(engine, modelSpec, loaded, result);
                }
            }
        }
        return 0;
    }

    /** Whether the one input is a video. */
    private boolean video() {
        boolean any = items.stream().anyMatch(item -> item.video != null);
        if (any && items.size() > 1) {
            throw new UserError("a video is encoded alone: one --video, and no other input");
        }
        if (!any && videoOptions.given()) {
            throw new UserError("--fps, --frames, --every, --window, --chunk and --max-side are for --video");
        }
        return any;
    }

    private ModelSpec model() throws IOException {
        if (latents != null && budget != null) {
            throw new UserError("--latents and --budget exclude each other");
        }
        if (model.equals(RANDOM)) {
            return RandomModel.spec(compress == null ? RandomModel.Compression.PERCEIVER : compress);
        }
        if (compress != null) {
            throw new UserError("--compress is for --model random: '" + model + "' has its own compressor");
        }
        // Of a model with several towers, the one that the first input needs.
        Item first = items.get(0);
        return Models.open(
                model, first.image != null ? Modality.IMAGE : first.audio != null ? Modality.AUDIO : Modality.TEXT);
    }

    private Loaded load(Engine engine, ModelSpec modelSpec, Model built, Item item) throws IOException {
        if (item.image != null) {
            String name = item.image.getFileName().toString();
            ImageConfig config = modelSpec.image().orElseThrow(() -> lacks("image", "pictures"));
            Picture picture = Pictures.read(item.image).upright();
            if (config.channels() != 3) {
                throw new UserError("the model takes pictures of " + config.channels() + " channels; files give 3");
            }
            return new Loaded(
                    Modality.IMAGE,
                    name,
                    picture,
                    null,
                    null,
                    null,
                    Inputs.named(
                            name,
                            () -> built.countTokens(
                                    Modality.IMAGE, Format.U8_HWC, picture.height(), picture.width(), 3)));
        }
        if (item.audio != null) {
            AudioConfig config = modelSpec.audio().orElseThrow(() -> lacks("audio", "sound"));
            Sound sound = Sounds.read(item.audio);
            String name = item.audio.getFileName().toString();
            FloatBuffer samples = Inputs.named(
                    name, () -> Inputs.atRate(engine, sound, config.logMel().sampleRate()));
            return new Loaded(
                    Modality.AUDIO,
                    name,
                    null,
                    samples,
                    null,
                    null,
                    Inputs.named(name, () -> built.countTokens(Modality.AUDIO, Format.F32_PCM, samples.remaining())));
        }
        LongBuffer ids = ids(modelSpec, item.text);
        return new Loaded(
                Modality.TEXT,
                item.text,
                null,
                null,
                item.text,
                ids,
                built.countTokens(Modality.TEXT, Format.I64_IDS, ids.remaining()));
    }

    /** By the model's own rule, or else by the tokenizer.json in its directory. */
    private LongBuffer ids(ModelSpec modelSpec, String text) throws IOException {
        if (modelSpec.text().isEmpty()) {
            throw lacks("text", "text");
        }
        if (modelSpec.textEncoding() == ModelSpec.TextEncoding.NONE) {
            Path file = Path.of(model).resolve("tokenizer.json");
            if (!Files.isRegularFile(file)) {
                throw new UserError("model '" + model + "' has no tokenizer.json: it cannot take text");
            }
            try (TextTokenizer tokenizer = TextTokenizer.open(file)) {
                return tokenizer.ids(text);
            }
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        LongBuffer ids = ByteBuffer.allocateDirect(8 * bytes.length)
                .order(ByteOrder.nativeOrder())
                .asLongBuffer();
        for (byte b : bytes) {
            ids.put(b & 255);
        }
        return ids.flip();
    }

    private UserError lacks(String part, String what) {
        return new UserError("model '" + model + "' has no " + part + " part: it cannot take " + what);
    }

    private static SessionLimits limits(List<Loaded> loaded, int sequences) {
        long tokens = 0;
        long pixels = 1;
        long samples = 1;
        for (Loaded item : loaded) {
            tokens += item.tokens();
            if (item.picture() != null) {
                pixels = Math.max(
                        pixels, (long) item.picture().height() * item.picture().width());
            }
            if (item.samples() != null) {
                samples = Math.max(samples, item.samples().remaining());
            }
        }
        return SessionLimits.builder()
                .maxItems(loaded.size())
                .maxSequences(sequences)
                .maxTokens(Math.toIntExact(Math.max(1, tokens)))
                .maxPixels(pixels)
                .maxSamples(samples)
                .build();
    }

    private static Session request(Session session, List<Loaded> loaded, boolean apart) {
        session.clear();
        for (Loaded item : loaded) {
            if (apart && item != loaded.get(0)) {
                session.nextSequence();
            }
            switch (item.modality()) {
                case IMAGE ->
                    session.image(
                            item.picture().pixels(),
                            item.picture().height(),
                            item.picture().width(),
                            3);
                case AUDIO -> session.audio(item.samples());
                case TEXT -> session.text(item.ids());
            }
        }
        return session;
    }

    private static final int LEARNED_CODES = 64;
    private static final int LEARN_ITERATIONS = 25;

    private Codes codes(Engine engine, Tokens tokens) throws IOException {
        Path own = named() ? null : Path.of(model).resolve(Codebooks.FILE);
        String source;
        Codebook book;
        if (!codes.isEmpty()) {
            source = codes;
            book = Codebooks.load(engine, Path.of(codes));
        } else if (model.equals(RANDOM)) {
            source = "the random model's, untrained";
            book = RandomModel.codebook(engine);
        } else if (own != null && Files.exists(own)) {
            source = own.toString();
            book = Codebooks.load(engine, own);
        } else {
            if (tokens.count() == 0) {
                throw new UserError("--codes: there are no tokens to learn a codebook from");
            }
            source = "learned from these very tokens: ids of other runs mean something else";
            CodebookConfig config = CodebookConfig.vq(Math.min(LEARNED_CODES, tokens.count()), tokens.dim());
            book = Codebook.learn(engine, config, tokens.values(), LEARN_ITERATIONS, 1)
                    .codebook();
        }
        try (book) {
            if (book.config().dim() != tokens.dim()) {
                throw new UserError("--codes: the codebook is for tokens of width "
                        + book.config().dim() + ", the model's have " + tokens.dim());
            }
            LongBuffer ids = book.encode(tokens.values(), tokens.count());
            long[] first = new long[tokens.count()];
            for (int i = 0; i < first.length; i++) {
                first[i] = ids.get(i * book.config().stages());
            }
            return new Codes(
                    ids, book.config(), source, Arrays.stream(first).distinct().count());
        }
    }

    private void write(Result result, ModelSpec modelSpec, List<Loaded> loaded) throws IOException {
        Tokens tokens = result.tokens();
        long n = tokens.count();
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("sensorium", Main.Version.text())
                .metadata("model", named() ? model : modelSpec.family());
        if (!modelSpec.notice().isEmpty()) {
            writer.metadata("notice", modelSpec.notice());
        }
        ArrayNode names = new ObjectMapper().createArrayNode();
        loaded.forEach(item -> names.add(item.name()));
        writer.metadata("items", names.toString());
        writer.add("tokens", tokens.values(), n, tokens.dim());
        writer.add("modality", tokens.modalities(), n);
        writer.add("item", tokens.items(), n);
        writer.add("grid", tokens.grid(), n, 2);
        writer.add("span_us", tokens.spans(), n, 2);
        writer.add("position", tokens.positions(), n, 3);
        if (coded != null) {
            writer.metadata("codebook", coded.source());
            if (coded.config().stages() == 1) {
                writer.add("codes", coded.ids(), n);
            } else {
                writer.add("codes", coded.ids(), n, coded.config().stages());
            }
        }
        writer.add("cu_seqlens", tokens.cuSeqlens(), tokens.sequences() + 1L);
        if (result.hasLatents()) {
            writer.add(
                    "latents",
                    result.latents().values(),
                    result.latents().sequences(),
                    result.latents().perSequence(),
                    result.latents().dim());
        }
        writer.write(out);
    }

    private static final Stage[] STAGES = {Stage.IMAGE, Stage.AUDIO, Stage.TEXT};

    private void printTable(Engine engine, ModelSpec modelSpec, List<Loaded> loaded, Result result) {
        Table table = new Table("llrrrr", "modality", "input", "tokens", "dim", "time span", "ms");
        boolean[] told = new boolean[3];
        int dim = result.tokens().dim();
        for (int i = 0; i < loaded.size(); i++) {
            Loaded item = loaded.get(i);
            int m = item.modality().ordinal();
            // A stage is timed over all items of its modality; it stands at the first.
            String ms = told[m] ? "″" : millis(result.nanos(STAGES[m]));
            told[m] = true;
            table.row(lower(item.modality()), describe(modelSpec, item), item.tokens(), dim, span(result, i), ms);
        }
        int sequences = result.tokens().sequences();
        table.row(
                "packed",
                sequences == 1 ? "one sequence" : sequences + " sequences",
                result.tokens().count(),
                dim,
                "",
                millis(result.nanos(Stage.PACK)));
        if (result.hasLatents()) {
            table.row(
                    "latents",
                    sequences == 1 ? "of the sequence" : "of each sequence",
                    result.latents().perSequence(),
                    result.latents().dim(),
                    "",
                    millis(result.nanos(Stage.LATENTS)));
        }
        if (coded != null) {
            table.row(
                    "codes",
                    coded.used() + " of " + coded.config().size() + " in use",
                    result.tokens().count(),
                    coded.config().stages(),
                    "",
                    "");
        }
        table.row("total", "", "", "", "", millis(result.nanos(Stage.TOTAL)));
        var terminal = spec.commandLine().getOut();
        table.print(terminal);
        terminal.println();
        terminal.println(engine.device().name() + ", " + engine.device().isa() + ", " + engine.threads()
                + (engine.threads() == 1 ? " thread" : " threads") + "; times of a second run");
        if (spent != null) {
            terminal.println("budget: " + spent);
        }
        if (coded != null) {
            terminal.println("codebook: " + coded.source());
        }
        terminal.println("wrote " + out + (plot == null ? "" : " and " + plot));
        if (!modelSpec.notice().isEmpty()) {
            terminal.println("note: " + modelSpec.notice());
        }
        terminal.flush();
    }

    private void printJson(Engine engine, ModelSpec modelSpec, List<Loaded> loaded, Result result) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("model", model).put("notice", modelSpec.notice());
        root.put("device", engine.device().name())
                .put("isa", engine.device().isa())
                .put("threads", engine.threads());
        ArrayNode array = root.putArray("items");
        for (int i = 0; i < loaded.size(); i++) {
            Loaded item = loaded.get(i);
            long[] range = range(result, i);
            array.addObject()
                    .put("modality", lower(item.modality()))
                    .put("input", item.name())
                    .put("tokens", item.tokens())
                    .put("start_us", range[0])
                    .put("end_us", range[1]);
        }
        root.put("tokens", result.tokens().count()).put("dim", result.tokens().dim());
        if (result.hasLatents()) {
            root.putObject("latents")
                    .put("count", result.latents().perSequence())
                    .put("dim", result.latents().dim());
        }
        if (coded != null) {
            root.putObject("codes")
                    .put("codebook", coded.source())
                    .put("size", coded.config().size())
                    .put("stages", coded.config().stages())
                    .put("used", coded.used());
        }
        if (spent != null) {
            root.putObject("budget")
                    .put("total", spent.total())
                    .put("spent", spent.spent())
                    .put("offered", spent.offered())
                    .put("fits", spent.fits());
        }
        ObjectNode times = root.putObject("milliseconds");
        for (Stage stage : Stage.values()) {
            times.put(stage.name().toLowerCase(Locale.ROOT), result.nanos(stage) / 1e6);
        }
        root.put("out", out.toString());
        spec.commandLine().getOut().println(root.toPrettyString());
        spec.commandLine().getOut().flush();
    }

    private static String describe(ModelSpec modelSpec, Loaded item) {
        return switch (item.modality()) {
            case IMAGE ->
                item.name() + " " + item.picture().width() + "×"
                        + item.picture().height();
            case AUDIO -> {
                int rate = modelSpec.audio().orElseThrow().logMel().sampleRate();
                String text = String.format(
                        Locale.ROOT, " %.2f s, %d Hz", item.samples().remaining() / (double) rate, rate);
                yield shorten(item.name(), 36) + text;
            }
            case TEXT -> "“" + shorten(item.text().replaceAll("\\s+", " "), 40) + "”";
        };
    }

    /** Whether it is no directory. */
    private boolean named() {
        return Models.builtIn(model) || model.equals(RANDOM);
    }

    private String modelName() {
        return Path.of(model).getFileName().toString();
    }

    private static String shorten(String text, int length) {
        return text.length() <= length ? text : text.substring(0, length - 1) + "…";
    }

    private static long[] range(Result result, int item) {
        Tokens tokens = result.tokens();
        long start = Long.MAX_VALUE;
        long end = Long.MIN_VALUE;
        for (int i = 0; i < tokens.count(); i++) {
            if (tokens.item(i) == item) {
                start = Math.min(start, tokens.startMicros(i));
                end = Math.max(end, tokens.endMicros(i));
            }
        }
        return start > end ? new long[] {0, 0} : new long[] {start, end};
    }

    private static String span(Result result, int item) {
        long[] range = range(result, item);
        return range[0] == range[1] ? "–" : String.format(Locale.ROOT, "%.3f–%.3f s", range[0] / 1e6, range[1] / 1e6);
    }

    private static String millis(long nanos) {
        return String.format(Locale.ROOT, "%.3f", nanos / 1e6);
    }

    private static String lower(Modality modality) {
        return modality.name().toLowerCase(Locale.ROOT);
    }

    private Scene scene(Engine engine, ModelSpec modelSpec, List<Loaded> loaded, Session session, Result result) {
        Scene scene = new Scene();
        scene.title = "sensorium encode · model " + modelName();
        scene.notice = modelSpec.notice();
        Tokens tokens = result.tokens();
        for (int i = 0; i < loaded.size(); i++) {
            Loaded item = loaded.get(i);
            int count = (int) item.tokens();
            switch (item.modality()) {
                case IMAGE -> {
                    ImageConfig c = modelSpec.image().orElseThrow();
                    scene.images.add(new Scene.Image(
                            item.name(),
                            seen(engine, c, item.picture()),
                            c.patchH(),
                            c.patchW(),
                            c.strideH(),
                            c.strideW(),
                            count));
                }
                case AUDIO -> scene.audios.add(audio(engine, modelSpec.audio().orElseThrow(), item, i, tokens, count));
                case TEXT -> scene.texts.add(new Scene.Text(item.text(), count));
            }
        }
        scene.modalities = new Modality[tokens.count()];
        scene.items = new int[tokens.count()];
        scene.grid = new int[2 * tokens.count()];
        tokens.grid().get(0, scene.grid);
        scene.spans = new long[2 * tokens.count()];
        tokens.spans().get(0, scene.spans);
        for (int i = 0; i < tokens.count(); i++) {
            scene.modalities[i] = tokens.modality(i);
            scene.items[i] = tokens.item(i);
        }
        scene.tokens = tokens.values();
        scene.dim = tokens.dim();
        if (result.hasLatents()) {
            scene.latents = result.latents().values();
            scene.latentRows = result.latents().count();
            scene.latentDim = result.latents().dim();
            if (tokens.sequences() == 1) {
                FloatBuffer weights = ByteBuffer.allocateDirect(
                                Math.multiplyExact(4 * scene.latentRows, tokens.count()))
                        .order(ByteOrder.nativeOrder())
                        .asFloatBuffer();
                session.attention(0, weights);
                scene.attention = weights;
            }
        }
        return scene;
    }

    /** The pixels that are cut into patches. */
    private static Picture seen(Engine engine, ImageConfig config, Picture picture) {
        if (config.resize().equals(ResizeConfig.NONE)) {
            return picture;
        }
        Resizer resizer = engine.resizer(config.resize());
        Resizer.Size size = resizer.size(picture.height(), picture.width());
        ByteBuffer pixels = ByteBuffer.allocateDirect(size.height() * size.width() * 3);
        resizer.run(picture.pixels(), picture.height(), picture.width(), 3, pixels);
        return new Picture(pixels, size.height(), size.width());
    }

    private static Scene.Audio audio(
            Engine engine, AudioConfig config, Loaded item, int index, Tokens tokens, int count) {
        LogMelConfig frames = config.logMel().toBuilder().melMajor(false).build();
        int samples = item.samples().remaining();
        FloatBuffer features;
        int frameCount;
        try (LogMel logMel = engine.logMel(frames)) {
            frameCount = Math.toIntExact(logMel.frames(samples));
            features = ByteBuffer.allocateDirect(Math.multiplyExact(frameCount, 4 * frames.nMels()))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            logMel.run(item.samples(), features);
        }
        long duration = samples * 1_000_000L / frames.sampleRate();
        // Borders lie halfway between the middles of neighbouring tokens in time.
        long[] middles = java.util.stream.IntStream.range(0, tokens.count())
                .filter(t -> tokens.item(t) == index && tokens.gridColumn(t) >= 0)
                .mapToLong(t -> (tokens.startMicros(t) + tokens.endMicros(t)) / 2)
                .sorted()
                .distinct()
                .toArray();
        long[] borders = new long[Math.max(0, middles.length - 1)];
        for (int i = 0; i < borders.length; i++) {
            borders[i] = (middles[i] + middles[i + 1]) / 2;
        }
        boolean centred =
                frames.padding() == io.sensorium.Padding.REFLECT || frames.padding() == io.sensorium.Padding.ZERO;
        long centre = centred ? 0 : frames.winLength() * 500_000L / frames.sampleRate();
        return new Scene.Audio(item.name(), features, frameCount, frames, duration, centre, borders, count);
    }
}
