package io.sensorium.bench;

import io.sensorium.AudioConfig;
import io.sensorium.Engine;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.Model;
import io.sensorium.Position;
import io.sensorium.Precision;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.models.LogMelPresets;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Sound to log-mel features and to the 1212 tokens of the Audio Spectrogram Transformer. */
final class SoundWorks {
    private static final int RATE = 16000;
    private static final int HOP = 160;
    private static final int WINDOW = 400;
    private static final double AST_MEAN = -4.2677393;
    private static final double AST_SPREAD = 2 * 4.5689974;
    private static final float KALDI_FLOOR = 1.1920929e-7f;

    private static final int FRAMES = 1024;
    private static final int MELS = 128;
    private static final int PATCH = 16;
    private static final int STRIDE = 10;
    private static final int GRID_F = (MELS - PATCH) / STRIDE + 1;
    private static final int GRID_T = (FRAMES - PATCH) / STRIDE + 1;
    private static final int TOKENS = GRID_F * GRID_T;
    private static final int DIM = 768;
    private static final double AST_FLOPS = 2.0 * TOKENS * PATCH * PATCH * DIM;
    /** Ten seconds and what makes 1024 frames of them. */
    private static final int AST_SAMPLES = (FRAMES - 1) * HOP + WINDOW;

    private SoundWorks() {}

    static List<Work> all() {
        List<Work> works = new ArrayList<>();
        for (int seconds : new int[] {10, 30}) {
            for (int mels : new int[] {80, 128}) {
                works.add(new Work(
                                "log-mel Whisper-" + mels + ", " + seconds + " s",
                                "log10, clipped, scaled",
                                flops(400, seconds),
                                false,
                                1,
                                1e-6,
                                List.of(
                                        new Reach(4.5, "libtorch openai-whisper"),
                                        new Reach(9, "JTransforms"),
                                        new Reach(1.25, "libtorch stft alone")),
                                (threads, closing) -> whisper(mels, seconds, threads, closing))
                        .on((batch, closing) -> logMel(preset("whisper-" + mels), seconds, closing)));
            }
            works.add(new Work(
                            "log-mel Kaldi-128, " + seconds + " s",
                            "as the AST's front end",
                            flops(512, seconds),
                            false,
                            1,
                            1e-6,
                            List.of(new Reach(9)),
                            (threads, closing) -> kaldi(seconds, threads, closing))
                    .on((batch, closing) -> logMel(preset("ast"), seconds, closing)));
        }
        works.add(new Work(
                        "AST patches",
                        "128×1024 features → 1212 tokens, d 768",
                        AST_FLOPS,
                        false,
                        2,
                        1e-9,
                        List.of(new Reach(1.25, "libtorch")),
                        (threads, closing) -> ast(Precision.STRICT, threads, closing))
                .on((batch, closing) -> features(Precision.STRICT, batch, closing)));
        works.add(new Work(
                        "AST patches, FAST",
                        "the same, bfloat16",
                        AST_FLOPS,
                        true,
                        2,
                        1e-4,
                        List.of(),
                        (threads, closing) -> ast(Precision.FAST, threads, closing))
                .on((batch, closing) -> features(Precision.FAST, batch, closing)));
        works.add(new Work(
                        "AST from samples",
                        "10.25 s of sound → 1212 tokens",
                        AST_FLOPS + flops(512, 10) * FRAMES / 1000,
                        false,
                        2,
                        1e-6,
                        List.of(new Reach(2)),
                        SoundWorks::astFromSamples)
                .on(SoundWorks::samples));
        return List.copyOf(works);
    }

    /** 2.5·n·log₂ n of a real FFT, the power, and two filters a bin. */
    private static double flops(int nFft, int seconds) {
        return seconds * 100 * (2.5 * nFft * Math.log(nFft) / Math.log(2) + 7.0 * (nFft / 2 + 1));
    }

    private static LogMelConfig preset(String name) {
        return LogMelPresets.get(name).logMel();
    }

    static float[] hann(boolean periodic) {
        float[] hann = new float[WINDOW];
        for (int i = 0; i < WINDOW; i++) {
            hann[i] = (float) (0.5 - 0.5 * Math.cos(2 * Math.PI * i / (periodic ? WINDOW : WINDOW - 1)));
        }
        return hann;
    }

