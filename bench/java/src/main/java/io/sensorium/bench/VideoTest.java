package io.sensorium.bench;

import io.sensorium.AudioConfig;
import io.sensorium.Engine;
import io.sensorium.LogKind;
import io.sensorium.LogMelConfig;
import io.sensorium.MelScale;
import io.sensorium.Model;
import io.sensorium.ResizeConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.video.FrameSampling;
import io.sensorium.video.MediaFile;
import io.sensorium.video.MediaLimits;
import io.sensorium.video.SyncReport;
import io.sensorium.video.VideoTokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/**
 * A file of pictures and sound to one sequence: every twelfth frame in ViT-B/16 patches, 100 log-mel tokens a second, beside
 * FFmpeg and libtorch. Every frame is decoded by FFmpeg on both sides.
 */
final class VideoTest {
    static final String NAME = "video";
    static final String PEER = "FFmpeg + libtorch";
    private static final int SECONDS = 60;
    private static final int RATE = 16_000;
    static final int EVERY = 12;
    static final int MELS = 80;
    static final int HOP = 160;
    static final int N_FFT = 400;
    static final float FLOOR = 1e-10f;

    /**
     * One row; shares are of the time of a run.
     *
     * @param hoursPerMinute of video
     * @param decodeShare in FFmpeg: demuxing, decoding, colours
     * @param kernelShare in Sensorium's kernels
     * @param peerRatio the peer's time over ours, median over the rounds
     * @param peerDecodeShare the peer's share in FFmpeg, with swscale and swresample
     */
    record Result(
            String clip,
            int threads,
            int tokens,
            double medianMillis,
            double hoursPerMinute,
            double decodeShare,
            double kernelShare,
            double peerMillis,
            double peerHoursPerMinute,
            double peerRatio,
            double peerDecodeShare) {}

    private VideoTest() {}

    static void run(int[] threads, double seconds, Consumer<Result> row) throws Exception {
        Path folder = Files.createTempDirectory("sensorium-bench");
        Path file = folder.resolve("clip.mp4");
        try {
            make(file);
            for (int n : threads) {
                row.accept(measure(file, n, seconds));
            }
        } finally {
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
    }

    /** By the program that the presets carry: moving shapes under grain, pink noise. */
    private static void make(Path file) throws IOException, InterruptedException {
        String ffmpeg = Loader.load(org.bytedeco.ffmpeg.ffmpeg.class);
        Process process = new ProcessBuilder(List.of(
                        ffmpeg,
                        "-v",
                        "error",
                        "-f",
                        "lavfi",
                        "-i",
                        "testsrc2=size=640x360:rate=25,noise=alls=8:allf=t",
                        "-f",
                        "lavfi",
                        "-i",
                        "anoisesrc=color=pink:sample_rate=48000:amplitude=0.5:seed=1",
                        "-t",
                        String.valueOf(SECONDS),
                        "-c:v",
                        "libopenh264",
                        "-b:v",
                        "1500k",
                        "-g",
                        "50",
                        "-pix_fmt",
                        "yuv420p",
                        "-c:a",
                        "aac",
                        "-b:a",
                        "128k",
                        file.toString()))
                .inheritIO()
                .start();
        if (process.waitFor() != 0) {
            throw new IOException("FFmpeg made no clip");
        }
    }

    private static Result measure(Path file, int threads, double seconds) throws Exception {
        try (Closing closing = new Closing()) {
            LibTorch.setUp(threads);
            PatchWorks.Projection pictures = new PatchWorks.Projection(new Values());
            float[] sound = new Values().normal(0.05, PatchWorks.DIM * MELS);
            Ours ours = new Ours(file, threads, pictures, sound, closing);
            FFmpegTorch peer = new FFmpegTorch(file, threads, pictures, sound);
            List<Contender> contenders = List.of(
                    new Contender(Contender.OURS, ours::run, ours::output),
                    new Contender(PEER, peer::run, peer::output));
            // Two resizers and two resamplers: the numbers agree as far as these do.
            Main.compare(NAME, 0.02, contenders);
            ours.forget();
            peer.forget();
            List<Timing> timings = Rounds.run(contenders, seconds, 3);
            double median = timings.get(0).medianMillis();
            double peerMedian = timings.get(1).medianMillis();
            return new Result(
                    "640×360, 25 fps, H.264, AAC",
                    threads,
                    ours.tokens,
                    median,
                    hoursPerMinute(median),
                    (double) ours.decodeNanos / ours.nanos,
                    (double) ours.kernelNanos / ours.nanos,
                    peerMedian,
                    hoursPerMinute(peerMedian),
                    timings.get(1).ratio(),
                    peer.decodeShare());
        }
    }

    private static double hoursPerMinute(double millis) {
        return SECONDS / 3600.0 / (millis / 60e3);
    }

    private static final class Ours {
        private final Path file;
        private final int threads;
        private final VideoTokenizer tokenizer;
        private float @Nullable [] kept;
        private boolean keep;
        private int tokens;
        private long nanos;
        private long decodeNanos;
        private long kernelNanos;

        Ours(Path file, int threads, PatchWorks.Projection pictures, float[] sound, Closing closing) {
            this.file = file;
            this.threads = threads;
            Engine engine = closing.add(Engine.builder().threads(threads).open());
            LogMelConfig logMel = LogMelConfig.builder()
                    .sampleRate(RATE)
                    .nFft(N_FFT)
                    .hop(HOP)
                    .nMels(MELS)
                    .dropLastFrame(true)
                    .melScale(MelScale.SLANEY)
                    .slaneyNorm(true)
                    .log(LogKind.LN)
                    .floor(FLOOR)
                    .build();
            Model model = closing.add(pictures.tensors(engine.newModel()
                            .sequence(SequenceConfig.builder()
                                    .dModel(PatchWorks.DIM)
                                    .build())
                            .image(PatchWorks.config(ResizeConfig.squash(
                                    PatchWorks.SIZE, PatchWorks.SIZE, ResizeConfig.Filter.BILINEAR)))
                            .audio(AudioConfig.builder().logMel(logMel).build()))
                    .tensor("audio.frame.weight", FloatBuffer.wrap(sound), PatchWorks.DIM, MELS)
                    .build());
            tokenizer = VideoTokenizer.builder(model)
                    .sampling(FrameSampling.every(EVERY))
                    .framesThenSound()
                    .build();
        }

        void run() {
            long begun = System.nanoTime();
            MediaLimits limits = MediaLimits.builder().threads(threads).build();
            try (MediaFile media = MediaFile.open(file, limits)) {
                SyncReport report = tokenizer.run(media, window -> {
                    tokens = window.result().tokens().count();
                    kept = keep ? Values.of(window.result().tokens().values()) : null;
                });
                decodeNanos += report.decodeNanos();
                kernelNanos += report.kernelNanos();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            nanos += System.nanoTime() - begun;
        }

        float[] output() {
            keep = true;
            run();
            keep = false;
            return kept;
        }

        void forget() {
            kept = null;
            nanos = 0;
            decodeNanos = 0;
            kernelNanos = 0;
        }
    }
}
