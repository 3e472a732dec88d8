package io.sensorium.video;

import org.bytedeco.javacpp.IntPointer;

/** How a picture must be turned to stand upright: a turn by a multiple of 90 degrees, maybe mirrored. */
record Orientation(int xx, int xy, int yx, int yy) {
    static final Orientation UPRIGHT = new Orientation(1, 0, 0, 1);

    /** Of FFmpeg's display matrix, 16.16: x' = a·x + c·y, y' = b·x + d·y. Other angles are left as they are. */
    static Orientation of(IntPointer matrix) {
        Orientation o = new Orientation(
                Integer.signum(matrix.get(0)),
                Integer.signum(matrix.get(3)),
                Integer.signum(matrix.get(1)),
                Integer.signum(matrix.get(4)));
        boolean straight = o.xx != 0 && o.yy != 0 && o.xy == 0 && o.yx == 0;
        boolean turned = o.xx == 0 && o.yy == 0 && o.xy != 0 && o.yx != 0;
        return straight || turned ? o : UPRIGHT;
    }

    boolean swaps() {
        return xx == 0;
    }

    /** Source pixel number of upright pixel (x, y) of a source of width × height. */
    int source(int x, int y, int width, int height) {
        // The inverse of a signed permutation is its transpose; negative axes run from the far edge.
        int sx = xx * x + yx * y;
        int sy = xy * x + yy * y;
        if (xx + yx < 0) {
            sx += width - 1;
        }
        if (xy + yy < 0) {
            sy += height - 1;
        }
        return sy * width + sx;
    }
}
