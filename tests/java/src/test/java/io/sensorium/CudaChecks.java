package io.sensorium;

import io.sensorium.cli.Main;
import io.sensorium.cuda.CuFft;
import io.sensorium.cuda.CudaInterop;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** The main class of the JVM that {@link CudaTest} starts, where SENSORIUM_CUDA_LIBRARY names the device's library. */
final class CudaChecks {
    /** The argument that asks what works where CUDA's libraries cannot be loaded. */
    static final String NO_FFT = "no-fft";

    private CudaChecks() {}

    private static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    private static Session request(Session session) {
        return session.clear()
                .image(TinyModels.direct(TinyModels.pixels(1)), 4, 4, 3)
                .text(TinyModels.direct(1, 2, 3))
                .nextSequence()
                .audio(TinyModels.direct(TinyModels.sound(1, 600)));
    }

    private static double nmse(FloatBuffer got, float[] want) {
        check(got.remaining() == want.length, got.remaining() + " values instead of " + want.length);
        double error = 0;
        double power = 0;
        for (int i = 0; i < want.length; i++) {
            double d = got.get(i) - want[i];
            error += d * d;
            power += (double) want[i] * want[i];
        }
        return error / power;
    }

    private static void expect(Result result, float[] tokens, float[] latents) {
        double t = nmse(result.tokens().values(), tokens);
        double l = nmse(result.latents().values(), latents);
        check(t < 1e-8 && l < 1e-7, "NMSE of the tokens " + t + ", of the latents " + l);
    }

    public static void main(String[] args) throws Exception {
        Device cuda = Device.cuda();
        check(cuda.isAvailable(), cuda.toString());
        System.out.println("device " + cuda.name());
        if (args[0].equals(NO_FFT)) {
            withoutFft(cuda);
            System.out.println("all checked");
            return;
        }
        float[] tokens;
        float[] latents;
        try (Engine engine = Engine.open();
                Model model = new TinyModels().build(engine);
                Session session = model.newSession(TinyModels.LIMITS)) {
            Result result = request(session).run();
            tokens = TinyModels.array(result.tokens().values());
            latents = TinyModels.array(result.latents().values());
            try {
                session.deviceResult();
                throw new AssertionError("a CPU session has no device side");
            } catch (DeviceUnavailableException expected) {
                check(expected.getMessage().contains("CPU"), expected.getMessage());
            }
            expect(session.runAsync().get(20, TimeUnit.SECONDS), tokens, latents);
        }
        try (Engine engine = Engine.builder().device(cuda).open();
                Model model = new TinyModels().build(engine);
                Session session = model.newSession(TinyModels.LIMITS)) {
            for (int i = 0; i < 3; i++) { // plain, captured, replayed
                expect(request(session).run(), tokens, latents);
            }
            CompletableFuture<Result> future = request(session).runAsync();
            expect(future.get(20, TimeUnit.SECONDS), tokens, latents);
            asyncFailure(session);

            ByteBuffer inbox = session.inbox(4096).order(ByteOrder.nativeOrder());
            inbox.put(TinyModels.pixels(1));
            expect(
                    session.clear()
                            .image(inbox.slice(0, 48), 4, 4, 3)
                            .text(TinyModels.direct(1, 2, 3))
                            .nextSequence()
                            .audio(TinyModels.direct(TinyModels.sound(1, 600)))
                            .run(),
                    tokens,
                    latents);

            session.output(Output.DEVICE);
            request(session).run();
            DeviceResult device = session.deviceResult();
            check(device.tokens() != 0 && device.latents() != 0 && device.embedding() == 0, device.toString());
            check(device.tokensCount() * TinyModels.DIM == tokens.length, device.toString());
            check(device.stream() != 0 && device.event() != 0, device.toString());
            DeviceTensor tensor = session.tensor(DeviceTensor.Kind.LATENTS);
            check(tensor.address() != 0, "no tensor");
            tensor.close();
            try {
                session.tensor(DeviceTensor.Kind.EMBEDDING);
                throw new AssertionError("there is no embedding");
            } catch (IllegalStateException expected) {
                check(expected.getMessage().contains("no such result"), expected.getMessage());
            }
            check(CudaInterop.tokens(device).capacity() == tokens.length, "the tokens' size");
            check(CudaInterop.tokens(device).address() == device.tokens(), "the tokens' address");
            check(CudaInterop.latents(device).capacity() == latents.length, "the latents' size");
            check(CudaInterop.embedding(device).isNull(), "there is no embedding");
            session.output(Output.HOST);
            try (Session other = model.newSession(TinyModels.LIMITS)) { // in the first one's stream, behind its event
                CudaInterop.stream(other, CudaInterop.stream(device));
                CudaInterop.waitFor(other, CudaInterop.event(device));
                expect(request(other).run(), tokens, latents);
                check(other.deviceResult().stream() == device.stream(), "another stream");
                CudaInterop.stream(other, null);
                expect(request(other).run(), tokens, latents);
            }
            session.stream(0);
            expect(request(session).run(), tokens, latents);
            float[][] features = new float[2][];
            try (Engine cpu = Engine.open()) {
                for (int i = 0; i < 2; i++) {
                    try (LogMel logMel = (i == 0 ? cpu : engine).logMel(TinyModels.LOG_MEL)) {
                        FloatBuffer out = FloatBuffer.allocate(logMel.frames(600) * logMel.mels());
                        logMel.run(TinyModels.direct(TinyModels.sound(1, 600)), out);
                        features[i] = out.array();
                    }
                }
            }
            double error = nmse(FloatBuffer.wrap(features[1]), features[0]);
            check(error < 1e-8, "NMSE of log-mel by itself " + error);
            try (AudioStream stream = engine.audioStream(TinyModels.LOG_MEL, TinyModels.LOG_MEL.sampleRate(), 100)) {
                FloatBuffer out = FloatBuffer.allocate(features[1].length);
                FloatBuffer sound = TinyModels.direct(TinyModels.sound(1, 600));
                while (sound.hasRemaining()) {
                    stream.push(sound);
                    stream.read(out);
                }
                stream.finish();
                stream.read(out);
                check(Arrays.equals(out.array(), features[1]), "other bits in chunks");
            }
        }
        fft(cuda);
        ops();
        search(cuda);
        learning(cuda);
        alignment(cuda);
        System.out.println("all checked");
    }

