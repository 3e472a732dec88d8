package io.sensorium.models;

import io.sensorium.AudioConfig;
import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.Modality;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;

/** {@code input_values} [batch, frames, mels] through an Audio Spectrogram Transformer. */
final class FeatureTower implements Tower {
    private final Stages stages;

    FeatureTower(Engine engine, ModelSpec spec) {
        this.stages = new Stages(engine, spec);
    }

    @Override
    public List<String> inputs() {
        return List.of("input_values");
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = "input_values" + suffix;
        int[] shape = Tower.shape(in, name, 3);
        AudioConfig config = stages.spec().audio().orElseThrow();
        int mels = config.logMel().nMels();
        if (shape[1] != config.fixedFrames() || shape[2] != mels) {
            throw Tower.misshapen(in, name, "the model takes " + config.fixedFrames() + " frames of " + mels);
        }
        FloatBuffer features = in.floats(name);
        int tokens = stages.countTokens(Modality.AUDIO, Format.F32_FEATURES, shape[1], shape[2]);
        stages.run(
                shape[0],
                tokens,
                Tower.limits(tokens, 0),
                (session, i) -> session.features(Tower.slice(features, i, shape[1] * mels), shape[1], mels),
                suffix,
                out);
    }

    @Override
    public void close() throws IOException {
        stages.close();
    }
}
