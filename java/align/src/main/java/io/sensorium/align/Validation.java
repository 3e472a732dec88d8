package io.sensorium.align;

import io.sensorium.data.Split;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Recall@1 of the validation speakers over all trained concepts, by libtorch; no augmentation. */
final class Validation {
    /**
     * @param toImage share of sounds whose nearest picture is their own
     * @param toText likewise of texts
     */
    record Recall(double toImage, double toText) {
        double mean() {
            return (toImage + toText) / 2;
        }
    }

    private static final int CHUNK = 64;

    private Validation() {}

    static Recall run(TorchModel model, Corpus corpus, Inputs inputs) {
        List<float[]> pictures = new ArrayList<>();
        List<byte[]> texts = new ArrayList<>();
        List<float[]> sounds = new ArrayList<>();
        List<Long> truth = new ArrayList<>();
        for (int i = 0; i < corpus.trained.size(); i++) {
            Corpus.Concept concept = corpus.trained.get(i);
            pictures.add(plain(concept.images.get(0)));
            texts.add(concept.texts.get(0));
            for (Corpus.Clip clip : concept.clips(Split.VALIDATION)) {
                sounds.add(plain(clip));
                truth.add((long) i);
            }
        }
        if (sounds.isEmpty()) {
            return new Recall(Double.NaN, Double.NaN);
        }
        try (PointerScope scope = new PointerScope()) {
            int rows = inputs.rows(corpus.side);
            int columns = inputs.columns(corpus.side);
            Tensor images = chunks(
                    pictures,
                    part -> model.embed(
                            "image",
                            model.images(inputs.images(part, corpus.side).tensor(), rows, columns)));
            Tensor names = chunks(texts, part -> {
                Inputs.Ids ids = Inputs.texts(part);
                return model.embed("text", model.texts(ids.tensor(), ids.mask()));
            });
            Tensor spoken = chunks(sounds, part -> {
                Inputs.Padded padded = inputs.sounds(part);
                return model.embed("audio", model.sounds(padded.tensor(), padded.mask()));
            });
            Tensor right = Torch.of(truth.stream().mapToLong(Long::longValue).toArray(), truth.size());
            return new Recall(recall(spoken, images, right), recall(spoken, names, right));
        }
    }

    private interface Embedding<T> {
        Tensor of(List<T> part);
    }

    private static <T> Tensor chunks(List<T> all, Embedding<T> embedding) {
        org.bytedeco.pytorch.TensorVector parts = new org.bytedeco.pytorch.TensorVector();
        for (int i = 0; i < all.size(); i += CHUNK) {
            try (PointerScope scope = new PointerScope()) {
                parts.push_back(embedding.of(all.subList(i, Math.min(all.size(), i + CHUNK))));
            }
        }
        return torch.cat(parts, 0);
    }

    private static double recall(Tensor queries, Tensor gallery, Tensor truth) {
        Tensor nearest = torch.matmul(queries, gallery.t()).argmax(new org.bytedeco.pytorch.LongOptional(1), false);
        return nearest.eq(truth).to(torch.ScalarType.Float).mean().item_double();
    }

    static float[] plain(Corpus.Image image) {
        float[] out = new float[image.pixels().length];
        for (int i = 0; i < out.length; i++) {
            out[i] = image.pixels()[i] & 0xFF;
        }
        return out;
    }

    static float[] plain(Corpus.Clip clip) {
        float[] out = new float[clip.features().length];
        for (int i = 0; i < out.length; i++) {
            out[i] = clip.at(i);
        }
        return out;
    }
}
