package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import io.sensorium.SensoriumException;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Sounds;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pictures and sounds that Java cannot read, through the service. */
class FFmpegReaderTest {
    private static byte[] picture(String container, String codec) {
        return Clips.make(
                container,
                new Clips.Video(codec, 48, 32, 1, 25, Clips.regular(1), i -> new int[] {145, 128, 128}),
                null);
    }

    @ParameterizedTest
    @CsvSource({"webp, libwebp", "avif, libaom-av1", "gif, gif"})
    void pictures(String container, String codec) {
        byte[] bytes = picture(container, codec);
        Picture picture = Pictures.decode(bytes, "p", 48 * 32);
        assertEquals(48, picture.width());
        assertEquals(32, picture.height());
        int expected = container.equals("gif") ? 145 : (int) Math.round((145 - 16) * 255.0 / 219);
        for (int c = 0; c < 3; c++) {
            assertEquals(expected, picture.pixels().get(16 * 48 * 3 + c) & 255, 3);
        }
        assertThrows(LimitExceededException.class, () -> Pictures.decode(bytes, "p", 48 * 32 - 1));
        if (!container.equals("gif")) {
            byte[] cut = Arrays.copyOf(bytes, bytes.length * 2 / 3);
            assertThrows(CorruptInputException.class, () -> Pictures.decode(cut, "p", 48 * 32));
        }
    }

    private static byte[] box(String type, byte[]... parts) {
        int size = 8;
        for (byte[] part : parts) {
            size += part.length;
        }
        ByteBuffer out = ByteBuffer.allocate(size).putInt(size).put(type.getBytes(StandardCharsets.US_ASCII));
        for (byte[] part : parts) {
            out.put(part);
        }
        return out.array();
    }

