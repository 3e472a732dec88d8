package io.sensorium.demo;

import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/**
 * A model that was trained on emoji, their one-word English names and speech: pictures, sounds and texts of one concept lie
 * together in its space. It knows little else.
 */
public final class EmojiModel {
    private EmojiModel() {}

    /** Reads it from this module's resources; close it. */
    public static ModelSpec open() throws IOException {
        return ModelLoader.parse(bytes("config.json"), bytes("model.safetensors"), "emoji model");
    }

    private static byte[] bytes(String name) throws IOException {
        try (InputStream in = EmojiModel.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new FileNotFoundException("resource " + name + " of the emoji model");
            }
            return in.readAllBytes();
        }
    }
}
