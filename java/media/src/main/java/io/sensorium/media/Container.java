package io.sensorium.media;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32;

/**
 * What the headers of a PNG or JPEG say, and the file reduced to what its pixels need.
 *
 * @param format "png" or "jpeg"
 * @param width in pixels, positive
 * @param height in pixels, positive
 * @param orientation 1 to 8, as EXIF says; 1 where it says nothing
 * @param essential a file of the same pixels without text, profiles, transparency and other extras
 */
record Container(String format, int width, int height, int orientation, byte[] essential) {
    private static final int ORIENTATION_TAG = 0x0112;
    private static final byte[] EXIF = {'E', 'x', 'i', 'f', 0, 0};
    private static final byte[] PNG = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

    /** Whether it begins as a PNG or JPEG. */
    static boolean known(byte[] bytes) {
        return isPng(bytes) || isJpeg(bytes);
    }

    private static boolean isPng(byte[] bytes) {
        return bytes.length >= 8 && java.util.Arrays.equals(bytes, 0, 8, PNG, 0, 8);
    }

    private static boolean isJpeg(byte[] bytes) {
        return bytes.length >= 3 && at(bytes, 0) == 0xFF && at(bytes, 1) == 0xD8 && at(bytes, 2) == 0xFF;
    }

    static Container parse(byte[] bytes, String name) {
        if (isPng(bytes)) {
            return png(bytes, name);
        }
        if (isJpeg(bytes)) {
            return jpeg(bytes, name);
        }
        throw Errors.corrupt(name, 0, "neither PNG nor JPEG");
    }

    private static Container png(byte[] bytes, String name) {
        ByteArrayOutputStream kept = new ByteArrayOutputStream(bytes.length);
        kept.write(bytes, 0, 8);
        CRC32 crc = new CRC32();
        int width = 0;
        int height = 0;
        int orientation = 1;
        int at = 8;
        while (true) {
            if (bytes.length - at < 12) {
                throw Errors.corrupt(name, at, "cut off before the end chunk");
            }
            long length = Integer.toUnsignedLong(int32(bytes, at));
            if (length > bytes.length - at - 12) {
                throw Errors.corrupt(
                        name, at, "chunk of " + length + " bytes where " + (bytes.length - at - 12) + " are left");
            }
            int size = (int) length;
            crc.reset();
            crc.update(bytes, at + 4, size + 4);
            if ((int) crc.getValue() != int32(bytes, at + 8 + size)) {
                throw Errors.corrupt(name, at + 8L + size, "wrong checksum");
            }
            String type = new String(bytes, at + 4, 4, java.nio.charset.StandardCharsets.ISO_8859_1);
            if ((width == 0) != type.equals("IHDR")) {
                throw Errors.corrupt(name, at, "the header must be the first chunk, once");
            }
            switch (type) {
                case "IHDR" -> {
                    width = size == 13 ? int32(bytes, at + 8) : 0;
                    height = size == 13 ? int32(bytes, at + 12) : 0;
                    if (width <= 0 || height <= 0) {
                        throw Errors.corrupt(name, at + 8, "size " + width + "×" + height);
                    }
                    kept.write(bytes, at, size + 12);
                }
                case "eXIf" -> orientation = orientation(bytes, at + 8, size);
                case "PLTE", "IDAT" -> kept.write(bytes, at, size + 12);
                case "IEND" -> {
                    kept.write(bytes, at, size + 12);
                    return new Container("png", width, height, orientation, kept.toByteArray());
                }
                default -> {
                    if ((bytes[at + 4] & 0x20) == 0) {
                        throw Errors.corrupt(name, at, "unknown critical chunk " + type);
                    }
                }
            }
            at += size + 12;
        }
    }

