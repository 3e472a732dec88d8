package io.sensorium.bench;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.AutogradState;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** The peer in the same JVM: libtorch through the JavaCPP presets, one op after the other as its users write it. */
final class LibTorch {
    private LibTorch() {}

    static void setUp(int threads) {
        torch.set_num_threads(threads);
        AutogradState.get_tls_state().set_grad_mode(false);
    }

    static Tensor tensor(float[] values, long... shape) {
        return torch.from_blob(new FloatPointer(values), shape).clone();
    }

    static TensorOptional some(Tensor tensor) {
        return new TensorOptional(tensor);
    }

    /** |STFT|² with a centred, reflected Hann window: [n_fft/2+1, frames]. */
    static Tensor powerSpectrum(Tensor samples, long nFft, long hop, Tensor window) {
        Tensor spectrum = torch.stft(
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
        return spectrum.abs().square();
    }

    /** Multi-head attention of q [nq, d] over k, v [nk, d]. */
    static Tensor attention(Tensor q, Tensor k, Tensor v, long heads) {
        Tensor y = torch.scaled_dot_product_attention(split(q, heads), split(k, heads), split(v, heads));
        long dim = q.size(1);
        return y.transpose(1, 2).reshape(q.size(0), dim);
    }

    private static Tensor split(Tensor x, long heads) {
        return x.reshape(1, x.size(0), heads, x.size(1) / heads).transpose(1, 2);
    }

    static Tensor layerNorm(Tensor x, Tensor gamma, Tensor beta) {
        return torch.layer_norm(x, new long[] {x.size(1)}, some(gamma), some(beta), 1e-5, false);
    }

    static Tensor plusMlp(Tensor x, Mlp mlp) {
        Tensor hidden = torch.gelu(torch.linear(layerNorm(x, mlp.gamma, mlp.beta), mlp.up, some(mlp.upBias)));
        return torch.linear(hidden, mlp.down, some(mlp.downBias)).add_(x, new Scalar(1.0));
    }

    record Mlp(Tensor gamma, Tensor beta, Tensor up, Tensor upBias, Tensor down, Tensor downBias) {}
}
