package io.sensorium.cli;

import io.sensorium.data.DataSet;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/** Data sets as they are named on the command line. */
public final class Sets {
    private Sets() {}

    /**
     * A folder with a manifest, or the name of a set that is built on first use.
     *
     * @param progress is told what is going on
     */
    public static DataSet open(String data, Progress progress) throws IOException {
        for (DataSet.Builtin set : DataSet.Builtin.values()) {
            if (set.toString().equals(data)) {
                Path cache = cache();
                return DataSet.build(set, cache.resolve("packages"), cache.resolve(data), progress::show);
            }
        }
        Path folder = Path.of(data);
        if (!java.nio.file.Files.isDirectory(folder)) {
            throw new UserError(
                    "--data " + data + " is neither a folder nor one of " + Arrays.toString(DataSet.Builtin.values()));
        }
        return DataSet.open(folder);
    }

    private static Path cache() {
        String home = System.getenv("XDG_CACHE_HOME");
        return (home == null || home.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(home))
                .resolve("sensorium");
    }
}
