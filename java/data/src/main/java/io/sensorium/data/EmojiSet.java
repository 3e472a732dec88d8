package io.sensorium.data;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;

/**
 * Emoji: pictures of Noto Color Emoji (Debian fonts-noto-color-emoji) with their English CLDR names (unicode-cldr-core),
 * spoken by voices of espeak-ng, flite and festival. Every twentieth concept is kept from training ({@link Split#UNSEEN}).
 */
final class EmojiSet {
    private static final int UNSEEN_EVERY = 20;
    private static final int LONGEST_SIDE = 256;

    private record Concept(String id, String name, byte[] png, boolean unseen) {}

    private EmojiSet() {}

    /**
     * @param cache where packages are kept
     * @param out the folder of the set; what is there already is kept
     * @param all also the names that CLDR derives: skin tones, flags
     */
    static void build(Path cache, Path out, boolean all, Consumer<String> progress) throws IOException {
        List<Concept> concepts = concepts(cache, all);
        Path images = Files.createDirectories(out.resolve("images"));
        for (Concept concept : concepts) {
            Path file = images.resolve(concept.id() + ".png");
            if (!Files.exists(file)) {
                ImageIO.write(onWhite(concept.png()), "png", file.toFile());
            }
        }
        progress.accept(concepts.size() + " pictures");
        Map<String, String> words = concepts.stream()
                .collect(Collectors.toMap(Concept::id, Concept::name, (a, b) -> a, LinkedHashMap::new));
        Path audio = Files.createDirectories(out.resolve("audio"));
        Speech.check(Voices.ENGLISH, words, audio);
        List<Item> items = new ArrayList<>();
        for (Voice voice : Voices.ENGLISH) {
            Path folder = audio.resolve(voice.label());
            Speech.speak(voice, words, folder, progress);
            for (Concept concept : concepts) {
                items.add(new Item(
                        voice.label() + "/" + concept.id(),
                        concept.name(),
                        concept.unseen() ? Split.UNSEEN : voice.split(),
                        images.resolve(concept.id() + ".png"),
                        folder.resolve(concept.id() + ".wav"),
                        concept.name(),
                        voice.label()));
            }
            // After every voice, so that an interrupted build is a set of fewer voices.
            Manifest.write(out, items);
        }
    }

    private static List<Concept> concepts(Path cache, boolean all) throws IOException {
        EmojiFont font = EmojiFont.read(Packages.debian(cache, "fonts-noto-color-emoji")
                .resolve("usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"));
        Path cldr = Packages.debian(cache, "unicode-cldr-core").resolve("usr/share/unicode/cldr/common");
        Map<String, String> names = CldrNames.read(cldr.resolve("annotations/en.xml"));
        if (all) {
            CldrNames.read(cldr.resolve("annotationsDerived/en.xml")).forEach(names::putIfAbsent);
        }
        Map<String, Concept> concepts = new LinkedHashMap<>();
        names.forEach((characters, name) -> {
            Optional<byte[]> png = font.png(characters);
            if (png.isPresent()) {
                boolean unseen = concepts.size() % UNSEEN_EVERY == UNSEEN_EVERY - 1;
                concepts.putIfAbsent(name, new Concept(id(characters), name, png.get(), unseen));
            }
        });
        return List.copyOf(concepts.values());
    }

    private static String id(String characters) {
        return characters.codePoints().mapToObj(Integer::toHexString).collect(Collectors.joining("-"));
    }

    private static BufferedImage onWhite(byte[] png) throws IOException {
        BufferedImage picture = ImageIO.read(new ByteArrayInputStream(png));
        if (picture == null) {
            throw new DataException("the font holds a picture that is no PNG");
        }
        return Drawing.onWhite(picture, LONGEST_SIDE);
    }
}
