package io.sensorium.align;

import io.sensorium.Engine;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.Resampler;
import io.sensorium.Resizer;
import io.sensorium.data.DataSet;
import io.sensorium.data.Item;
import io.sensorium.data.Split;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A set in memory, as the model's tokenizers need it: pictures of their final size, log-mel features, bytes of text. All by
 * the engine, once; training only augments.
 */
final class Corpus {
    /** Features are kept as 16-bit integers in steps of 1/STEPS: far below any noise of the sound. */
    private static final float STEPS = 4096;

    /** [side, side, 3] bytes. */
    record Image(byte[] pixels) {}

    /**
     * [frames, mels].
     *
     * @param quietest the least of the features: silence
     * @param mean of the features
     */
    record Clip(short[] features, int frames, float quietest, float mean) {
        static Clip of(short[] features, int frames) {
            short least = Short.MAX_VALUE;
            long sum = 0;
            for (short feature : features) {
                least = (short) Math.min(least, feature);
                sum += feature;
            }
            return new Clip(features, frames, least / STEPS, sum / STEPS / features.length);
        }

        float at(int index) {
            return features[index] / STEPS;
        }
    }

    /** All that there is of a concept. */
    static final class Concept {
        final String name;
        final List<Image> images = new ArrayList<>();
        final List<byte[]> texts = new ArrayList<>();
        final Map<Split, List<Clip>> clips = new EnumMap<>(Split.class);

        Concept(String name) {
            this.name = name;
        }

        List<Clip> clips(Split split) {
            return clips.getOrDefault(split, List.of());
        }
    }

    final int side;
    final int mels;
    final List<Concept> trained = new ArrayList<>();
    final List<Concept> unseen = new ArrayList<>();
    private int leftOut;

    private Corpus(int side, int mels) {
        this.side = side;
        this.mels = mels;
    }

    /** Concepts that lack a modality are left out. */
    int leftOut() {
        return leftOut;
    }

    /** @param words concepts whose names have more words are not trained; 0 = all are */
    static Corpus load(Engine engine, ModelSpec spec, DataSet set, int words, Consumer<String> progress)
            throws IOException {
        LogMelConfig mel =
                spec.audio().orElseThrow().logMel().toBuilder().melMajor(false).build();
        Corpus corpus = new Corpus(spec.image().orElseThrow().resize().height(), mel.nMels());
        Map<String, Concept> concepts = new LinkedHashMap<>();
        Map<Path, Image> pictures = new HashMap<>();
        Map<Integer, Resampler> resamplers = new HashMap<>();
        Resizer resizer = engine.resizer(spec.image().orElseThrow().resize());
        try (LogMel logMel = engine.logMel(mel);
                Stream<Item> items = set.items()) {
            int count = 0;
            for (Item item : (Iterable<Item>) items::iterator) {
                if (words > 0 && item.concept().split(" ").length > words) {
                    continue;
                }
                Concept concept = concepts.computeIfAbsent(item.concept(), Concept::new);
                // What validation or the test shows must not be trained.
                boolean learnt = item.split() == Split.TRAIN || item.split() == Split.UNSEEN;
                if (learnt && item.image() != null && !pictures.containsKey(item.image())) {
                    Image image = corpus.image(resizer, Pictures.read(item.image()));
                    pictures.put(item.image(), image);
                    concept.images.add(image);
                }
                if (learnt && item.text() != null) {
                    byte[] text = item.text().getBytes(StandardCharsets.UTF_8);
                    if (concept.texts.stream().noneMatch(t -> java.util.Arrays.equals(t, text))) {
                        concept.texts.add(text);
                    }
                }
                if (item.audio() != null) {
                    Clip clip = clip(engine, logMel, resamplers, Wav.read(item.audio()));
                    concept.clips
                            .computeIfAbsent(item.split(), s -> new ArrayList<>())
                            .add(clip);
                }
                if (++count % 200 == 0) {
                    progress.accept("reading: " + count + " items");
                }
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        } finally {
            resamplers.values().forEach(Resampler::close);
        }
        for (Concept concept : concepts.values()) {
            if (concept.images.isEmpty() || concept.texts.isEmpty() || concept.clips.isEmpty()) {
                corpus.leftOut++;
            } else if (!concept.clips(Split.TRAIN).isEmpty()) {
                corpus.trained.add(concept);
            } else {
                corpus.unseen.add(concept);
            }
        }
        return corpus;
    }

    private Image image(Resizer resizer, Picture picture) {
        ByteBuffer out = ByteBuffer.allocateDirect(side * side * 3);
        resizer.run(picture.pixels(), picture.height(), picture.width(), 3, out);
        byte[] pixels = new byte[side * side * 3];
        out.rewind().get(pixels);
        return new Image(pixels);
    }

    private static Clip clip(Engine engine, LogMel logMel, Map<Integer, Resampler> resamplers, Sound sound) {
        FloatBuffer samples = sound.samples();
        int rate = logMel.config().sampleRate();
        if (sound.sampleRate() != rate) {
            Resampler resampler = resamplers.computeIfAbsent(sound.sampleRate(), from -> engine.resampler(from, rate));
            FloatBuffer out = floats(Math.toIntExact(resampler.outputLength(samples.remaining())));
            resampler.run(samples, out);
            samples = out.rewind();
        }
        int frames = Math.toIntExact(logMel.frames(samples.remaining()));
        FloatBuffer out = floats(frames * logMel.mels());
        logMel.run(samples, out);
        short[] features = new short[frames * logMel.mels()];
        for (int i = 0; i < features.length; i++) {
            features[i] = (short) Math.max(Short.MIN_VALUE, Math.min(Short.MAX_VALUE, Math.round(out.get(i) * STEPS)));
        }
        return Clip.of(features, frames);
    }

    private static FloatBuffer floats(int count) {
        return ByteBuffer.allocateDirect(Math.multiplyExact(count, Float.BYTES))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }
}
