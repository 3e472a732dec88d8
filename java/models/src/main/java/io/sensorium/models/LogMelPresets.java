package io.sensorium.models;

import static io.sensorium.models.AudioPreset.builder;
import static io.sensorium.models.AudioPreset.plain;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.ClipRange;
import io.sensorium.FeatureNorm;
import io.sensorium.LogFloor;
import io.sensorium.LogKind;
import io.sensorium.LogMelConfig;
import io.sensorium.MelScale;
import io.sensorium.Padding;
import io.sensorium.Window;
import io.sensorium.models.AudioPreset.Fit;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The published audio front ends by name, each with the parameters of its reference under the reference's names. Every
 * one was read from its implementation; which of them are checked against its numbers is told by tests/golden.
 */
public final class LogMelPresets {
    private static final double INT16 = 32768;
    private static final double KALDI_FLOOR = 1.1920928955078125e-7; // float32 epsilon

    /** Reads a front end's parameters; the rate is that of the sound, 0 if it is not known. */
    private interface Reader {
        AudioPreset read(ConfigNode config, int rate);
    }

    /** @param strict whether an unknown key in a file is an error: files of functions' arguments hold nothing else */
    private record Entry(Reader reader, String extractor, boolean strict) {}

    private static final Map<String, Entry> ENTRIES = new LinkedHashMap<>();
    private static final Map<String, AudioPreset> PRESETS = new LinkedHashMap<>();

    static {
        function("torchaudio", LogMelPresets::torchaudio);
        function("librosa", LogMelPresets::librosa);
        extractor("whisper-80", "WhisperFeatureExtractor", (c, rate) -> whisper("whisper-80", 80, c));
        extractor("whisper-128", "", (c, rate) -> whisper("whisper-128", 128, c));
        extractor("ast", "ASTFeatureExtractor", (c, rate) -> ast(c));
        function("kaldi", LogMelPresets::kaldi);
        extractor("speech2text", "Speech2TextFeatureExtractor", (c, rate) -> speech2text(c));
        extractor("clap", "ClapFeatureExtractor", (c, rate) -> clap(c));
        extractor("seamless-m4t", "SeamlessM4TFeatureExtractor", (c, rate) -> seamless(c));
        function("imagebind", (c, rate) -> imagebind(c));
        extractor("gemma-3n", "Gemma3nAudioFeatureExtractor", (c, rate) -> gemma(c));
        extractor("parakeet", "ParakeetFeatureExtractor", (c, rate) -> parakeet(c));
        extractor("phi-4-mm", "Phi4MultimodalFeatureExtractor", (c, rate) -> phi(c));
        function("openwakeword", (c, rate) -> openWakeWord());
        ENTRIES.keySet().forEach(name -> PRESETS.put(name, configured(name, Parameters.NONE, 0)));
    }

    private LogMelPresets() {}

    private static void function(String name, Reader reader) {
        ENTRIES.put(name, new Entry(reader, "", true));
    }

    private static void extractor(String name, String type, Reader reader) {
        ENTRIES.put(name, new Entry(reader, type, false));
    }

    /** All presets by name with their defaults, in the order of the documentation. */
    public static Map<String, AudioPreset> all() {
        return Collections.unmodifiableMap(PRESETS);
    }

    /** The preset of that name; an unknown one is an IllegalArgumentException that lists them. */
    public static AudioPreset get(String name) {
        entry(name);
        return PRESETS.get(name);
    }

    private static Entry entry(String name) {
        Entry entry = ENTRIES.get(name);
        if (entry == null) {
            throw new IllegalArgumentException(
                    "no preset '" + name + "'; there are " + String.join(", ", ENTRIES.keySet()));
        }
        return entry;
    }

    /** {@link #configured(String, Parameters, int)} with a file's keys. */
    public static AudioPreset configured(String name, JsonNode config, int sampleRate) {
        return configured(name, Parameters.of(config), sampleRate);
    }

    /**
     * A preset with what the parameters change.
     *
     * @param sampleRate of the sound, or 0; torchaudio, librosa and Kaldi follow it where no parameter says another one, all
     *     others have their own
     * @throws io.sensorium.InvalidWeightsException when a parameter asks for something that is not there
     * @throws io.sensorium.InvalidArgumentException naming a parameter that was set and is not known
     */
    public static AudioPreset configured(String name, Parameters parameters, int sampleRate) {
        Entry entry = entry(name);
        ConfigNode config = parameters.node();
        AudioPreset preset = entry.reader.read(config, sampleRate);
        parameters.reject(config, name, entry.strict);
        return preset;
    }

