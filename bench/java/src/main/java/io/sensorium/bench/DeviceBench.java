package io.sensorium.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Device;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Sensorium on the GPU, requested from Java, in turns with the contenders of the CPU's table: ours there and its peers, whose
 * names begin with {@link #CPU}. Times are those of one item; a ratio is a contender's over one request at a time whose
 * results come to the host.
 */
final class DeviceBench {
    static final String CPU = "CPU: ";

    record Row(Work work, int threads, List<Timing> timings) {}

    private final Device device = Device.cuda();
    private final PrintStream out;
    private final double seconds;
    private final int batch;
    private final int threads;
    private final List<Row> rows = new ArrayList<>();

    /**
     * @param batch items of the larger requests
     * @param threads of the contenders on the CPU, where they can use so many
     */
    DeviceBench(PrintStream out, double seconds, int batch, int threads) {
        this.out = out;
        this.seconds = seconds;
        this.batch = batch;
        this.threads = threads;
    }

    void head() {
        out.printf(
                "device: %s, %s. Contenders named \"%s…\" run on %s.%n",
                device.name(), device.isa(), CPU.strip(), Device.cpu().name());
        out.printf(
                "%n%-26s %2s  %-50s %11s %11s %11s %8s %8s%n",
                "work", "th", "contender, times an item", "best ms", "median ms", "p99 ms", "ratio", "B/run");
    }

    /** A work that has a form on the GPU. */
    void run(Work work) throws Exception {
        int peers = Math.min(threads, work.maxThreads());
        try (Closing closing = new Closing()) {
            List<Contender> contenders =
                    new ArrayList<>(Objects.requireNonNull(work.onDevice()).open(batch, closing));
            for (Contender c : work.field().open(peers, closing)) {
                contenders.add(new Contender(CPU + c.name(), c.run(), c.output(), c.items()));
            }
            Main.compare(work.name(), work.tolerance(), contenders);
            Row row = new Row(work, peers, Rounds.run(contenders, seconds, 3));
            rows.add(row);
            print(row);
        }
    }

    private void print(Row row) {
        boolean first = true;
        for (Timing t : row.timings()) {
            out.printf(
                    "%-26s %2s  %-50s %11.4f %11.4f %11.4f %8.2f %8.0f%n",
                    first ? row.work().name() : "",
                    t.ours() ? "" : row.threads(),
                    t.contender(),
                    t.bestMillis(),
                    t.medianMillis(),
                    t.p99Millis(),
                    t.ratio(),
                    t.bytesPerRun());
            first = false;
        }
    }

    /** PREFIX.json and PREFIX.md. */
    void write(Path prefix) throws IOException {
        ObjectMapper mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        ObjectNode root = Report.machine(mapper, seconds);
        root.put("device", device.name())
                .put("device_isa", device.isa())
                .put("device_memory_bytes", device.memoryBytes())
                .put("batch", batch)
                .put("peers_run_on", "cpu");
        ArrayNode results = root.putArray("results");
        StringBuilder table = new StringBuilder();
        table.append(
                "Sensorium on %s (%s), requested from Java; contenders named \"%s…\" run on %s. Commit %s, medians of%n"
                        .formatted(
                                device.name(),
                                device.isa(),
                                CPU.strip(),
                                Device.cpu().name(),
                                Report.commit()));
        table.append("one item; a ratio is a contender's time over the first one's, taken in turns in one process.%n%n"
                .formatted());
        table.append("| Work | Contender | Threads | median | p99 | ratio |%n|---|---|---|---|---|---|%n".formatted());
        for (Row row : rows) {
            for (Timing t : row.timings()) {
                ObjectNode node = results.addObject().put("work", row.work().name());
                if (!t.ours()) {
                    node.put("threads", row.threads());
                }
                Report.put(node, t);
                table.append("| %s | %s | %s | %.4g ms | %.4g ms | %.2f |%n"
                        .formatted(
                                row.work().name(),
                                t.contender(),
                                t.ours() ? "" : row.threads(),
                                t.medianMillis(),
                                t.p99Millis(),
                                t.ratio()));
            }
        }
        Path parent = prefix.toAbsolutePath().getParent();
        if (parent != null) {
            Files.createDirectories(parent);
        }
        mapper.writeValue(prefix.resolveSibling(prefix.getFileName() + ".json").toFile(), root);
        Files.writeString(prefix.resolveSibling(prefix.getFileName() + ".md"), table);
        out.println("written: " + prefix + ".json and .md");
    }
}