    private static Container jpeg(byte[] bytes, String name) {
        ByteArrayOutputStream kept = new ByteArrayOutputStream(bytes.length);
        kept.write(bytes, 0, 2);
        int width = 0;
        int height = 0;
        int orientation = 1;
        int at = 2;
        while (true) {
            if (bytes.length - at < 4) {
                throw Errors.corrupt(name, at, "cut off before the picture");
            }
            if (at(bytes, at) != 0xFF) {
                throw Errors.corrupt(name, at, "no marker where one must be");
            }
            int marker = at(bytes, at + 1);
            if (marker == 0xFF) {
                at++;
                continue;
            }
            int length = at(bytes, at + 2) << 8 | at(bytes, at + 3);
            if (marker == 0 || marker == 0xD9 || marker >= 0xD0 && marker <= 0xD8 || length < 2) {
                throw Errors.corrupt(name, at, "broken marker");
            }
            if (length > bytes.length - at - 2) {
                throw Errors.corrupt(
                        name, at + 2, "segment of " + length + " bytes where " + (bytes.length - at - 2) + " are left");
            }
            boolean frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
            if (frame) {
                if (length < 8 || width != 0) {
                    throw Errors.corrupt(name, at, "broken frame header");
                }
                int precision = at(bytes, at + 4);
                height = at(bytes, at + 5) << 8 | at(bytes, at + 6);
                width = at(bytes, at + 7) << 8 | at(bytes, at + 8);
                int components = at(bytes, at + 9);
                if (width == 0 || height == 0) {
                    throw Errors.corrupt(name, at + 5, "size " + width + "×" + height);
                }
                if (precision != 8 || components != 1 && components != 3) {
                    throw Errors.corrupt(
                            name,
                            at + 4,
                            components + " components of " + precision
                                    + " bits; grey or colour of 8 bits is supported");
                }
            }
            // APP0 (JFIF) and APP14 (Adobe) say how colours are coded; the other APPn and comments do not.
            boolean extra = marker == 0xFE || marker >= 0xE1 && marker <= 0xEF && marker != 0xEE;
            if (marker == 0xE1
                    && length >= 2 + EXIF.length
                    && java.util.Arrays.equals(bytes, at + 4, at + 4 + EXIF.length, EXIF, 0, EXIF.length)) {
                orientation = orientation(bytes, at + 4 + EXIF.length, length - 2 - EXIF.length);
            }
            if (marker == 0xDA) {
                if (width == 0) {
                    throw Errors.corrupt(name, at, "scan before the frame header");
                }
                kept.write(bytes, at, bytes.length - at);
                return new Container("jpeg", width, height, orientation, kept.toByteArray());
            }
            if (!extra) {
                kept.write(bytes, at, length + 2);
            }
            at += length + 2;
        }
    }

    /** The tag in the first directory of a TIFF structure; 1 if there is none, or anything is wrong with it. */
    private static int orientation(byte[] bytes, int start, int size) {
        if (size < 8) {
            return 1;
        }
        ByteBuffer tiff = ByteBuffer.wrap(bytes, start, size).slice();
        int order = tiff.getShort(0);
        if (order != 0x4949 && order != 0x4D4D) {
            return 1;
        }
        tiff.order(order == 0x4949 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        long directory = Integer.toUnsignedLong(tiff.getInt(4));
        if (tiff.getShort(2) != 42 || directory > size - 2) {
            return 1;
        }
        int entries = Short.toUnsignedInt(tiff.getShort((int) directory));
        for (int i = 0; i < entries && directory + 2 + 12L * (i + 1) <= size; i++) {
            int entry = (int) directory + 2 + 12 * i;
            // One number of 16 bits, as the standard has it.
            if (Short.toUnsignedInt(tiff.getShort(entry)) == ORIENTATION_TAG && tiff.getShort(entry + 2) == 3) {
                int value = Short.toUnsignedInt(tiff.getShort(entry + 8));
                return value >= 1 && value <= 8 ? value : 1;
            }
        }
        return 1;
    }

    private static int at(byte[] bytes, int i) {
        return Byte.toUnsignedInt(bytes[i]);
    }

    private static int int32(byte[] bytes, int i) {
        return at(bytes, i) << 24 | at(bytes, i + 1) << 16 | at(bytes, i + 2) << 8 | at(bytes, i + 3);
    }
}
