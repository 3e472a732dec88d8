package io.sensorium.media;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;

/**
 * RIFF/WAVE files: PCM of 8, 16, 24 and 32 bits, float of 32 and 64, plain or extensible. Any number of channels is
 * averaged to one. Every size in the file is checked against the file before it is used; what does not fit is a
 * {@link io.sensorium.CorruptInputException} with the offset.
 */
public final class Wav {
    /** Largest file that is read. */
    public static final long MAX_BYTES = 1L << 30;

    private static final int PCM = 1;
    private static final int FLOAT = 3;
    private static final int EXTENSIBLE = 0xFFFE;
    // The rest of the sub-format's GUID after its two bytes of format tag.
    private static final byte[] GUID_TAIL = {
        0, 0, 0, 0, 0x10, 0, (byte) 0x80, 0, 0, (byte) 0xAA, 0, 0x38, (byte) 0x9B, 0x71
    };

    private Wav() {}

    /** Reads a file of at most {@link #MAX_BYTES}. */
    public static Sound read(Path file) throws IOException {
        return decode(Errors.readCapped(file, MAX_BYTES), file.getFileName().toString());
    }

    /** The same from memory; {@code name} is what errors call it. */
    public static Sound decode(byte[] bytes, String name) {
        return new Parser(bytes, name).parse();
    }

    private record Format(int tag, int channels, int rate, int bits) {
        int blockAlign() {
            return channels * bits / 8;
        }
    }

    private static final class Parser {
        private final ByteBuffer in;
        private final String name;

        Parser(byte[] bytes, String name) {
            this.in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            this.name = name;
        }

        Sound parse() {
            int size = in.capacity();
            if (size < 12 || !tag(0, "RIFF") || !tag(8, "WAVE")) {
                throw Errors.corrupt(name, 0, "not a RIFF/WAVE file");
            }
            long riff = 8 + Integer.toUnsignedLong(in.getInt(4));
            // An odd last chunk may or may not carry its pad byte within the RIFF size.
            if (riff != size && riff != size - 1L) {
                throw Errors.corrupt(name, 4, "RIFF size says " + riff + " bytes, the file has " + size);
            }
            Format format = null;
            long at = 12;
            while (at < size) {
                if (size - at < 8) {
                    if (size - at == 1 && in.get((int) at) == 0) {
                        break;
                    }
                    throw Errors.corrupt(name, at, "cut off in a chunk header");
                }
                int start = (int) at;
                long length = Integer.toUnsignedLong(in.getInt(start + 4));
                if (length > size - at - 8) {
                    throw Errors.corrupt(
                            name, at + 4, "chunk of " + length + " bytes where " + (size - at - 8) + " are left");
                }
                if (tag(start, "fmt ")) {
                    if (format != null) {
                        throw Errors.corrupt(name, at, "a second fmt chunk");
                    }
                    format = format(start + 8, (int) length);
                } else if (tag(start, "data")) {
                    if (format == null) {
                        throw Errors.corrupt(name, at, "data before fmt");
                    }
                    checkRest(at + 8 + length + (length & 1), size);
                    return samples(format, start + 8, (int) length);
                }
                at += 8 + length + (length & 1);
            }
            throw Errors.corrupt(name, size, format == null ? "no fmt chunk" : "no data chunk");
        }

        /** Chunks after the data must be whole, too: a cut file is never accepted. */
        private void checkRest(long at, long size) {
            while (at < size) {
                long left = size - at;
                if (left < 8) {
                    throw Errors.corrupt(name, at, "cut off in a chunk header");
                }
                long length = Integer.toUnsignedLong(in.getInt((int) at + 4));
                if (length > left - 8) {
                    throw Errors.corrupt(
                            name, at + 4, "chunk of " + length + " bytes where " + (left - 8) + " are left");
                }
                at += 8 + length + (length & 1);
            }
        }

        private Format format(int at, int length) {
            if (length < 16) {
                throw Errors.corrupt(name, at - 4, "fmt chunk of " + length + " bytes, at least 16 are needed");
            }
            int tag = Short.toUnsignedInt(in.getShort(at));
            int channels = Short.toUnsignedInt(in.getShort(at + 2));
            long rate = Integer.toUnsignedLong(in.getInt(at + 4));
            int blockAlign = Short.toUnsignedInt(in.getShort(at + 12));
            int bits = Short.toUnsignedInt(in.getShort(at + 14));
            if (tag == EXTENSIBLE) {
                if (length < 40) {
                    throw Errors.corrupt(name, at - 4, "extensible fmt chunk of " + length + " bytes, 40 are needed");
                }
                int validBits = Short.toUnsignedInt(in.getShort(at + 18));
                if (validBits > bits) {
                    throw Errors.corrupt(name, at + 18, validBits + " valid bits in samples of " + bits);
                }
                tag = Short.toUnsignedInt(in.getShort(at + 24));
                for (int i = 0; i < GUID_TAIL.length; i++) {
                    if (in.get(at + 26 + i) != GUID_TAIL[i]) {
                        throw Errors.corrupt(name, at + 24, "unknown sub-format");
                    }
                }
            }
            if (channels == 0) {
                throw Errors.corrupt(name, at + 2, "0 channels");
            }
            if (rate == 0 || rate > Integer.MAX_VALUE) {
                throw Errors.corrupt(name, at + 4, "sample rate " + rate);
            }
            boolean known = tag == PCM && (bits == 8 || bits == 16 || bits == 24 || bits == 32)
                    || tag == FLOAT && (bits == 32 || bits == 64);
            if (!known) {
                throw Errors.corrupt(name, at, "format " + tag + " with " + bits + " bits is not PCM or float");
            }
            Format format = new Format(tag, channels, (int) rate, bits);
            if (blockAlign != format.blockAlign()) {
                throw Errors.corrupt(
                        name, at + 12, "block alignment " + blockAlign + ", expected " + format.blockAlign());
            }
            return format;
        }

        private Sound samples(Format format, int at, int length) {
            int block = format.blockAlign();
            if (length % block != 0) {
                throw Errors.corrupt(name, at - 4, "data of " + length + " bytes is no multiple of " + block);
            }
            int frames = length / block;
            int channels = format.channels();
            int width = format.bits() / 8;
            FloatBuffer out = ByteBuffer.allocateDirect(Math.multiplyExact(frames, 4))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            for (int i = 0; i < frames; i++) {
                double sum = 0;
                for (int c = 0; c < channels; c++) {
                    sum += sample(format, at + i * block + c * width);
                }
                out.put(i, (float) (sum / channels));
            }
            return new Sound(out, format.rate(), channels);
        }

        private double sample(Format format, int at) {
            if (format.tag() == FLOAT) {
                return format.bits() == 32 ? in.getFloat(at) : in.getDouble(at);
            }
            return switch (format.bits()) {
                case 8 -> (Byte.toUnsignedInt(in.get(at)) - 128) / 128.0;
                case 16 -> in.getShort(at) / 32768.0;
                case 24 -> (in.getShort(at) & 0xFFFF | in.get(at + 2) << 16) / 8388608.0;
                default -> in.getInt(at) / 2147483648.0;
            };
        }

        private boolean tag(int at, String tag) {
            for (int i = 0; i < 4; i++) {
                if (in.get(at + i) != tag.charAt(i)) {
                    return false;
                }
            }
            return true;
        }
    }
}
