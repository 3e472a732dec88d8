package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.Engine;
import io.sensorium.files.Checkout;
import io.sensorium.media.Wav;
import io.sensorium.models.AudioFrontEnd;
import io.sensorium.models.LogMelPresets;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every published front end against its implementation: what tests/golden/generate_audio.py wrote. */
class AudioPresetsTest {
    /** NMSE; references compute in float32 or round their output to it. */
    private static final double LIMIT = 1e-9;

    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    static List<String> presets() {
        return List.of(
                "whisper-80-8123",
                "whisper-128-8123",
                "ast-8123",
                "speech2text-8123",
                "seamless-m4t-8123",
                "clap-3333",
                "clap-fusion-3333",
                "phi-4-mm-8123",
                "gemma-3n-8123",
                "parakeet-8123",
                "imagebind-8123",
                "openwakeword-8123");
    }

    @ParameterizedTest
    @MethodSource("presets")
    void featuresEqualTheReference(String name) throws IOException {
        String folder = "audio-" + name;
        JsonNode description = new ObjectMapper()
                .readTree(Golden.folder(folder).resolve("case.json").toFile());
        try (Safetensors expected = Golden.expected(folder);
                AudioFrontEnd frontEnd = new AudioFrontEnd(
                        engine,
                        LogMelPresets.configured(description.path("preset").asText(), Golden.config(folder), 0))) {
            FloatBuffer samples;
            if (description.has("count")) {
                FloatBuffer speech = Wav.read(Checkout.root().resolve("samples").resolve(Golden.SPEECH + ".wav"))
                        .samples();
                samples = speech.slice(
                        description.path("offset").asInt(),
                        description.path("count").asInt());
            } else {
                samples = expected.floats("waveform48k");
            }
            AudioFrontEnd.Features features = frontEnd.run(samples);
            long[] shape = new long[description.path("shape").size()];
            Arrays.setAll(shape, i -> description.path("shape").get(i).asLong());
            assertArrayEquals(shape, features.shape());
            if (description.has("valid")) {
                assertEquals(description.path("valid").asLong(), features.validFrames());
            }
            long[] kept = expected.info("features").dims();
            int axis = description.path("axis").asInt(0);
            int outer = (int) Arrays.stream(shape, 0, axis).reduce(1, (a, b) -> a * b);
            int inner = (int) Arrays.stream(shape, axis + 1, shape.length).reduce(1, (a, b) -> a * b);
            int row = (int) kept[axis] * inner;
            FloatBuffer got = Golden.direct(outer * row);
            for (int i = 0; i < outer; i++) {
                got.put(i * row, features.values(), (int) (i * shape[axis] * inner), row);
            }
            Golden.assertNmse(expected.doubles("features"), got, LIMIT);
        }
    }

    /** A loud or a long neighbour changes nothing of an item; what is missing is zeros and masked. */
    @ParameterizedTest
    @ValueSource(strings = {"openwakeword", "speech2text", "seamless-m4t", "parakeet", "gemma-3n", "torchaudio"})
    void itemsOfABatchDoNotChangeEachOther(String name) {
        FloatBuffer quiet = sound(4001, 1e-4f);
        FloatBuffer loud = sound(9000, 0.9f);
        FloatBuffer middle = sound(6400, 0.01f);
        try (AudioFrontEnd frontEnd = new AudioFrontEnd(engine, LogMelPresets.get(name))) {
            boolean melMajor = frontEnd.preset().logMel().melMajor();
            AudioFrontEnd.Batch batch = frontEnd.batch(List.of(quiet, loud, middle));
            List<AudioFrontEnd.Features> alone = List.of(frontEnd.run(quiet), frontEnd.run(loud), frontEnd.run(middle));
            assertEquals(3, batch.shape()[0]);
            int rows = (int) batch.shape()[1];
            int columns = (int) batch.shape()[2];
            for (int b = 0; b < 3; b++) {
                AudioFrontEnd.Features item = alone.get(b);
                assertEquals(item.validFrames(), batch.validFrames()[b]);
                int frames = melMajor ? columns : rows;
                for (int f = 0; f < frames; f++) {
                    assertEquals(f < item.validFrames(), batch.mask()[b][f]);
                }
                for (int r = 0; r < rows; r++) {
                    for (int c = 0; c < columns; c++) {
                        boolean there = r < item.shape()[0] && c < item.shape()[1];
                        float want = there ? item.values().get((int) (r * item.shape()[1] + c)) : 0;
                        assertEquals(want, batch.values().get((b * rows + r) * columns + c));
                    }
                }
            }
            assertTrue(batch.mask()[1][0]);
            assertFalse(batch.mask()[0][batch.mask()[0].length - 1]);
        }
    }

    private static FloatBuffer sound(int count, float level) {
        FloatBuffer out = Golden.direct(count);
        java.util.Random random = new java.util.Random(count);
        for (int i = 0; i < count; i++) {
            out.put(i, level * (float) (Math.sin(i * 0.07) + 0.1 * random.nextGaussian()));
        }
        return out;
    }
}
