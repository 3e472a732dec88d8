package io.sensorium;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Image tokenizer: resize (bytes only), normalise, cut into patches, project, add positions, put prefix tokens in front. Tensors: {@code
 * image.patch.weight} [dModel, channels·temporalPatch·patchH·patchW]; {@code image.patch.bias} [dModel] if {@code hasBias}; {@code
 * image.prefix} [prefixTokens, dModel]; {@code image.position} [prefixTokens + gridH·gridW, dModel] if learned; {@code
 * image.position.weight} [dModel, F] and {@code .bias} if FOURIER_ADD, F = 2·(1 + 2·fourierBands). With FOURIER_CONCAT the
 * patch's weight and bias have dModel − F rows.
 *
 * @param channels colour channels, at most 16
 * @param patchH patch height in pixels
 * @param patchW patch width in pixels
 * @param strideH pixels between patch rows; 0 in the builder means the patch height
 * @param strideW pixels between patch columns; 0 in the builder means the patch width
 * @param gridH patch rows that learned or Fourier positions were made for, else 0
 * @param gridW patch columns that learned or Fourier positions were made for, else 0
 * @param fourierBands frequencies of Fourier positions, else 0
 * @param prefixTokens class and register tokens in front of the patches
 * @param order order of the values of a patch
 * @param position how patches learn where they are
 * @param positionResize how learned positions serve other grids; any but FIXED lets pictures have any size
 * @param hasBias whether the projection has a bias
 * @param resize how pictures of bytes are brought to size; finished pixel values are taken as they are
 * @param mean mean of each channel of bytes scaled to [0, 1]; empty means 0; used for bytes only
 * @param std standard deviation likewise; empty means 1
 * @param temporalPatch frames that a patch covers (Qwen2-VL: 2), or 1; a single picture stands for all of them
 */
