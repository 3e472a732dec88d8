package io.sensorium;

import java.util.Objects;

/**
 * One published log-mel front end: everything that tells one from another, as data. Frequencies are in Hz, lengths in
 * samples. The defaults are {@code torchaudio.transforms.MelSpectrogram(16000, n_mels=128)}: plain power, no logarithm.
 * Steps in order: scale, frame, remove the mean, pre-emphasis, window, |FFT|^power, mel filters, logarithm, clip,
 * normalise, {@code y·outScale + outShift}.
 *
 * @param sampleRate of the samples
 * @param nFft length of the Fourier transform, in [2, 16384]; fast where it is even and has no prime factor above 5
 * @param winLength length of the window, at most nFft
 * @param hop samples from one frame to the next
 * @param frameSpan with {@link Padding#NONE} only: samples that a frame must find in the signal, if more than its own
 *     (Gemma-3n: 513 for a window of 512); 0 is its own
 * @param nMels mel bins
 * @param window shape of the window
 * @param windowPeriodic periodic, else symmetric; Povey is always symmetric
 * @param windowCentred window in the middle of nFft (torch), else at its start (Kaldi)
 * @param padding what frames see beyond the ends
 * @param dropLastFrame whether the last frame is dropped (Whisper)
 * @param removeDc whether the mean of a frame is subtracted before pre-emphasis (Kaldi)
 * @param inputScale samples are multiplied by it first (32768 for models of the int16 range)
 * @param preemphasis {@code x[i] −= a·x[i−1]}; 0 is none
 * @param preemphasisSignal pre-emphasis over the whole signal before framing, x[0] kept (NeMo); else inside each frame,
 *     {@code x[0] −= a·x[0]} (Kaldi)
 * @param power 2 is the power spectrum, 1 the magnitude
 * @param fMin lower edge of the first filter
 * @param fMax upper edge of the last filter; 0 is half the sample rate
 * @param linspaceBins bins lie evenly from 0 to ⌊sampleRate/2⌋ (torchaudio, transformers), which is the end that fMax 0
 *     means; else bin k is {@code k·sampleRate/nFft}. It matters for odd rates and odd nFft
 * @param melScale formula of the mel scale
 * @param slaneyNorm whether triangles have equal areas
 * @param log which logarithm
 * @param floorKind how the logarithm of zero is avoided
 * @param floor the floor
 * @param clip bound of the log values from below
 * @param norm normalisation over the clip
 * @param normDdof 0 is the population, 1 the sample variance
 * @param normEpsOnVar {@code (x−μ)/√(var+eps)}, else {@code (x−μ)/(std+eps)}
 * @param clipRange below the maximum, in log units (Whisper: 8)
 * @param clipMaximum with {@link ClipRange#FIXED_MAX} only: the maximum, in log units
 * @param normEps eps of the normalisation
 * @param outScale factor of the last step
 * @param outShift summand of the last step
 * @param melMajor layout of {@link LogMel#run}: [mels, frames], else [frames, mels]; a model's features are always [frames, mels]
 */