    /** The preset of a preprocessor_config.json's {@code feature_extractor_type}, or null. */
    public static String named(Parameters parameters) {
        String type = parameters.text("feature_extractor_type");
        for (Map.Entry<String, Entry> entry : ENTRIES.entrySet()) {
            if (!type.isEmpty() && entry.getValue().extractor.equals(type)) {
                return entry.getKey();
            }
        }
        return null;
    }

    // torchaudio.transforms.MelSpectrogram
    private static AudioPreset torchaudio(ConfigNode c, int rate) {
        int fft = c.integer("n_fft", 400);
        int win = c.integer("win_length", fft);
        LogMelConfig.Builder out = LogMelConfig.builder()
                .sampleRate(c.integer("sample_rate", rate > 0 ? rate : 16000))
                .nFft(fft)
                .winLength(win)
                .hop(c.integer("hop_length", win / 2))
                .window(window(c, "window_fn", "hann_window"))
                .power(c.number("power", 2))
                .nMels(c.integer("n_mels", 128))
                .fMin(c.number("f_min", 0))
                .fMax(c.number("f_max", 0))
                .linspaceBins(true)
                .melScale(scale(c, "mel_scale", "htk"))
                .slaneyNorm(slaney(c, "norm", false))
                .melMajor(true);
        out.padding(padding(c, "reflect", "constant", "replicate"));
        if (!c.bool("onesided", true)) {
            throw c.bad("onesided", "true");
        }
        LogMelConfig config = out.build();
        // Dividing the spectrum is dividing the samples.
        String normalized = c.raw("normalized").isTextual()
                ? c.choice("normalized", "", "window", "frame_length")
                : c.bool("normalized", false) ? "window" : "";
        double scale = switch (normalized) {
            case "window" -> 1 / Math.sqrt(squares(config));
            case "frame_length" -> 1 / Math.sqrt(fft);
            default -> 1;
        };
        int pad = c.integer("pad", 0);
        if (pad < 0 || pad > 1 << 26) {
            throw c.bad("pad", "in [0, 2^26]");
        }
        return builder(
                        "torchaudio",
                        "torchaudio.transforms.MelSpectrogram",
                        config.toBuilder().inputScale(scale).build())
                .padSides(pad)
                .build();
    }

    // librosa.feature.melspectrogram
    private static AudioPreset librosa(ConfigNode c, int rate) {
        int fft = c.integer("n_fft", 2048);
        LogMelConfig.Builder out = LogMelConfig.builder()
                .sampleRate(c.integer("sr", rate > 0 ? rate : 22050))
                .nFft(fft)
                .winLength(c.integer("win_length", fft))
                .hop(c.integer("hop_length", 512))
                .window(window(c, "window", "hann"))
                .power(c.number("power", 2))
                .nMels(c.integer("n_mels", 128))
                .fMin(c.number("fmin", 0))
                .fMax(c.number("fmax", 0))
                .melScale(c.bool("htk", false) ? MelScale.HTK : MelScale.SLANEY)
                .slaneyNorm(slaney(c, "norm", true))
                .melMajor(true);
        out.padding(padding(c, "constant", "reflect", "edge"));
        return plain("librosa", "librosa.feature.melspectrogram", out.build());
    }

    // openai/whisper's log_mel_spectrogram, as WhisperFeatureExtractor
    private static AudioPreset whisper(String name, int mels, ConfigNode c) {
        int rate = c.integer("sampling_rate", 16000);
        int fft = c.integer("n_fft", 400);
        off(c, "dither");
        off(c, "padding_value");
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(rate)
                .nFft(fft)
                .winLength(fft)
                .hop(c.integer("hop_length", 160))
                .dropLastFrame(true)
                .nMels(c.integer("feature_size", mels))
                .fMax(8000)
                .linspaceBins(true)
                .melScale(MelScale.SLANEY)
                .slaneyNorm(true)
                .log(LogKind.LOG10)
                .floor(1e-10)
                .clip(ClipRange.CLIP_MAX)
                .clipRange(8)
                .outScale(0.25)
                .outShift(1)
                .melMajor(true)
                .build();
        // The extractor itself computes n_samples from the other two.
        int chunk = seconds(c, "chunk_length", 30, rate);
        int samples = c.has("chunk_length") ? chunk : c.integer("n_samples", chunk);
        c.has("n_samples");
        if (samples < 1 || samples > AudioFrontEnd.MAX_SAMPLES) {
            throw c.bad("n_samples", "in [1, 2^28]");
        }
        boolean truncated = c.bool("truncation", true);
        boolean padded = c.choice("padding", "max_length", "max_length", "longest", "do_not_pad")
                .equals("max_length");
        if (padded && !truncated) {
            throw c.bad("truncation", "true with padding=max_length");
        }
        return builder(name, "openai/whisper log_mel_spectrogram", config)
                .fit(padded ? Fit.PAD : truncated ? Fit.CUT : Fit.NONE, samples)
                .build();
    }

