package io.sensorium.align;

import io.sensorium.data.Split;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;

/** The batches: each step's depends on the seed and its number alone, so that a resumed run goes on as if it never stopped. */
final class Feeder {
    /** One step's examples of one worker: row i of each is the same concept; they are ordered by the sound's length. */
    record Batch(Inputs.Padded images, List<Inputs.Padded> sounds, List<Inputs.Ids> texts) {}

    private record Example(float[] image, float[] sound, byte[] text) {}

    /** Runs of examples that are padded together. */
    private static final int RUNS = 2;

    private final Corpus corpus;
    private final Inputs inputs;
    private final int size;
    private final long seed;
    private long epoch = -1;
    private int[] order = new int[0];

    Feeder(Corpus corpus, Inputs inputs, int size, long seed) {
        this.corpus = corpus;
        this.inputs = inputs;
        this.size = Math.min(size, corpus.trained.size());
        this.seed = seed;
    }

    int size() {
        return size;
    }

    /** Steps in which every concept is seen about once. */
    int stepsAnEpoch() {
        return Math.max(1, corpus.trained.size() / size);
    }

    /** The step's concepts, dealt out to workers. */
    List<Batch> batches(long step, int workers) {
        shuffle(step / stepsAnEpoch());
        SplittableRandom random = new SplittableRandom(seed * 1_000_003 + step);
        int first = (int) (step % stepsAnEpoch()) * size;
        List<Batch> batches = new ArrayList<>();
        for (int w = 0; w < workers; w++) {
            List<Example> examples = new ArrayList<>();
            for (int i = first + size * w / workers; i < first + size * (w + 1) / workers; i++) {
                Corpus.Concept concept = corpus.trained.get(order[i]);
                examples.add(new Example(
                        Augment.image(pick(concept.images, random).pixels(), corpus.side, 1, random),
                        Augment.sound(pick(concept.clips(Split.TRAIN), random), corpus.mels, random),
                        Augment.text(pick(concept.texts, random), random)));
            }
            batches.add(batch(examples));
        }
        return batches;
    }

    private Batch batch(List<Example> examples) {
        examples.sort(Comparator.comparingInt(e -> e.sound().length));
        List<Inputs.Padded> sounds = new ArrayList<>();
        List<Inputs.Ids> texts = new ArrayList<>();
        for (int r = 0; r < RUNS; r++) {
            List<Example> run = examples.subList(examples.size() * r / RUNS, examples.size() * (r + 1) / RUNS);
            if (!run.isEmpty()) {
                sounds.add(inputs.sounds(run.stream().map(Example::sound).toList()));
                texts.add(Inputs.texts(run.stream().map(Example::text).toList()));
            }
        }
        return new Batch(inputs.images(examples.stream().map(Example::image).toList(), corpus.side), sounds, texts);
    }

    private void shuffle(long wanted) {
        if (wanted == epoch) {
            return;
        }
        epoch = wanted;
        order = new int[corpus.trained.size()];
        SplittableRandom random = new SplittableRandom(seed * 7919 + epoch);
        for (int i = 0; i < order.length; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
    }

    private static <T> T pick(List<T> list, SplittableRandom random) {
        return list.get(random.nextInt(list.size()));
    }
}
