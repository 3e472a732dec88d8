package io.sensorium.models;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.AdapterConfig;
import io.sensorium.AudioConfig;
import io.sensorium.EncoderConfig;
import io.sensorium.HeadConfig;
import io.sensorium.ImageConfig;
import io.sensorium.Modality;
import io.sensorium.PerceiverConfig;
import io.sensorium.SequenceConfig;
import io.sensorium.TextConfig;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A model of the project's own format before it has weights: for trainers, which give it some. */
public final class ModelDesign {
    /** Gives the values of a tensor. */
    @FunctionalInterface
    public interface Values {
        /** [dims], direct or not, rewound. */
        FloatBuffer of(String name, long[] dims);
    }

    private final ModelSpec.Parts parts;

    ModelDesign(ModelSpec.Parts parts) {
        this.parts = parts;
    }

    /** With nothing but a sequence. */
    public ModelDesign(SequenceConfig sequence) {
        this(new ModelSpec.Parts());
        parts.family = "sensorium";
        parts.sequence = sequence;
    }

    /** That of a model. */
    public static ModelDesign of(ModelSpec spec) {
        return new ModelDesign(spec.parts());
    }

    /** What users of the model must be told. */
    public ModelDesign notice(String notice) {
        parts.notice = notice;
        return this;
    }

    /** Adds pictures. */
    public ModelDesign image(ImageConfig config) {
        parts.image = config;
        return this;
    }

    /** Adds sound. */
    public ModelDesign audio(AudioConfig config) {
        parts.audio = config;
        return this;
    }

    /** Adds text. */
    public ModelDesign text(TextConfig config, ModelSpec.TextEncoding encoding) {
        parts.text = config;
        parts.textEncoding = encoding;
        return this;
    }

    /** Adds an encoder over a modality's tokens. */
    public ModelDesign encoder(Modality modality, EncoderConfig config) {
        parts.encoders.put(modality, config);
        return this;
    }

    /** Adds a Perceiver. */
    public ModelDesign perceiver(PerceiverConfig config) {
        parts.perceiver = config;
        return this;
    }

    /** Adds heads, or replaces them: a logit scale is learned, too. */
    public ModelDesign head(HeadConfig config) {
        parts.head = config;
        return this;
    }

    /** Adds an adapter behind the compressor, or behind the tokens. */
    public ModelDesign adapter(AdapterConfig config) {
        parts.adapter = config;
        return this;
    }

    /** The tensors that it needs: names and sizes, in a fixed order. */
    public Map<String, long[]> tensors() {
        Map<String, long[]> tensors = new LinkedHashMap<>();
        for (WeightMap.Weight weight : SensoriumFormat.weights(parts).weights()) {
            tensors.put(weight.name(), weight.dims());
        }
        return tensors;
    }

    /** The model in memory; values are asked for whenever they are read. */
    public ModelSpec spec(Values values) {
        Map<String, TensorInfo> infos = new LinkedHashMap<>();
        tensors().forEach((name, dims) -> {
            List<Long> shape = Arrays.stream(dims).boxed().toList();
            infos.put(
                    name,
                    new TensorInfo(name, DType.F32, shape, 0, 4 * shape.stream().reduce(1L, Math::multiplyExact)));
        });
        Weights weights = new Weights() {
            @Override
            public String name() {
                return "model in memory";
            }

            @Override
            public Map<String, TensorInfo> tensors() {
                return infos;
            }

            @Override
            public Map<String, String> metadata() {
                return parts.notice.isEmpty() ? Map.of() : Map.of("notice", parts.notice);
            }

            @Override
            public FloatBuffer floats(String tensor) {
                return values.of(
                        tensor,
                        infos.get(tensor).shape().stream()
                                .mapToLong(Long::longValue)
                                .toArray());
            }

            @Override
            public void close() {}
        };
        return SensoriumFormat.read(SensoriumFormat.write(parts), weights);
    }

    /**
     * Writes config.json and model.safetensors into a directory, which is made if need be. The configuration comes last:
     * a directory that has one is whole.
     *
     * @param metadata of the safetensors file
     */
    public void write(Path directory, Map<String, String> metadata, Values values) throws IOException {
        Files.createDirectories(directory);
        SafetensorsWriter writer = new SafetensorsWriter();
        if (!parts.notice.isEmpty()) {
            writer.metadata("notice", parts.notice);
        }
        metadata.forEach(writer::metadata);
        tensors().forEach((name, dims) -> writer.add(name, values.of(name, dims), dims));
        writer.write(directory.resolve("model.safetensors"));
        Files.write(
                directory.resolve("config.json"),
                new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(SensoriumFormat.write(parts)));
    }
}
