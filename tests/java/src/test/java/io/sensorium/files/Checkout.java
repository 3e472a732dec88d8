package io.sensorium.files;

import java.nio.file.Files;
import java.nio.file.Path;

/** Finds the root of the checkout from wherever the tests run. */
public final class Checkout {
    private Checkout() {}

    /** The folder that holds {@code samples} and {@code tests}. */
    public static Path root() {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.isDirectory(at.resolve("samples")) && Files.isDirectory(at.resolve("tests/golden"))) {
                return at;
            }
        }
        throw new IllegalStateException("not inside a checkout");
    }
}