    /** The kernels against their oracles, as the command line has them checked. */
    private static void ops() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(
                new PrintWriter(out, true),
                new PrintWriter(err, true),
                "check",
                "--device",
                "cuda",
                "--cases",
                "1",
                "--json");
        check(code == 0, out + err.toString());
        int ops = out.toString().split("\"worst_seed\"", -1).length - 1;
        check(ops == 22, ops + " ops were checked");
        err = new StringWriter();
        code = Main.run(
                new PrintWriter(out, true), new PrintWriter(err, true), "check", "--device", "cuda", "--timing");
        check(code == 2 && err.toString().contains("sensorium bench --device cuda"), err.toString());
    }

    /** The same neighbours on both devices, for more queries than one turn takes. */
    private static void search(Device cuda) {
        int dim = 7;
        float[] vectors = TinyModels.sound(5, 90 * dim);
        float[] queries = TinyModels.sound(6, 300 * dim);
        try (Engine one = Engine.open();
                Engine two = Engine.builder().device(cuda).open();
                VectorIndex on = new VectorIndex(one, FloatBuffer.wrap(vectors), dim);
                VectorIndex there = new VectorIndex(two, FloatBuffer.wrap(vectors), dim)) {
            VectorIndex.Hits want = on.search(FloatBuffer.wrap(queries), 4);
            VectorIndex.Hits got = there.search(FloatBuffer.wrap(queries), 4);
            check(want.ids().equals(got.ids()) && want.scores().equals(got.scores()), "other neighbours");
        }
    }

    /** The same seed gives the same codes on both devices. */
    private static void learning(Device cuda) {
        FloatBuffer tokens = FloatBuffer.wrap(TinyModels.sound(7, 200 * 6));
        try (Engine one = Engine.open();
                Engine two = Engine.builder().device(cuda).open()) {
            for (CodebookConfig config : new CodebookConfig[] {
                CodebookConfig.residual(2, 8, 6), CodebookConfig.vq(8, 6, CodebookConfig.Metric.COSINE)
            }) {
                Codebook.Learned want = Codebook.learn(one, config, tokens.duplicate(), 5, 3);
                Codebook.Learned got = Codebook.learn(two, config, tokens.duplicate(), 5, 3);
                try (Codebook on = want.codebook();
                        Codebook there = got.codebook()) {
                    check(on.codes().equals(there.codes()), "other codes");
                    check(want.iterations() == got.iterations() && want.revived() == got.revived(), got.toString());
                    check(Math.abs(want.meanSquare() - got.meanSquare()) < 1e-9, got.toString());
                    check(on.encode(tokens, 200).equals(there.encode(tokens, 200)), "other ids");
                }
            }
        }
    }

    /** Steps down each device's own gradients, which stay together; logits of what they lead to. */
    private static void alignment(Device cuda) {
        AdapterConfig adapter = new AdapterConfig(7, 3, Activation.GELU, 0.5f);
        FloatBuffer rowsX = FloatBuffer.wrap(TinyModels.sound(8, 14 * 7));
        FloatBuffer rowsY = FloatBuffer.wrap(TinyModels.sound(9, 6 * 4));
        LongBuffer cuX = LongBuffer.wrap(new long[] {0, 2, 3, 7, 9, 13, 14});
        try (Engine one = Engine.open();
                Engine two = Engine.builder().device(cuda).open()) {
            for (AlignStep.Loss loss : AlignStep.Loss.values()) {
                AlignStep.Tower[][] towers = new AlignStep.Tower[2][];
                double[] losses = new double[5];
                for (int i = 0; i < 2; i++) {
                    towers[i] =
                            new AlignStep.Tower[] {new AlignStep.Tower(7, 5, adapter), new AlignStep.Tower(4, 5, null)};
                    for (AlignStep.Tower tower : towers[i]) {
                        int seed = 20;
                        for (FloatBuffer values : tower.parameters()) {
                            values.put(TinyModels.sound(seed++, values.remaining()));
                        }
                    }
                    AlignStep step = new AlignStep(i == 0 ? one : two, loss, towers[i][0], towers[i][1]);
                    for (int k = 0; k < losses.length; k++) {
                        double value = step.run(rowsX.duplicate(), cuX.duplicate(), rowsY.duplicate(), null, 2, -1)
                                .loss();
                        check(i == 0 || Math.abs(value - losses[k]) < 1e-6, loss + ": " + value + ", " + losses[k]);
                        losses[k] = value;
                        for (AlignStep.Tower tower : towers[i]) {
                            descend(tower);
                        }
                    }
                    check(losses[4] < losses[0], loss + ": " + losses[0] + " to " + losses[4]);
                }
                for (int t = 0; t < 2; t++) {
                    FloatBuffer[] want = towers[0][t].parameters();
                    FloatBuffer[] got = towers[1][t].parameters();
                    for (int p = 0; p < want.length; p++) {
                        double error = want[p].hasRemaining() ? nmse(got[p], TinyModels.array(want[p])) : 0;
                        check(error < 1e-9, loss + ": NMSE of parameter " + p + " " + error);
                    }
                }
                FloatBuffer on = FloatBuffer.allocate(14 * 5);
                FloatBuffer there = FloatBuffer.allocate(14 * 5);
                AlignStep.logits(one, rowsX.duplicate(), towers[1][0].weight(), 7, 2, -1, on);
                AlignStep.logits(two, rowsX.duplicate(), towers[1][0].weight(), 7, 2, -1, there);
                on.rewind();
                there.rewind();
                double error = nmse(there, TinyModels.array(on));
                check(error < 1e-10, "NMSE of the logits " + error);
            }
        }
    }

    private static void descend(AlignStep.Tower tower) {
        FloatBuffer[] values = tower.parameters();
        FloatBuffer[] gradients = tower.gradients();
        for (int p = 0; p < values.length; p++) {
            for (int i = 0; i < values[p].limit(); i++) {
                values[p].put(i, values[p].get(i) - 0.3f * gradients[p].get(i));
            }
        }
    }

    /** The cause names the library; only what needs cuFFT is refused. */
    private static void withoutFft(Device cuda) throws Exception {
        String cause = CuFft.unavailabilityCause().orElse("");
        check(cause.contains("libcufft.so") && cause.contains("libcudart"), cause);
        System.out.println(cause);
        float[] tokens;
        float[] latents;
        try (Engine engine = Engine.open();
                Model model = new TinyModels().build(engine);
                Session session = model.newSession(TinyModels.LIMITS)) {
            Result result = request(session).run();
            tokens = TinyModels.array(result.tokens().values());
            latents = TinyModels.array(result.latents().values());
        }
        try (Engine engine = Engine.builder().device(cuda).open()) {
            try {
                CuFft.give(engine);
                throw new AssertionError("there is no cuFFT");
            } catch (DeviceUnavailableException expected) {
                check(cause.equals(expected.getMessage()) && expected.getCause() != null, expected.toString());
            }
            try {
                longTransform(engine).close();
                throw new AssertionError("the engine has no cuFFT");
            } catch (DeviceUnavailableException expected) {
                check(expected.getMessage().contains("cuFFT"), expected.getMessage());
            }
            try (Model model = new TinyModels().build(engine);
                    Session session = model.newSession(TinyModels.LIMITS)) {
                expect(request(session).run(), tokens, latents);
            }
        }
        ops();
    }

    /** An n_fft that only cuFFT serves, which comes from the JavaCPP presets. */
    private static void fft(Device cuda) {
        FloatBuffer sound = TinyModels.direct(TinyModels.sound(2, 6000));
        SessionLimits limits = SessionLimits.builder()
                .maxItems(1)
                .maxTokens(64)
                .maxSamples(8000)
                .build();
        float[] want;
        try (Engine engine = Engine.open();
                Model model = longTransform(engine);
                Session session = model.newSession(limits)) {
            want = TinyModels.array(session.clear().audio(sound).run().tokens().values());
            try {
                CuFft.give(engine);
                throw new AssertionError("a CPU engine takes no cuFFT");
            } catch (DeviceUnavailableException expected) {
                check(expected.getMessage().contains("CPU"), expected.getMessage());
            }
        }
        try (Engine engine = Engine.builder().device(cuda).open()) {
            try {
                longTransform(engine).close();
                throw new AssertionError("the engine has no cuFFT yet");
            } catch (DeviceUnavailableException expected) {
                check(expected.getMessage().contains("cuFFT"), expected.getMessage());
            }
            try {
                engine.fft("libnothing.so");
                throw new AssertionError("there is no such library");
            } catch (DeviceUnavailableException expected) {
                check(expected.getMessage().contains("libnothing.so"), expected.getMessage());
            }
            CuFft.give(engine);
            try (Model model = longTransform(engine);
                    Session session = model.newSession(limits)) {
                double error = nmse(session.clear().audio(sound).run().tokens().values(), want);
                check(error < 1e-8, "NMSE through cuFFT " + error);
            }
        }
    }

    private static Model longTransform(Engine engine) {
        LogMelConfig logMel = LogMelConfig.builder()
                .nFft(4500)
                .winLength(400)
                .hop(600)
                .nMels(TinyModels.MELS)
                .build();
        return engine.newModel()
                .sequence(SequenceConfig.builder().dModel(TinyModels.MELS).build())
                .audio(AudioConfig.builder().logMel(logMel).build())
                .tensor(
                        "audio.frame.weight",
                        FloatBuffer.wrap(TinyModels.sound(3, TinyModels.MELS * TinyModels.MELS)),
                        TinyModels.MELS,
                        TinyModels.MELS)
                .build();
    }

    private static void asyncFailure(Session session) throws Exception {
        CompletableFuture<Result> future =
                session.clear().text(TinyModels.direct(1, 99)).runAsync();
        try {
            future.get(20, TimeUnit.SECONDS);
            throw new AssertionError("id 99 must be refused");
        } catch (ExecutionException expected) {
            check(expected.getCause() instanceof OutOfRangeException, expected.toString());
        }
    }
}
