package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Sounds;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
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
