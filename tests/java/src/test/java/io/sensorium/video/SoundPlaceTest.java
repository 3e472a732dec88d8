package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
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

    private static int checksum(byte[] page) {
        int crc = 0;
        for (byte b : page) {
            crc ^= b << 24;
            for (int bit = 0; bit < 8; bit++) {
                crc = crc < 0 ? crc << 1 ^ 0x04C11DB7 : crc << 1;
            }
        }
        return crc;
    }

    /** A page of whole packets; those of an empty array have no bytes. */
    private static byte[] page(int flags, long granule, int serial, int number, List<byte[]> packets) {
        ByteArrayOutputStream segments = new ByteArrayOutputStream();
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        for (byte[] packet : packets) {
            for (int left = packet.length; left >= 0; left -= 255) {
                segments.write(Math.min(255, left));
            }
            data.writeBytes(packet);
        }
        ByteBuffer page =
                ByteBuffer.allocate(27 + segments.size() + data.size()).order(ByteOrder.LITTLE_ENDIAN);
        page.put("OggS".getBytes(StandardCharsets.US_ASCII)).put((byte) 0).put((byte) flags);
        page.putLong(granule).putInt(serial).putInt(number).putInt(0).put((byte) segments.size());
        page.put(segments.toByteArray()).put(data.toByteArray());
        page.putInt(22, checksum(page.array()));
        return page.array();
    }

    /** All packets of a file of one stream. */
    private static List<byte[]> packets(byte[] ogg) {
        List<byte[]> packets = new ArrayList<>();
        ByteArrayOutputStream packet = new ByteArrayOutputStream();
        for (int at = 0; at < ogg.length; ) {
            int segments = ogg[at + 26] & 255;
            int data = at + 27 + segments;
            for (int i = 0; i < segments; i++) {
                int length = ogg[at + 27 + i] & 255;
                packet.write(ogg, data, length);
                data += length;
                if (length < 255) {
                    packets.add(packet.toByteArray());
                    packet.reset();
                }
            }
            at = data;
        }
        return packets;
    }

    /**
     * What an old FFmpeg wrote: a packet for every 64 samples that went into the encoder, most of them empty, and pages that
     * tell how much went in. What came out up to there is less, by as much as the encoder held back.
     */
    @Test
    void pagesThatCountWhatWentIntoTheEncoder() {
        float[] put = bursts(777, 61_003, 130_005);
        List<byte[]> packets = packets(Clips.make("ogg", null, new Clips.Audio("vorbis", RATE, put)));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(page(2, 0, 7, 0, packets.subList(0, 1)));
        out.writeBytes(page(0, 0, 7, 1, packets.subList(1, 3)));
        List<byte[]> each = new ArrayList<>();
        Random random = new Random(2);
        int number = 2;
        for (int i = 3; i < packets.size(); i++) {
            // A block of 1024 samples comes with every 16th call.
            each.addAll(Collections.nCopies(15, new byte[0]));
            each.add(packets.get(i));
            boolean last = i + 1 == packets.size();
            if (each.size() == 12 * 16 || last) {
                out.writeBytes(page(last ? 4 : 0, 1024L * (i - 2) + 64 * random.nextInt(50), 7, number++, each));
                each = new ArrayList<>();
            }
        }
        float[] heard = heard(out.toByteArray(), 0);
        assertEquals(0, lag(put, heard, 61_003));
        assertEquals(0, lag(put, heard, 130_005));
    }
}
