package io.sensorium.align;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.models.ModelDesign;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.InputArchive;
import org.bytedeco.pytorch.OutputArchive;
import org.jspecify.annotations.Nullable;

/**
 * A training run on disk: OUT/checkpoint-STEP with the weights, AdamW's moments and what else is needed to go on. It gets its
 * name when all of it is there, and only then the one before is deleted: a killed run loses what came after its last one.
 * OUT/best holds the weights that validated best.
 */
record Checkpoint(Path directory, State state) {
    private static final String PREFIX = "checkpoint-";
    private static final String STATE = "state.json";
    private static final String OPTIMIZER = "optimizer.pt";
    private static final String BEST = "best";

    /**
     * @param step number of steps done
     * @param seconds of training, over all runs
     * @param best validation
     * @param checksWithoutBetter checkpoints since then
     */
    record State(long step, double seconds, double best, int checksWithoutBetter) {
        static final State START = new State(0, 0, Double.NEGATIVE_INFINITY, 0);
    }

    static void write(
            Path out,
            ModelDesign design,
            ModelDesign.Values values,
            AdamW optimizer,
            State state,
            TrainOptions options,
            boolean best)
            throws IOException {
        Path part = out.resolve("." + PREFIX + "part");
        delete(part);
        design.write(part, Map.of(), values);
        try (OutputArchive archive = new OutputArchive()) {
            optimizer.save(archive);
            archive.save_to(part.resolve(OPTIMIZER).toString());
        }
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.put("step", state.step()).put("seconds", state.seconds()).put("best", state.best());
        json.put("checks_without_better", state.checksWithoutBetter());
        json.put("baseline", options.baseline());
        json.put("seed", options.seed()).put("batch", options.batch());
        json.put("loss", options.loss().name());
        Files.writeString(part.resolve(STATE), json.toPrettyString());
        Path done = out.resolve(PREFIX + state.step());
        delete(done);
        Files.move(part, done);
        if (best) {
            // Its configuration comes last, so that a directory that has one is whole; a kill in between leaves the
            // checkpoint, which holds the same weights.
            Files.deleteIfExists(out.resolve(BEST).resolve("config.json"));
            design.write(out.resolve(BEST), Map.of(), values);
        }
        for (Path old : all(out)) {
            if (!old.equals(done)) {
                delete(old);
            }
        }
    }

    /** Null if there is none. A checkpoint of another kind of model, seed, batch or loss is an error: it would be another run. */
    static @Nullable Checkpoint newest(Path out, TrainOptions options) throws IOException {
        List<Path> found = all(out);
        if (found.isEmpty()) {
            return null;
        }
        Path directory = found.get(found.size() - 1);
        JsonNode json = ModelLoader.readConfig(directory.resolve(STATE));
        same(directory, "baseline", json.path("baseline").asBoolean(), options.baseline());
        same(directory, "seed", json.path("seed").asLong(), options.seed());
        same(directory, "batch", json.path("batch").asLong(), options.batch());
        same(directory, "loss", json.path("loss").asText(), options.loss().name());
        return new Checkpoint(
                directory,
                new State(
                        json.path("step").asLong(),
                        json.path("seconds").asDouble(),
                        json.path("best").asDouble(Double.NEGATIVE_INFINITY),
                        json.path("checks_without_better").asInt()));
    }

    private static void same(Path directory, String what, Object there, Object wanted) {
        if (!there.equals(wanted instanceof Integer number ? (Object) number.longValue() : wanted)) {
            throw new IllegalArgumentException(directory + " was trained with " + what + " " + there + ", not " + wanted
                    + "; give that, or another --out");
        }
    }

    /** The weights that validated best, or the newest ones. */
    static Checkpoint best(Path out) throws IOException {
        Path best = out.resolve(BEST);
        List<Path> found = all(out);
        if (Files.exists(best.resolve("config.json"))) {
            return new Checkpoint(best, State.START);
        }
        if (found.isEmpty()) {
            throw new IllegalArgumentException("no checkpoint in " + out);
        }
        return new Checkpoint(found.get(found.size() - 1), State.START);
    }

    ModelSpec model() throws IOException {
        return ModelLoader.open(directory);
    }

    State restore(AdamW optimizer) {
        try (InputArchive archive = new InputArchive()) {
            archive.load_from(directory.resolve(OPTIMIZER).toString());
            optimizer.load(archive);
        }
        return state;
    }

    /** Oldest first. */
    private static List<Path> all(Path out) throws IOException {
        if (!Files.isDirectory(out)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(out)) {
            return files.filter(f -> f.getFileName().toString().matches(PREFIX + "[0-9]{1,18}"))
                    .sorted(Comparator.comparingLong(
                            f -> Long.parseLong(f.getFileName().toString().substring(PREFIX.length()))))
                    .toList();
        }
    }

    private static void delete(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
