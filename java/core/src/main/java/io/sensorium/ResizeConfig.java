package io.sensorium;

import java.util.Objects;

/**
 * How pictures of bytes are brought to size before they are cut into patches, bit-equal to the PIL processors of
 * transformers; see {@link Mode}. Fields that the mode does not name are 0. The filters are antialiased.
 *
 * @param mode the rule
 * @param filter PIL's filter
 * @param height SQUASH: rows; SHORTEST_EDGE, SHORTEST_LONGEST: the shorter side; FIT: most rows
 * @param width SQUASH: columns; SHORTEST_LONGEST: most of the longer side; FIT: most columns
 * @param cropH rows cut from the centre after all but SMART and NAFLEX, black where there are none; 0 = no crop
 * @param cropW columns likewise
 * @param factor SMART: sides are multiples of it; NAFLEX: the patch size
 * @param minPixels SMART: least height·width
 * @param maxPixels SMART: largest height·width
 * @param maxPatches NAFLEX: most patches
 */
public record ResizeConfig(
        Mode mode,
        Filter filter,
        int height,
        int width,
        int cropH,
        int cropW,
        int factor,
        int minPixels,
        int maxPixels,
        int maxPatches) {

    /** Rejects null. */
    public ResizeConfig {
        Objects.requireNonNull(mode, "mode");
        Objects.requireNonNull(filter, "filter");
    }

    /** The rules. The order is that of the C ABI. */
    public enum Mode {
        /** The picture as it is. */
        NONE,
        /** To height × width. */
        SQUASH,
        /** The shorter side to {@code height}, the longer one in proportion, truncated. */
        SHORTEST_EDGE,
        /** Qwen2-VL's smart_resize; sides may differ up to 200 times. */
        SMART,
        /** SigLIP2's largest size of at most {@code maxPatches} patches. */
        NAFLEX,
        /** As SHORTEST_EDGE, but the longer side at most {@code width}. */
        SHORTEST_LONGEST,
        /** As large as height × width allows, in proportion, truncated. */
        FIT
    }

    /** PIL's filters in PIL's order. */
    public enum Filter {
        /** The nearest pixel. */
        NEAREST,
        /** Lanczos, a = 3. */
        LANCZOS,
        /** Triangle. */
        BILINEAR,
        /** Cubic, a = −0.5. */
        BICUBIC,
        /** Mean of the pixels under it. */
        BOX,
        /** Hamming. */
        HAMMING
    }

    /** Pictures stay as they are. */
    public static final ResizeConfig NONE = builder().build();

    /** To height × width, whatever the proportions. */
    public static ResizeConfig squash(int height, int width, Filter filter) {
        return builder()
                .mode(Mode.SQUASH)
                .height(height)
                .width(width)
                .filter(filter)
                .build();
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.mode = mode;
        builder.filter = filter;
        builder.height = height;
        builder.width = width;
        builder.cropH = cropH;
        builder.cropW = cropW;
        builder.factor = factor;
        builder.minPixels = minPixels;
        builder.maxPixels = maxPixels;
        builder.maxPatches = maxPatches;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private Mode mode = Mode.NONE;
        private Filter filter = Filter.BILINEAR;
        private int height = 0;
        private int width = 0;
        private int cropH = 0;
        private int cropW = 0;
        private int factor = 0;
        private int minPixels = 0;
        private int maxPixels = 0;
        private int maxPatches = 0;

        private Builder() {}

        /** Sets {@link ResizeConfig#mode()}. */
        public Builder mode(Mode value) {
            this.mode = value;
            return this;
        }

        /** Sets {@link ResizeConfig#filter()}. */
        public Builder filter(Filter value) {
            this.filter = value;
            return this;
        }

        /** Sets {@link ResizeConfig#height()}. */
        public Builder height(int value) {
            this.height = value;
            return this;
        }

        /** Sets {@link ResizeConfig#width()}. */
        public Builder width(int value) {
            this.width = value;
            return this;
        }

        /** Sets {@link ResizeConfig#cropH()}. */
        public Builder cropH(int value) {
            this.cropH = value;
            return this;
        }

        /** Sets {@link ResizeConfig#cropW()}. */
        public Builder cropW(int value) {
            this.cropW = value;
            return this;
        }

        /** Sets {@link ResizeConfig#factor()}. */
        public Builder factor(int value) {
            this.factor = value;
            return this;
        }

        /** Sets {@link ResizeConfig#minPixels()}. */
        public Builder minPixels(int value) {
            this.minPixels = value;
            return this;
        }

        /** Sets {@link ResizeConfig#maxPixels()}. */
        public Builder maxPixels(int value) {
            this.maxPixels = value;
            return this;
        }

        /** Sets {@link ResizeConfig#maxPatches()}. */
        public Builder maxPatches(int value) {
            this.maxPatches = value;
            return this;
        }

        /** The configuration. */
        public ResizeConfig build() {
            return new ResizeConfig(
                    mode, filter, height, width, cropH, cropW, factor, minPixels, maxPixels, maxPatches);
        }
    }
}