    private static Contender ours(LogMelConfig config, float[] sound, int threads, Closing closing) {
        return ours(
                Contender.OURS, closing.add(Engine.builder().threads(threads).open()), config, sound, closing);
    }

    private static List<Contender> logMel(LogMelConfig config, int seconds, Closing closing) {
        float[] sound = new Values().normal(0.1, seconds * RATE);
        Engine engine = DeviceRequests.engine(Precision.STRICT, closing);
        return List.of(ours(DeviceRequests.OURS, engine, config, sound, closing));
    }

    private static Contender ours(String name, Engine engine, LogMelConfig config, float[] sound, Closing closing) {
        LogMel logMel = closing.add(engine.logMel(config));
        FloatBuffer pcm = Values.direct(sound);
        FloatBuffer features = Values.floats(logMel.frames(sound.length) * config.nMels());
        return new Contender(name, () -> logMel.run(pcm, features), () -> Values.of(features));
    }

    private static List<Contender> whisper(int mels, int seconds, int threads, Closing closing) {
        LibTorch.setUp(threads);
        float[] sound = new Values().normal(0.1, seconds * RATE);
        double[][] bank = MelFilters.slaney(mels, WINDOW);
        Tensor samples = LibTorch.tensor(sound, sound.length);
        Tensor window = LibTorch.tensor(hann(true), WINDOW);
        Tensor filters = LibTorch.tensor(MelFilters.dense(bank), mels, WINDOW / 2 + 1);
        JTransformsLogMel java = new JTransformsLogMel(WINDOW, WINDOW, HOP, hann(true), bank, false);
        float[] features = new float[java.frames(sound.length) * mels];
        Contender stft = LibTorch.contender("stft alone", () -> LibTorch.stft(samples, WINDOW, HOP, window));
        return List.of(
                ours(preset("whisper-" + mels), sound, threads, closing),
                LibTorch.contender("openai-whisper's ops", () -> {
                    Tensor power = LibTorch.stft(samples, WINDOW, HOP, window);
                    power = power.narrow(1, 0, power.size(1) - 1).abs().square();
                    Tensor mel = torch.matmul(filters, power)
                            .clamp_min(new Scalar(1e-10))
                            .log10();
                    mel = torch.maximum(mel, mel.max().sub(new Scalar(8)));
                    return mel.add(new Scalar(4)).div(new Scalar(4));
                }),
                new Contender(stft.name(), stft.run(), null),
                new Contender(
                        "JTransforms, sparse mel", () -> java.run(sound, features), () -> transposed(features, mels)));
    }

    private static float[] transposed(float[] rows, int columns) {
        float[] out = new float[rows.length];
        int count = rows.length / columns;
        for (int i = 0; i < rows.length; i++) {
            out[i % columns * count + i / columns] = rows[i];
        }
        return out;
    }

    private static List<Contender> kaldi(int seconds, int threads, Closing closing) {
        LibTorch.setUp(threads);
        float[] sound = new Values().normal(0.1, seconds * RATE);
        double[][] bank = MelFilters.kaldi(MELS, 512);
        JTransformsLogMel java = new JTransformsLogMel(512, WINDOW, HOP, hann(false), bank, true);
        float[] features = new float[java.frames(sound.length) * MELS];
        TorchFbank fbank = new TorchFbank(sound);
        return List.of(
                ours(preset("ast"), sound, threads, closing),
                LibTorch.contender("torchaudio kaldi.fbank's ops", fbank::run),
                new Contender("JTransforms, sparse mel", () -> java.run(sound, features), () -> features));
    }

    /** torchaudio.compliance.kaldi.fbank, op by op, and the AST's scaling. */
    private static final class TorchFbank {
        private final Tensor samples;
        private final Tensor window = LibTorch.tensor(hann(false), WINDOW);
        private final Tensor filters = LibTorch.tensor(MelFilters.dense(MelFilters.kaldi(MELS, 512)), MELS, 257);

        TorchFbank(float[] sound) {
            samples = LibTorch.tensor(sound, sound.length);
        }

