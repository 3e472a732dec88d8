package io.sensorium.video;

/**
 * One stream of a file.
 *
 * @param index its number in the container
 * @param codec such as "h264"
 * @param video whether it is pictures, else sound
 * @param timeBase seconds of one tick of its clock
 * @param start of the first frame on the file's clock
 * @param duration as the container tells it; 0 if it does not
 * @param width of pictures in pixels, as they are coded
 * @param height of pictures in pixels, as they are coded
 * @param sampleRate of sound, in Hz
 * @param channels of sound
 */
public record StreamInfo(
        int index,
        String codec,
        boolean video,
        Rational timeBase,
        Rational start,
        Rational duration,
        int width,
        int height,
        int sampleRate,
        int channels) {
    StreamInfo sized(int w, int h) {
        return new StreamInfo(index, codec, video, timeBase, start, duration, w, h, sampleRate, channels);
    }

    StreamInfo startingAt(Rational time) {
        return new StreamInfo(index, codec, video, timeBase, time, duration, width, height, sampleRate, channels);
    }
}
