package io.sensorium.cli;

import io.sensorium.Engine;
import picocli.CommandLine.Option;

/** What every command has that runs an engine and prints what it did. */
final class RunOptions {
    @Option(names = "--threads", paramLabel = "N", description = "Threads; 0 (default) = all processors.")
    private int threads;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    Engine open() {
        return Engine.builder().threads(threads).open();
    }
}