        Tensor run() {
            Tensor frames = samples.unfold(0, WINDOW, HOP);
            frames = frames.sub(frames.mean(new long[] {1}, true, new ScalarTypeOptional()));
            Tensor previous = torch.cat(new TensorVector(frames.narrow(1, 0, 1), frames.narrow(1, 0, WINDOW - 1)), 1);
            frames = frames.sub(previous, new Scalar(0.97)).mul(window);
            Tensor power = torch.fft_rfft(frames, new LongOptional(512), 1, new StringViewOptional())
                    .abs()
                    .square();
            return torch.matmul(power, filters.transpose(0, 1))
                    .clamp_min(new Scalar(KALDI_FLOOR))
                    .log()
                    .sub(new Scalar(AST_MEAN))
                    .div(new Scalar(AST_SPREAD));
        }
    }

    /** The AST's projection: features [frames, mels], tokens frequency-major. */
    private static final class Projection {
        final float[] weight;
        final float[] bias;
        final float[] position;

        Projection() {
            Values values = new Values();
            weight = values.normal(0.05, DIM * PATCH * PATCH);
            bias = values.normal(0.02, DIM);
            position = values.normal(0.02, TOKENS * DIM);
        }

        Session session(Precision precision, int threads, int samples, Closing closing) {
            Engine engine = closing.add(
                    Engine.builder().threads(threads).precision(precision).open());
            return closing.add(model(engine, closing).newSession(limits(samples)));
        }

        Model model(Engine engine, Closing closing) {
            return closing.add(engine.newModel()
                    .sequence(SequenceConfig.builder().dModel(DIM).build())
                    .audio(AudioConfig.builder()
                            .logMel(preset("ast"))
                            .patches(PATCH, PATCH, STRIDE, STRIDE)
                            .fixedFrames(FRAMES)
                            .position(Position.LEARNED)
                            .hasBias(true)
                            .build())
                    .tensor("audio.patch.weight", FloatBuffer.wrap(weight), DIM, PATCH * PATCH)
                    .tensor("audio.patch.bias", FloatBuffer.wrap(bias), DIM)
                    .tensor("audio.position", FloatBuffer.wrap(position), TOKENS, DIM)
                    .build());
        }

        static SessionLimits limits(int samples) {
            return SessionLimits.builder()
                    .maxItems(1)
                    .maxTokens(TOKENS)
                    .maxSamples(samples)
                    .build();
        }
    }

    /** im2col of features seen as (frequency, time), then the projection. */
    private static final class TorchPatches {
        private final Tensor weight;
        private final Tensor kernel;
        private final Tensor bias;
        private final Tensor position;
        private final boolean half;

        TorchPatches(Projection p, boolean half) {
            this.half = half;
            weight = cast(LibTorch.tensor(p.weight, DIM, PATCH * PATCH));
            kernel = cast(LibTorch.tensor(p.weight, DIM, 1, PATCH, PATCH));
            bias = cast(LibTorch.tensor(p.bias, DIM));
            position = LibTorch.tensor(p.position, TOKENS, DIM);
        }

        private Tensor cast(Tensor x) {
            return half ? LibTorch.halved(x) : x;
        }

        Tensor unfold(Tensor features) {
            Tensor patches = cast(features)
                    .transpose(0, 1)
                    .unfold(0, PATCH, STRIDE)
                    .unfold(1, PATCH, STRIDE)
                    .reshape(TOKENS, PATCH * PATCH);
            return LibTorch.plus(LibTorch.widened(LibTorch.linear(patches, weight, bias)), position);
        }

        Tensor conv(Tensor features) {
            Tensor x = cast(features).transpose(0, 1).unsqueeze(0).unsqueeze(0);
            Tensor y = torch.conv2d(
                    x,
                    kernel,
                    LibTorch.some(bias),
                    new long[] {STRIDE, STRIDE},
                    new long[] {0, 0},
                    new long[] {1, 1},
                    1);
            y = LibTorch.widened(y.reshape(DIM, TOKENS).transpose(0, 1)).contiguous();
            return LibTorch.plus(y, position);
        }
    }

