package io.sensorium.models;

import io.sensorium.AudioConfig;
import io.sensorium.AudioTokens;
import io.sensorium.Engine;
import io.sensorium.Format;
import io.sensorium.Modality;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;

/** Log-mel features [batch, frames, mels], or [batch, mels, frames], through an encoder of sound. */
final class FeatureTower implements Tower {
    private final Stages stages;
    private final String input;
    private final boolean melMajor;

    /** {@code input_values} [batch, frames, mels] (AST) or {@code input_features} [batch, mels, frames] (Whisper). */
    static FeatureTower of(Engine engine, ModelSpec spec) {
        boolean whisper = spec.audio().orElseThrow().tokens() == AudioTokens.CONVOLVED;
        return new FeatureTower(engine, spec, whisper ? "input_features" : "input_values", whisper);
    }

    FeatureTower(Engine engine, ModelSpec spec, String input, boolean melMajor) {
        this.stages = new Stages(engine, spec);
        this.input = input;
        this.melMajor = melMajor;
    }

    @Override
    public List<String> inputs() {
        return List.of(input);
    }

    @Override
    public void run(Safetensors in, String suffix, Map<String, Tensor> out) {
        String name = input + suffix;
        // ImageBind's have an axis of one channel.
        boolean channel =
                melMajor && in.info(name).dims().length == 4 && in.info(name).dims()[1] == 1;
        int[] dims = Tower.shape(in, name, channel ? 4 : 3);
        int mels = melMajor ? dims[dims.length - 2] : dims[2];
        int frames = melMajor ? dims[dims.length - 1] : dims[1];
        AudioConfig config = stages.spec().audio().orElseThrow();
        boolean fits = config.fixedFrames() > 0 ? frames == config.fixedFrames() : frames <= config.maxFrames();
        if (!fits || mels != config.logMel().nMels()) {
            throw Tower.misshapen(
                    in,
                    name,
                    "the model takes "
                            + (config.fixedFrames() > 0 ? config.fixedFrames() : "up to " + config.maxFrames())
                            + " frames of " + config.logMel().nMels());
        }
        FloatBuffer features = in.floats(name);
        int tokens = stages.countTokens(Modality.AUDIO, Format.F32_FEATURES, frames, mels);
        stages.run(
                dims[0],
                tokens,
                Tower.limits(tokens, 0),
                (session, i) -> {
                    FloatBuffer item = Tower.slice(features, i, frames * mels);
                    session.features(melMajor ? turned(item, mels, frames) : item, frames, mels);
                },
                suffix,
                out);
    }

    private static FloatBuffer turned(FloatBuffer values, int mels, int frames) {
        FloatBuffer out = Tensor.zeros(frames, mels).values();
        for (int m = 0; m < mels; m++) {
            for (int f = 0; f < frames; f++) {
                out.put(f * mels + m, values.get(m * frames + f));
            }
        }
        return out;
    }

    @Override
    public void close() throws IOException {
        stages.close();
    }
}
