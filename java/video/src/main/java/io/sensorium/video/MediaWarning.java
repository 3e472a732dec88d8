package io.sensorium.video;

/**
 * Something about a file's times that was put right, or that a caller may want to know.
 *
 * @param kind what it is
 * @param stream its number in the container
 * @param index of the frame or block of sound, from 0
 * @param micros where in the file
 * @param length of the silence, or of what was cut, in microseconds; else 0
 * @param text in words
 */
public record MediaWarning(Kind kind, int stream, long index, long micros, long length, String text) {
    /** What can be wrong. */
    public enum Kind {
        /** A frame's time is not after that of the frame before; it is left out. */
        NON_MONOTONIC,
        /** A frame has no time; its stream's start is taken for the first, for others the end of the frame before. */
        NO_TIME,
        /** Sound that is missing; silence stands in for it. */
        GAP,
        /** Sound that comes twice; the second is cut. */
        OVERLAP
    }
}
