package io.sensorium.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.models.Embedder;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.models.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A published model as its reference is called: tensors in, tensors out. */
@Command(
        name = "embed",
        description = {
            "Run a published model on finished tensors, under the reference's names: pixel_values, input_values, inputs,",
            "context or encoder_hidden in; embeddings, hidden, pooled and latents_out out, as far as the model has them."
        })
final class EmbedCommand implements Callable<Integer> {
    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "A directory with config.json and model.safetensors (one file or sharded).")
    private Path model;

    @Option(names = "--config", paramLabel = "F", description = "Another config.json than the directory's.")
    private Path config;

    @Option(names = "--in", required = true, paramLabel = "F", description = "The safetensors file to read.")
    private Path in;

    @Option(names = "--out", required = true, paramLabel = "F", description = "The safetensors file to write.")
    private Path out;

    @Mixin
    private RunOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        Inputs.checkWritable(out);
        SafetensorsWriter writer = new SafetensorsWriter();
        Map<String, Tensor> tensors;
        try (Engine engine = options.open();
                Embedder embedder = Embedder.open(engine, model, config);
                Safetensors inputs = Safetensors.open(in)) {
            tensors = embedder.run(inputs);
        }
        tensors.forEach((name, tensor) -> writer.add(name, tensor.values(), tensor.shape()));
        writer.write(out);
        if (options.json) {
            ObjectNode root = new ObjectMapper().createObjectNode();
            tensors.forEach((name, tensor) -> {
                ArrayNode shape = root.putArray(name);
                Arrays.stream(tensor.shape()).forEach(shape::add);
            });
            spec.commandLine().getOut().println(root.toPrettyString());
        } else {
            Table table = new Table("ll", "tensor", "shape");
            tensors.forEach((name, tensor) -> table.row(name, Arrays.toString(tensor.shape())));
            table.print(spec.commandLine().getOut());
        }
        return 0;
    }
}
