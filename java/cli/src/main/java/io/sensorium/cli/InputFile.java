package io.sensorium.cli;

import io.sensorium.CorruptInputException;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.media.Sound;
import io.sensorium.media.Wav;
import io.sensorium.models.DType;
import io.sensorium.models.FileTensor;
import io.sensorium.models.Npy;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What {@code --in} names: a WAV or a picture, a {@code .npy}, or one tensor of a safetensors file as {@code
 * FILE.safetensors#name}.
 *
 * @param text as given
 * @param tensor what stands behind '#', or ""
 */
record InputFile(String text, Path file, String tensor) {
    private static final String SAFETENSORS = ".safetensors";

    /**
     * Mono sounds.
     *
     * @param rate in Hz; 0 if the file does not tell it
     * @param leading sizes in front of the samples of a tensor; null for one sound by itself
     */
    record Sounds(List<FloatBuffer> clips, int rate, long[] leading) {}

    /**
     * Pictures of the same size, three channels.
     *
     * @param bytes of each, [height, width, 3]; null if they are floats
     * @param floats of each likewise, or null
     * @param batched whether they came with a dimension for the pictures
     */
    record Images(List<ByteBuffer> bytes, List<FloatBuffer> floats, int height, int width, boolean batched) {}

    static InputFile of(String text) {
        int at = text.lastIndexOf(SAFETENSORS + "#");
        return at < 0
                ? new InputFile(text, Path.of(text), "")
                : new InputFile(
                        text,
                        Path.of(text.substring(0, at + SAFETENSORS.length())),
                        text.substring(at + SAFETENSORS.length() + 1));
    }

    String name() {
        return file.getFileName() + (tensor.isEmpty() ? "" : "#" + tensor);
    }

    boolean isTensor() {
        String name = file.getFileName().toString();
        return name.endsWith(".npy") || name.endsWith(SAFETENSORS);
    }

    /** The array; of a file with several and none named, the one that is called {@code otherwise}. */
    FileTensor read(String otherwise) throws IOException {
        if (!file.getFileName().toString().endsWith(SAFETENSORS)) {
            return Npy.read(file);
        }
        try (Safetensors all = Safetensors.open(file)) {
            String one = tensor;
            if (one.isEmpty()) {
                one = all.tensors().size() == 1
                        ? all.tensors().keySet().iterator().next()
                        : all.tensors().containsKey(otherwise) ? otherwise : "";
            }
            if (!all.tensors().containsKey(one)) {
                throw new UserError(text + ": name one of its tensors behind '#': "
                        + String.join(", ", all.tensors().keySet()));
            }
            return all.tensor(one);
        }
    }

    /** @param rate of a tensor's samples, if it is known */
    Sounds sounds(int rate, String otherwise) throws IOException {
        if (!isTensor()) {
            Sound sound = Wav.read(file);
            return new Sounds(List.of(sound.samples()), sound.sampleRate(), null);
        }
        FileTensor t = read(otherwise);
        long[] shape = t.shape();
        if (shape.length == 0) {
            throw new UserError(name() + ": a single number is no sound");
        }
        FloatBuffer values = pcm(t);
        int samples = Math.toIntExact(shape[shape.length - 1]);
        List<FloatBuffer> clips = new ArrayList<>();
        long count = 1;
        for (int i = 0; i + 1 < shape.length; i++) {
            count *= shape[i];
        }
        for (int i = 0; i < count; i++) {
            clips.add(values.slice(i * samples, samples));
        }
        return new Sounds(clips, rate, shape.length == 1 ? null : Arrays.copyOf(shape, shape.length - 1));
    }

    /** Integers are PCM, as in a WAV. */
    private FloatBuffer pcm(FileTensor t) {
        if (t.dtype().isFloating()) {
            return t.values();
        }
        float offset = t.dtype() == DType.U8 ? 128 : 0;
        float scale = switch (t.dtype()) {
            case U8, I8 -> 0x1p-7f;
            case I16 -> 0x1p-15f;
            case I32 -> 0x1p-31f;
            default -> throw new UserError(name() + ": samples of " + t.dtype() + "; F16 to F64, U8, I16 and I32 are");
        };
        FloatBuffer values = t.values();
        for (int i = 0; i < values.remaining(); i++) {
            values.put(i, (values.get(i) - offset) * scale);
        }
        return values;
    }

    /**
     * Pictures; arrays are [h, w], [h, w, c], [c, h, w], or one of the last two behind a dimension for the pictures, with 1,
     * 3 or 4 channels, as transformers takes them.
     */
    Images images(boolean upright) throws IOException {
        if (!isTensor()) {
            Picture picture = Pictures.read(file);
            picture = upright ? picture.upright() : picture;
            return new Images(List.of(picture.pixels()), null, picture.height(), picture.width(), false);
        }
        FileTensor t = read("");
        long[] s = t.shape();
        boolean batched = s.length == 4;
        boolean flat = s.length == 2;
        int d = batched ? 1 : 0;
        if (s.length < 2 || s.length > 4) {
            throw new CorruptInputException(name() + ": a tensor " + t + " is no picture", name());
        }
        boolean bytes = t.dtype() == DType.U8 || t.dtype() == DType.BOOL;
        // Where both could be: bytes mostly come from PIL, which has channels last; floats from torch.
        boolean last = !flat && (s[d + 2] == 1 || s[d + 2] == 3 || s[d + 2] == 4 && s[d] != 1 && s[d] != 3);
        boolean first = !flat && (s[d] == 1 || s[d] == 3 || s[d] == 4) && !(last && (bytes || s[d] == 4));
        if (!flat && !first && !last) {
            throw new CorruptInputException(name() + ": no dimension of " + t + " can be its channels", name());
        }
        int c = flat ? 1 : (int) (first ? s[d] : s[d + 2]);
        int h = Math.toIntExact(flat || !first ? s[d] : s[d + 1]);
        int w = Math.toIntExact(flat || !first ? s[d + 1] : s[d + 2]);
        int count = batched ? Math.toIntExact(s[0]) : 1;
        List<ByteBuffer> asBytes = new ArrayList<>();
        List<FloatBuffer> asFloats = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            FloatBuffer in = t.values().slice(n * c * h * w, c * h * w);
            ByteBuffer b = bytes ? ByteBuffer.allocateDirect(3 * h * w) : null;
            FloatBuffer f = bytes ? null : FloatBuffer.allocate(3 * h * w);
            for (int i = 0; i < h * w; i++) {
                for (int k = 0; k < 3; k++) {
                    int from = c == 1 ? 0 : k;
                    float value = in.get(first ? from * h * w + i : c * i + from);
                    if (bytes) {
                        b.put(3 * i + k, (byte) (int) value);
                    } else {
                        f.put(3 * i + k, value);
                    }
                }
            }
            if (bytes) {
                asBytes.add(b);
            } else {
                asFloats.add(f);
            }
        }
        return new Images(bytes ? asBytes : null, bytes ? null : asFloats, h, w, batched);
    }
}