public record LogMelConfig(
        int sampleRate,
        int nFft,
        int winLength,
        int hop,
        int frameSpan,
        int nMels,
        Window window,
        boolean windowPeriodic,
        boolean windowCentred,
        Padding padding,
        boolean dropLastFrame,
        boolean removeDc,
        double inputScale,
        double preemphasis,
        boolean preemphasisSignal,
        double power,
        double fMin,
        double fMax,
        boolean linspaceBins,
        MelScale melScale,
        boolean slaneyNorm,
        LogKind log,
        LogFloor floorKind,
        double floor,
        ClipRange clip,
        FeatureNorm norm,
        int normDdof,
        boolean normEpsOnVar,
        double clipRange,
        double clipMaximum,
        double normEps,
        double outScale,
        double outShift,
        boolean melMajor) {

    /**
     * What streams of Whisper take for the maximum of 30 s of speech: 1.5 in log10 units, before {@code (x + 4)/4}. Features
     * equal the published ones where no value is more than 8 below this maximum and the clip's own.
     */
    public static final double WHISPER_STREAM_MAXIMUM = 1.5;

    /** Rejects null. */
    public LogMelConfig {
        Objects.requireNonNull(window, "window");
        Objects.requireNonNull(padding, "padding");
        Objects.requireNonNull(melScale, "melScale");
        Objects.requireNonNull(log, "log");
        Objects.requireNonNull(floorKind, "floorKind");
        Objects.requireNonNull(clip, "clip");
        Objects.requireNonNull(norm, "norm");
    }

    /**
     * This front end with {@link ClipRange#FIXED_MAX} in place of {@link ClipRange#CLIP_MAX}, so that its frames no longer
     * depend on each other: what a stream of a front end like Whisper's needs. Others are returned as they are.
     *
     * @param maximum in log units, before {@code outScale}; see {@link #WHISPER_STREAM_MAXIMUM}
     */
    public LogMelConfig withFixedMaximum(double maximum) {
        return clip == ClipRange.CLIP_MAX
                ? toBuilder().clip(ClipRange.FIXED_MAX).clipMaximum(maximum).build()
                : this;
    }

    /** A builder with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that starts from this configuration. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.sampleRate = sampleRate;
        builder.nFft = nFft;
        builder.winLength = winLength;
        builder.hop = hop;
        builder.frameSpan = frameSpan;
        builder.nMels = nMels;
        builder.window = window;
        builder.windowPeriodic = windowPeriodic;
        builder.windowCentred = windowCentred;
        builder.padding = padding;
        builder.dropLastFrame = dropLastFrame;
        builder.removeDc = removeDc;
        builder.inputScale = inputScale;
        builder.preemphasis = preemphasis;
        builder.preemphasisSignal = preemphasisSignal;
        builder.power = power;
        builder.fMin = fMin;
        builder.fMax = fMax;
        builder.linspaceBins = linspaceBins;
        builder.melScale = melScale;
        builder.slaneyNorm = slaneyNorm;
        builder.log = log;
        builder.floorKind = floorKind;
        builder.floor = floor;
        builder.clip = clip;
        builder.norm = norm;
        builder.normDdof = normDdof;
        builder.normEpsOnVar = normEpsOnVar;
        builder.clipRange = clipRange;
        builder.clipMaximum = clipMaximum;
        builder.normEps = normEps;
        builder.outScale = outScale;
        builder.outShift = outShift;
        builder.melMajor = melMajor;
        return builder;
    }

    /** Collects the fields; values are checked when the configuration is used. */
    public static final class Builder {
        private int sampleRate = 16000;
        private int nFft = 400;
        private int winLength = 400;
        private int frameSpan;
        private int hop = 200;
        private int nMels = 128;
        private Window window = Window.HANN;
        private boolean windowPeriodic = true;
        private boolean windowCentred = true;
        private Padding padding = Padding.REFLECT;
        private boolean dropLastFrame;
        private boolean removeDc;
        private double inputScale = 1;
        private double preemphasis;
        private boolean preemphasisSignal;
        private double power = 2;
        private double fMin;
        private double fMax;
        private boolean linspaceBins;
        private MelScale melScale = MelScale.HTK;
        private boolean slaneyNorm;
        private LogKind log = LogKind.NONE;
        private LogFloor floorKind = LogFloor.MAX;
        private double floor = 1e-10;
        private ClipRange clip = ClipRange.NONE;
        private FeatureNorm norm = FeatureNorm.NONE;
        private int normDdof = 0;
        private boolean normEpsOnVar;
        private double clipRange;
        private double clipMaximum;
        private double normEps;
        private double outScale = 1;
        private double outShift;
        private boolean melMajor;

        private Builder() {}

        /** Sets {@link LogMelConfig#sampleRate()}. */
        public Builder sampleRate(int value) {
            this.sampleRate = value;
            return this;
        }

        /** Sets {@link LogMelConfig#nFft()}. */
        public Builder nFft(int value) {
            this.nFft = value;
            return this;
        }

        /** Sets {@link LogMelConfig#winLength()}. */
        public Builder winLength(int value) {
            this.winLength = value;
            return this;
        }

        /** Sets {@link LogMelConfig#hop()}. */
        public Builder hop(int value) {
            this.hop = value;
            return this;
        }

        /** Sets {@link LogMelConfig#frameSpan()}. */
        public Builder frameSpan(int value) {
            this.frameSpan = value;
            return this;
        }

        /** Sets {@link LogMelConfig#nMels()}. */
        public Builder nMels(int value) {
            this.nMels = value;
            return this;
        }

        /** Sets {@link LogMelConfig#window()}. */
        public Builder window(Window value) {
            this.window = value;
            return this;
        }

        /** Sets {@link LogMelConfig#windowPeriodic()}. */
        public Builder windowPeriodic(boolean value) {
            this.windowPeriodic = value;
            return this;
        }

        /** Sets {@link LogMelConfig#windowCentred()}. */
        public Builder windowCentred(boolean value) {
            this.windowCentred = value;
            return this;
        }

        /** Sets {@link LogMelConfig#padding()}. */
        public Builder padding(Padding value) {
            this.padding = value;
            return this;
        }

        /** Sets {@link LogMelConfig#dropLastFrame()}. */
        public Builder dropLastFrame(boolean value) {
            this.dropLastFrame = value;
            return this;
        }

        /** Sets {@link LogMelConfig#removeDc()}. */
        public Builder removeDc(boolean value) {
            this.removeDc = value;
            return this;
        }

        /** Sets {@link LogMelConfig#inputScale()}. */
        public Builder inputScale(double value) {
            this.inputScale = value;
            return this;
        }

        /** Sets {@link LogMelConfig#preemphasis()}. */
        public Builder preemphasis(double value) {
            this.preemphasis = value;
            return this;
        }

        /** Sets {@link LogMelConfig#preemphasisSignal()}. */
        public Builder preemphasisSignal(boolean value) {
            this.preemphasisSignal = value;
            return this;
        }

        /** Sets {@link LogMelConfig#power()}. */
        public Builder power(double value) {
            this.power = value;
            return this;
        }

        /** Sets {@link LogMelConfig#fMin()}. */
        public Builder fMin(double value) {
            this.fMin = value;
            return this;
        }

        /** Sets {@link LogMelConfig#fMax()}. */
        public Builder fMax(double value) {
            this.fMax = value;
            return this;
        }

        /** Sets {@link LogMelConfig#linspaceBins()}. */
        public Builder linspaceBins(boolean value) {
            this.linspaceBins = value;
            return this;
        }

        /** Sets {@link LogMelConfig#melScale()}. */
        public Builder melScale(MelScale value) {
            this.melScale = value;
            return this;
        }

        /** Sets {@link LogMelConfig#slaneyNorm()}. */
        public Builder slaneyNorm(boolean value) {
            this.slaneyNorm = value;
            return this;
        }

        /** Sets {@link LogMelConfig#log()}. */
        public Builder log(LogKind value) {
            this.log = value;
            return this;
        }

        /** Sets {@link LogMelConfig#floorKind()}. */
        public Builder floorKind(LogFloor value) {
            this.floorKind = value;
            return this;
        }

        /** Sets {@link LogMelConfig#floor()}. */
        public Builder floor(double value) {
            this.floor = value;
            return this;
        }

        /** Sets {@link LogMelConfig#clip()}. */
        public Builder clip(ClipRange value) {
            this.clip = value;
            return this;
        }

        /** Sets {@link LogMelConfig#norm()}. */
        public Builder norm(FeatureNorm value) {
            this.norm = value;
            return this;
        }

        /** Sets {@link LogMelConfig#normDdof()}. */
        public Builder normDdof(int value) {
            this.normDdof = value;
            return this;
        }

        /** Sets {@link LogMelConfig#normEpsOnVar()}. */
        public Builder normEpsOnVar(boolean value) {
            this.normEpsOnVar = value;
            return this;
        }

        /** Sets {@link LogMelConfig#clipRange()}. */
        public Builder clipRange(double value) {
            this.clipRange = value;
            return this;
        }

        /** Sets {@link LogMelConfig#clipMaximum()}. */
        public Builder clipMaximum(double value) {
            this.clipMaximum = value;
            return this;
        }

        /** Sets {@link LogMelConfig#normEps()}. */
        public Builder normEps(double value) {
            this.normEps = value;
            return this;
        }

        /** Sets {@link LogMelConfig#outScale()}. */
        public Builder outScale(double value) {
            this.outScale = value;
            return this;
        }

        /** Sets {@link LogMelConfig#outShift()}. */
        public Builder outShift(double value) {
            this.outShift = value;
            return this;
        }

        /** Sets {@link LogMelConfig#melMajor()}. */
        public Builder melMajor(boolean value) {
            this.melMajor = value;
            return this;
        }

        /** The configuration. */
        public LogMelConfig build() {
            return new LogMelConfig(
                    sampleRate,
                    nFft,
                    winLength,
                    hop,
                    frameSpan,
                    nMels,
                    window,
                    windowPeriodic,
                    windowCentred,
                    padding,
                    dropLastFrame,
                    removeDc,
                    inputScale,
                    preemphasis,
                    preemphasisSignal,
                    power,
                    fMin,
                    fMax,
                    linspaceBins,
                    melScale,
                    slaneyNorm,
                    log,
                    floorKind,
                    floor,
                    clip,
                    norm,
                    normDdof,
                    normEpsOnVar,
                    clipRange,
                    clipMaximum,
                    normEps,
                    outScale,
                    outShift,
                    melMajor);
        }
    }
}
