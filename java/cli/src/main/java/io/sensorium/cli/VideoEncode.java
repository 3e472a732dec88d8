package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.Model;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.video.FrameSampling;
import io.sensorium.video.MediaFile;
import io.sensorium.video.Rational;
import io.sensorium.video.StreamInfo;
import io.sensorium.video.SyncReport;
import io.sensorium.video.VideoSink;
import io.sensorium.video.VideoTokenizer;
import io.sensorium.video.VideoWindow;
import java.io.IOException;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import picocli.CommandLine.Option;

/** {@code encode --video}: a file of pictures and sound, window by window. */
final class VideoEncode {
    /** How it is cut and merged. */
    static final class Options {
        @Option(
                names = "--fps",
                paramLabel = "R",
                description = "Frames of a video that are used each second, by time (default: 2).")
        private BigDecimal rate;

        @Option(names = "--frames", paramLabel = "N", description = "Use N frames over the whole video instead.")
        private Integer frames;

        @Option(names = "--every", paramLabel = "K", description = "Use every K-th frame instead.")
        private Integer every;

        @Option(
                names = "--window",
                paramLabel = "S",
                description = "Seconds of a video that are one sequence (default: 10; 0 = all).")
        private BigDecimal window;

        @Option(
                names = "--chunk",
                paramLabel = "S",
                description = "In chunks of S seconds frames come before sound, instead of merging both by time.")
        private BigDecimal chunk;

        @Option(
                names = "--max-side",
                paramLabel = "N",
                description =
                        "Shrink a video's frames to N pixels (default: 224 if the model does not resize; 0 = not).")
        private Integer maxSide;

        boolean given() {
            return rate != null
                    || frames != null
                    || every != null
                    || window != null
                    || chunk != null
                    || maxSide != null;
        }
    }

    private static final int DEFAULT_SIDE = 224;
    private static final long DEFAULT_WINDOW = 10;

    private final Path input;
    private final Path out;
    private final Path plot;
    private final Options options;
    private final Integer latents;

    VideoEncode(Path input, Path out, Path plot, Options options, Integer latents) {
        this.input = input;
        this.out = out;
        this.plot = plot;
        this.options = options;
        this.latents = latents;
    }

    private VideoTokenizer tokenizer(Model model) {
        int ways = (options.rate == null ? 0 : 1) + (options.frames == null ? 0 : 1) + (options.every == null ? 0 : 1);
        if (ways > 1) {
            throw new UserError("--fps, --frames and --every exclude each other");
        }
        boolean resizes = model.image()
                .map(c -> !c.resize().equals(io.sensorium.ResizeConfig.NONE))
                .orElse(true);
        int side = options.maxSide != null ? options.maxSide : resizes ? 0 : DEFAULT_SIDE;
        VideoTokenizer.Builder builder = VideoTokenizer.builder(model).maxSide(side);
        if (options.rate != null) {
            builder.sampling(FrameSampling.rate(rational("--fps", options.rate)));
        } else if (options.frames != null) {
            builder.sampling(FrameSampling.count(options.frames));
        } else if (options.every != null) {
            builder.sampling(FrameSampling.every(options.every));
        }
        BigDecimal window = options.window == null ? BigDecimal.valueOf(DEFAULT_WINDOW) : options.window;
        if (window.signum() != 0) {
            builder.window(duration("--window", window));
        }
        if (options.chunk != null) {
            builder.interleaveByChunks(duration("--chunk", options.chunk));
        }
        if (latents != null) {
            builder.latents(latents);
        }
        return builder.build();
    }

    private static Rational rational(String name, BigDecimal value) {
        if (value.signum() <= 0 || value.scale() > 9 || value.precision() - value.scale() > 9) {
            throw new UserError(name + ": " + value + " is not a positive number");
        }
        return Rational.of(value.movePointRight(9).longValueExact(), 1_000_000_000);
    }

    private static Duration duration(String name, BigDecimal seconds) {
        return Duration.ofNanos(rational(name, seconds).times(1_000_000_000).num());
    }

    void run(ModelSpec spec, Model model, Engine engine, String title, boolean json, PrintWriter terminal)
            throws IOException {
        try (MediaFile file = MediaFile.open(input);
                Progress progress = new Progress();
                VideoTensors tensors = new VideoTensors(out)) {
            TimelineScene scene = plot == null ? null : new TimelineScene(file, model.audio());
            VideoTokenizer tokenizer = tokenizer(model);
            SyncReport report = tokenizer.run(file, new VideoSink() {
                @Override
                public void window(VideoWindow window) {
                    tensors.add(window);
                    if (scene != null) {
                        scene.add(window);
                    }
                }

                @Override
                public void frame(long micros) {
                    if (scene != null) {
                        scene.frame(micros);
                    }
                }

                @Override
                public void sound(long micros, FloatBuffer samples, int sampleRate) {
                    if (scene != null) {
                        scene.sound(micros, samples, sampleRate);
                    }
                }

                @Override
                public void progress(long micros, long length) {
                    progress.show(
                            String.format(Locale.ROOT, "%.1f of %.1f s", micros / 1e6, Math.max(micros, length) / 1e6));
                }
            });
            progress.close();
            SafetensorsWriter writer = new SafetensorsWriter()
                    .metadata("sensorium", Main.Version.text())
                    .metadata("model", spec.family())
                    .metadata("video", String.valueOf(input.getFileName()));
            if (!spec.notice().isEmpty()) {
                writer.metadata("notice", spec.notice());
            }
            tensors.write(writer);
            if (scene != null) {
                TimelinePlot.write(scene, report, title, plot);
            }
            if (json) {
                terminal.println(json(file, report).toPrettyString());
            } else {
                print(file, report, engine, spec, terminal);
            }
            terminal.flush();
        }
    }

