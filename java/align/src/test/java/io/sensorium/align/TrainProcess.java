package io.sensorium.align;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** `train` in a JVM of its own. */
final class TrainProcess {
    private TrainProcess() {}

    /** One worker of libtorch's; what the command says goes to `log`. */
    static ProcessBuilder of(Path data, Path log, List<String> options) {
        List<String> command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                "io.sensorium.cli.Main",
                "train",
                "--data",
                data.toString()));
        command.addAll(options);
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().put("OMP_NUM_THREADS", "1");
        return builder;
    }
}