    private static List<Contender> ast(Precision precision, int threads, Closing closing) throws Exception {
        LibTorch.setUp(threads);
        float[] values = new Values().normal(0.5, FRAMES * MELS);
        Projection p = new Projection();
        Session session = p.session(precision, threads, AST_SAMPLES, closing);
        FloatBuffer features = Values.direct(values);
        Tensor input = LibTorch.tensor(values, FRAMES, MELS);
        boolean half = precision == Precision.FAST;
        TorchPatches patches = new TorchPatches(p, half);
        List<Contender> all = new ArrayList<>(List.of(
                new Contender(
                        Contender.OURS,
                        () -> session.clear().features(features, FRAMES, MELS).run(),
                        () -> Values.of(session.clear()
                                .features(features, FRAMES, MELS)
                                .run()
                                .tokens()
                                .values())),
                LibTorch.contender(half ? "bf16 unfold + linear" : "unfold + linear", () -> patches.unfold(input)),
                LibTorch.contender(half ? "bf16 conv" : "conv", () -> patches.conv(input))));
        if (!half) {
            all.add(conv(p, threads, features, closing).contender("conv"));
        }
        return all;
    }

    private static List<Contender> features(Precision precision, int batch, Closing closing) {
        float[] values = new Values().normal(0.5, FRAMES * MELS);
        return DeviceRequests.of(
                new Projection().model(DeviceRequests.engine(precision, closing), closing),
                Projection.limits(AST_SAMPLES),
                batch,
                DeviceRequests.bytes(values),
                data -> {
                    FloatBuffer features = data.asFloatBuffer();
                    return session -> session.features(features, FRAMES, MELS);
                },
                result -> result.tokens().values(),
                closing);
    }

    private static List<Contender> samples(int batch, Closing closing) {
        float[] sound = new Values().normal(0.1, AST_SAMPLES);
        return DeviceRequests.of(
                new Projection().model(DeviceRequests.engine(Precision.STRICT, closing), closing),
                Projection.limits(AST_SAMPLES),
                batch,
                DeviceRequests.bytes(sound),
                data -> {
                    FloatBuffer pcm = data.asFloatBuffer();
                    return session -> session.audio(pcm);
                },
                result -> result.tokens().values(),
                closing);
    }

    private static OnnxRuntime conv(Projection p, int threads, FloatBuffer features, Closing closing) throws Exception {
        OnnxGraph g = new OnnxGraph();
        String x = g.transpose(g.input("x", OnnxGraph.FLOAT, FRAMES, MELS), 1, 0);
        String y = g.node(
                "Conv",
                new String[] {
                    g.reshape(x, 1, 1, MELS, FRAMES),
                    g.constant(p.weight, DIM, 1, PATCH, PATCH),
                    g.constant(p.bias, DIM)
                },
                OnnxGraph.list("kernel_shape", PATCH, PATCH),
                OnnxGraph.list("strides", STRIDE, STRIDE));
        y = g.transpose(g.reshape(y, DIM, TOKENS), 1, 0);
        y = g.node("Add", new String[] {y, g.constant(p.position, TOKENS, DIM)});
        return closing.add(new OnnxRuntime(
                g.model(y, OnnxGraph.FLOAT, TOKENS, DIM),
                threads,
                features,
                new long[] {FRAMES, MELS},
                y,
                Values.floats(TOKENS * DIM),
                new long[] {TOKENS, DIM}));
    }

    private static List<Contender> astFromSamples(int threads, Closing closing) {
        LibTorch.setUp(threads);
        float[] sound = new Values().normal(0.1, AST_SAMPLES);
        Projection p = new Projection();
        Session session = p.session(Precision.STRICT, threads, AST_SAMPLES, closing);
        FloatBuffer pcm = Values.direct(sound);
        TorchFbank fbank = new TorchFbank(sound);
        TorchPatches patches = new TorchPatches(p, false);
        return List.of(
                new Contender(
                        Contender.OURS,
                        () -> session.clear().audio(pcm).run(),
                        () -> Values.of(
                                session.clear().audio(pcm).run().tokens().values())),
                LibTorch.contender("kaldi.fbank + unfold + linear", () -> patches.unfold(fbank.run())),
                LibTorch.contender("kaldi.fbank + conv", () -> patches.conv(fbank.run())));
    }
}
