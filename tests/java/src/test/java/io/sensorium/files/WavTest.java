package io.sensorium.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.CorruptInputException;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WavTest {
    /** A file whose fields can all be wrong. */
    static final class Builder {
        int tag = 1;
        int channels = 1;
        long rate = 16000;
        int bits = 16;
        int blockAlign = -1;
        boolean extensible;
        byte[] data = new byte[8];
        long dataSize = -1;
        long riffSize = -1;
        byte[] before = new byte[0];
        byte[] after = new byte[0];

        byte[] bytes() {
            int fmt = extensible ? 40 : 16;
            int pad = data.length & 1;
            int total = 12 + 8 + fmt + before.length + 8 + data.length + pad + after.length;
            ByteBuffer out = ByteBuffer.allocate(total).order(ByteOrder.LITTLE_ENDIAN);
            put(out, "RIFF").putInt((int) (riffSize >= 0 ? riffSize : total - 8));
            put(put(out, "WAVE"), "fmt ").putInt(fmt);
            out.putShort((short) (extensible ? 0xFFFE : tag)).putShort((short) channels);
            int align = blockAlign >= 0 ? blockAlign : channels * bits / 8;
            out.putInt((int) rate)
                    .putInt((int) (rate * align))
                    .putShort((short) align)
                    .putShort((short) bits);
            if (extensible) {
                out.putShort((short) 22).putShort((short) bits).putInt(0).putShort((short) tag);
                out.put(new byte[] {0, 0, 0, 0, 0x10, 0, (byte) 0x80, 0, 0, (byte) 0xAA, 0, 0x38, (byte) 0x9B, 0x71});
            }
            out.put(before);
            put(out, "data").putInt((int) (dataSize >= 0 ? dataSize : data.length));
            out.put(data).put(new byte[pad]).put(after);
            return out.array();
        }

        private static ByteBuffer put(ByteBuffer out, String tag) {
            return out.put(tag.getBytes(StandardCharsets.US_ASCII));
        }
    }

    private static Sound decode(Builder wav) {
        return Wav.decode(wav.bytes(), "test.wav");
    }

    private static Builder of(int tag, int bits, double... samples) {
        Builder wav = new Builder();
        wav.tag = tag;
        wav.bits = bits;
        ByteBuffer data = ByteBuffer.allocate(samples.length * bits / 8).order(ByteOrder.LITTLE_ENDIAN);
        for (double x : samples) {
            switch (bits) {
                case 8 -> data.put((byte) Math.round(x * 128 + 128));
                case 16 -> data.putShort((short) Math.round(x * 32768));
                case 24 -> {
                    int v = (int) Math.round(x * 8388608);
                    data.put((byte) v).put((byte) (v >> 8)).put((byte) (v >> 16));
                }
                case 32 -> {
                    if (tag == 3) data.putFloat((float) x);
                    else data.putInt((int) Math.round(x * 2147483648.0));
                }
                default -> data.putDouble(x);
            }
        }
        wav.data = data.array();
        return wav;
    }

    @ParameterizedTest
    @CsvSource({"1,8", "1,16", "1,24", "1,32", "3,32", "3,64"})
    void everyFormatGivesTheSameSamples(int tag, int bits) {
        double[] samples = {0, 0.5, -0.5, -1, 0.25, -0.125, 0.75};
        for (boolean extensible : new boolean[] {false, true}) {
            Builder wav = of(tag, bits, samples);
            wav.extensible = extensible;
            Sound sound = decode(wav);
            assertEquals(16000, sound.sampleRate());
            assertEquals(samples.length, sound.samples().remaining());
            for (int i = 0; i < samples.length; i++) {
                assertEquals((float) samples[i], sound.samples().get(i), "sample " + i);
            }
        }
    }

    @Test
    void channelsAreAveraged() {
        Builder wav = of(1, 16, 0.5, -0.25, 0.25, 0, 0, 0.75);
        wav.channels = 3;
        Sound sound = decode(wav);
        assertEquals(3, sound.channels());
        assertEquals(2, sound.samples().remaining());
        assertEquals(0.5f / 3, sound.samples().get(0), 1e-7f);
        assertEquals(0.25f, sound.samples().get(1));
    }

    @Test
    void otherChunksAreSkipped() {
        Builder wav = of(1, 8, 0.5, 0.5, 0.5);
        wav.before = new byte[] {'L', 'I', 'S', 'T', 3, 0, 0, 0, 1, 2, 3, 0};
        wav.after = new byte[] {'i', 'd', '3', ' ', 2, 0, 0, 0, 1, 2};
        assertEquals(3, decode(wav).samples().remaining());
    }

    @Test
    void everyTruncationIsRefused() {
        Builder wav = of(1, 16, 0.5, -0.5, 0.25, 0.125, 0);
        wav.before = new byte[] {'L', 'I', 'S', 'T', 4, 0, 0, 0, 1, 2, 3, 4};
        byte[] whole = wav.bytes();
        for (int n = 0; n < whole.length; n++) {
            byte[] cut = Arrays.copyOf(whole, n);
            CorruptInputException e =
                    assertThrows(CorruptInputException.class, () -> Wav.decode(cut, "test.wav"), "cut at " + n);
            assertTrue(e.getMessage().contains("at byte "), e.getMessage());
        }
        // The same with the RIFF size made to fit, as a careless repair tool would.
        for (int n = 12; n < whole.length; n++) {
            byte[] cut = Arrays.copyOf(whole, n);
            ByteBuffer.wrap(cut).order(ByteOrder.LITTLE_ENDIAN).putInt(4, n - 8);
            assertThrows(CorruptInputException.class, () -> Wav.decode(cut, "test.wav"), "cut at " + n);
        }
    }

    @Test
    void wrongFieldsAreNamedWithTheirOffset() {
        refused("RIFF size", 4, wav -> wav.riffSize = 1000);
        refused("RIFF size", 4, wav -> wav.riffSize = 4);
        refused("RIFF size", 4, wav -> wav.riffSize = 0xFFFFFFFFL);
        refused("chunk of", 40, wav -> wav.dataSize = 9);
        refused("chunk of", 40, wav -> wav.dataSize = 0xFFFFFFFFL);
        refused("chunk of", 40, wav -> wav.dataSize = 0x80000000L);
        refused("0 channels", 22, wav -> wav.channels = 0);
        refused("sample rate 0", 24, wav -> wav.rate = 0);
        refused("sample rate", 24, wav -> wav.rate = 0xFFFFFFFFL);
        refused("block alignment", 32, wav -> wav.blockAlign = 3);
        refused("block alignment", 32, wav -> wav.blockAlign = 0);
        refused("no multiple", 40, wav -> wav.data = new byte[7]);
        refused("not PCM", 20, wav -> wav.tag = 2);
        refused("not PCM", 20, wav -> wav.bits = 12);
        refused("not PCM", 20, wav -> wav.bits = 0);
        refused("not PCM", 20, wav -> {
            wav.tag = 3;
            wav.bits = 16;
        });
    }

    private static void refused(String says, int offset, java.util.function.Consumer<Builder> change) {
        Builder wav = new Builder();
        change.accept(wav);
        CorruptInputException e = assertThrows(CorruptInputException.class, () -> decode(wav), says);
        assertTrue(e.getMessage().contains(says), e.getMessage());
        assertTrue(e.getMessage().contains("at byte " + offset + ":"), e.getMessage());
    }

    @Test
    void mutationsNeverEscape() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Builder wav = of(1, 24, 0.5, -0.5, 0.25, 0.125, 0, 1);
        wav.extensible = true;
        wav.channels = 2;
        byte[] whole = wav.bytes();
        for (int round = 0; round < 50_000; round++) {
            byte[] bytes = whole.clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            try {
                Sound sound = Wav.decode(bytes, "fuzz");
                assertTrue(sound.sampleRate() > 0 && sound.samples().remaining() <= whole.length);
            } catch (CorruptInputException expected) {
                assertTrue(expected.getMessage().startsWith("fuzz: at byte "));
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + ", round " + round, e);
            }
        }
    }
}