    // torchaudio.compliance.kaldi.fbank
    private static AudioPreset kaldi(ConfigNode c, int rate) {
        double hz = c.number("sample_frequency", rate > 0 ? rate : 16000);
        if (hz != Math.rint(hz) || hz < 1 || hz > Integer.MAX_VALUE) {
            throw c.bad("sample_frequency", "a whole number of Hz");
        }
        off(c, "dither");
        refuse(c, "use_energy", false);
        if (c.number("vtln_warp", 1) != 1) {
            throw c.bad("vtln_warp", "1");
        }
        if (c.number("blackman_coeff", 0.42) != 0.42) {
            throw c.bad("blackman_coeff", "0.42");
        }
        double high = c.number("high_freq", 0);
        LogMelConfig base = kaldi(
                (int) hz, c.number("frame_length", 25), c.number("frame_shift", 10), c.integer("num_mel_bins", 23));
        LogMelConfig.Builder out = base.toBuilder()
                .nFft(c.bool("round_to_power_of_two", true) ? base.nFft() : base.winLength())
                .window(
                        switch (c.choice(
                                "window_type", "povey", "povey", "hanning", "hamming", "rectangular", "blackman")) {
                            case "hanning" -> Window.HANN;
                            case "hamming" -> Window.HAMMING;
                            case "rectangular" -> Window.RECTANGULAR;
                            case "blackman" -> Window.BLACKMAN;
                            default -> Window.POVEY;
                        })
                .padding(c.bool("snip_edges", true) ? Padding.NONE : Padding.KALDI_REFLECT)
                .removeDc(c.bool("remove_dc_offset", true))
                .preemphasis(c.number("preemphasis_coefficient", 0.97))
                .fMin(c.number("low_freq", 20))
                .fMax(high > 0 ? high : hz / 2 + high)
                .power(c.bool("use_power", true) ? 2 : 1)
                .log(c.bool("use_log_fbank", true) ? LogKind.LN : LogKind.NONE)
                .norm(c.bool("subtract_mean", false) ? FeatureNorm.PER_BIN_MEAN : FeatureNorm.NONE);
        // Known, but features have none of it without use_energy, a warp or more than one channel.
        for (String key : new String[] {
            "energy_floor", "raw_energy", "htk_compat", "min_duration", "channel", "vtln_low", "vtln_high"
        }) {
            c.raw(key);
        }
        LogMelConfig config = out.build();
        if (config.nFft() % 2 != 0) {
            throw c.bad("frame_length", "an even number of samples without round_to_power_of_two");
        }
        return plain("kaldi", "torchaudio.compliance.kaldi.fbank", config);
    }

    /** Kaldi's defaults: lengths in milliseconds, rounded down to samples as torchaudio does. */
    private static LogMelConfig kaldi(int rate, double length, double shift, int mels) {
        int win = samples(rate, length);
        return LogMelConfig.builder()
                .sampleRate(rate)
                .nFft(powerOfTwo(win))
                .winLength(win)
                .hop(samples(rate, shift))
                .window(Window.POVEY)
                .windowPeriodic(false)
                .windowCentred(false)
                .padding(Padding.NONE)
                .removeDc(true)
                .preemphasis(0.97)
                .nMels(mels)
                .fMin(20)
                .melScale(MelScale.KALDI)
                .log(LogKind.LN)
                .floor(KALDI_FLOOR)
                .build();
    }

