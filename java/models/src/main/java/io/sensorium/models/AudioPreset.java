package io.sensorium.models;

import io.sensorium.LogMelConfig;

/**
 * A published audio front end as data: the log-mel transform and what its reference does with whole clips around it.
 *
 * @param name what {@code --preset} takes
 * @param reference the implementation whose numbers it gives
 * @param logMel the transform of samples into frames; its layout decides the layout here
 * @param fit how the waveform is brought to length before the transform
 * @param samples target of {@code fit} in samples; for MULTIPLE the longest clip
 * @param multiple of what MULTIPLE pads to
 * @param clips number of evenly spaced clips, each of {@code samples} (ImageBind: 3); 1 = the signal itself
 * @param fixedFrames cut or pad features to this many frames; 0 = as they come
 * @param padValue feature value of that padding
 * @param zeroFrames frames of zeros appended (NeMo's masked last frame)
 * @param stack frames joined to one row, after padding with zero frames to a multiple (SeamlessM4T: 2)
 * @param copies how often the features are repeated as leading dimension (CLAP fusion: 4); 0 = no such dimension
 */
public record AudioPreset(
        String name,
        String reference,
        LogMelConfig logMel,
        Fit fit,
        int samples,
        int multiple,
        int clips,
        int fixedFrames,
        float padValue,
        int zeroFrames,
        int stack,
        int copies) {

    /** What is done to the waveform's length. */
    public enum Fit {
        /** Nothing. */
        NONE,
        /** Cut, or padded with zeros. */
        PAD,
        /** Cut, or tiled ⌊samples/length⌋ times and padded with zeros. */
        REPEAT_PAD,
        /** Cut, or tiled until full. */
        REPEAT,
        /** Cut to {@code samples}, then padded with zeros to a multiple of {@code multiple}. */
        MULTIPLE
    }

    /** A preset that is nothing but its log-mel transform. */
    static AudioPreset plain(String name, String reference, LogMelConfig logMel) {
        return new AudioPreset(name, reference, logMel, Fit.NONE, 0, 1, 1, 0, 0, 0, 1, 0);
    }

    AudioPreset with(LogMelConfig config) {
        return new AudioPreset(
                name,
                reference,
                config,
                fit,
                samples,
                multiple,
                clips,
                fixedFrames,
                padValue,
                zeroFrames,
                stack,
                copies);
    }

    AudioPreset fit(Fit how, int length, int of) {
        return new AudioPreset(
                name, reference, logMel, how, length, of, clips, fixedFrames, padValue, zeroFrames, stack, copies);
    }

    AudioPreset frames(int fixed, double pad) {
        return new AudioPreset(
                name, reference, logMel, fit, samples, multiple, clips, fixed, (float) pad, zeroFrames, stack, copies);
    }

    AudioPreset clips(int count, int length) {
        return new AudioPreset(
                name,
                reference,
                logMel,
                fit,
                length,
                multiple,
                count,
                fixedFrames,
                padValue,
                zeroFrames,
                stack,
                copies);
    }

    AudioPreset zeroFrames(int count) {
        return new AudioPreset(
                name, reference, logMel, fit, samples, multiple, clips, fixedFrames, padValue, count, stack, copies);
    }

    AudioPreset layout(int stacked, int copied) {
        return new AudioPreset(
                name,
                reference,
                logMel,
                fit,
                samples,
                multiple,
                clips,
                fixedFrames,
                padValue,
                zeroFrames,
                stacked,
                copied);
    }
}
