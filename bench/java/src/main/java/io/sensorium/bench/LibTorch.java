package io.sensorium.bench;

import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.openblas.presets.openblas_nolapack;
import org.bytedeco.pytorch.AutogradState;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** The peer in the same JVM: libtorch through the JavaCPP presets, one op after the other as its users write it. */
final class LibTorch {
    private static final Scalar ONE = new Scalar(1.0);

    private LibTorch() {}

    static void setUp(int threads) {
        torch.set_num_threads(threads);
        openblas_nolapack.blas_set_num_threads(threads);
        AutogradState.get_tls_state().set_grad_mode(false);
    }

    /** @param work makes the result; what it allocates is freed after each run */
    static Contender contender(String name, Supplier<Tensor> work) {
        return new Contender(
                "libtorch " + name,
                () -> {
                    try (PointerScope scope = new PointerScope()) {
                        work.get();
                    }
                },
                () -> {
                    try (PointerScope scope = new PointerScope()) {
                        return values(work.get());
                    }
                });
    }

    static Tensor tensor(float[] values, long... shape) {
        return torch.from_blob(new FloatPointer(values), shape).clone();
    }

    static Tensor tensor(byte[] values, long... shape) {
        return torch.from_blob(new BytePointer(values), shape, new TensorOptions(torch.ScalarType.Byte))
                .clone();
    }

    static Tensor halved(Tensor x) {
        return x.to(torch.ScalarType.BFloat16);
    }

    static Tensor widened(Tensor x) {
        return x.to(torch.ScalarType.Float);
    }

    static float[] values(Tensor tensor) {
        Tensor floats = widened(tensor).contiguous();
        float[] values = new float[(int) floats.numel()];
        new FloatPointer(floats.data_ptr()).get(values);
        return values;
    }

    static TensorOptional some(Tensor tensor) {
        return new TensorOptional(tensor);
    }

    static Tensor plus(Tensor x, Tensor y) {
        return x.add_(y, ONE);
    }

    static Tensor linear(Tensor x, Tensor weight, Tensor bias) {
        return torch.linear(x, weight, some(bias));
    }

    /** STFT with a centred, reflected window: complex [n_fft/2+1, frames]. */
    static Tensor stft(Tensor samples, long nFft, long hop, Tensor window) {
        return torch.stft(
                samples,
                nFft,
                new LongOptional(hop),
                new LongOptional(nFft),
                some(window),
                true,
                "reflect",
                false,
                new BoolOptional(true),
                new BoolOptional(true),
                new BoolOptional());
    }

    /** Multi-head attention of q [nq, d] over k, v [nk, d]. */
    static Tensor attention(Tensor q, Tensor k, Tensor v, long heads) {
        Tensor y = torch.scaled_dot_product_attention(split(q, heads), split(k, heads), split(v, heads));
        return y.transpose(1, 2).reshape(q.size(0), q.size(1));
    }

    private static Tensor split(Tensor x, long heads) {
        return x.reshape(1, x.size(0), heads, x.size(1) / heads).transpose(1, 2);
    }

    static Tensor layerNorm(Tensor x, Tensor gamma, Tensor beta) {
        return torch.layer_norm(x, new long[] {x.size(1)}, some(gamma), some(beta), 1e-5, false);
    }
}
