package io.sensorium.models;

import io.sensorium.ResizeConfig;
import java.util.List;

/**
 * A published image processor as data: resize, normalisation and the layout of what it gives.
 *
 * @param name what {@code --preset} takes
 * @param reference the implementation whose numbers it gives
 * @param resize how bytes are brought to size
 * @param rescale what bytes are multiplied with before the normalisation
 * @param mean of each channel after the rescale
 * @param std likewise
 * @param layout what is given
 * @param patch side of a patch; 0 with PIXELS
 * @param merge MERGED: patches of merge × merge stand together
 * @param temporal MERGED: how often a still is repeated in a patch
 * @param maxPatches PATCHES: rows of the result
 * @param bytes whether neither rescale nor normalisation is asked for: bytes stay bytes
 * @param upright whether a picture is turned as its EXIF orientation says
 */
public record ImagePreset(
        String name,
        String reference,
        ResizeConfig resize,
        double rescale,
        List<Float> mean,
        List<Float> std,
        Layout layout,
        int patch,
        int merge,
        int temporal,
        int maxPatches,
        boolean bytes,
        boolean upright) {

    /** How pixel values are laid out. */
    public enum Layout {
        /** [channels, height, width]. */
        PIXELS,
        /** SigLIP2-NaFlex: [max patches, patch·patch·channels], zeros behind the last patch. */
        PATCHES,
        /** Qwen2-VL: [patches, channels·temporal·patch·patch] in blocks of merge × merge. */
        MERGED
    }

    /** Rejects null. */
    public ImagePreset {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
    }

    ImagePreset with(ResizeConfig config) {
        return new ImagePreset(
                name,
                reference,
                config,
                rescale,
                mean,
                std,
                layout,
                patch,
                merge,
                temporal,
                maxPatches,
                bytes,
                upright);
    }

    /** What {@link io.sensorium.ImageConfig#mean()} must be: of bytes scaled to [0, 1]. */
    float[] meanOfUnit(int channels) {
        return ofUnit(mean, channels);
    }

    /** Likewise {@link io.sensorium.ImageConfig#std()}. */
    float[] stdOfUnit(int channels) {
        return ofUnit(std, channels);
    }

    private float[] ofUnit(List<Float> values, int channels) {
        float[] out = new float[Math.min(channels, 16)];
        for (int i = 0; i < out.length; i++) {
            out[i] = (float) (channel(values, i) / (255 * rescale));
        }
        return out;
    }

    /** One value for all channels, or one a channel. */
    static float channel(List<Float> values, int channel) {
        return values.get(values.size() == 1 ? 0 : channel);
    }
}
