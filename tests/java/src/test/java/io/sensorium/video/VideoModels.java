package io.sensorium.video;

import io.sensorium.AudioConfig;
import io.sensorium.Engine;
import io.sensorium.ImageConfig;
import io.sensorium.LogKind;
import io.sensorium.LogMelConfig;
import io.sensorium.Model;
import io.sensorium.Padding;
import io.sensorium.SequenceConfig;
import io.sensorium.Window;
import java.nio.FloatBuffer;

/** A model whose tokens can be read: value 0 of an image's is its brightness, those of a sound are its log-mel bins. */
final class VideoModels {
    static final int DIM = 16;
    static final int PATCH = 16;
    static final int HOP = 480;
    static final int RATE = 48_000;
    static final long HOP_MICROS = HOP * 1_000_000L / RATE;

    private VideoModels() {}

    static Model readable(Engine engine) {
        return readable(engine, 1);
    }

    static Model readable(Engine engine, int temporalPatch) {
        int patch = 3 * temporalPatch * PATCH * PATCH;
        float[] image = new float[DIM * patch];
        for (int i = 0; i < patch; i++) {
            image[i] = 1f / patch;
        }
        float[] audio = new float[DIM * DIM];
        for (int i = 0; i < DIM; i++) {
            audio[i * DIM + i] = 1;
        }
        // The window is one hop without taper: a frame hears exactly the span of its token.
        LogMelConfig logMel = LogMelConfig.builder()
                .sampleRate(RATE)
                .nFft(512)
                .winLength(HOP)
                .hop(HOP)
                .nMels(DIM)
                .window(Window.RECTANGULAR)
                .padding(Padding.ZERO)
                .log(LogKind.LN)
                .floor(1e-10)
                .build();
        return engine.newModel()
                .sequence(SequenceConfig.builder().dModel(DIM).build())
                .image(ImageConfig.builder()
                        .channels(3)
                        .patch(PATCH)
                        .temporalPatch(temporalPatch)
                        .build())
                .audio(AudioConfig.builder().logMel(logMel).build())
                .tensor("image.patch.weight", FloatBuffer.wrap(image), DIM, patch)
                .tensor("audio.frame.weight", FloatBuffer.wrap(audio), DIM, DIM)
                .build();
    }
}
