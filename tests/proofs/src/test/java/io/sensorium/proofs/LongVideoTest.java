package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.Model;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.RandomModel;
import io.sensorium.video.MediaFile;
import io.sensorium.video.SyncReport;
import io.sensorium.video.VideoTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An hour of video with sound goes through a process that never holds 500 MB. */
class LongVideoTest {
    private static final long MOST_BYTES = 500_000_000;
    private static final int MINUTES = 60;

    @TempDir
    static Path folder;

    /** The process that is measured: prints its largest resident size in bytes, the frames, the windows and the span in µs. */
    public static void main(String[] arguments) throws IOException {
        try (Engine engine = Engine.open();
                ModelSpec spec = RandomModel.spec();
                Model model = spec.build(engine);
                MediaFile media = MediaFile.open(Path.of(arguments[0]))) {
            SyncReport report = VideoTokenizer.builder(model)
                    .window(Duration.ofSeconds(10))
                    .maxSide(224)
                    .build()
                    .run(media, window -> {});
            System.out.println(largestResident() + " " + report.frames() + " " + report.windows() + " "
                    + Math.min(report.videoEnd(), report.audioEnd()));
        }
    }

    private static long largestResident() throws IOException {
        String kilobytes = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .findFirst()
                .orElseThrow()
                .replaceAll("\\D", "");
        return 1024 * Long.parseLong(kilobytes);
    }

    @Test
    void anHourFitsIntoBoundedMemory() throws IOException, InterruptedException {
        // The program that the presets carry makes a minute and repeats its packets.
        String ffmpeg = Loader.load(org.bytedeco.ffmpeg.ffmpeg.class);
        Path minute = folder.resolve("minute.mp4");
        Path hour = folder.resolve("hour.mkv");
        output(List.of(
                ffmpeg,
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=640x360:rate=25",
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:sample_rate=48000",
                "-t",
                "60",
                "-c:v",
                "mpeg4",
                "-b:v",
                "1M",
                "-c:a",
                "aac",
                minute.toString()));
        output(List.of(
                ffmpeg,
                "-v",
                "error",
                "-stream_loop",
                String.valueOf(MINUTES - 1),
                "-i",
                minute.toString(),
                "-c",
                "copy",
                hour.toString()));

        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(LongVideoTest.class.getName(), hour.toString()));
        String[] told = output(command).split(" ");
        assertEquals(4, told.length, String.join(" ", told));
        assertTrue(Long.parseLong(told[0]) < MOST_BYTES, told[0] + " bytes resident");
        assertEquals(MINUTES * 60 * 25, Long.parseLong(told[1]), "frames");
        assertTrue(Long.parseLong(told[2]) >= MINUTES * 6, told[2] + " windows");
        assertEquals(MINUTES * 60e6, Double.parseDouble(told[3]), 3e6, "µs of both streams");
    }

    private static String output(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String said = new String(process.getInputStream().readAllBytes()).strip();
        assertEquals(0, process.waitFor(), String.join(" ", command));
        return said;
    }
}
