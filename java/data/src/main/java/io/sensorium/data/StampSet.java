package io.sensorium.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;

/**
 * Stamps of Tux Paint (Debian tuxpaint-stamps-default, GPL-2): pictures, captions in many languages, and the captions spoken by
 * people. An item is a stamp in a language; its source is the language. Stamps of one English caption are one concept, and
 * every twentieth concept is kept from training. Of eight sounds of a concept one is for validation and one for the test:
 * people name there what was trained in other languages.
 */
final class StampSet {
    private static final int UNSEEN_EVERY = 20;
    private static final int LONGEST_SIDE = 256;
    private static final String ENGLISH = "en";

    /** Paths are the stamp's without an ending; sounds by language. */
    private record Stamp(String id, Path picture, Map<String, String> captions, Map<String, Path> sounds) {}

    private StampSet() {}

    static void build(Path cache, Path out, Consumer<String> progress) throws IOException {
        List<Stamp> stamps =
                stamps(Packages.debian(cache, "tuxpaint-stamps-default").resolve("usr/share/tuxpaint/stamps"));
        Path images = Files.createDirectories(out.resolve("images"));
        Map<String, String> sounds = new LinkedHashMap<>();
        List<Item> items = new ArrayList<>();
        Map<String, Integer> concepts = new LinkedHashMap<>();
        Map<String, Integer> spoken = new HashMap<>();
        Path audio = out.resolve("audio");
        for (Stamp stamp : stamps) {
            Path image = images.resolve(stamp.id() + ".png");
            if (!Files.exists(image)) {
                BufferedImage picture = ImageIO.read(stamp.picture().toFile());
                if (picture == null) {
                    throw new DataException(stamp.picture() + " is no picture");
                }
                ImageIO.write(Drawing.onWhite(picture, LONGEST_SIDE), "png", image.toFile());
            }
            String concept = stamp.captions().get(ENGLISH);
            int number = concepts.computeIfAbsent(concept, c -> concepts.size());
            boolean unseen = number % UNSEEN_EVERY == UNSEEN_EVERY - 1;
            items.add(
                    new Item(stamp.id(), concept, unseen ? Split.UNSEEN : Split.TRAIN, image, null, concept, ENGLISH));
            stamp.sounds().forEach((language, sound) -> {
                String id = stamp.id() + "_" + language;
                sounds.put(id, sound.toString());
                items.add(new Item(
                        id,
                        concept,
                        unseen ? Split.UNSEEN : split(number, spoken.merge(concept, 1, Integer::sum) - 1),
                        image,
                        audio.resolve(id + ".wav"),
                        stamp.captions().get(language),
                        language));
            });
        }
        progress.accept(items.size() + " items of " + concepts.size() + " concepts");
        Speech.sox(sounds, audio, progress);
        Manifest.write(out, items);
    }

    /** The first sound of a concept is always trained. */
    private static Split split(int concept, int sound) {
        int turn = (concept + sound) % 8;
        return sound == 0 || turn < 6 ? Split.TRAIN : turn == 6 ? Split.VALIDATION : Split.TEST;
    }

    private static List<Stamp> stamps(Path folder) throws IOException {
        List<Path> pictures;
        try (Stream<Path> files = Files.walk(folder)) {
            pictures = files.filter(f -> f.toString().endsWith(".png")).sorted().toList();
        }
        List<Stamp> stamps = new ArrayList<>();
        for (Path picture : pictures) {
            String stem = picture.getFileName().toString().replaceAll("\\.png$", "");
            Path captions = picture.resolveSibling(stem + ".txt");
            if (Files.exists(captions)) {
                Map<String, String> texts = captions(captions);
                if (texts.containsKey(ENGLISH)) {
                    String id = folder.relativize(picture.resolveSibling(stem))
                            .toString()
                            .replace('/', '-');
                    stamps.add(new Stamp(id, picture, texts, sounds(picture, stem)));
                }
            }
        }
        return stamps;
    }

    /** English on the first line, then lines like {@code fr.utf8=Un chat.} */
    private static Map<String, String> captions(Path file) throws IOException {
        Map<String, String> captions = new HashMap<>();
        String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        for (String line : text.split("\\R")) {
            int sign = line.indexOf(".utf8=");
            String caption = caption(sign < 0 ? line : line.substring(sign + 6));
            if (caption != null) {
                captions.putIfAbsent(sign < 0 ? ENGLISH : line.substring(0, sign), caption);
            }
        }
        return captions;
    }

    private static @Nullable String caption(String text) {
        String bare = text.strip().replaceAll("\\.$", "").replaceAll("\\s+", " ");
        return bare.isEmpty() ? null : bare;
    }

    /** STEM_desc.ogg is English, STEM_desc_LANGUAGE.ogg is not; some are WAV. */
    private static Map<String, Path> sounds(Path picture, String stem) throws IOException {
        Map<String, Path> sounds = new TreeMap<>();
        String start = stem + "_desc";
        try (Stream<Path> files = Files.list(picture.getParent())) {
            for (Path file : (Iterable<Path>) files::iterator) {
                String name = file.getFileName().toString();
                if (name.startsWith(start) && name.matches(".*\\.(ogg|wav)")) {
                    String rest = name.substring(start.length(), name.length() - 4);
                    if (rest.isEmpty() || rest.matches("_[A-Za-z_]+")) {
                        sounds.put(rest.isEmpty() ? ENGLISH : rest.substring(1), file);
                    }
                }
            }
        }
        return sounds;
    }
}
