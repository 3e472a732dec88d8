package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.Engine;
import io.sensorium.Resampler;
import io.sensorium.files.Checkout;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.AudioFrontEnd;
import io.sensorium.models.AudioPreset;
import io.sensorium.models.LogMelPresets;
import io.sensorium.models.Parameters;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.FloatBuffer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class AudioGoldenTest {
    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    private static Sound speech() throws IOException {
        return Wav.read(Checkout.root().resolve("samples").resolve(Golden.SPEECH + ".wav"));
    }

    @ParameterizedTest
    @CsvSource({
        "torchaudio, torchaudio, 1e-10",
        "librosa, librosa, 1e-10",
        "whisper80, whisper-80, 1e-9",
        "ast, ast, 1e-9",
        "kaldi80, speech2text, 1e-9"
    })
    void featuresEqualTheReference(String name, String preset, double limit) throws IOException {
        String folder = "audio-" + name + "-" + Golden.SPEECH;
        AudioPreset configured = LogMelPresets.configured(preset, Golden.config(folder), 16000);
        try (Safetensors expected = Golden.expected(folder);
                AudioFrontEnd frontEnd = new AudioFrontEnd(engine, configured)) {
            AudioFrontEnd.Features features = frontEnd.run(speech().samples());
            assertArrayEquals(expected.info("features").dims(), features.shape());
            Golden.assertNmse(expected.doubles("features"), features.values(), limit);
        }
    }

    @ParameterizedTest
    @CsvSource({"44100, 16000", "48000, 16000"})
    void resamplingEqualsTorchaudio(int orig, int target) throws IOException {
        try (Safetensors expected = Golden.expected("resample-" + orig + "-" + target);
                Resampler resampler = engine.resampler(orig, target)) {
            FloatBuffer input = expected.floats("input");
            assertEquals(expected.info("output").count(), resampler.outputLength(input.remaining()));
            FloatBuffer output = Golden.direct((int) resampler.outputLength(input.remaining()));
            resampler.run(input, output);
            Golden.assertNmse(expected.doubles("output"), output, 1e-10);
        }
    }

    static java.util.Set<String> presets() {
        return LogMelPresets.all().keySet();
    }

    /** Shape, valid frames and finite values of every preset, on lengths around its rules. */
    @ParameterizedTest
    @MethodSource("presets")
    void everyPresetKeepsItsLayout(String name) throws IOException {
        AudioPreset preset = LogMelPresets.get(name);
        FloatBuffer whole = speech().samples();
        try (AudioFrontEnd frontEnd = new AudioFrontEnd(engine, preset)) {
            for (int n : new int[] {113_600, 48_001, 16_123}) {
                AudioFrontEnd.Features features = frontEnd.run(whole.slice(0, n));
                assertArrayEquals(shape(name, n), features.shape(), name + " " + n);
                long count = 1;
                for (long size : features.shape()) {
                    count *= size;
                }
                assertEquals(count, features.values().remaining());
                assertEquals(valid(name, n), features.validFrames(), name + " " + n);
                for (int i = 0; i < count; i++) {
                    assertTrue(Float.isFinite(features.values().get(i)), name + " value " + i);
                }
            }
        }
    }

    private static long kaldiFrames(long n) {
        return 1 + (n - 400) / 160;
    }

    /** The references' shapes, from their documentation. */
    private static long[] shape(String name, long n) {
        long padded128 = (n + 127) / 128 * 128;
        return switch (name) {
            case "torchaudio" -> new long[] {128, 1 + n / 200};
            case "librosa" -> new long[] {128, 1 + n / 512};
            case "whisper-80" -> new long[] {80, 3000};
            case "whisper-128" -> new long[] {128, 3000};
            case "kaldi" -> new long[] {kaldiFrames(n), 23};
            case "ast" -> new long[] {1024, 128};
            case "imagebind" -> new long[] {3, 1, 128, 204};
            case "clap" -> new long[] {1, 1001, 64};
            case "seamless-m4t" -> new long[] {(kaldiFrames(n) + 1) / 2, 160};
            case "speech2text", "phi-4-mm" -> new long[] {kaldiFrames(n), 80};
            case "gemma-3n" -> new long[] {(padded128 - 513) / 160 + 1, 128};
            case "parakeet" -> new long[] {1 + n / 160, 80};
            case "openwakeword" -> new long[] {1 + (n - 512) / 160, 32};
            default -> throw new AssertionError("a preset without a shape: " + name);
        };
    }

    private static long valid(String name, long n) {
        return switch (name) {
            case "whisper-80", "whisper-128", "parakeet" -> n / 160;
            case "ast" -> kaldiFrames(n);
            case "imagebind" -> kaldiFrames(Math.min(n, 32000));
            case "clap" -> 1001;
            case "seamless-m4t" -> kaldiFrames(n) / 2;
            case "gemma-3n" -> Math.min(shape(name, n)[0], (n + 159) / 160);
            case "torchaudio", "librosa" -> shape(name, n)[1];
            default -> shape(name, n)[0];
        };
    }

    @Test
    void clipsThatAreTooShortAreRefused() {
        for (String name : new String[] {"kaldi", "ast", "torchaudio", "gemma-3n"}) {
            try (AudioFrontEnd frontEnd = new AudioFrontEnd(engine, LogMelPresets.get(name))) {
                for (int n : new int[] {0, 1, 100}) {
                    FloatBuffer clip = Golden.direct(n);
                    assertThrows(IllegalArgumentException.class, () -> frontEnd.run(clip), name + " " + n);
                }
            }
        }
        try (AudioFrontEnd fusion = new AudioFrontEnd(
                engine, LogMelPresets.configured("clap", Parameters.NONE.with("truncation=fusion"), 0))) {
            FloatBuffer clip = Golden.direct(480_001);
            assertThrows(IllegalArgumentException.class, () -> fusion.run(clip));
        }
        assertThrows(IllegalArgumentException.class, () -> LogMelPresets.get("nothing"));
    }
}
