package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.VectorIndex;
import io.sensorium.media.Pictures;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import io.sensorium.search.ResultPage;
import io.sensorium.search.SearchIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Nearest pictures, sounds and texts. */
@Command(
        name = "search",
        description = "Find the nearest pictures, sounds and texts of an index by a picture, a sound or words.")
final class SearchCommand implements Callable<Integer> {
    @Option(
            names = "--model",
            defaultValue = "demo",
            paramLabel = "demo|DIR",
            description = "The model that the index was made with: 'demo' (default) or a directory.")
    private String model;

    @Option(names = "--index", required = true, paramLabel = "INDEX", description = "A folder written by 'index'.")
    private Path index;

    @ArgGroup(exclusive = true, multiplicity = "1")
    private Query query;

    @Option(names = "--k", defaultValue = "10", paramLabel = "K", description = "Of each modality (default: 10).")
    private int k;

    @Option(names = "--html", paramLabel = "F", description = "Also write a page with pictures and players.")
    private Path html;

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    /** What is searched by. */
    static final class Query {
        @Option(names = "--image", required = true, paramLabel = "F", description = "A PNG or JPEG.")
        private Path image;

        @Option(names = "--audio", required = true, paramLabel = "F", description = "A WAV file.")
        private Path audio;

        @Option(names = "--text", required = true, paramLabel = "S", description = "Words.")
        private String text;
    }

    @Override
    public Integer call() throws IOException {
        Inputs.checkWritable(html);
        if (k < 1 || k > VectorIndex.MAX_K) {
            throw new UserError("--k must be in [1, " + VectorIndex.MAX_K + "]");
        }
        try (Engine engine = options.open();
                SearchIndex found = SearchIndex.open(engine, index);
                ModelSpec modelSpec = Models.open(model);
                Embedder embedder = new Embedder(engine, modelSpec)) {
            float[] vector = vector(embedder);
            Map<Modality, List<SearchIndex.Hit>> hits = new EnumMap<>(Modality.class);
            for (Modality modality : Modality.values()) {
                hits.put(modality, found.search(vector, modality, k));
            }
            if (html != null) {
                ResultPage.write(html, asked(), hits);
            }
            if (options.json) {
                printJson(hits);
            } else {
                printTable(hits);
            }
        } catch (IllegalArgumentException e) {
            throw UserError.of(e);
        }
        return 0;
    }

    private float[] vector(Embedder embedder) throws IOException {
        Modality modality = query.image != null ? Modality.IMAGE : query.audio != null ? Modality.AUDIO : Modality.TEXT;
        if (!embedder.reads(modality)) {
            throw new UserError("model '" + model + "' gives no embeddings of " + lower(modality));
        }
        return switch (modality) {
            case IMAGE -> embedder.image(Pictures.read(query.image));
            case AUDIO -> embedder.audio(Wav.read(query.audio));
            case TEXT -> embedder.text(query.text);
        };
    }

    private ResultPage.Query asked() {
        return query.image != null
                ? new ResultPage.Query(Modality.IMAGE, query.image.toString())
                : query.audio != null
                        ? new ResultPage.Query(Modality.AUDIO, query.audio.toString())
                        : new ResultPage.Query(Modality.TEXT, query.text);
    }

    private void printTable(Map<Modality, List<SearchIndex.Hit>> hits) {
        Table table = new Table("lrrll", "modality", "rank", "cosine", "concept", "source");
        hits.forEach((modality, list) -> {
            for (int i = 0; i < list.size(); i++) {
                SearchIndex.Hit hit = list.get(i);
                table.row(
                        lower(modality),
                        i + 1,
                        String.format(Locale.ROOT, "%.3f", hit.score()),
                        hit.entry().concept(),
                        modality == Modality.AUDIO ? hit.entry().source() : "");
            }
        });
        table.print(spec.commandLine().getOut());
        if (html != null) {
            spec.commandLine().getOut().println("wrote " + html);
        }
    }

    private void printJson(Map<Modality, List<SearchIndex.Hit>> hits) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        hits.forEach((modality, list) -> {
            ArrayNode array = root.putArray(lower(modality));
            for (SearchIndex.Hit hit : list) {
                array.addObject()
                        .put("score", hit.score())
                        .put("concept", hit.entry().concept())
                        .put("what", hit.entry().what())
                        .put("source", hit.entry().source());
            }
        });
        spec.commandLine().getOut().println(root.toPrettyString());
    }

    private static String lower(Modality modality) {
        return modality.name().toLowerCase(Locale.ROOT);
    }
}
