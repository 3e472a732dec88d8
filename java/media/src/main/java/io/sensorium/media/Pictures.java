package io.sensorium.media;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * PNG and JPEG to RGB bytes, by the rules of PIL's {@code convert("RGB")}: alpha is dropped, not composited; grey
 * becomes three equal channels; palettes are looked up; of 16 bits of colour the upper 8 are kept, while grey of 16
 * bits is cut off at 255; colour profiles and gamma change nothing. EXIF orientation is told and not applied.
 * WebP, AVIF, GIF (the first frame) and others are read where a {@link MediaReader} is, turned upright.
 *
 * <p>The container is walked first, in bounds: sizes are known before anything is decoded, every PNG chunk must be
 * whole with its checksum, and only what the pixels need reaches the decoder (so no compressed text or profile can
 * blow up). A file that was cut is a {@link CorruptInputException}, never half a picture.
 */
public final class Pictures {
    /** Largest file that is read. */
    public static final long MAX_BYTES = 256L << 20;
    /** Default for the largest height·width. */
    public static final long MAX_PIXELS = 100_000_000;

    private Pictures() {}

    /** Reads a file with the default limit of pixels. */
    public static Picture read(Path file) throws IOException {
        return decode(Errors.readCapped(file, MAX_BYTES), file.getFileName().toString(), MAX_PIXELS);
    }

    /**
     * Decodes a picture in memory.
     *
     * @param name what errors call it
     * @param maxPixels largest height·width; more is a {@link LimitExceededException} before any allocation
     */
    public static Picture decode(byte[] bytes, String name, long maxPixels) {
        if (!Container.known(bytes)) {
            java.util.Optional<MediaReader> reader = MediaReader.find();
            if (reader.isPresent()) {
                return reader.get().picture(bytes, name, maxPixels);
            }
        }
        Container container = Container.parse(bytes, name);
        long pixels = (long) container.width() * container.height();
        if (pixels > maxPixels) {
            throw Errors.exceeded(
                    name, container.width() + "×" + container.height() + " = " + pixels + " pixels", maxPixels);
        }
        Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(container.format());
        if (!readers.hasNext()) {
            throw new IllegalStateException("this Java has no reader for " + container.format());
        }
        ImageReader reader = readers.next();
        String[] warning = {null};
        reader.addIIOReadWarningListener((source, text) -> warning[0] = text);
        try (MemoryCacheImageInputStream in =
                new MemoryCacheImageInputStream(new ByteArrayInputStream(container.essential()))) {
            reader.setInput(in, true, true);
            BufferedImage image = reader.read(0);
            // libjpeg fills up what is missing and only warns.
            if (warning[0] != null) {
                throw Errors.corrupt(name, bytes.length, warning[0]);
            }
            if (image.getWidth() != container.width() || image.getHeight() != container.height()) {
                throw Errors.corrupt(name, 0, "header and picture differ in size");
            }
            return rgb(image, container.orientation());
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException | NegativeArraySizeException e) {
            // The decoders answer some broken streams with unchecked exceptions.
            throw Errors.corrupt(name, bytes.length, "cannot be decoded: " + e.getMessage());
        } finally {
            reader.dispose();
        }
    }

    /** Raw samples, never {@code getRGB}: that would convert between colour spaces. */
    private static Picture rgb(BufferedImage image, int orientation) {
        int width = image.getWidth();
        int height = image.getHeight();
        ByteBuffer out = ByteBuffer.allocateDirect(Math.multiplyExact(Math.multiplyExact(width, height), 3));
        Raster raster = image.getRaster();
        int bands = raster.getNumBands();
        IndexColorModel palette = image.getColorModel() instanceof IndexColorModel index ? index : null;
        int shift = palette == null ? Math.max(0, image.getColorModel().getComponentSize(0) - 8) : 0;
        int[] row = new int[Math.multiplyExact(width, bands)];
        byte[] line = new byte[width * 3];
        for (int y = 0; y < height; y++) {
            raster.getPixels(0, y, width, 1, row);
            for (int x = 0; x < width; x++) {
                int at = x * bands;
                if (palette != null) {
                    line[3 * x] = (byte) palette.getRed(row[at]);
                    line[3 * x + 1] = (byte) palette.getGreen(row[at]);
                    line[3 * x + 2] = (byte) palette.getBlue(row[at]);
                } else if (bands < 3) {
                    // PIL keeps grey of 16 bits as numbers, and clips them; with alpha it takes the upper bytes.
                    byte grey = (byte) (bands == 1 ? Math.min(row[at], 255) : row[at] >> shift);
                    line[3 * x] = grey;
                    line[3 * x + 1] = grey;
                    line[3 * x + 2] = grey;
                } else {
                    line[3 * x] = (byte) (row[at] >> shift);
                    line[3 * x + 1] = (byte) (row[at + 1] >> shift);
                    line[3 * x + 2] = (byte) (row[at + 2] >> shift);
                }
            }
            out.put(line);
        }
        return new Picture(out.flip(), height, width, orientation);
    }
}
