package io.sensorium;

/**
 * Projection heads to one shared dimension: of each sequence, the mean of its latents (without a compressor: of its tokens)
 * is projected and L2-normalised ({@link Result#embedding()}). A sequence whose items are all of one modality takes that
 * modality's head if the model has it, any other the joint head; a sequence that has neither is an {@link
 * InvalidArgumentException} before any work is done. Tensors, for each head that there is: {@code head.image.weight} [dim,
 * dLatents or dModel] and, with a bias, {@code head.image.bias} [dim]; likewise audio, text, joint.
 *
 * @param dim of the shared space; must be set
 * @param image whether there is a head for sequences of images
 * @param audio likewise for sound
 * @param text likewise for text
 * @param joint likewise for everything else
 * @param hasBias whether the heads have biases
 * @param logitScale natural logarithm of the inverse temperature, in [-20, 20]; for {@link AlignStep#logits}
 * @param logitBias added to logits (SigLIP)
 */
public record HeadConfig(
        int dim,
        boolean image,
        boolean audio,
        boolean text,
        boolean joint,
        boolean hasBias,
        float logitScale,
        float logitBias) {

    /** A builder with the defaults: no head yet, no bias, CLIP's initial temperature of 0.07. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.dim = dim;
        builder.image = image;
        builder.audio = audio;
        builder.text = text;
        builder.joint = joint;
        builder.hasBias = hasBias;
        builder.logitScale = logitScale;
        builder.logitBias = logitBias;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int dim = 0;
        private boolean image = false;
        private boolean audio = false;
        private boolean text = false;
        private boolean joint = false;
        private boolean hasBias = false;
        private float logitScale = 2.6592600f;
        private float logitBias = 0;

        private Builder() {}

        /** Sets {@link HeadConfig#dim()}. */
        public Builder dim(int value) {
            this.dim = value;
            return this;
        }

        /** Sets {@link HeadConfig#image()}. */
        public Builder image(boolean value) {
            this.image = value;
            return this;
        }

        /** Sets {@link HeadConfig#audio()}. */
        public Builder audio(boolean value) {
            this.audio = value;
            return this;
        }

        /** Sets {@link HeadConfig#text()}. */
        public Builder text(boolean value) {
            this.text = value;
            return this;
        }

        /** Sets {@link HeadConfig#joint()}. */
        public Builder joint(boolean value) {
            this.joint = value;
            return this;
        }

        /** Sets {@link HeadConfig#hasBias()}. */
        public Builder hasBias(boolean value) {
            this.hasBias = value;
            return this;
        }

        /** Sets {@link HeadConfig#logitScale()}. */
        public Builder logitScale(float value) {
            this.logitScale = value;
            return this;
        }

        /** Sets {@link HeadConfig#logitBias()}. */
        public Builder logitBias(float value) {
            this.logitBias = value;
            return this;
        }

        /** The configuration. */
        public HeadConfig build() {
            return new HeadConfig(dim, image, audio, text, joint, hasBias, logitScale, logitBias);
        }
    }
}
