package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sensorium.Engine;
import io.sensorium.LogFloor;
import io.sensorium.LogKind;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.MelScale;
import io.sensorium.Padding;
import io.sensorium.Window;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Our mel features, turned into cepstra, in front of pocketsphinx and its US English model: the exact transcripts of its
 * own clips of card names.
 */
class SpeechRecognitionTest {
    private static final int FILTERS = 25;
    private static final int CEPSTRA = 13;
    private static final int LIFTER = 22;

    @TempDir
    static Path folder;

    @Test
    void theTranscriptIsExact() throws Exception {
        Path root = Fetch.debian(
                folder,
                "pocketsphinx",
                "libpocketsphinx3",
                "libsphinxbase3",
                "pocketsphinx-en-us",
                "pocketsphinx-testdata");
        Path model = root.resolve("usr/share/pocketsphinx/model/en-us");
        Path cards = root.resolve("usr/share/pocketsphinx/test/data/cards");
        List<String> names = Files.readAllLines(cards.resolve("cards.fileids"));
        assertEquals(5, names.size());
        try (Engine engine = Engine.open();
                LogMel mel = engine.logMel(config())) {
            for (String name : names) {
                write(folder.resolve(name + ".mfc"), cepstra(mel, Wav.read(cards.resolve(name + ".wav"))));
            }
        }
        Path heard = folder.resolve("cards.hyp");
        Fetch.inRoot(
                root,
                "pocketsphinx_batch",
                "-hmm",
                model.resolve("en-us").toString(),
                "-dict",
                model.resolve("cmudict-en-us.dict").toString(),
                "-jsgf",
                cards.resolve("cards.gram").toString(),
                "-ctl",
                cards.resolve("cards.fileids").toString(),
                "-adcin",
                "no",
                "-cepdir",
                folder.toString(),
                "-cepext",
                ".mfc",
                "-hyp",
                heard.toString());
        List<String> said = Files.readAllLines(cards.resolve("cards.transcription"));
        List<String> got = Files.readAllLines(heard);
        assertEquals(said.size(), got.size(), got.toString());
        for (int i = 0; i < said.size(); i++) {
            System.out.println("heard: " + got.get(i));
            assertEquals(words(said.get(i)), words(got.get(i)));
        }
    }

    /** Without sentence marks, the clip's name and the score. */
    private static String words(String line) {
        return line.replaceAll("</?s>|\\(.*\\)", "").strip().replaceAll("\\s+", " ");
    }

    /** SphinxBase's front end as the model's feat.params has it. */
    private static LogMelConfig config() {
        return LogMelConfig.builder()
                .sampleRate(16000)
                .nFft(512)
                .winLength(410)
                .hop(160)
                .window(Window.HAMMING)
                .windowPeriodic(false)
                .windowCentred(false)
                .padding(Padding.NONE)
                .inputScale(32768)
                .preemphasis(0.97)
                .preemphasisSignal(true)
                .power(2)
                .fMin(130)
                .fMax(6800)
                .nMels(FILTERS)
                .melScale(MelScale.HTK)
                .slaneyNorm(true)
                .log(LogKind.LN)
                .floorKind(LogFloor.ADD)
                .floor(1e-4)
                .build();
    }

    private static float[] cepstra(LogMel mel, Sound sound) {
        int frames = Math.toIntExact(mel.frames(sound.samples().remaining()));
        FloatBuffer features = ByteBuffer.allocateDirect(4 * frames * FILTERS)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        mel.run(sound.samples(), features);
        float[] out = new float[frames * CEPSTRA];
        for (int frame = 0; frame < frames; frame++) {
            for (int k = 0; k < CEPSTRA; k++) {
                double sum = 0;
                for (int j = 0; j < FILTERS; j++) {
                    sum += features.get(frame * FILTERS + j) * Math.cos(Math.PI * k * (j + 0.5) / FILTERS);
                }
                double scale = Math.sqrt((k == 0 ? 1.0 : 2.0) / FILTERS);
                double lift = 1 + LIFTER / 2.0 * Math.sin(Math.PI * k / LIFTER);
                out[frame * CEPSTRA + k] = (float) (sum * scale * lift);
            }
        }
        return out;
    }

    /** A count and the numbers, most significant byte first. */
    private static void write(Path file, float[] values) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4 + 4 * values.length);
        bytes.putInt(values.length);
        for (float value : values) {
            bytes.putFloat(value);
        }
        Files.write(file, bytes.array());
    }
}
