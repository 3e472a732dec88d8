package io.sensorium.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs the programs that builders need. */
final class Commands {
    private static final long SECONDS = 600;

    /** The Debian packages of programs that are not called like them. */
    private static final Map<String, String> PACKAGES = Map.of("apt-get", "apt", "sox", "sox libsox-fmt-base");

    private Commands() {}

    /** Runs in a folder with this on its standard input. What it says is returned, or in the exception if it fails. */
    static String run(Path folder, String input, List<String> command) {
        Path log = folder.resolve("." + Long.toHexString(System.nanoTime()) + ".log");
        try {
            Process process;
            try {
                process = new ProcessBuilder(command)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(log.toFile())
                        .start();
            } catch (IOException e) {
                throw new DataException(
                        "'" + command.get(0) + "' cannot be run: apt-get install "
                                + PACKAGES.getOrDefault(command.get(0), command.get(0)),
                        e);
            }
            try {
                process.getOutputStream().write(input.getBytes(StandardCharsets.UTF_8));
                process.getOutputStream().close();
            } catch (IOException e) {
                // A program that ends without reading; its exit code tells.
            }
            if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new DataException("'" + String.join(" ", command) + "' did not end in " + SECONDS + " s");
            }
            String said = Files.readString(log, StandardCharsets.ISO_8859_1).strip();
            if (process.exitValue() != 0) {
                throw new DataException("'" + String.join(" ", command) + "' failed: "
                        + said.substring(Math.max(0, said.length() - 500)));
            }
            return said;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DataException("interrupted", e);
        } finally {
            try {
                Files.deleteIfExists(log);
            } catch (IOException e) {
                // A leftover log harms nobody.
            }
        }
    }
}
