package io.sensorium.cli;

import io.sensorium.demo.EmojiModel;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.nio.file.Path;

/** Models as they are named on the command line. */
public final class Models {
    private Models() {}

    /** {@code emoji}, the trained demo model, or a directory. */
    public static ModelSpec open(String model) throws IOException {
        return model.equals("emoji") ? EmojiModel.open() : ModelLoader.open(Path.of(model));
    }
}
