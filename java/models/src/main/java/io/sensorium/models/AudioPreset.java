package io.sensorium.models;

import io.sensorium.LogMelConfig;

/**
 * A published audio front end as data: the log-mel transform and what its reference does with whole clips around it.
 *
 * @param name what {@code --preset} takes
 * @param reference the implementation whose numbers it gives
 * @param logMel the transform of samples into frames; its layout decides the layout here
 * @param fit how the waveform is brought to length before the transform
 * @param samples target of {@code fit} in samples; for CUT and MULTIPLE the longest clip
 * @param multiple of what MULTIPLE pads to
 * @param padSides zeros put at either end of the waveform (torchaudio's {@code pad})
 * @param clips number of evenly spaced clips, each of {@code samples} (ImageBind: 3); 0 = the signal itself
 * @param fixedFrames cut or pad features to this many frames; 0 = as they come
 * @param padValue feature value of that padding, and of the one before stacking
 * @param zeroFrames frames of zeros appended (NeMo's masked last frame)
 * @param frameMultiple frames are padded to a multiple of it (SeamlessM4T: 2)
 * @param stack frames joined to one row; those that do not fill a row are dropped (SeamlessM4T: 2)
 * @param copies how often the features are repeated as leading dimension (CLAP fusion: 4); 0 = no such dimension
 */
public record AudioPreset(
        String name,
        String reference,
        LogMelConfig logMel,
        Fit fit,
        int samples,
        int multiple,
        int padSides,
        int clips,
        int fixedFrames,
        float padValue,
        int zeroFrames,
        int frameMultiple,
        int stack,
        int copies) {

    /** What is done to the waveform's length. */
    public enum Fit {
        /** Nothing. */
        NONE,
        /** Cut, or padded with zeros. */
        PAD,
        /** Cut. */
        CUT,
        /** Cut, or tiled ⌊samples/length⌋ times and padded with zeros. */
        REPEAT_PAD,
        /** Cut, or tiled until full. */
        REPEAT,
        /** Cut to {@code samples}, then padded with zeros to a multiple of {@code multiple}. */
        MULTIPLE
    }

    /** A preset that is nothing but its log-mel transform. */
    static AudioPreset plain(String name, String reference, LogMelConfig logMel) {
        return new Builder(name, reference, logMel).build();
    }

    static Builder builder(String name, String reference, LogMelConfig logMel) {
        return new Builder(name, reference, logMel);
    }

    /** Collects what goes around the transform. */
    static final class Builder {
        private final String name;
        private final String reference;
        private final LogMelConfig logMel;
        private Fit fit = Fit.NONE;
        private int samples;
        private int multiple = 1;
        private int padSides;
        private int clips;
        private int fixedFrames;
        private float padValue;
        private int zeroFrames;
        private int frameMultiple = 1;
        private int stack = 1;
        private int copies;

        private Builder(String name, String reference, LogMelConfig logMel) {
            this.name = name;
            this.reference = reference;
            this.logMel = logMel;
        }

        Builder fit(Fit how, int length) {
            this.fit = how;
            this.samples = length;
            return this;
        }

        Builder multiple(int of) {
            this.multiple = of;
            return this;
        }

        Builder padSides(int count) {
            this.padSides = count;
            return this;
        }

        Builder clips(int count, int length) {
            this.clips = count;
            this.samples = length;
            return this;
        }

        Builder frames(int fixed, double pad) {
            this.fixedFrames = fixed;
            this.padValue = (float) pad;
            return this;
        }

        Builder zeroFrames(int count) {
            this.zeroFrames = count;
            return this;
        }

        Builder stack(int padded, double pad, int joined) {
            this.frameMultiple = padded;
            this.padValue = (float) pad;
            this.stack = joined;
            return this;
        }

        Builder copies(int count) {
            this.copies = count;
            return this;
        }

        AudioPreset build() {
            return new AudioPreset(
                    name,
                    reference,
                    logMel,
                    fit,
                    samples,
                    multiple,
                    padSides,
                    clips,
                    fixedFrames,
                    padValue,
                    zeroFrames,
                    frameMultiple,
                    stack,
                    copies);
        }
    }
}