    // ASTFeatureExtractor: kaldi.fbank with a Hann window, (x − mean)/(2·std)
    private static AudioPreset ast(ConfigNode c) {
        boolean normalise = c.bool("do_normalize", true);
        double mean = c.number("mean", -4.2677393);
        double std = 2 * c.number("std", 4.5689974);
        off(c, "padding_value");
        return ast(
                kaldi(c.integer("sampling_rate", 16000), 25, 10, c.integer("num_mel_bins", 128)),
                c.integer("max_length", 1024),
                normalise ? mean : 0,
                normalise ? std : 1);
    }

    private static AudioPreset ast(LogMelConfig kaldi, int frames, double mean, double deviation) {
        return builder(
                        "ast",
                        "transformers ASTFeatureExtractor",
                        normalised(kaldi, mean, deviation).build())
                .frames(frames, -mean / deviation)
                .build();
    }

    /** Kaldi features with a Hann window, then (x − mean)/deviation: AST and ImageBind. */
    private static LogMelConfig.Builder normalised(LogMelConfig kaldi, double mean, double deviation) {
        return kaldi.toBuilder().window(Window.HANN).outScale(1 / deviation).outShift(-mean / deviation);
    }

    // ImageBind's load_and_transform_audio_data
    private static AudioPreset imagebind(ConfigNode c) {
        int rate = c.integer("sample_rate", 16000);
        double mean = c.number("mean", -4.268);
        double std = c.number("std", 9.138);
        double clip = c.number("clip_duration", 2) * rate;
        int clips = c.integer("clips_per_video", 3);
        if (!(clip >= 1 && clip <= 1 << 28) || clips < 1 || clips > 1024) {
            throw c.bad("clips_per_video", "in [1, 1024], of clips with samples");
        }
        LogMelConfig config = normalised(kaldi(rate, 25, 10, c.integer("num_mel_bins", 128)), mean, std)
                .melMajor(true)
                .build();
        return builder("imagebind", "ImageBind load_and_transform_audio_data", config)
                .clips(clips, (int) clip)
                .frames(c.integer("target_length", 204), -mean / std)
                .copies(1)
                .build();
    }

    // ClapFeatureExtractor
    private static AudioPreset clap(ConfigNode c) {
        boolean fusion =
                c.choice("truncation", "rand_trunc", "rand_trunc", "fusion").equals("fusion");
        Fit fit = switch (c.choice("padding", "repeatpad", "repeatpad", "repeat", "pad")) {
            case "repeat" -> Fit.REPEAT;
            case "pad" -> Fit.PAD;
            default -> Fit.REPEAT_PAD;
        };
        int rate = c.integer("sampling_rate", 48000);
        int fft = c.integer("fft_window_size", 1024);
        off(c, "padding_value");
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(rate)
                .nFft(fft)
                .winLength(fft)
                .hop(c.integer("hop_length", 480))
                .nMels(c.integer("feature_size", 64))
                .fMin(c.number("frequency_min", 0))
                .fMax(c.number("frequency_max", 14000))
                .linspaceBins(true)
                .melScale(fusion ? MelScale.HTK : MelScale.SLANEY)
                .slaneyNorm(!fusion)
                .log(LogKind.DECIBEL)
                .floor(1e-10)
                .build();
        int most = seconds(c, "max_length_s", 10, rate);
        int samples = c.has("max_length_s") ? most : c.integer("nb_max_samples", most);
        c.has("nb_max_samples");
        if (samples < 1 || samples > AudioFrontEnd.MAX_SAMPLES) {
            throw c.bad("nb_max_samples", "in [1, 2^28]");
        }
        return builder("clap", "transformers ClapFeatureExtractor", config)
                .fit(fit, samples)
                .copies(fusion ? 4 : 1)
                .build();
    }

    // SeamlessM4TFeatureExtractor: frames of 400 and 160 samples whatever the rate
    private static AudioPreset seamless(ConfigNode c) {
        LogMelConfig config = kaldi(16000, 25, 10, c.integer("num_mel_bins", 80)).toBuilder()
                .sampleRate(c.integer("sampling_rate", 16000))
                .inputScale(INT16)
                .norm(FeatureNorm.PER_BIN)
                .normDdof(1)
                .normEpsOnVar(true)
                .normEps(1e-7)
                .build();
        int stride = c.integer("stride", 2);
        int multiple = c.integer("pad_to_multiple_of", 2);
        if (stride < 1 || multiple < 1 || stride > 1 << 10 || multiple > 1 << 10) {
            throw c.bad("stride", "in [1, 1024], as pad_to_multiple_of");
        }
        return builder("seamless-m4t", "transformers SeamlessM4TFeatureExtractor", config)
                .stack(multiple, c.number("padding_value", 0), stride)
                .build();
    }

