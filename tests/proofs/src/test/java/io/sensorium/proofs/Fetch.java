package io.sensorium.proofs;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Packages from npm and Debian, by their own clients, unpacked without being installed. A failure is the test's. */
final class Fetch {
    private static final long MINUTES = 10;

    private Fetch() {}

    /** The folder {@code package} of an npm package, such as {@code name@1.0.0}. */
    static Path npm(Path folder, String spec) throws IOException, InterruptedException {
        run(folder, Map.of(), "npm", "pack", "--silent", spec);
        run(folder, Map.of(), "tar", "xzf", only(folder, ".tgz").get(0).toString());
        return folder.resolve("package");
    }

    /** The root folder of Debian packages. */
    static Path debian(Path folder, String... packages) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("apt-get", "download"));
        command.addAll(List.of(packages));
        run(folder, Map.of(), command.toArray(String[]::new));
        Path root = folder.resolve("root");
        for (Path file : only(folder, ".deb")) {
            run(folder, Map.of(), "dpkg", "-x", file.toString(), root.toString());
        }
        return root;
    }

    /** Runs a program of {@link #debian} packages with their libraries. */
    static void inRoot(Path root, String... command) throws IOException, InterruptedException {
        String[] whole = command.clone();
        whole[0] = root.resolve("usr/bin").resolve(command[0]).toString();
        Path libraries = root.resolve("usr/lib/x86_64-linux-gnu");
        run(root, Map.of("LD_LIBRARY_PATH", libraries.toString()), whole);
    }

    private static List<Path> only(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> found =
                    files.filter(file -> file.toString().endsWith(ending)).toList();
            if (found.isEmpty()) {
                throw new IOException("fetched nothing: no " + ending + " in " + folder);
            }
            return found;
        }
    }

    private static void run(Path folder, Map<String, String> environment, String... command)
            throws IOException, InterruptedException {
        Path log = Files.createTempFile("proof", ".log");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        boolean ended = process.waitFor(MINUTES, TimeUnit.MINUTES);
        if (!ended) {
            process.destroyForcibly();
        }
        String said = new String(Files.readAllBytes(log), StandardCharsets.UTF_8).strip();
        Files.delete(log);
        if (!ended || process.exitValue() != 0) {
            throw new IOException("'" + String.join(" ", Arrays.asList(command)) + "' "
                    + (ended ? "ended with " + process.exitValue() : "took over " + MINUTES + " minutes") + ": "
                    + said.substring(Math.max(0, said.length() - 400)));
        }
    }
}
