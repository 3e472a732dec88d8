package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bash script in the root, which builds training with libtorch on first use. */
class TrainLauncherTest {
    private static final Path ROOT = Path.of(System.getProperty("sensorium.root"));

    @TempDir
    Path folder;

    private String train(int code, String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of(ROOT.resolve("sensorium").toString(), "train", "--data", "set", "--out", "out"));
        command.addAll(List.of("--threads", "1", "--batch", "2", "--steps", "2"));
        command.addAll(List.of(options));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(1, TimeUnit.MINUTES), "it hangs");
        assertEquals(code, process.exitValue(), text);
        return text;
    }

    @Test
    void itBuildsAndTrains() throws IOException, InterruptedException {
        Path set = Files.createDirectory(folder.resolve("set"));
        String sound = "sense_and_sensibility_01_austen_64kb-0870.wav";
        StringBuilder manifest = new StringBuilder("id,concept,split,image,audio,text,source\n");
        for (String name : List.of("astronaut", "chelsea")) {
            Files.copy(ROOT.resolve("samples").resolve(name + ".png"), set.resolve(name + ".png"));
            manifest.append("%s,%s,train,%s.png,%s,%s,nobody\n".formatted(name, name, name, sound, name));
        }
        Files.copy(ROOT.resolve("samples").resolve(sound), set.resolve(sound));
        Files.writeString(set.resolve("manifest.csv"), manifest);
        String said = train(0);
        assertTrue(said.contains("2 concepts to train") && said.contains("wrote out/model"), said);
        try (ModelSpec model = ModelLoader.open(folder.resolve("out/model"))) {
            assertTrue(model.head().orElseThrow().audio());
        }
        said = train(2, "--baseline");
        assertTrue(said.contains("baseline false, not true"), said);
    }
}
