package io.sensorium.media;

import java.nio.ByteBuffer;

/**
 * A decoded picture.
 *
 * @param pixels direct, [height, width, 3], red first, as they are stored
 * @param height in pixels
 * @param width in pixels
 * @param orientation 1 to 8: how EXIF says that it is to be turned; 1 = not at all
 */
public record Picture(ByteBuffer pixels, int height, int width, int orientation) {
    /** One that stands as it is stored. */
    public Picture(ByteBuffer pixels, int height, int width) {
        this(pixels, height, width, 1);
    }

    /** Always 3. */
    public int channels() {
        return 3;
    }

    /** Turned and mirrored as {@link #orientation} says, like PIL's {@code ImageOps.exif_transpose}. */
    public Picture upright() {
        if (orientation == 1) {
            return this;
        }
        boolean turned = orientation >= 5;
        int h = turned ? width : height;
        int w = turned ? height : width;
        // Which corner of the stored picture is the upper left one: 2, 3, 7, 8 right; 3, 4, 6, 7 bottom.
        boolean right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
        boolean bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
        ByteBuffer out = ByteBuffer.allocateDirect(pixels.remaining());
        int start = pixels.position();
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int row = turned ? x : y;
                int column = turned ? y : x;
                row = bottom ? height - 1 - row : row;
                column = right ? width - 1 - column : column;
                int at = start + 3 * (row * width + column);
                out.put(pixels.get(at)).put(pixels.get(at + 1)).put(pixels.get(at + 2));
            }
        }
        return new Picture(out.flip(), h, w, 1);
    }
}
