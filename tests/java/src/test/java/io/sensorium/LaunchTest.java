package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.smoke.Smoke;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The packaged jars in fresh JVMs: class path, module path, checked JNI, without the native jar. */
@Timeout(180)
class LaunchTest {
    @TempDir
    Path temporary;

    private static String jars(Predicate<String> wanted) {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(path -> path.contains("sensorium-core") || path.contains("javacpp"))
                .filter(wanted)
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static String testClasses() {
        return Path.of(Smoke.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .getPath())
                .toString();
    }

    private record Outcome(int exit, String text) {}

    private Outcome java(String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        // A cache of its own, so that what is loaded comes from these jars.
        command.add("-Dorg.bytedeco.javacpp.cachedir=" + temporary);
        command.addAll(List.of(arguments));
        Path output = temporary.resolve("output.txt");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        assertTrue(process.waitFor(150, TimeUnit.SECONDS), "the JVM did not end");
        return new Outcome(process.exitValue(), Files.readString(output));
    }

    @Test
    void classPathWithCheckedJni() throws Exception {
        Outcome outcome = java(
                "-Xcheck:jni",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                jars(path -> true) + File.pathSeparator + testClasses(),
                Smoke.class.getName());
        assertEquals(0, outcome.exit, outcome.text);
        assertTrue(outcome.text.contains("module null, last 4.0"), outcome.text);
        assertFalse(outcome.text.toUpperCase(java.util.Locale.ROOT).contains("WARNING"), outcome.text);
        assertFalse(outcome.text.contains("FATAL"), outcome.text);
    }

    @Test
    void modulePath() throws Exception {
        Outcome outcome = java(
                "--module-path",
                jars(path -> true),
                "--add-modules",
                "io.sensorium,io.sensorium.natives",
                "--enable-native-access=org.bytedeco.javacpp,io.sensorium",
                "-cp",
                testClasses(),
                Smoke.class.getName());
        assertEquals(0, outcome.exit, outcome.text);
        assertTrue(outcome.text.contains("module io.sensorium, last 4.0"), outcome.text);
        assertFalse(outcome.text.toUpperCase(java.util.Locale.ROOT).contains("WARNING"), outcome.text);
    }

    @Test
    void withoutTheNativeJarTheErrorSaysSo() throws Exception {
        Outcome outcome = java(
                "-cp",
                jars(path -> !path.contains("sensorium-core") || !path.contains("linux-x86_64"))
                        + File.pathSeparator
                        + testClasses(),
                Smoke.class.getName());
        assertEquals(1, outcome.exit, outcome.text);
        assertTrue(outcome.text.contains("io.sensorium.DeviceUnavailableException"), outcome.text);
        assertTrue(outcome.text.contains("Caused by: java.lang.UnsatisfiedLinkError"), outcome.text);
    }
}
