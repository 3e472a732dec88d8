package io.sensorium.cli;

import io.sensorium.Modality;
import io.sensorium.demo.EmojiModel;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.nio.file.Path;

/** Models as they are named on the command line. */
public final class Models {
    private Models() {}

    /** {@code demo}, the small trained model that is shipped, or a directory. */
    public static ModelSpec open(String model) throws IOException {
        return builtIn(model) ? EmojiModel.open() : ModelLoader.open(Path.of(model));
    }

    /** Likewise; of a directory with several towers, the one for this modality. */
    static ModelSpec open(String model, Modality tower) throws IOException {
        return builtIn(model) ? EmojiModel.open() : ModelLoader.open(Path.of(model), tower);
    }

    /** Whether it is shipped, so that nothing lies beside it. */
    static boolean builtIn(String model) {
        return model.equals("demo");
    }
}
