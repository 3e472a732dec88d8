package io.sensorium.cli;

import io.sensorium.LogMelConfig;
import io.sensorium.Modality;
import io.sensorium.media.Picture;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/** What one encode request saw and gave, as {@link EncodePlot} draws it. */
final class Scene {
    /** A picture with its patches, in pixels. */
    record Image(String name, Picture picture, int patchH, int patchW, int strideH, int strideW, int tokens) {}

    /**
     * A sound as [frames, mels] features.
     *
     * @param centreMicros time of frame 0's centre
     * @param boundaryMicros borders between neighbouring tokens' time spans
     */
    record Audio(
            String name,
            FloatBuffer features,
            int frames,
            LogMelConfig logMel,
            long durationMicros,
            long centreMicros,
            long[] boundaryMicros,
            int tokens) {}

    record Text(String text, int tokens) {}

    String title = "";
    String notice = "";
    final List<Image> images = new ArrayList<>();
    final List<Audio> audios = new ArrayList<>();
    final List<Text> texts = new ArrayList<>();
    /** Modality of each packed token. */
    Modality[] modalities = {};
    /** Item of each packed token. */
    int[] items = {};
    /** [tokens, dim] */
    FloatBuffer tokens = FloatBuffer.allocate(0);

    int dim = 1;
    /** [latentRows, latentDim], empty without a compressor. */
    FloatBuffer latents = FloatBuffer.allocate(0);

    /** Grid of each packed token: row and column, -1 for those without. */
    int[] grid = {};
    /** Start and end of each packed token in microseconds. */
    long[] spans = {};
    /** [latentRows, tokens]: what each latent took from each token. */
    FloatBuffer attention = FloatBuffer.allocate(0);

    int latentRows;
    int latentDim = 1;
}