    // Speech2TextFeatureExtractor
    private static AudioPreset speech2text(ConfigNode c) {
        off(c, "dither");
        boolean any = c.bool("do_ceptral_normalize", true);
        boolean means = c.bool("normalize_means", true) && any;
        boolean vars = c.bool("normalize_vars", true) && any;
        FeatureNorm norm = means
                ? vars ? FeatureNorm.PER_BIN : FeatureNorm.PER_BIN_MEAN
                : vars ? FeatureNorm.PER_BIN_STD : FeatureNorm.NONE;
        return plain(
                "speech2text",
                "transformers Speech2TextFeatureExtractor",
                kaldi(c.integer("sampling_rate", 16000), 25, 10, c.integer("num_mel_bins", 80)).toBuilder()
                        .inputScale(INT16)
                        .norm(norm)
                        .build());
    }

    // Phi4MultimodalFeatureExtractor
    private static AudioPreset phi(ConfigNode c) {
        off(c, "padding_value");
        return plain(
                "phi-4-mm",
                "transformers Phi4MultimodalFeatureExtractor",
                kaldi(16000, 25, 10, c.integer("feature_size", 80)).toBuilder()
                        .sampleRate(c.integer("sampling_rate", 16000))
                        .nFft(c.integer("n_fft", 512))
                        .winLength(c.integer("win_length", 400))
                        .hop(c.integer("hop_length", 160))
                        .window(Window.HAMMING)
                        .removeDc(false)
                        .preemphasis(c.number("preemphasis", 0.97))
                        .inputScale(INT16)
                        .fMin(c.number("mel_min_frequency", 0))
                        .fMax(c.number("mel_max_frequency", 7690))
                        .floor(1)
                        .build());
    }

    // Gemma3nAudioFeatureExtractor
    private static AudioPreset gemma(ConfigNode c) {
        off(c, "dither");
        off(c, "padding_value");
        refuse(c, "preemphasis_htk_flavor", true);
        for (String key : new String[] {"per_bin_mean", "per_bin_stddev"}) {
            if (c.has(key)) {
                throw c.bad(key, "null");
            }
        }
        int rate = c.integer("sampling_rate", 16000);
        int frame = (int) Math.rint(rate * c.number("frame_length_ms", 32) / 1000);
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(rate)
                .nFft(powerOfTwo(frame) * (c.bool("fft_overdrive", true) ? 2 : 1))
                .winLength(frame)
                .hop((int) Math.rint(rate * c.number("hop_length_ms", 10) / 1000))
                .frameSpan(frame + 1)
                .windowCentred(false)
                .padding(Padding.NONE)
                .inputScale(c.number("input_scale_factor", 1))
                .preemphasis(c.number("preemphasis", 0.97))
                .power(1)
                .nMels(c.integer("feature_size", 128))
                .fMin(c.number("min_frequency", 125))
                .fMax(c.number("max_frequency", 7600))
                .log(LogKind.LN)
                .floor(c.number("mel_floor", 1e-5))
                .build();
        int most = c.integer("max_length", 480000);
        int multiple = c.integer("pad_to_multiple_of", 128);
        if (most < 1 || multiple < 1 || multiple > 1 << 20) {
            throw c.bad("max_length", "at least 1, as pad_to_multiple_of");
        }
        return builder("gemma-3n", "transformers Gemma3nAudioFeatureExtractor", config)
                .fit(Fit.MULTIPLE, most)
                .multiple(multiple)
                .build();
    }

    // ParakeetFeatureExtractor (NeMo)
    private static AudioPreset parakeet(ConfigNode c) {
        off(c, "padding_value");
        double preemphasis = c.isNull("preemphasis") ? 0 : c.number("preemphasis", 0.97);
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(c.integer("sampling_rate", 16000))
                .nFft(c.integer("n_fft", 512))
                .winLength(c.integer("win_length", 400))
                .hop(c.integer("hop_length", 160))
                .windowPeriodic(false)
                .padding(Padding.ZERO)
                .dropLastFrame(true)
                .preemphasis(preemphasis)
                .preemphasisSignal(true)
                .nMels(c.integer("feature_size", 80))
                .melScale(MelScale.SLANEY)
                .slaneyNorm(true)
                .log(LogKind.LN)
                .floorKind(LogFloor.ADD)
                .floor(0x1p-24)
                .norm(FeatureNorm.PER_BIN)
                .normDdof(1)
                .normEps(1e-5)
                .build();
        return builder("parakeet", "transformers ParakeetFeatureExtractor", config)
                .zeroFrames(1)
                .build();
    }

