package io.sensorium.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Ceiling;
import io.sensorium.Device;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Everything that was measured, and its JSON. */
final class Report {
    final Map<Integer, Ceiling> ceilings = new LinkedHashMap<>();
    final List<Main.Result> results = new ArrayList<>();
    final List<CompressionTest.Result> compressions = new ArrayList<>();
    final List<VideoTest.Result> videos = new ArrayList<>();
    final List<RequestTest.Result> requests = new ArrayList<>();
    final List<LoadTest.Result> loads = new ArrayList<>();
    private final double secondsPerRow;
    private final String loadBefore = load();

    Report(double secondsPerRow) {
        this.secondsPerRow = secondsPerRow;
    }

    /** Of the checkout, as the launcher found it. */
    static String commit() {
        return System.getProperty("sensorium.commit", "unknown");
    }

    /** Time of a work at the ceiling. */
    static double ceilingMillis(Main.Result r, Map<Integer, Ceiling> ceilings) {
        Ceiling c = ceilings.get(r.threads());
        boolean bf16 = r.work().fast() && c.bf16Gflops() > 0;
        return r.work().flops() / (bf16 ? c.bf16Gflops() : c.gflops()) * 1e-6;
    }

    /** When, of what and where. */
    static ObjectNode machine(ObjectMapper mapper, double secondsPerRow) {
        Device cpu = Device.cpu();
        return mapper.createObjectNode()
                .put("date", LocalDate.now().toString())
                .put("commit", commit())
                .put("cpu", cpu.name())
                .put("isa", cpu.isa())
                .put("processors", cpu.units())
                .put("java", System.getProperty("java.vm.version"))
                .put("peers", peers())
                .put("seconds_per_row", secondsPerRow);
    }

    static void put(ObjectNode node, Timing t) {
        node.put("contender", t.contender())
                .put("best_ms", rounded(t.bestMillis()))
                .put("median_ms", rounded(t.medianMillis()))
                .put("p99_ms", rounded(t.p99Millis()))
                .put("ratio", rounded(t.ratio()))
                .put("ratio_low", rounded(t.ratioLow()))
                .put("ratio_high", rounded(t.ratioHigh()))
                .put("bytes_per_run", Math.round(t.bytesPerRun()))
                .put("runs", t.runs());
    }

    void write(Path file) throws IOException {
        ObjectMapper mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        ObjectNode root = machine(mapper, secondsPerRow).put("load_average_before", loadBefore);
        ArrayNode all = root.putArray("ceilings");
        ceilings.forEach((threads, c) -> all.addObject()
                .put("threads", threads)
                .put("fp32_gflops", rounded(c.gflops()))
                .put("bf16_gflops", rounded(c.bf16Gflops()))
                .put("gbytes_per_s", rounded(c.gbytesPerSecond())));
        ArrayNode rows = root.putArray("results");
        for (Main.Result r : results) {
            for (Timing t : r.timings()) {
                ObjectNode row = rows.addObject().put("work", r.work().name()).put("threads", r.threads());
                put(row, t);
                row.put("ceiling_share", rounded(ceilingMillis(r, ceilings) / t.bestMillis()));
            }
        }
        ArrayNode reaches = root.putArray("reaches");
        for (Main.Result r : results) {
            for (Reach.Outcome o : r.outcomes()) {
                reaches.addObject()
                        .put("work", r.work().name())
                        .put("threads", r.threads())
                        .put("peer", o.peer())
                        .put("wanted", o.wanted())
                        .put("reached", rounded(o.reached()))
                        .put("met", o.met());
            }
        }
        root.set("compressions", mapper.valueToTree(compressions));
        root.set("videos", mapper.valueToTree(videos));
        root.set("requests", mapper.valueToTree(requests));
        root.set("loads", mapper.valueToTree(loads));
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        mapper.writeValue(file.toFile(), root);
    }

    /** What stands on the class path: pytorch, onnxruntime and so on with their versions. */
    private static String peers() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(path -> Path.of(path).getFileName().toString())
                .filter(name -> name.matches("(pytorch|onnxruntime|ffmpeg|JTransforms|thumbnailator)-[0-9.-]+\\.jar"))
                .map(name -> name.substring(0, name.length() - ".jar".length()))
                .sorted()
                .collect(Collectors.joining(", "));
    }

    /** Four digits. */
    private static double rounded(double value) {
        return value == 0 || Double.isNaN(value)
                ? value
                : new java.math.BigDecimal(value)
                        .round(new java.math.MathContext(4))
                        .doubleValue();
    }

    private static String load() {
        try {
            return Files.readString(Path.of("/proc/loadavg")).strip();
        } catch (IOException e) {
            return "unknown";
        }
    }
}
