package io.sensorium.video;

import java.util.List;

/**
 * How picture and sound of one file go together. Times are microseconds on the file's clock.
 *
 * @param videoStart time of the first frame, or −1 without pictures
 * @param videoEnd until when the last frame is shown
 * @param audioStart time of the first sample, or −1 without sound
 * @param audioEnd end of the last sample
 * @param driftPpm how much faster the sound's times run than its samples, in millionths
 * @param frames decoded frames
 * @param usedFrames frames that became tokens
 * @param frameInterval median time between two frames
 * @param longestInterval longest time between two frames
 * @param variableRate whether an interval differs from the median by more than a tenth
 * @param droppedFrames frames of the median interval that would fit into the longer ones
 * @param audioGaps places without sound that were filled with silence
 * @param silence inserted in all
 * @param audioOverlaps places where sound came twice
 * @param cut from the sound in all
 * @param nonMonotonic frames that were left out because their time went back
 * @param untimed frames without a time of their own, which were put behind the one before
 * @param frameToAudio largest distance between a used frame's time and the middle of the nearest audio token, or −1
 * @param windows sequences that were made
 * @param tokens of all sequences
 * @param latents of all sequences
 * @param decodeNanos spent in FFmpeg: decoding and colours
 * @param kernelNanos spent in resizing, resampling, log-mel, tokenizers and compressor
 * @param warnings what was put right, the first thousand
 */
public record SyncReport(
        long videoStart,
        long videoEnd,
        long audioStart,
        long audioEnd,
        double driftPpm,
        long frames,
        long usedFrames,
        long frameInterval,
        long longestInterval,
        boolean variableRate,
        long droppedFrames,
        long audioGaps,
        long silence,
        long audioOverlaps,
        long cut,
        long nonMonotonic,
        long untimed,
        long frameToAudio,
        long windows,
        long tokens,
        long latents,
        long decodeNanos,
        long kernelNanos,
        List<MediaWarning> warnings) {

    /** How much later the sound starts than the pictures; 0 if one of them is missing. */
    public long offset() {
        return videoStart < 0 || audioStart < 0 ? 0 : audioStart - videoStart;
    }

    /** How much later the sound ends than the pictures; 0 if one of them is missing. */
    public long endOffset() {
        return videoStart < 0 || audioStart < 0 ? 0 : audioEnd - videoEnd;
    }
}
