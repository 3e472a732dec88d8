package io.sensorium.cli;

import io.sensorium.Device;
import io.sensorium.Engine;
import io.sensorium.cuda.CuFft;
import picocli.CommandLine.Option;

/** What every command has that runs an engine and prints what it did. */
final class RunOptions {
    @Option(names = "--threads", paramLabel = "N", description = "Threads; 0 (default) = all processors.")
    private int threads;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Option(names = "--device", defaultValue = "cpu", paramLabel = "cpu|cuda", description = "Where (default cpu).")
    private Device.Kind device;

    Engine open() {
        if (device == Device.Kind.CPU) {
            return Engine.builder().threads(threads).open();
        }
        Engine engine = Engine.builder().device(Device.cuda()).open();
        if (CuFft.unavailabilityCause().isEmpty()) { // few models need it, and they say so
            CuFft.give(engine);
        }
        return engine;
    }
}
