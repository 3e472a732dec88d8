package io.sensorium.models;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.InvalidWeightsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * JSON from untrusted files: depth, lengths and document size are capped before anything is built, duplicate keys
 * and trailing text are errors.
 */
final class Json {
    private static final int MAX_CONFIG_BYTES = 16 << 20;

    private Json() {}

    /** A factory whose parsers refuse documents deeper than {@code depth} and longer than {@code length} characters. */
    static JsonFactory factory(int depth, long length) {
        return new JsonFactoryBuilder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(depth)
                        .maxDocumentLength(length)
                        .maxNumberLength(64)
                        .maxNameLength(4096)
                        .maxStringLength(1 << 20)
                        .build())
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
    }

    /** Reads a configuration file of at most 16 MiB; its root must be an object. */
    static ObjectNode readObject(Path file) throws IOException {
        long size = Files.size(file);
        if (size > MAX_CONFIG_BYTES) {
            throw Errors.weights(
                    file.getFileName() + " has " + size + " bytes; a configuration may have " + MAX_CONFIG_BYTES);
        }
        return parseObject(Files.readAllBytes(file), file.getFileName().toString());
    }

    static ObjectNode parseObject(byte[] text, String name) {
        ObjectMapper mapper = new ObjectMapper(factory(64, MAX_CONFIG_BYTES));
        mapper.enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
        mapper.enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY);
        try (JsonParser parser = mapper.getFactory().createParser(text)) {
            JsonNode root = mapper.readTree(parser);
            if (root instanceof ObjectNode object) {
                return object;
            }
            throw Errors.weights(name + ": the root must be a JSON object");
        } catch (JsonProcessingException e) {
            throw malformed(name, e);
        } catch (IOException e) {
            throw Errors.weights(name + ": " + e.getMessage());
        }
    }

    /** The parser's complaint in one line, with its place. */
    static InvalidWeightsException malformed(String name, JsonProcessingException e) {
        String place = e.getLocation() == null
                ? ""
                : " at line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr();
        return Errors.weights(name + ": not valid JSON" + place + ": "
                + e.getOriginalMessage().lines().findFirst().orElse(""));
    }
}
