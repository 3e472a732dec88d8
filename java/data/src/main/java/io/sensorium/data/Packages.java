package io.sensorium.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Packages fetched by their ordinary clients and unpacked, never installed. */
final class Packages {
    private Packages() {}

    /** {@code apt-get download} and {@code dpkg -x}; done once for a cache folder. Returns the folder of its files. */
    static Path debian(Path cache, String name) throws IOException {
        Path files = cache.resolve("debian-" + name);
        if (Files.isDirectory(files)) {
            return files;
        }
        Path work = Files.createDirectories(cache.resolve("download-" + name));
        Commands.run(work, "", List.of("apt-get", "download", name));
        Path unpacked = work.resolve("files");
        Commands.run(work, "", List.of("dpkg", "-x", only(work, ".deb").toString(), unpacked.toString()));
        return Files.move(unpacked, files);
    }

    /** {@code npm pack} and {@code tar}; likewise. */
    static Path npm(Path cache, String name, String version) throws IOException {
        Path files = cache.resolve("npm-" + name + "-" + version);
        if (Files.isDirectory(files)) {
            return files;
        }
        Path work = Files.createDirectories(cache.resolve("download-" + name));
        Commands.run(work, "", List.of("npm", "pack", "--ignore-scripts", name + "@" + version));
        Path unpacked = Files.createDirectories(work.resolve("files"));
        Commands.run(work, "", List.of("tar", "-xzf", only(work, ".tgz").toString(), "-C", unpacked.toString()));
        return Files.move(unpacked, files);
    }

    private static Path only(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.toString().endsWith(ending))
                    .findFirst()
                    .orElseThrow(() -> new DataException("no " + ending + " in " + folder));
        }
    }
}
