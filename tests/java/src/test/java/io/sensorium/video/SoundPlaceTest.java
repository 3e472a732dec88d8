package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.FloatBuffer;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A sound stands where it was put, to the sample: what codecs put before it, and where a container begins, is accounted for. */
class SoundPlaceTest {
    private static final int RATE = 48_000;
    private static final int SECONDS = 3;
    private static final int BURST = 4800;
    private static final int MOST_LAG = 7500;

    /** Silence with three bursts of noise, which are like themselves at no other place. */
    private static float[] bursts(int... places) {
        float[] samples = new float[SECONDS * RATE];
        Random random = new Random(1);
        double low = 0;
        for (int place : places) {
            for (int i = 0; i < BURST; i++) {
                // A codec keeps what is not too high.
                low += 0.4 * (random.nextGaussian() - low);
                samples[place + i] = (float) (0.3 * low);
            }
        }
        return samples;
    }

    /** By how many samples {@code heard} comes later than {@code put} about a place. */
    private static int lag(float[] put, float[] heard, int place) {
        int best = 0;
        double most = 0;
        for (int lag = -MOST_LAG; lag <= MOST_LAG; lag++) {
            double sum = 0;
            for (int i = 0; i < BURST; i++) {
                int at = place + i + lag;
                sum += at < 0 || at >= heard.length ? 0 : put[place + i] * (double) heard[at];
            }
            if (sum > most) {
                most = sum;
                best = lag;
            }
        }
        return best;
    }

    /** The sound on the file's clock, sample i at i / RATE. */
    private static float[] heard(byte[] bytes, int from) {
        float[] all = new float[(SECONDS + 1) * RATE];
        try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            SoundTimeline timeline =
                    new SoundTimeline(file.audio().orElseThrow(), 60_000_000, file.paged(), warning -> {
                        throw new AssertionError(warning.toString());
                    });
            FloatBuffer sound = FloatBuffer.allocate(all.length);
            for (Decoded decoded = file.next(); decoded != null; decoded = file.next()) {
                if (decoded instanceof SoundBlock block) {
                    timeline.push(block, sound::put);
                }
            }
            timeline.finish(sound::put);
            int start = (int) Math.round((timeline.start().micros() * (double) RATE) / 1e6) - from;
            sound.flip();
            for (int i = 0; sound.hasRemaining(); i++) {
                float value = sound.get();
                if (start + i >= 0 && start + i < all.length) {
                    all[start + i] = value;
                }
            }
        }
        return all;
    }

    /** ADTS and MPEG streams do not tell how many samples a codec puts first: AAC's 1024, layer II's 481. */
    @ParameterizedTest
    @CsvSource({
        "mp4, aac, 0, 0",
        "mov, aac, 0, 0",
        "matroska, aac, 0, 0",
        "adts, aac, 0, 1024",
        "mpegts, aac, 0, 1024",
        "mp3, libmp3lame, 0, 0",
        "webm, libopus, 0, 0",
        "ogg, libopus, 0, 0",
        "ogg, vorbis, 0, 0",
        "ogg, flac, 0, 0",
        "mpeg, mp2, 0, 481",
        // Ogg tells the start by its pages' ends less what the packets decode to.
        "ogg, vorbis, 7000, 0",
        "ogg, libopus, 7000, 0",
        "ogg, flac, 7000, 0"
    })
    void toTheSample(String container, String codec, int from, int lag) {
        int[] places = {777, 61_003, 130_005};
        float[] put = bursts(places);
        byte[] bytes =
                Clips.make(container, null, new Clips.Audio(codec, RATE, put, from > 0 ? 0 : Integer.MAX_VALUE, from));
        float[] heard = heard(bytes, from);
        for (int place : places) {
            assertEquals(lag, lag(put, heard, place), "burst at " + place);
        }
    }
}
