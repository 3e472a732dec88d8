package io.sensorium.video;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.CorruptInputException;
import io.sensorium.InvalidShapeException;
import io.sensorium.LimitExceededException;
import io.sensorium.SensoriumException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.bytedeco.ffmpeg.global.avutil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MediaFileTest {
    private static final int RATE = 48_000;

    private static float[] tone(double seconds) {
        float[] samples = new float[(int) (seconds * RATE)];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = 0.4f * (float) Math.sin(2 * Math.PI * 440 * i / RATE);
        }
        return samples;
    }

    private static byte[] clip(String container, String video, String audio) {
        Clips.Video pictures = video.isEmpty()
                ? null
                : new Clips.Video(video, 64, 48, 1, 25, Clips.regular(50), i -> new int[] {16 + 4 * i, 100, 150});
        return Clips.make(container, pictures, new Clips.Audio(audio, RATE, tone(2)));
    }

    /** Frames' and blocks' times, in order. */
    private static List<String> read(MediaFile file) {
        List<String> all = new ArrayList<>();
        for (Decoded decoded = file.next(); decoded != null; decoded = file.next()) {
            if (decoded instanceof VideoFrame frame) {
                ByteBuffer rgb = ByteBuffer.allocateDirect(frame.width() * frame.height() * 3);
                frame.rgb(rgb);
                all.add("v" + frame.time() + " " + rgb.get(0));
            } else if (decoded instanceof SoundBlock block) {
                all.add("a" + block.time() + " " + block.samples().remaining());
            }
        }
        return all;
    }

    private static List<String> read(byte[] bytes) {
        try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            return read(file);
        }
    }

    @Test
    void pathsStreamsAndBytesGiveTheSame(@TempDir Path folder) throws IOException {
        byte[] bytes = clip("mp4", "mpeg4", "aac");
        Path path = Files.write(folder.resolve("a.mp4"), bytes);
        List<String> expected = read(bytes);
        assertEquals(50, expected.stream().filter(s -> s.startsWith("v")).count());
        try (MediaFile file = MediaFile.open(path)) {
            assertEquals(expected, read(file));
        }
        try (MediaFile file = MediaFile.open(new ByteArrayInputStream(bytes), "stream", MediaLimits.DEFAULT)) {
            assertEquals(expected, read(file));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "mp4, mpeg4, aac, 50",
        "matroska, ffv1, flac, 50",
        "webm, libvpx, libopus, 50",
        "avi, mpeg4, libmp3lame, 50",
        // FFmpeg's muxer gives a packet that begins with one of many small pictures the time of the next one.
        "mpeg, mpeg2video, mp2, 49",
        "mpegts, mpeg2video, mp2, 50",
        "ogg, '', vorbis, 0",
        "flac, '', flac, 0",
        "mp3, '', libmp3lame, 0",
        "adts, '', aac, 0",
        "ogg, '', libopus, 0",
        "ogg, '', flac, 0"
    })
    void reads(String container, String video, String audio, int frames) {
        List<String> all = read(clip(container, video, audio));
        assertEquals(frames, all.stream().filter(s -> s.startsWith("v")).count());
        int samples = all.stream()
                .filter(s -> s.startsWith("a"))
                .mapToInt(s -> Integer.parseInt(s.substring(s.indexOf(' ') + 1)))
                .sum();
        assertEquals(2 * RATE, samples, 3000, "codecs pad their last block");
    }

    /** Pictures that are larger than a packet, as real ones are: each has a time of its own. */
    @ParameterizedTest
    @CsvSource({"mpeg", "mpegts"})
    void everyPictureOfAnMpegStreamHasItsTime(String container) {
        byte[] bytes = Clips.make(
                container,
                new Clips.Video(
                        "mpeg2video", 352, 336, 1, 25, Clips.regular(50), i -> new int[] {16 + 4 * i, 100, 150}),
                new Clips.Audio("mp2", RATE, tone(2)));
        try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            Rational first = file.video().orElseThrow().start();
            int frames = 0;
            for (Decoded decoded = file.next(); decoded != null; decoded = file.next()) {
                if (decoded instanceof VideoFrame frame) {
                    assertEquals(Rational.of(frames++, 25), frame.time().minus(first));
                }
            }
            assertEquals(50, frames);
            assertEquals(List.of(), file.warnings());
        }
    }

    /** A packet of pictures in an MPEG program stream. */
    private record PicturePacket(int at, int clock, int clockBytes, long pts, int firstPicture) {}

    /** The packets of an MPEG-1 stream with the number of the picture that begins first in each. */
    private static List<PicturePacket> picturePackets(byte[] bytes) {
        ByteBuffer file = ByteBuffer.wrap(bytes);
        List<PicturePacket> packets = new ArrayList<>();
        ByteArrayOutputStream video = new ByteArrayOutputStream();
        List<Integer> begins = new ArrayList<>();
        for (int i = 0; i + 9 < bytes.length; i++) {
            if (file.getInt(i) != 0x1E0) {
                continue;
            }
            int end = i + 6 + (file.getShort(i + 4) & 0xFFFF);
            int at = i + 6;
            while (bytes[at] == -1) {
                at++;
            }
            int clock = (bytes[at] & 0xC0) == 0x40 ? at + 2 : at;
            int clockBytes = bytes[clock] >> 4 == 3 ? 10 : bytes[clock] >> 4 == 2 ? 5 : 0;
            long pts = clockBytes == 0
                    ? -1
                    : (bytes[clock] >> 1 & 7L) << 30
                            | (file.getShort(clock + 1) >> 1 & 0x7FFFL) << 15
                            | file.getShort(clock + 3) >> 1 & 0x7FFFL;
            packets.add(new PicturePacket(at, clock, clockBytes, pts, 0));
            begins.add(video.size());
            int data = clock + Math.max(1, clockBytes);
            video.write(bytes, data, end - data);
            i = end - 1;
        }
        ByteBuffer pictures = ByteBuffer.wrap(video.toByteArray());
        for (int n = 0; n < packets.size(); n++) {
            int first = 0;
            for (int i = 0; i < begins.get(n); i++) {
                first += pictures.getInt(i) == 0x100 ? 1 : 0;
            }
            PicturePacket p = packets.get(n);
            packets.set(n, new PicturePacket(p.at(), p.clock(), p.clockBytes(), p.pts(), first));
        }
        return packets;
    }

    /**
     * Why the program stream of small pictures above has 49 frames: its second packet begins with picture 17 and has the time
     * of 18, so that every picture up to 34 comes one too late, and the third packet tells rightly that 35 is where 34 was put.
     */
    @Test
    void aPictureThatAProgramStreamTimesWronglyIsTold() {
        byte[] bytes = clip("mpeg", "mpeg2video", "mp2");
        List<PicturePacket> packets = picturePackets(bytes);
        List<Long> early = new ArrayList<>();
        for (PicturePacket packet : packets) {
            early.add((packet.pts() - packets.get(0).pts()) / 3600 - packet.firstPicture());
        }
        assertEquals(List.of(0L, 1L, 0L), early, packets.toString());
        assertEquals(35, packets.get(2).firstPicture());
        try (MediaFile file = MediaFile.open(bytes, "clip", MediaLimits.DEFAULT)) {
            read(file);
            assertEquals(2, file.warnings().size(), file.warnings().toString());
            MediaWarning back = file.warnings().get(0);
            assertEquals(MediaWarning.Kind.NON_MONOTONIC, back.kind());
            assertEquals(packets.get(2).firstPicture(), back.index() + 1, back.toString());
            // The decoder gives the last one when the file ends, and has no time for it.
            MediaWarning last = file.warnings().get(1);
            assertEquals(MediaWarning.Kind.NO_TIME, last.kind());
            assertEquals(49, last.index());
        }
    }

    @Test
    void everyFrameWithoutATimeIsTold() {
        byte[] bytes = Clips.make(
                "mpeg",
                new Clips.Video(
                        "mpeg2video", 352, 336, 1, 25, Clips.regular(50), i -> new int[] {16 + 4 * i, 100, 150}),
                null);
        for (PicturePacket packet : picturePackets(bytes)) {
            // Stuffing in front takes the place of the times.
            if (packet.clockBytes() == 0) {
                continue;
            }
            int kept = packet.clock() - packet.at();
            byte[] sizes = java.util.Arrays.copyOfRange(bytes, packet.at(), packet.clock());
            int end = packet.clock() + packet.clockBytes();
            java.util.Arrays.fill(bytes, packet.at(), end, (byte) -1);
            System.arraycopy(sizes, 0, bytes, end - 1 - kept, kept);
            bytes[end - 1] = 0x0F;
        }
        try (MediaFile file = MediaFile.open(bytes, "untimed", MediaLimits.DEFAULT)) {
            List<String> frames = read(file);
            assertEquals(50, frames.size());
            for (int i = 0; i < 50; i++) {
                assertTrue(frames.get(i).startsWith("v" + Rational.of(i, 25) + " "), frames.get(i));
            }
            assertEquals(50, file.untimed());
            for (int i = 0; i < 50; i++) {
                MediaWarning warning = file.warnings().get(i);
                assertEquals(MediaWarning.Kind.NO_TIME, warning.kind());
                assertEquals(i, warning.index());
                assertEquals(40_000L * i, warning.micros());
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"mp4, mpeg4, aac", "matroska, ffv1, flac", "avi, mpeg4, pcm_s16le", "ogg, '', vorbis", "flac, '', flac"
    })
    void cutOffFilesAreCorrupt(String container, String video, String audio) {
        byte[] whole = clip(container, video, audio);
        for (int i = 0; i < 12; i++) {
            byte[] cut = java.util.Arrays.copyOf(whole, (int) ((long) whole.length * i / 12));
            SensoriumException e =
                    assertThrows(CorruptInputException.class, () -> read(cut), i + "/12 of " + container);
            assertTrue(e.getMessage().startsWith("clip: "), e.getMessage());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "mp4, mpeg4, aac",
        "matroska, ffv1, flac",
        "webm, libvpx, libopus",
        "avi, mpeg4, libmp3lame",
        "mpeg, mpeg2video, mp2",
        "ogg, '', vorbis"
    })
    void damagedFilesGiveTypedErrorsOnly(String container, String video, String audio) {
        byte[] whole = clip(container, video, audio);
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 60; round++) {
            byte[] bytes = whole.clone();
            int near = round % 2 == 0 ? Math.min(600, bytes.length) : bytes.length;
            for (int i = 1 + random.nextInt(20); i > 0; i--) {
                bytes[random.nextInt(near)] = (byte) random.nextInt();
            }
            try {
                read(bytes);
            } catch (SensoriumException e) {
                // Corrupt, too large or of changing size: all have a type.
            } catch (RuntimeException e) {
                throw new AssertionError(container + ", seed " + seed + ", round " + round, e);
            }
        }
    }

    @Test
    void filesOfNothingAreCorrupt() {
        byte[] noStreams = {
            0, 0, 0, 16, 'f', 't', 'y', 'p', 'i', 's', 'o', 'm', 0, 0, 2, 0, 0, 0, 0, 8, 'm', 'o', 'o', 'v', 0, 0, 0, 8,
            'm', 'd', 'a', 't'
        };
        for (byte[] bytes :
                new byte[][] {{}, new byte[100], "#EXTM3U\nhttp://localhost/a.ts\n".getBytes(), noStreams}) {
            assertThrows(CorruptInputException.class, () -> read(bytes));
        }
    }

    @Test
    void anotherSizeNamesItsFrame() throws IOException {
        ByteArrayOutputStream both = new ByteArrayOutputStream();
        for (int side : new int[] {64, 96}) {
            both.write(Clips.make(
                    "mpeg",
                    new Clips.Video("mpeg2video", side, side, 1, 25, Clips.regular(20), i -> new int[] {90, 128, 128}),
                    null));
        }
        InvalidShapeException e = assertThrows(InvalidShapeException.class, () -> read(both.toByteArray()));
        assertTrue(e.field().matches("frame \\d+"), e.getMessage());
        assertTrue(e.getMessage().contains("96×96 in a video of 64×64"), e.getMessage());
    }

    @Test
    void timesThatGoBackAreLeftOutAndTold() throws IOException {
        byte[] once = Clips.make(
                "mpeg",
                new Clips.Video("mpeg2video", 64, 64, 1, 25, Clips.regular(20), i -> new int[] {90, 128, 128}),
                null);
        ByteArrayOutputStream twice = new ByteArrayOutputStream();
        twice.write(once);
        twice.write(once);
        try (MediaFile file = MediaFile.open(twice.toByteArray(), "twice", MediaLimits.DEFAULT)) {
            Rational last = null;
            for (Decoded decoded = file.next(); decoded != null; decoded = file.next()) {
                assertTrue(last == null || decoded.time().compareTo(last) > 0);
                last = decoded.time();
            }
            assertTrue(file.warnings().stream().anyMatch(w -> w.kind() == MediaWarning.Kind.NON_MONOTONIC));
        }
    }

    @Test
    void whatIsTooLargeIsRefusedFirst() {
        byte[] bytes = clip("matroska", "ffv1", "flac");
        MediaLimits.Builder limits = MediaLimits.builder();
        for (MediaLimits each : new MediaLimits[] {
            MediaLimits.builder().maxPixels(64 * 48 - 1).build(),
            MediaLimits.builder().maxBytes(bytes.length - 1).build(),
            MediaLimits.builder().maxStreams(1).build(),
            MediaLimits.builder().maxSampleRate(44_100).build(),
            MediaLimits.builder().maxMicros(1_000_000).build()
        }) {
            assertThrows(LimitExceededException.class, () -> MediaFile.open(bytes, "big", each), each.toString());
        }
        // A header that claims 65535×65535: the size of the first frame's plane would be 4 GB.
        byte[] bomb = bytes.clone();
        int patched = 0;
        for (int i = 0; i + 5 < bomb.length && patched < 2; i++) {
            // PixelWidth 0xB0 and PixelHeight 0xBA with their lengths.
            boolean width = (bomb[i] & 255) == 0xB0 && (bomb[i + 1] & 255) == 0x81 && bomb[i + 2] == 64;
            boolean height = (bomb[i] & 255) == 0xBA && (bomb[i + 1] & 255) == 0x81 && bomb[i + 2] == 48;
            if (width || height) {
                patched++;
                bomb[i + 2] = (byte) 255;
            }
        }
        assertEquals(2, patched);
        MediaLimits small = limits.maxPixels(200 * 200).build();
        assertThrows(LimitExceededException.class, () -> MediaFile.open(bomb, "bomb", small));
    }

    @Test
    void cancelEndsACallFromAnotherThread() throws Exception {
        MediaFile file = MediaFile.open(clip("mp4", "mpeg4", "aac"), "clip", MediaLimits.DEFAULT);
        try (file) {
            file.next();
            Thread other = new Thread(file::cancel);
            other.start();
            other.join();
            assertThrows(CancellationException.class, file::next);
        }
        assertThrows(IllegalStateException.class, file::next);
        file.close();
    }

    private static long residentBytes() {
        try {
            return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aThousandOpensLeakNothing() {
        byte[] whole = clip("mp4", "mpeg4", "aac");
        byte[] broken = whole.clone();
        new Random(1).nextBytes(broken);
        System.arraycopy(whole, 0, broken, 0, 64);
        byte[] damaged = whole.clone();
        for (int i = 2000; i < 6000; i++) {
            damaged[i] = 0;
        }
        // A leak grows in every part; what the rest of the process does, in some.
        long least = Long.MAX_VALUE;
        long before = 0;
        for (int i = 0; i <= 1000; i++) {
            if (i >= 200 && i % 200 == 0) {
                System.gc();
                long now = residentBytes();
                least = i == 200 ? least : Math.min(least, now - before);
                before = now;
            }
            try (MediaFile file =
                    MediaFile.open(i % 4 == 1 ? broken : i % 4 == 2 ? damaged : whole, "clip", MediaLimits.DEFAULT)) {
                for (int n = 0; n < 8 && file.next() != null; n++) {}
            } catch (CorruptInputException e) {
                // Every other file is broken.
            }
        }
        assertTrue(least < 2L << 20, "at least " + least + " bytes more after every 200 opens");
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 0.2126, 0.0722",
        "5, 1, 0.299, 0.114",
        "6, 2, 0.299, 0.114",
        "2, 1, 0.299, 0.114",
        "1, 2, 0.2126, 0.0722",
        "2, 0, 0.299, 0.114",
        "9, 1, 0.2627, 0.0593"
    })
    void coloursAreThoseOfTheirTags(int space, int range, double kr, double kb) {
        int[][] colours = {
            {16, 128, 128}, {235, 128, 128}, {81, 90, 240}, {145, 54, 34}, {41, 240, 110}, {120, 140, 100}
        };
        for (int[] yuv : colours) {
            byte[] bytes = Clips.make(
                    "matroska",
                    new Clips.Video("ffv1", 32, 32, 1, 25, Clips.regular(2), i -> yuv, c -> {
                        c.colorspace(space);
                        c.color_range(range);
                    }),
                    null);
            ByteBuffer rgb = ByteBuffer.allocateDirect(32 * 32 * 3);
            try (MediaFile file = MediaFile.open(bytes, "colour", MediaLimits.DEFAULT)) {
                ((VideoFrame) file.next()).rgb(rgb);
            }
            boolean full = range == avutil.AVCOL_RANGE_JPEG;
            double y = full ? yuv[0] : (yuv[0] - 16) * 255.0 / 219;
            double cb = (yuv[1] - 128) * (full ? 1 : 255.0 / 224);
            double cr = (yuv[2] - 128) * (full ? 1 : 255.0 / 224);
            double r = y + 2 * (1 - kr) * cr;
            double b = y + 2 * (1 - kb) * cb;
            double g = (y - kr * r - kb * b) / (1 - kr - kb);
            double[] expected = {r, g, b};
            for (int c = 0; c < 3; c++) {
                double value = Math.max(0, Math.min(255, expected[c]));
                assertEquals(
                        value,
                        rgb.get(16 * 32 * 3 + 48 + c) & 255,
                        1.5,
                        "channel " + c + " of " + yuv[0] + " " + space);
            }
        }
    }
}