public record ImageConfig(
        int channels,
        int patchH,
        int patchW,
        int strideH,
        int strideW,
        int gridH,
        int gridW,
        int fourierBands,
        int prefixTokens,
        PatchOrder order,
        Position position,
        PositionResize positionResize,
        boolean hasBias,
        ResizeConfig resize,
        List<Float> mean,
        List<Float> std,
        int temporalPatch) {

    /** Rejects null. */
    public ImageConfig {
        Objects.requireNonNull(order, "order");
        Objects.requireNonNull(position, "position");
        Objects.requireNonNull(positionResize, "positionResize");
        Objects.requireNonNull(resize, "resize");
        mean = List.copyOf(mean);
        std = List.copyOf(std);
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.channels = channels;
        builder.patchH = patchH;
        builder.patchW = patchW;
        builder.strideH = strideH;
        builder.strideW = strideW;
        builder.gridH = gridH;
        builder.gridW = gridW;
        builder.fourierBands = fourierBands;
        builder.prefixTokens = prefixTokens;
        builder.order = order;
        builder.position = position;
        builder.positionResize = positionResize;
        builder.hasBias = hasBias;
        builder.resize = resize;
        builder.mean = mean;
        builder.std = std;
        builder.temporalPatch = temporalPatch;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int channels = 3;
        private int patchH = 16;
        private int patchW = 16;
        private int strideH = 0;
        private int strideW = 0;
        private int gridH = 0;
        private int gridW = 0;
        private int fourierBands = 0;
        private int prefixTokens = 0;
        private PatchOrder order = PatchOrder.CHANNEL_FIRST;
        private Position position = Position.NONE;
        private PositionResize positionResize = PositionResize.FIXED;
        private boolean hasBias;
        private ResizeConfig resize = ResizeConfig.NONE;
        private List<Float> mean = List.of();
        private List<Float> std = List.of();
        private int temporalPatch = 1;

        private Builder() {}

        /** Sets {@link ImageConfig#channels()}. */
        public Builder channels(int value) {
            this.channels = value;
            return this;
        }

        /** Sets {@link ImageConfig#patchH()}. */
        public Builder patchH(int value) {
            this.patchH = value;
            return this;
        }

        /** Sets {@link ImageConfig#patchW()}. */
        public Builder patchW(int value) {
            this.patchW = value;
            return this;
        }

        /** Sets {@link ImageConfig#strideH()}. */
        public Builder strideH(int value) {
            this.strideH = value;
            return this;
        }

        /** Sets {@link ImageConfig#strideW()}. */
        public Builder strideW(int value) {
            this.strideW = value;
            return this;
        }

        /** Sets {@link ImageConfig#gridH()}. */
        public Builder gridH(int value) {
            this.gridH = value;
            return this;
        }

        /** Sets {@link ImageConfig#gridW()}. */
        public Builder gridW(int value) {
            this.gridW = value;
            return this;
        }

        /** Sets {@link ImageConfig#fourierBands()}. */
        public Builder fourierBands(int value) {
            this.fourierBands = value;
            return this;
        }

        /** Sets {@link ImageConfig#prefixTokens()}. */
        public Builder prefixTokens(int value) {
            this.prefixTokens = value;
            return this;
        }

        /** Sets {@link ImageConfig#order()}. */
        public Builder order(PatchOrder value) {
            this.order = value;
            return this;
        }

        /** Sets {@link ImageConfig#position()}. */
        public Builder position(Position value) {
            this.position = value;
            return this;
        }

        /** Sets {@link ImageConfig#positionResize()}. */
        public Builder positionResize(PositionResize value) {
            this.positionResize = value;
            return this;
        }

        /** Sets {@link ImageConfig#resize()}. */
        public Builder resize(ResizeConfig value) {
            this.resize = value;
            return this;
        }

        /** Sets {@link ImageConfig#hasBias()}. */
        public Builder hasBias(boolean value) {
            this.hasBias = value;
            return this;
        }

        /** Sets {@link ImageConfig#temporalPatch()}. */
        public Builder temporalPatch(int value) {
            this.temporalPatch = value;
            return this;
        }

        /** Sets square patches without overlap. */
        public Builder patch(int size) {
            return patch(size, size);
        }

        /** Sets patches of height × width pixels without overlap. */
        public Builder patch(int height, int width) {
            patchH = height;
            patchW = width;
            return stride(height, width);
        }

        /** Sets the distance of patch rows and columns in pixels. */
        public Builder stride(int height, int width) {
            strideH = height;
            strideW = width;
            return this;
        }

        /** Sets the grid of learned positions in patches. */
        public Builder grid(int rows, int columns) {
            gridH = rows;
            gridW = columns;
            return this;
        }

        /** Sets {@link ImageConfig#mean()}. */
        public Builder mean(float... values) {
            mean = floats(values);
            return this;
        }

        /** Sets {@link ImageConfig#mean()}. */
        public Builder mean(List<Float> values) {
            mean = List.copyOf(values);
            return this;
        }

        /** Sets {@link ImageConfig#std()}. */
        public Builder std(float... values) {
            std = floats(values);
            return this;
        }

        /** Sets {@link ImageConfig#std()}. */
        public Builder std(List<Float> values) {
            std = List.copyOf(values);
            return this;
        }

        private static List<Float> floats(float... values) {
            List<Float> list = new ArrayList<>(values.length);
            for (float value : values) {
                list.add(value);
            }
            return List.copyOf(list);
        }

        /** The configuration. */
        public ImageConfig build() {
            return new ImageConfig(
                    channels,
                    patchH,
                    patchW,
                    strideH == 0 ? patchH : strideH,
                    strideW == 0 ? patchW : strideW,
                    gridH,
                    gridW,
                    fourierBands,
                    prefixTokens,
                    order,
                    position,
                    positionResize,
                    hasBias,
                    resize,
                    mean,
                    std,
                    temporalPatch);
        }
    }
}
