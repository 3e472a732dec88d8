package io.sensorium.align;

import io.sensorium.AlignStep;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Computes the gradients of its part of a batch. All workers share the weights; each has gradients of its own. */
final class Worker {
    private final TorchModel model;
    private final AlignStep.Loss kind;
    private final Tensor scale;
    private final Tensor shift;
    private final TensorVector parameters = new TensorVector();

    Worker(TorchModel model, AlignStep.Loss kind) {
        this.model = model;
        this.kind = kind;
        try (PointerScope scope = new PointerScope()) {
            scale = Torch.of(new float[] {model.heads().logitScale()}, 1).retainReference();
            shift = Torch.of(new float[] {model.heads().logitBias()}, 1).retainReference();
        }
        watch();
    }

    Worker(Worker other) {
        this.model = other.model.replica();
        this.kind = other.kind;
        try (PointerScope scope = new PointerScope()) {
            scale = other.scale.detach().retainReference();
            shift = other.shift.detach().retainReference();
        }
        watch();
    }

    private void watch() {
        for (Tensor tensor : model.tensors()) {
            parameters.push_back(tensor);
        }
        parameters.push_back(scale);
        if (kind == AlignStep.Loss.SIGLIP) {
            parameters.push_back(shift);
        }
        for (long i = 0; i < parameters.size(); i++) {
            parameters.get(i).set_requires_grad(true);
        }
    }

    TensorVector parameters() {
        return parameters;
    }

    float logitScale() {
        return scale.item_float();
    }

    float logitBias() {
        return shift.item_float();
    }

    /** Its loss; the gradients before are forgotten. {@code third}: which modality stands against the two others together. */
    double run(Feeder.Batch batch, Inputs inputs, int side, int third) {
        try (PointerScope scope = new PointerScope()) {
            for (long i = 0; i < parameters.size(); i++) {
                if (parameters.get(i).grad().defined()) {
                    parameters.get(i).mutable_grad().zero_();
                }
            }
            Tensor loss = loss(batch, inputs, side, third);
            loss.backward();
            return loss.item_double();
        }
    }

    private Tensor loss(Feeder.Batch batch, Inputs inputs, int side, int third) {
        TorchModel.Batch image = model.images(batch.images().tensor(), inputs.rows(side), inputs.columns(side));
        List<TorchModel.Batch> sounds = batch.sounds().stream()
                .map(s -> model.sounds(s.tensor(), s.mask()))
                .toList();
        List<TorchModel.Batch> texts = batch.texts().stream()
                .map(t -> model.texts(t.tensor(), t.mask()))
                .toList();
        // Sounds and texts come in runs of like length, pictures at once.
        List<TorchModel.Batch> images = new ArrayList<>();
        long from = 0;
        for (TorchModel.Batch run : sounds) {
            long count = run.tokens().size(0);
            images.add(new TorchModel.Batch(
                    image.tokens().narrow(0, from, count), image.present().narrow(0, from, count)));
            from += count;
        }
        Tensor pictured = model.embed("image", image);
        Tensor spoken = cat(sounds, s -> model.embed("audio", s));
        Tensor written = cat(texts, t -> model.embed("text", t));
        List<List<TorchModel.Batch>> views = List.of(images, sounds, texts);
        TensorVector joints = new TensorVector();
        for (int r = 0; r < sounds.size(); r++) {
            joints.push_back(model.embed(
                    "joint",
                    TorchModel.join(
                            views.get((third + 1) % 3).get(r),
                            views.get((third + 2) % 3).get(r))));
        }
        return loss(spoken, pictured)
                .add(loss(spoken, written))
                .add(loss(pictured, written))
                .add(loss(
                        torch.cat(joints, 0), List.of(pictured, spoken, written).get(third)))
                .div(Torch.scalar(4));
    }

    private static Tensor cat(List<TorchModel.Batch> runs, Function<TorchModel.Batch, Tensor> embedding) {
        TensorVector parts = new TensorVector();
        runs.forEach(run -> parts.push_back(embedding.apply(run)));
        return torch.cat(parts, 0);
    }

    private Tensor loss(Tensor a, Tensor b) {
        long n = a.size(0);
        Tensor logits = torch.matmul(a, b.t()).mul(scale.exp());
        if (kind == AlignStep.Loss.CLIP) {
            Tensor right = torch.arange(Torch.scalar(n)).to(torch.ScalarType.Long);
            return torch.cross_entropy_loss(logits, right)
                    .add(torch.cross_entropy_loss(logits.t(), right))
                    .div(Torch.scalar(2));
        }
        Tensor sign = torch.eye(n).mul(Torch.scalar(2)).sub(Torch.scalar(1));
        return torch.log_sigmoid(logits.add(shift).mul(sign)).sum().div(Torch.scalar(-n));
    }

    /** Adds another worker's gradients to its own. */
    void add(Worker other) {
        try (PointerScope scope = new PointerScope()) {
            for (long i = 0; i < parameters.size(); i++) {
                parameters.get(i).mutable_grad().add_(other.parameters.get(i).grad());
            }
        }
    }

    void scaleGradients(double factor) {
        for (long i = 0; i < parameters.size(); i++) {
            parameters.get(i).mutable_grad().mul_(Torch.scalar(factor));
        }
    }

    void clampScale(double most) {
        Torch.withoutGradients(
                () -> scale.clamp_(new ScalarOptional(Torch.scalar(-most)), new ScalarOptional(Torch.scalar(most))));
    }
}
