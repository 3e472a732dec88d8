package io.sensorium.commandline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.files.Checkout;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bash script in the root, on what this build has packaged. */
class LauncherTest {
    private record Run(int code, String text) {}

    @TempDir
    Path folder;

    private Run run(Map<String, String> environment, String... command) throws IOException, InterruptedException {
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().put("SENSORIUM_NO_BUILD", "1");
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(2, TimeUnit.MINUTES));
        return new Run(process.exitValue(), text);
    }

    @Test
    void itRunsThroughLinksFromAnywhere() throws Exception {
        Path links = Files.createDirectory(folder.resolve("a b"));
        Path direct =
                Files.createSymbolicLink(links.resolve("one"), Checkout.root().resolve("sensorium"));
        Path relative = Files.createSymbolicLink(links.resolve("two"), direct.getFileName());
        Run run = run(Map.of(), relative.toString(), "info");
        assertEquals(0, run.code(), run.text());
        assertTrue(run.text().startsWith("sensorium "), run.text());
        Run wrong = run(Map.of(), relative.toString(), "nothing");
        assertEquals(2, wrong.code());
        assertEquals(1, wrong.text().lines().count(), wrong.text());
    }

    @Test
    void anOldJavaIsToldInOneLine() throws Exception {
        Path bin = Files.createDirectories(folder.resolve("old/bin"));
        Path java = bin.resolve("java");
        Files.writeString(java, "#!/bin/sh\necho '    java.specification.version = 1.8' >&2\n");
        assertTrue(java.toFile().setExecutable(true));
        Run run = run(
                Map.of("JAVA_HOME", bin.getParent().toString()),
                Checkout.root().resolve("sensorium").toString(),
                "info");
        assertEquals(2, run.code(), run.text());
        assertEquals(
                "sensorium: " + java + " is Java 8; 17 or newer is needed (set JAVA_HOME)",
                run.text().strip());
    }
}
