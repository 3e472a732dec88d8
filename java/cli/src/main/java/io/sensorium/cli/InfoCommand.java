package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Device;
import io.sensorium.Engine;
import io.sensorium.cuda.CuFft;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What runs here and on what. */
@Command(name = "info", description = "Version, devices, instruction sets, threads, memory; why there is no CUDA.")
final class InfoCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("version", Main.Version.text());
        root.put("java", Runtime.version() + ", " + System.getProperty("java.vm.name"));
        root.put(
                "os",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"));
        Device cpu = Device.cpu();
        device(root.putObject("cpu"), cpu);
        if (cpu.isAvailable()) {
            try (Engine engine = Engine.open()) {
                root.put("threads", engine.threads());
            }
        }
        device(root.putObject("cuda"), Device.cuda());
        ObjectNode fft = root.putObject("cufft");
        fft.put("available", CuFft.unavailabilityCause().isEmpty());
        CuFft.unavailabilityCause().ifPresent(cause -> fft.put("cause", cause));
        if (json) {
            out.println(root.toPrettyString());
            return 0;
        }
        out.println("sensorium  " + root.get("version").asText());
        out.println("java       " + root.get("java").asText());
        out.println("system     " + root.get("os").asText());
        out.println("cpu        " + text(cpu));
        if (root.has("threads")) {
            out.println("threads    " + root.get("threads").asInt());
        }
        out.println("cuda       " + text(Device.cuda()));
        out.println("cufft      "
                + CuFft.unavailabilityCause()
                        .map(cause -> "not available: " + cause)
                        .orElse("available"));
        return 0;
    }

    private static void device(ObjectNode node, Device device) {
        node.put("available", device.isAvailable());
        if (device.isAvailable()) {
            node.put("name", device.name())
                    .put("isa", device.isa())
                    .put("units", device.units())
                    .put("memory_bytes", device.memoryBytes());
        } else {
            node.put("cause", device.unavailabilityCause().orElse(""));
        }
    }

    private static String text(Device device) {
        if (!device.isAvailable()) {
            return "not available: " + device.unavailabilityCause().orElse("");
        }
        return String.format(
                Locale.ROOT,
                "%s, %s, %d units, %.1f GiB",
                device.name(),
                device.isa(),
                device.units(),
                device.memoryBytes() / (double) (1L << 30));
    }
}
