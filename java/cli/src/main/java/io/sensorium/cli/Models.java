package io.sensorium.cli;

import io.sensorium.models.DemoModel;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import java.io.IOException;
import java.nio.file.Path;

/** Models as they are named on the command line. */
public final class Models {
    private Models() {}

    /** {@code demo} or a directory. */
    public static ModelSpec open(String model) throws IOException {
        return model.equals("demo") ? DemoModel.spec() : ModelLoader.open(Path.of(model));
    }
}