    // openWakeWord's melspectrogram.onnx and the x/10 + 2 behind it
    private static AudioPreset openWakeWord() {
        return plain(
                "openwakeword",
                "openWakeWord melspectrogram.onnx",
                LogMelConfig.builder()
                        .sampleRate(16000)
                        .nFft(512)
                        .winLength(400)
                        .hop(160)
                        .padding(Padding.NONE)
                        .inputScale(INT16)
                        .nMels(32)
                        .fMin(60)
                        .fMax(3800)
                        .melScale(MelScale.SLANEY)
                        .slaneyNorm(true)
                        .log(LogKind.DECIBEL)
                        .floor(1e-10)
                        .clip(ClipRange.CLIP_MAX)
                        .clipRange(80)
                        .outScale(0.1)
                        .outShift(2)
                        .build());
    }

    /** Samples of whole seconds. */
    private static int seconds(ConfigNode c, String key, int absent, int rate) {
        long samples = (long) c.integer(key, absent) * rate;
        if (samples < 1 || samples > AudioFrontEnd.MAX_SAMPLES) {
            throw c.bad(key, "1 to 2^28 samples long");
        }
        return (int) samples;
    }

    private static int samples(int rate, double millis) {
        double count = rate * millis * 0.001;
        if (!(count >= 1 && count <= 1 << 30)) {
            throw Errors.weights("a frame of " + millis + " ms at " + rate + " Hz has no samples, or too many");
        }
        return (int) count;
    }

    private static int powerOfTwo(int n) {
        return n <= 1 ? 1 : Integer.highestOneBit(n - 1) << 1;
    }

    private static Window window(ConfigNode c, String key, String absent) {
        return switch (c.choice(
                key,
                absent,
                "hann",
                "hann_window",
                "hamming",
                "hamming_window",
                "blackman",
                "blackman_window",
                "boxcar",
                "ones")) {
            case "hamming", "hamming_window" -> Window.HAMMING;
            case "blackman", "blackman_window" -> Window.BLACKMAN;
            case "boxcar", "ones" -> Window.RECTANGULAR;
            default -> Window.HANN;
        };
    }

    /** {@code center} and {@code pad_mode}. */
    private static Padding padding(ConfigNode c, String absent, String... others) {
        String[] known = {absent, others[0], others[1]};
        Padding padding = switch (c.choice("pad_mode", absent, known)) {
            case "constant" -> Padding.ZERO;
            case "reflect" -> Padding.REFLECT;
            default -> Padding.EDGE;
        };
        return c.bool("center", true) ? padding : Padding.NONE;
    }

    private static MelScale scale(ConfigNode c, String key, String absent) {
        return c.choice(key, absent, "htk", "slaney").equals("htk") ? MelScale.HTK : MelScale.SLANEY;
    }

    /** An explicit null is Python's None, which may not be the default. */
    private static boolean slaney(ConfigNode c, String key, boolean absent) {
        return !c.isNull(key)
                && c.choice(key, absent ? "slaney" : "none", "none", "slaney").equals("slaney");
    }

    /** A parameter that has to be 0. */
    private static void off(ConfigNode c, String key) {
        if (c.number(key, 0) != 0) {
            throw c.bad(key, "0");
        }
    }

    private static void refuse(ConfigNode c, String key, boolean only) {
        if (c.bool(key, only) != only) {
            throw c.bad(key, String.valueOf(only));
        }
    }

    /** Sum of the squares of the window. */
    private static double squares(LogMelConfig config) {
        double sum = 0;
        for (int i = 0; i < config.winLength(); i++) {
            double turn = config.winLength() == 1 ? Math.PI : 2 * Math.PI * i / config.winLength();
            double w = switch (config.window()) {
                case HANN -> 0.5 - 0.5 * Math.cos(turn);
                case HAMMING -> 0.54 - 0.46 * Math.cos(turn);
                case BLACKMAN -> 0.42 - 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
                default -> 1;
            };
            sum += w * w;
        }
        return sum;
    }
}