    /** Numbers of 1, 2 or 4 bytes: {width, value} each. */
    private static byte[] numbers(int[]... numbers) {
        ByteBuffer out = ByteBuffer.allocate(4 * numbers.length);
        for (int[] n : numbers) {
            if (n[0] == 1) {
                out.put((byte) n[1]);
            } else if (n[0] == 2) {
                out.putShort((short) n[1]);
            } else {
                out.putInt(n[1]);
            }
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    private static int[] u8(int value) {
        return new int[] {1, value};
    }

    private static int[] u16(int value) {
        return new int[] {2, value};
    }

    private static int[] u32(int value) {
        return new int[] {4, value};
    }

    private static int find(byte[] bytes, String type) {
        for (int i = 4; i + 4 <= bytes.length; i++) {
            if (new String(bytes, i, 4, StandardCharsets.ISO_8859_1).equals(type)) {
                return i - 4;
            }
        }
        throw new AssertionError("no " + type);
    }

    private static byte[] content(byte[] bytes, String type) {
        int at = find(bytes, type);
        return Arrays.copyOfRange(bytes, at + 8, at + ByteBuffer.wrap(bytes).getInt(at));
    }

    /** An AVIF of 2×2 tiles of 64×64 pixels (ISO/IEC 23008-12, 6.6.2.3.2), of which width × height are shown. */
    private static byte[] grid(int width, int height, int tileSize, int[]... colours) {
        byte[][] tiles = new byte[4][];
        byte[] configuration = {};
        for (int i = 0; i < 4; i++) {
            int[] colour = colours[i];
            byte[] avif = Clips.make(
                    "avif", new Clips.Video("libaom-av1", 64, 64, 1, 25, Clips.regular(1), frame -> colour), null);
            tiles[i] = content(avif, "mdat");
            configuration = content(avif, "av1C");
        }
        byte[] description = numbers(u8(0), u8(0), u8(1), u8(1), u16(width), u16(height));
        byte[] brands = "avif\0\0\0\0avifmif1miaf".getBytes(StandardCharsets.US_ASCII);
        byte[] start = box("ftyp", brands);
        byte[] meta = {};
        // Once to know its size, once with the offsets that follow from it.
        for (int round = 0; round < 2; round++) {
            int at = start.length + meta.length + 8;
            byte[][] places = new byte[5][];
            byte[][] entries = new byte[5][];
            byte[][] properties = new byte[5][];
            for (int item = 0; item < 5; item++) {
                int size = item == 0 ? description.length : tiles[item - 1].length;
                places[item] = numbers(u16(item + 1), u16(0), u16(1), u32(at), u32(size));
                at += size;
                byte[] type = (item == 0 ? "grid" : "av01").getBytes(StandardCharsets.US_ASCII);
                entries[item] = box("infe", numbers(u32(2 << 24), u16(item + 1), u16(0)), type, new byte[1]);
                properties[item] =
                        item == 0 ? numbers(u16(1), u8(1), u8(3)) : numbers(u16(item + 1), u8(2), u8(0x81), u8(2));
            }
            byte[] all = numbers(u32(0), u32(5));
            meta = box(
                    "meta",
                    numbers(u32(0)),
                    box("hdlr", numbers(u32(0), u32(0)), "pict".getBytes(StandardCharsets.US_ASCII), new byte[13]),
                    box("pitm", numbers(u32(0), u16(1))),
                    box("iloc", numbers(u32(0), u8(0x44), u8(0), u16(5)), join(places)),
                    box("iinf", numbers(u32(0), u16(5)), join(entries)),
                    box("iref", numbers(u32(0)), box("dimg", numbers(u16(1), u16(4), u16(2), u16(3), u16(4), u16(5)))),
                    box(
                            "iprp",
                            box(
                                    "ipco",
                                    box("av1C", configuration),
                                    box("ispe", numbers(u32(0), u32(tileSize), u32(tileSize))),
                                    box("ispe", numbers(u32(0), u32(width), u32(height)))),
                            box("ipma", all, join(properties))));
        }
        return join(start, meta, box("mdat", description, join(tiles)));
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    @Test
    void tilesAreOnePicture() {
        int[][] colours = {{60, 128, 128}, {110, 128, 128}, {160, 128, 128}, {210, 128, 128}};
        byte[] bytes = grid(100, 90, 64, colours);
        Picture picture = Pictures.decode(bytes, "grid", 128 * 128);
        assertEquals(100, picture.width());
        assertEquals(90, picture.height());
        for (int quarter = 0; quarter < 4; quarter++) {
            for (int[] at : new int[][] {{5, 5}, {60, 60}, {quarter % 2 == 0 ? 60 : 30, quarter < 2 ? 60 : 20}}) {
                int x = Math.min(99, at[0] + quarter % 2 * 64);
                int y = Math.min(89, at[1] + quarter / 2 * 64);
                int expected = (int) Math.round((colours[quarter][0] - 16) * 255.0 / 219);
                assertEquals(expected, picture.pixels().get((y * 100 + x) * 3) & 255, 3, x + ", " + y);
            }
        }
        assertThrows(LimitExceededException.class, () -> Pictures.decode(bytes, "grid", 128 * 128 - 1));
        byte[] cut = Arrays.copyOf(bytes, bytes.length - 20);
        assertThrows(CorruptInputException.class, () -> Pictures.decode(cut, "grid", 128 * 128));
    }

    @Test
    void gridsThatDoNotFitAreRefused() {
        int[][] colours = {{60, 128, 128}, {110, 128, 128}, {160, 128, 128}, {210, 128, 128}};
        byte[] larger = grid(129, 90, 64, colours);
        assertThrows(CorruptInputException.class, () -> Pictures.decode(larger, "larger", 1 << 20));
        // Tiles that are told to be larger than they are: four of 20000×20000 would be 1.6 gigapixels.
        byte[] bomb = grid(40_000, 40_000, 20_000, colours);
        assertThrows(LimitExceededException.class, () -> Pictures.decode(bomb, "bomb", 1 << 20));
        byte[] liar = grid(100, 90, 60, colours);
        assertThrows(CorruptInputException.class, () -> Pictures.decode(liar, "liar", 1 << 20));
        byte[] whole = grid(100, 90, 64, colours);
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            byte[] damaged = whole.clone();
            for (int i = 1 + random.nextInt(3); i > 0; i--) {
                damaged[random.nextInt(find(whole, "mdat") + 20)] = (byte) random.nextInt();
            }
            try {
                Pictures.decode(damaged, "damaged", 1 << 20);
            } catch (SensoriumException e) {
                // Of whatever type.
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", round " + round, e);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "flac, flac",
        "mp3, libmp3lame",
        "adts, aac",
        "ogg, libopus",
        "ogg, vorbis",
        "mp4, aac",
        "wav, pcm_s16le"
    })
    void sounds(String container, String codec) {
        float[] tone = new float[48_000];
        for (int i = 0; i < tone.length; i++) {
            tone[i] = 0.5f * (float) Math.sin(2 * Math.PI * 1000 * i / 48_000);
        }
        Sound sound = Sounds.decode(Clips.make(container, null, new Clips.Audio(codec, 48_000, tone)), "s");
        assertEquals(48_000, sound.sampleRate());
        assertEquals(48_000, sound.samples().remaining(), 2500);
        double power = 0;
        for (int i = 12_000; i < 36_000; i++) {
            power += sound.samples().get(i) * (double) sound.samples().get(i);
        }
        // LAME writes everything 0.95 times as loud, which keeps its own rounding from clipping.
        double scale = codec.equals("libmp3lame") ? 0.95 * 0.95 : 1;
        assertEquals(0.125 * scale, power / 24_000, 0.0005);
        if (codec.equals("flac") || codec.equals("pcm_s16le")) {
            for (int i = 0; i < 48_000; i++) {
                assertEquals(tone[i], sound.samples().get(i), 4e-5);
            }
        }
    }

    /** A JPEG whose EXIF data tell an orientation. */
    private static byte[] oriented(BufferedImage image, int orientation) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageIO.write(image, "jpeg", out);
        byte[] jpeg = out.toByteArray();
        byte[] exif = {
            (byte) 0xFF,
            (byte) 0xE1,
            0,
            34,
            'E',
            'x',
            'i',
            'f',
            0,
            0,
            'M',
            'M',
            0,
            42,
            0,
            0,
            0,
            8,
            0,
            1,
            1,
            0x12,
            0,
            3,
            0,
            0,
            0,
            1,
            0,
            (byte) orientation,
            0,
            0,
            0,
            0,
            0,
            0
        };
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.write(jpeg, 0, 2);
        all.write(exif);
        all.write(jpeg, 2, jpeg.length - 2);
        return all.toByteArray();
    }

    @Test
    void exifOrientationTurnsUpright() throws IOException {
        // Red, green over blue, white: quarters are large enough for JPEG.
        int[] colours = {0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF};
        BufferedImage image = new BufferedImage(64, 32, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < 32; y++) {
            for (int x = 0; x < 64; x++) {
                image.setRGB(x, y, colours[y / 16 * 2 + x / 32]);
            }
        }
        // What ImageOps.exif_transpose gives: quarters in reading order for orientations 1 to 8.
        String[] upright = {"RGBW", "GRWB", "WBGR", "BWRG", "RBGW", "BRWG", "WGBR", "GWRB"};
        for (int orientation = 1; orientation <= 8; orientation++) {
            Picture picture = Pictures.decode(oriented(image, orientation), "exif", 1 << 20)
                    .upright();
            boolean turned = orientation >= 5;
            assertArrayEquals(
                    turned ? new int[] {64, 32} : new int[] {32, 64}, new int[] {picture.height(), picture.width()});
            StringBuilder quarters = new StringBuilder();
            for (int q = 0; q < 4; q++) {
                int y = picture.height() / 4 + q / 2 * picture.height() / 2;
                int x = picture.width() / 4 + q % 2 * picture.width() / 2;
                int at = (y * picture.width() + x) * 3;
                boolean r = (picture.pixels().get(at) & 255) > 128;
                boolean g = (picture.pixels().get(at + 1) & 255) > 128;
                quarters.append(r && g ? 'W' : r ? 'R' : g ? 'G' : 'B');
            }
            assertEquals(upright[orientation - 1], quarters.toString(), "orientation " + orientation);
        }
    }
}
