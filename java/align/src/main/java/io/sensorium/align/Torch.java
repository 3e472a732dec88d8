package io.sensorium.align;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.AutogradState;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Java's arrays as tensors and back. */
final class Torch {
    private Torch() {}

    static Tensor of(float[] values, long... shape) {
        try (FloatPointer pointer = new FloatPointer(values)) {
            return torch.from_blob(pointer, shape).clone();
        }
    }

    static Tensor of(FloatBuffer values, long... shape) {
        float[] array = new float[values.remaining()];
        values.duplicate().get(array);
        return of(array, shape);
    }

    static Tensor of(long[] values, long... shape) {
        try (LongPointer pointer = new LongPointer(values)) {
            return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Long))
                    .clone();
        }
    }

    static float[] array(Tensor tensor) {
        Tensor dense = tensor.detach().contiguous();
        float[] out = new float[Math.toIntExact(dense.numel())];
        new FloatPointer(dense.data_ptr()).get(out);
        return out;
    }

    /** A direct copy in native order. */
    static FloatBuffer buffer(Tensor tensor) {
        float[] values = array(tensor);
        FloatBuffer out = ByteBuffer.allocateDirect(Math.multiplyExact(values.length, Float.BYTES))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        return out.put(values).flip();
    }

    static TensorOptional some(Tensor tensor) {
        return new TensorOptional(tensor);
    }

    static Scalar scalar(double value) {
        return new Scalar(value);
    }

    static <T> T withoutGradients(java.util.function.Supplier<T> work) {
        AutogradState.get_tls_state().set_grad_mode(false);
        try {
            return work.get();
        } finally {
            AutogradState.get_tls_state().set_grad_mode(true);
        }
    }
}