    private void print(MediaFile file, SyncReport r, Engine engine, ModelSpec spec, PrintWriter terminal) {
        Table table = new Table("lrrrl", "stream", "start", "end", "in use", "");
        file.video()
                .ifPresent(v -> table.row(
                        "video",
                        seconds(r.videoStart()),
                        seconds(r.videoEnd()),
                        r.usedFrames() + " of " + r.frames(),
                        describe(v, r)));
        file.audio()
                .filter(a -> r.audioStart() != -1 || r.audioEnd() != -1)
                .ifPresent(a -> table.row(
                        "audio",
                        seconds(r.audioStart()),
                        seconds(r.audioEnd()),
                        "",
                        a.codec() + " " + a.sampleRate() + " Hz, " + a.channels() + " ch"));
        table.print(terminal);
        terminal.println();
        String sequences = r.windows() == 1 ? "one sequence" : r.windows() + " sequences";
        terminal.println(r.tokens() + " tokens in " + sequences + ", " + r.latents() + " latents");
        if (r.audioStart() != -1 && r.usedFrames() > 0) {
            terminal.println(String.format(
                    Locale.ROOT,
                    "sync: sound starts %+.3f ms and ends %+.3f ms after the pictures, drift %+.1f ppm; a frame is at most %.3f ms from its sound token",
                    r.offset() / 1e3,
                    r.endOffset() / 1e3,
                    r.driftPpm(),
                    r.frameToAudio() / 1e3));
        }
        terminal.println(String.format(
                Locale.ROOT,
                "repaired: %d gaps (%.3f ms of silence), %d overlaps (%.3f ms cut); %d frames dropped, %d left out, %d without a time",
                r.audioGaps(),
                r.silence() / 1e3,
                r.audioOverlaps(),
                r.cut() / 1e3,
                r.droppedFrames(),
                r.nonMonotonic(),
                r.untimed()));
        terminal.println(String.format(
                Locale.ROOT,
                "%s, %d threads; decoding %.0f ms, kernels %.0f ms",
                engine.device().name(),
                engine.threads(),
                r.decodeNanos() / 1e6,
                r.kernelNanos() / 1e6));
        terminal.println("wrote " + out + (plot == null ? "" : " and " + plot));
        if (!spec.notice().isEmpty()) {
            terminal.println("note: " + spec.notice());
        }
    }

    private static String describe(StreamInfo v, SyncReport r) {
        String rate = r.frameInterval() == 0
                ? ""
                : String.format(
                        Locale.ROOT, ", %.3f fps%s", 1e6 / r.frameInterval(), r.variableRate() ? " (variable)" : "");
        return v.codec() + " " + v.width() + "×" + v.height() + rate;
    }

    private static String seconds(long micros) {
        return String.format(Locale.ROOT, "%.6f s", micros / 1e6);
    }

    private ObjectNode json(MediaFile file, SyncReport r) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("video", input.toString()).put("container", file.container());
        root.put("tokens", r.tokens()).put("sequences", r.windows()).put("latents", r.latents());
        root.putObject("sync")
                .put("video_start_us", r.videoStart())
                .put("video_end_us", r.videoEnd())
                .put("audio_start_us", r.audioStart())
                .put("audio_end_us", r.audioEnd())
                .put("offset_us", r.offset())
                .put("drift_ppm", r.driftPpm())
                .put("frames", r.frames())
                .put("used_frames", r.usedFrames())
                .put("frame_interval_us", r.frameInterval())
                .put("longest_interval_us", r.longestInterval())
                .put("variable_rate", r.variableRate())
                .put("dropped_frames", r.droppedFrames())
                .put("audio_gaps", r.audioGaps())
                .put("silence_us", r.silence())
                .put("audio_overlaps", r.audioOverlaps())
                .put("cut_us", r.cut())
                .put("non_monotonic", r.nonMonotonic())
                .put("untimed", r.untimed())
                .put("frame_to_audio_us", r.frameToAudio());
        var warnings = root.putArray("warnings");
        r.warnings().forEach(w -> warnings.add(w.text()));
        root.putObject("milliseconds").put("decode", r.decodeNanos() / 1e6).put("kernels", r.kernelNanos() / 1e6);
        root.put("out", out.toString());
        return root;
    }
}
