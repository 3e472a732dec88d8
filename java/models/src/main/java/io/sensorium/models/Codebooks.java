package io.sensorium.models;

import io.sensorium.Codebook;
import io.sensorium.CodebookConfig;
import io.sensorium.Engine;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Codebooks as safetensors files. VQ: tensor {@code codes} [stages, size, dim] (or [size, dim]) and the metadata {@code
 * metric} = l2 (if missing) or cosine. FSQ: tensor {@code levels}, int32 [dim].
 */
public final class Codebooks {
    /** The name of the file in a model directory. */
    public static final String FILE = "codebook.safetensors";

    private Codebooks() {}

    /** Reads a codebook. Throws {@link io.sensorium.InvalidWeightsException} naming the file and what is wrong. */
    public static Codebook load(Engine engine, Path file) throws IOException {
        try (Safetensors tensors = Safetensors.open(file)) {
            return load(engine, tensors);
        }
    }

    static Codebook load(Engine engine, Weights file) {
        boolean fsq = file.tensors().containsKey("levels");
        String name = fsq ? "levels" : "codes";
        TensorInfo info = file.tensors().get(name);
        if (info == null || file.tensors().size() != 1) {
            throw Errors.weights(file.name() + ": a codebook has one tensor, 'codes' or 'levels'; there are "
                    + file.tensors().keySet());
        }
        long[] dims = info.dims();
        for (long dim : dims) {
            if (dim < 1 || dim > Integer.MAX_VALUE) {
                throw Errors.weights(file.name() + ": " + info + " is empty or too large");
            }
        }
        if (fsq) {
            if (dims.length != 1 || dims[0] > 16 || info.dtype() != DType.I32 || !(file instanceof Safetensors whole)) {
                throw Errors.weights(file.name() + ": " + info + " must be I32 [dim], dim at most 16");
            }
            double[] values = whole.doubles(name);
            int[] levels = new int[values.length];
            for (int i = 0; i < levels.length; i++) {
                levels[i] = (int) values[i];
            }
            return Codebook.fsq(engine, levels);
        }
        if (dims.length != 2 && dims.length != 3) {
            throw Errors.weights(file.name() + ": " + info + " must be [stages, size, dim] or [size, dim]");
        }
        int at = dims.length - 2;
        CodebookConfig config = new CodebookConfig(
                CodebookConfig.Kind.VQ,
                (int) dims[at + 1],
                at == 0 ? 1 : (int) dims[0],
                (int) dims[at],
                metric(file),
                java.util.List.of());
        FloatBuffer codes = file.floats(name);
        return Codebook.of(engine, config, codes);
    }

    private static CodebookConfig.Metric metric(Weights file) {
        String text = file.metadata().getOrDefault("metric", "l2");
        for (CodebookConfig.Metric metric : CodebookConfig.Metric.values()) {
            if (metric.name().toLowerCase(Locale.ROOT).equals(text)) {
                return metric;
            }
        }
        throw Errors.weights(file.name() + ": metric '" + text + "' is not l2 or cosine");
    }

    /** Writes a codebook; the file appears when it is complete. */
    public static void save(Codebook codebook, Path file) throws IOException {
        CodebookConfig config = codebook.config();
        SafetensorsWriter writer =
                new SafetensorsWriter().metadata("kind", config.kind().name().toLowerCase(Locale.ROOT));
        if (config.kind() == CodebookConfig.Kind.FSQ) {
            int[] levels = config.levels().stream().mapToInt(Integer::intValue).toArray();
            writer.add("levels", IntBuffer.wrap(levels), levels.length);
        } else {
            writer.metadata("metric", config.metric().name().toLowerCase(Locale.ROOT));
            writer.add("codes", codebook.codes(), config.stages(), config.size(), config.dim());
        }
        writer.write(file);
    }
}
