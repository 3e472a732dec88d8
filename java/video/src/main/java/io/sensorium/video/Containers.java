package io.sensorium.video;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Tells whether a file was cut off, from the sizes of its outermost parts: FFmpeg takes what is left of most containers for
 * the whole. MPEG streams and MP3 have no such sizes.
 */
final class Containers {
    private static final int MOST_PARTS = 1 << 20;
    private static final int OGG_PAGE = 27 + 255 + 255 * 255;

    private final Source source;
    private final String name;
    private final ByteBuffer bytes = ByteBuffer.allocate(32);

    private Containers(Source source, String name) {
        this.source = source;
        this.name = name;
    }

    /** Throws {@link io.sensorium.CorruptInputException} with the offset of the part that is not whole. */
    static void check(Source source, String name) {
        try {
            new Containers(source, name).check();
        } catch (IOException e) {
            throw new UncheckedIOException(name + ": " + e.getMessage(), e);
        }
    }

    private void check() throws IOException {
        long size = source.size();
        if (size == 0) {
            throw FFmpeg.corrupt(name, "at byte 0: empty");
        }
        if (!at(0, ByteOrder.BIG_ENDIAN)) {
            return;
        }
        int first = bytes.getInt(0);
        if (first == tag("RIFF")) {
            riff(size);
        } else if (bytes.getInt(4) == tag("ftyp") || bytes.getInt(4) == tag("moov") || bytes.getInt(4) == tag("mdat")) {
            boxes(size);
        } else if (first == 0x1A45DFA3) {
            ebml(size);
        } else if (first == tag("OggS")) {
            ogg(size);
        }
    }

    /** Reads up to 32 bytes; false if fewer than 16 are left. */
    private boolean at(long offset, ByteOrder order) throws IOException {
        bytes.clear().order(order);
        while (bytes.hasRemaining() && source.read(offset + bytes.position(), bytes) > 0) {}
        boolean enough = bytes.position() >= 16;
        while (bytes.hasRemaining()) {
            bytes.put((byte) 0);
        }
        return enough;
    }

    private static int tag(String text) {
        return text.charAt(0) << 24 | text.charAt(1) << 16 | text.charAt(2) << 8 | text.charAt(3);
    }

    private RuntimeException cut(long at, String part, long length, long left) {
        return FFmpeg.corrupt(
                name, "at byte " + at + ": " + part + " of " + length + " bytes where " + left + " are left");
    }

    /** AVI (one RIFF chunk after another) and WebP. */
    private void riff(long size) throws IOException {
        long at = 0;
        for (int i = 0; i < MOST_PARTS && size - at >= 16 && at(at, ByteOrder.LITTLE_ENDIAN); i++) {
            if (bytes.getInt(0) != Integer.reverseBytes(tag("RIFF"))) {
                return;
            }
            long length = Integer.toUnsignedLong(bytes.getInt(4));
            if (length > size - at - 8) {
                throw cut(at + 4, "RIFF chunk", length, size - at - 8);
            }
            at += 8 + length + (length & 1);
        }
    }

    /** MP4, QuickTime, AVIF. */
    private void boxes(long size) throws IOException {
        long at = 0;
        for (int i = 0; i < MOST_PARTS && size - at >= 16 && at(at, ByteOrder.BIG_ENDIAN); i++) {
            long length = Integer.toUnsignedLong(bytes.getInt(0));
            if (length == 1) {
                length = bytes.getLong(8);
            } else if (length == 0) {
                return;
            }
            if (length < 8) {
                throw FFmpeg.corrupt(name, "at byte " + at + ": a box of " + length + " bytes");
            }
            if (length > size - at) {
                throw cut(at, "box", length, size - at);
            }
            at += length;
        }
        if (at < size && size - at < 8) {
            throw FFmpeg.corrupt(name, "at byte " + at + ": cut off in a box header");
        }
    }

    /** Matroska and WebM: the segment. */
    private void ebml(long size) throws IOException {
        long at = 4;
        if (!at(at, ByteOrder.BIG_ENDIAN)) {
            return;
        }
        int width = Integer.numberOfLeadingZeros(bytes.get(0) & 255) - 23;
        at += width + variable(0, width);
        if (at < 0 || at > size - 12 || !at(at, ByteOrder.BIG_ENDIAN) || bytes.getInt(0) != 0x18538067) {
            throw FFmpeg.corrupt(name, "at byte " + Math.max(0, at) + ": no segment");
        }
        width = Integer.numberOfLeadingZeros(bytes.get(4) & 255) - 23;
        long length = variable(4, width);
        boolean unknown = length == (1L << 7 * width) - 1; // of a live recording
        if (!unknown && length > size - at - 4 - width) {
            throw cut(at, "segment", length, size - at - 4 - width);
        }
    }

    /** The value of a number of {@code width} bytes whose leading one bit tells the width. */
    private long variable(int at, int width) {
        if (width > 8) {
            throw FFmpeg.corrupt(name, "at byte 4: a broken length");
        }
        long value = bytes.get(at) & (255 >> width);
        for (int i = 1; i < width; i++) {
            value = value << 8 | bytes.get(at + i) & 255;
        }
        return value;
    }

    /** The last page must be whole and say that it is the last. */
    private void ogg(long size) throws IOException {
        int tail = (int) Math.min(size, 2L * OGG_PAGE);
        long start = size - tail;
        ByteBuffer end = ByteBuffer.allocate(tail);
        while (end.hasRemaining() && source.read(start + end.position(), end) > 0) {}
        for (int at = tail - 4; at >= 0; at--) {
            if (end.getInt(at) != tag("OggS") || tail - at < 27) {
                continue;
            }
            int segments = end.get(at + 26) & 255;
            int length = 27 + segments;
            for (int i = 0; i < segments && at + 27 + i < tail; i++) {
                length += end.get(at + 27 + i) & 255;
            }
            if (length > tail - at) {
                throw cut(start + at, "page", length, tail - at);
            }
            if ((end.get(at + 5) & 4) == 0) {
                throw FFmpeg.corrupt(name, "at byte " + (start + at) + ": cut off, this is not the stream's last page");
            }
            return;
        }
        throw FFmpeg.corrupt(name, "at byte " + start + ": no page");
    }
}
