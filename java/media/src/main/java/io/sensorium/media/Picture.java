package io.sensorium.media;

import java.nio.ByteBuffer;

/**
 * A decoded picture.
 *
 * @param pixels direct, [height, width, 3], red first
 * @param height in pixels
 * @param width in pixels
 */
public record Picture(ByteBuffer pixels, int height, int width) {
    /** Always 3. */
    public int channels() {
        return 3;
    }
}
