package io.sensorium.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PicturesTest {
    private static byte[] encode(BufferedImage image, String format) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            assertTrue(ImageIO.write(image, format, out), format);
            return out.toByteArray();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Picture decode(byte[] bytes) {
        return Pictures.decode(bytes, "test", Pictures.MAX_PIXELS);
    }

    private static int[] pixel(Picture picture, int y, int x) {
        int at = (y * picture.width() + x) * 3;
        return new int[] {
            picture.pixels().get(at) & 255,
            picture.pixels().get(at + 1) & 255,
            picture.pixels().get(at + 2) & 255
        };
    }

    private static BufferedImage noise(int width, int height, int type) {
        BufferedImage image = new BufferedImage(width, height, type);
        Random random = new Random(5);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, random.nextInt());
            }
        }
        return image;
    }

    /** Digests of PIL 12's {@code Image.open(f).convert("RGB").tobytes()}. */
    @ParameterizedTest
    @CsvSource({
        "astronaut.png, 512, 512, a8c429c18afa7b0fd5673e598d73a21225d94c864a71bbb3885126fdecb41071",
        "chelsea.png, 300, 451, 416b729128bfb2c3d1eb69bf9b1734a796293abc17939267b2dc94f8a5784031"
    })
    void samplesEqualPil(String file, int height, int width, String digest) throws Exception {
        Picture picture = Pictures.read(Checkout.root().resolve("samples").resolve(file));
        assertEquals(height, picture.height());
        assertEquals(width, picture.width());
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        sha.update(picture.pixels().duplicate());
        assertEquals(digest, HexFormat.of().formatHex(sha.digest()));
    }

    /** Whatever stands where EXIF should: the picture is decoded, and turned only by one of the eight numbers. */
    @Test
    void brokenExifTurnsNothing() {
        byte[] jpeg = encode(noise(16, 8, BufferedImage.TYPE_INT_RGB), "jpeg");
        Random random = new Random(11);
        for (int i = 0; i < 2000; i++) {
            byte[] tiff = new byte[random.nextInt(60)];
            random.nextBytes(tiff);
            byte[] start = HexFormat.of()
                    .parseHex(i % 2 == 0 ? "49492a00080000000100120103000100" : "4d4d002a0000000800010112000300");
            System.arraycopy(start, 0, tiff, 0, Math.min(tiff.length, i % 5 == 0 ? 0 : start.length));
            ByteBuffer out = ByteBuffer.allocate(jpeg.length + 10 + tiff.length);
            out.put(jpeg, 0, 2).putShort((short) 0xFFE1).putShort((short) (8 + tiff.length));
            out.put("Exif\0\0".getBytes(StandardCharsets.ISO_8859_1)).put(tiff).put(jpeg, 2, jpeg.length - 2);
            Picture picture = decode(out.array());
            assertTrue(picture.orientation() >= 1 && picture.orientation() <= 8);
            Picture upright = picture.upright();
            assertEquals(picture.orientation() > 4 ? 8 : 16, upright.width());
            assertEquals(1, upright.orientation());
        }
    }

    @Test
    void alphaIsDroppedNotComposited() {
        BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0x00102030);
        image.setRGB(1, 0, 0x80FF8040);
        Picture picture = decode(encode(image, "png"));
        assertEquals(Arrays.toString(new int[] {0x10, 0x20, 0x30}), Arrays.toString(pixel(picture, 0, 0)));
        assertEquals(Arrays.toString(new int[] {0xFF, 0x80, 0x40}), Arrays.toString(pixel(picture, 0, 1)));
    }

    @Test
    void greyKeepsItsValues() {
        BufferedImage image = new BufferedImage(256, 1, BufferedImage.TYPE_BYTE_GRAY);
        for (int x = 0; x < 256; x++) {
            image.getRaster().setSample(x, 0, 0, x);
        }
        Picture picture = decode(encode(image, "png"));
        for (int x = 0; x < 256; x++) {
            assertEquals(Arrays.toString(new int[] {x, x, x}), Arrays.toString(pixel(picture, 0, x)));
        }
    }

    @Test
    void greyWithAlphaKeepsItsValues() {
        ComponentColorModel model = new ComponentColorModel(
                ColorSpace.getInstance(ColorSpace.CS_GRAY),
                true,
                false,
                Transparency.TRANSLUCENT,
                DataBuffer.TYPE_BYTE);
        WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, 2, 1, 2, null);
        raster.setPixel(0, 0, new int[] {77, 0});
        raster.setPixel(1, 0, new int[] {200, 128});
        Picture picture = decode(encode(new BufferedImage(model, raster, false, null), "png"));
        assertEquals("[77, 77, 77]", Arrays.toString(pixel(picture, 0, 0)));
        assertEquals("[200, 200, 200]", Arrays.toString(pixel(picture, 0, 1)));
    }

    @Test
    void palettesAreLookedUp() {
        byte[] r = {0, 10, (byte) 200, 40};
        byte[] g = {1, 20, (byte) 210, 50};
        byte[] b = {2, 30, (byte) 220, 60};
        for (int bits : new int[] {2, 8}) {
            BufferedImage image = new BufferedImage(
                    4,
                    1,
                    bits == 8 ? BufferedImage.TYPE_BYTE_INDEXED : BufferedImage.TYPE_BYTE_BINARY,
                    new IndexColorModel(bits, 4, r, g, b, 1));
            for (int x = 0; x < 4; x++) {
                image.getRaster().setSample(x, 0, 0, x);
            }
            Picture picture = decode(encode(image, "png"));
            for (int x = 0; x < 4; x++) {
                assertEquals(
                        Arrays.toString(new int[] {r[x] & 255, g[x] & 255, b[x] & 255}),
                        Arrays.toString(pixel(picture, 0, x)),
                        bits + " bits");
            }
        }
    }

    @Test
    void sixteenBitsKeepTheUpperEight() {
        ComponentColorModel model = new ComponentColorModel(
                ColorSpace.getInstance(ColorSpace.CS_sRGB), false, false, Transparency.OPAQUE, DataBuffer.TYPE_USHORT);
        WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_USHORT, 1, 1, 3, null);
        raster.setPixel(0, 0, new int[] {0x12FF, 0xAB00, 0xFFFF});
        Picture picture = decode(encode(new BufferedImage(model, raster, false, null), "png"));
        assertEquals("[18, 171, 255]", Arrays.toString(pixel(picture, 0, 0)));
    }

    @Test
    void jpegsAreDecoded() {
        BufferedImage image = new BufferedImage(33, 17, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < 17; y++) {
            for (int x = 0; x < 33; x++) {
                image.setRGB(x, y, 0x6496C8);
            }
        }
        Picture picture = decode(encode(image, "jpeg"));
        assertEquals(17, picture.height());
        int[] got = pixel(picture, 8, 16);
        assertTrue(
                Math.abs(got[0] - 0x64) < 4 && Math.abs(got[1] - 0x96) < 4 && Math.abs(got[2] - 0xC8) < 4,
                Arrays.toString(got));
        BufferedImage grey = new BufferedImage(16, 16, BufferedImage.TYPE_BYTE_GRAY);
        for (int i = 0; i < 256; i++) {
            grey.getRaster().setSample(i % 16, i / 16, 0, 100);
        }
        assertEquals("[100, 100, 100]", Arrays.toString(pixel(decode(encode(grey, "jpeg")), 3, 3)));
    }

    @Test
    void everyTruncationIsRefused() {
        for (String format : new String[] {"png", "jpeg"}) {
            byte[] whole = encode(noise(24, 18, BufferedImage.TYPE_INT_RGB), format);
            decode(whole);
            for (int n = 0; n < whole.length; n++) {
                byte[] cut = Arrays.copyOf(whole, n);
                assertThrows(
                        CorruptInputException.class, () -> decode(cut), format + " cut at " + n + "/" + whole.length);
            }
        }
    }

    private static byte[] chunk(String type, byte[] data) {
        ByteBuffer out = ByteBuffer.allocate(12 + data.length);
        out.putInt(data.length).put(type.getBytes(StandardCharsets.US_ASCII)).put(data);
        CRC32 crc = new CRC32();
        crc.update(out.array(), 4, 4 + data.length);
        return out.putInt((int) crc.getValue()).array();
    }

    private static byte[] png(int width, int height, byte[]... chunks) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'});
        out.writeBytes(chunk(
                "IHDR",
                ByteBuffer.allocate(13)
                        .putInt(width)
                        .putInt(height)
                        .put(new byte[] {8, 2, 0, 0, 0})
                        .array()));
        for (byte[] chunk : chunks) {
            out.writeBytes(chunk);
        }
        out.writeBytes(chunk("IEND", new byte[0]));
        return out.toByteArray();
    }

    private static byte[] deflated(int zeros) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (DeflaterOutputStream deflater = new DeflaterOutputStream(out)) {
            byte[] block = new byte[1 << 16];
            for (int left = zeros; left > 0; left -= block.length) {
                deflater.write(block, 0, Math.min(left, block.length));
            }
        }
        return out.toByteArray();
    }

    @Test
    void hugeHeadersAreRefusedBeforeDecoding() throws IOException {
        for (int[] size : new int[][] {{65535, 65535}, {Integer.MAX_VALUE, Integer.MAX_VALUE}, {1, 100_000_001}}) {
            byte[] bytes = png(size[0], size[1], chunk("IDAT", deflated(100)));
            LimitExceededException e = assertThrows(LimitExceededException.class, () -> decode(bytes));
            assertEquals(Pictures.MAX_PIXELS, e.limit());
        }
        byte[] jpeg = encode(noise(8, 8, BufferedImage.TYPE_INT_RGB), "jpeg");
        for (int i = 2; i < jpeg.length; i++) {
            if ((jpeg[i] & 255) == 0xFF && (jpeg[i + 1] & 255) == 0xC0) {
                Arrays.fill(jpeg, i + 5, i + 9, (byte) 0xFF);
                break;
            }
        }
        assertThrows(LimitExceededException.class, () -> decode(jpeg));
    }

    @Test
    void emptyAndImpossibleSizesAreCorrupt() throws IOException {
        for (int[] size : new int[][] {{0, 5}, {5, 0}, {-1, 5}}) {
            byte[] bytes = png(size[0], size[1], chunk("IDAT", deflated(100)));
            assertThrows(CorruptInputException.class, () -> decode(bytes));
        }
    }

    /** 64 MiB of text in 64 KiB, and picture data that inflates to far more than the picture. */
    @Test
    void bombsInflateNothing() throws IOException {
        byte[] text = deflated(64 << 20);
        ByteArrayOutputStream ztxt = new ByteArrayOutputStream();
        ztxt.writeBytes(new byte[] {'a', 0, 0});
        ztxt.writeBytes(text);
        byte[] pixels = deflated(4 * (1 + 4 * 3));
        decode(png(4, 4, chunk("zTXt", ztxt.toByteArray()), chunk("IDAT", pixels)));
        Picture small = decode(png(4, 4, chunk("IDAT", text)));
        assertEquals(4 * 4 * 3, small.pixels().remaining());
    }

    @Test
    void wrongChecksumsAndStrangersAreCorrupt() throws IOException {
        byte[] bytes = png(4, 4, chunk("IDAT", deflated(52)));
        bytes[bytes.length - 20] ^= 1;
        assertThrows(CorruptInputException.class, () -> decode(bytes));
        assertThrows(CorruptInputException.class, () -> decode(png(4, 4, chunk("ABCD", new byte[3]))));
        assertThrows(CorruptInputException.class, () -> decode("PNG and so on".getBytes(StandardCharsets.US_ASCII)));
        assertThrows(CorruptInputException.class, () -> decode(png(4, 4)));
    }

    @Test
    void mutationsNeverEscape() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (String format : new String[] {"png", "jpeg"}) {
            byte[] whole = encode(noise(16, 12, BufferedImage.TYPE_INT_RGB), format);
            for (int round = 0; round < 1500; round++) {
                byte[] bytes = whole.clone();
                for (int i = random.nextInt(3); i >= 0; i--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
                try {
                    Picture picture = Pictures.decode(bytes, "fuzz", 1 << 20);
                    assertEquals(
                            picture.height() * picture.width() * 3,
                            picture.pixels().remaining());
                } catch (CorruptInputException | LimitExceededException expected) {
                    assertTrue(expected.getMessage().startsWith("fuzz: "));
                } catch (Throwable e) {
                    throw new AssertionError(format + ", seed " + seed + ", round " + round, e);
                }
            }
        }
    }
}
