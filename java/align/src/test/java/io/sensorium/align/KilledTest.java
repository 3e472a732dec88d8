package io.sensorium.align;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command in a process of its own, killed by SIGKILL. */
class KilledTest {
    private static final int STEPS = 60;

    @TempDir
    Path folder;

    private Process start(Path out, double checkpointSeconds) throws IOException {
        List<String> options = List.of(
                "--steps",
                Integer.toString(STEPS),
                "--batch",
                "8",
                "--seed",
                "7",
                "--checkpoint-seconds",
                Double.toString(checkpointSeconds),
                "--out",
                out.toString());
        return TrainProcess.of(folder, folder.resolve("log"), options).start();
    }

    private void finish(Process process) throws IOException, InterruptedException {
        assertTrue(process.waitFor(5, TimeUnit.MINUTES), "it hangs");
        assertEquals(0, process.exitValue(), Files.readString(folder.resolve("log")));
    }

    /** The step of the newest whole checkpoint; 0 without one. */
    private static int step(Path out) throws IOException {
        if (!Files.isDirectory(out)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(out)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("checkpoint-"))
                    .mapToInt(name -> Integer.parseInt(name.substring("checkpoint-".length())))
                    .max()
                    .orElse(0);
        }
    }

    private static byte[] weights(Path out) throws IOException {
        return Files.readAllBytes(out.resolve("checkpoint-" + STEPS).resolve("model.safetensors"));
    }

    @Test
    void aKilledRunGoesOnFromItsLastCheckpoint() throws IOException, InterruptedException {
        TrainingTest.set(folder);
        Path whole = folder.resolve("whole");
        Path parts = folder.resolve("parts");
        finish(start(whole, 1000));
        Process victim = start(parts, 0.2);
        int seen = 0;
        while (seen == 0 && victim.isAlive()) {
            Thread.sleep(5);
            seen = step(parts);
        }
        victim.destroyForcibly().waitFor();
        assertEquals(128 + 9, victim.exitValue(), Files.readString(folder.resolve("log")));
        int kept = step(parts);
        assertTrue(kept >= seen && kept < STEPS, "kept " + kept + " of " + seen);
        finish(start(parts, 1000));
        String log = Files.readString(folder.resolve("log"));
        assertTrue(log.contains("going on from step " + kept), log);
        assertArrayEquals(weights(whole), weights(parts));
    }
}
