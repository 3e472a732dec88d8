package io.sensorium.models;

import java.nio.FloatBuffer;

/**
 * Pictures that were cut into flattened patches, put together again.
 *
 * @param channels of a patch
 * @param patchH rows of a patch
 * @param patchW columns of a patch
 * @param channelLast order within a patch: (row, column, channel), otherwise (channel, row, column)
 * @param block patches come in blocks of so many by so many, row by row; 1 = all row by row
 */
record Patches(int channels, int patchH, int patchW, boolean channelLast, int block) {
    /** Numbers of one patch. */
    int size() {
        return channels * patchH * patchW;
    }

    /** Where the patch of a row and a column of the grid stands among all. */
    int place(int row, int column, int gridW) {
        int blocks = (row / block) * (gridW / block) + column / block;
        return (blocks * block + row % block) * block + column % block;
    }

    /** The picture [channels, gridH·patchH, gridW·patchW] of the patches from number {@code first} on. */
    FloatBuffer picture(FloatBuffer patches, int first, int gridH, int gridW) {
        int width = gridW * patchW;
        int plane = gridH * patchH * width;
        FloatBuffer out = Tensor.zeros(channels, plane).values();
        for (int row = 0; row < gridH; row++) {
            for (int column = 0; column < gridW; column++) {
                int from = (first + place(row, column, gridW)) * size();
                for (int c = 0; c < channels; c++) {
                    for (int y = 0; y < patchH; y++) {
                        for (int x = 0; x < patchW; x++) {
                            int at = channelLast ? (y * patchW + x) * channels + c : (c * patchH + y) * patchW + x;
                            out.put(
                                    c * plane + (row * patchH + y) * width + column * patchW + x,
                                    patches.get(from + at));
                        }
                    }
                }
            }
        }
        return out;
    }
}
