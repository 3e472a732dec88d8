package io.sensorium.health;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** 500 pictures and their captions as CLIP embeds them. */
final class Clip {
    static final int N = 500;
    static final int DIM = 512;

    private Clip() {}

    static Path folder() {
        return Path.of(System.getProperty("sensorium.root"), "tests", "golden", "health");
    }

    /** [2][500][512]. */
    static float[][][] read() throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(folder().resolve("clip.npy")))
                .order(ByteOrder.LITTLE_ENDIAN);
        bytes.position(10 + bytes.getShort(8));
        float[][][] out = new float[2][N][DIM];
        for (float[][] side : out) {
            for (float[] row : side) {
                bytes.asFloatBuffer().get(row);
                bytes.position(bytes.position() + 4 * DIM);
            }
        }
        return out;
    }
}
