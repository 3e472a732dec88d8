package io.sensorium.models;

import static io.sensorium.models.AudioPreset.Fit;
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
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The published audio front ends by name. Every row was read from its reference implementation; which of them are
 * checked against its numbers is told by tests/golden.
 */
public final class LogMelPresets {
    private static final double INT16 = 32768;
    private static final double KALDI_FLOOR = 1.1920928955078125e-7; // float32 epsilon
    private static final double AST_MEAN = -4.2677393;
    private static final double AST_STD = 4.5689974;
    private static final double IMAGEBIND_MEAN = -4.268;
    private static final double IMAGEBIND_STD = 9.138;

    private static final Map<String, AudioPreset> PRESETS = new LinkedHashMap<>();

    static {
        put(plain("torchaudio", "torchaudio.transforms.MelSpectrogram", torchaudio()));
        put(plain("librosa", "librosa.feature.melspectrogram", librosa()));
        put(whisper("whisper-80", 80));
        put(whisper("whisper-128", 128));
        put(plain("kaldi", "torchaudio.compliance.kaldi.fbank", kaldi(23).build()));
        put(ast("ast", 128, 1024, AST_MEAN, 2 * AST_STD));
        put(plain(
                        "imagebind",
                        "ImageBind load_and_transform_audio_data",
                        normalised(128, IMAGEBIND_MEAN, IMAGEBIND_STD)
                                .melMajor(true)
                                .build())
                .clips(3, 32000)
                .frames(204, -IMAGEBIND_MEAN / IMAGEBIND_STD)
                .layout(1, 1));
        put(clap("clap", false));
        put(clap("clap-fusion", true));
        put(plain(
                        "seamless",
                        "transformers SeamlessM4TFeatureExtractor",
                        kaldi(80)
                                .inputScale(INT16)
                                .norm(FeatureNorm.PER_BIN)
                                .normDdof(1)
                                .normEpsOnVar(true)
                                .normEps(1e-7)
                                .build())
                .layout(2, 0));
        put(plain(
                "speech2text",
                "transformers Speech2TextFeatureExtractor",
                kaldi(80).inputScale(INT16).norm(FeatureNorm.PER_BIN).build()));
        put(plain(
                "phi4mm",
                "transformers Phi4MultimodalFeatureExtractor",
                kaldi(80)
                        .window(Window.HAMMING)
                        .removeDc(false)
                        .inputScale(INT16)
                        .fMin(0)
                        .fMax(7690)
                        .floor(1)
                        .build()));
        put(plain(
                        "gemma3n",
                        "transformers Gemma3nAudioFeatureExtractor",
                        LogMelConfig.builder()
                                .sampleRate(16000)
                                .nFft(1024)
                                .winLength(512)
                                .hop(160)
                                .frameSpan(513)
                                .windowCentred(false)
                                .padding(Padding.NONE)
                                .preemphasis(0.97)
                                .power(1)
                                .nMels(128)
                                .fMin(125)
                                .fMax(7600)
                                .log(LogKind.LN)
                                .floor(1e-5)
                                .build())
                .fit(Fit.MULTIPLE, 480000, 128));
        put(plain(
                        "parakeet",
                        "transformers ParakeetFeatureExtractor",
                        LogMelConfig.builder()
                                .sampleRate(16000)
                                .nFft(512)
                                .winLength(400)
                                .hop(160)
                                .windowPeriodic(false)
                                .padding(Padding.ZERO)
                                .dropLastFrame(true)
                                .preemphasis(0.97)
                                .preemphasisSignal(true)
                                .nMels(80)
                                .melScale(MelScale.SLANEY)
                                .slaneyNorm(true)
                                .log(LogKind.LN)
                                .floorKind(LogFloor.ADD)
                                .floor(0x1p-24)
                                .norm(FeatureNorm.PER_BIN)
                                .normDdof(1)
                                .normEps(1e-5)
                                .build())
                .zeroFrames(1));
        put(plain(
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
                        .build()));
    }

    private LogMelPresets() {}

    /** All presets by name, in the order of the documentation. */
    public static Map<String, AudioPreset> all() {
        return Collections.unmodifiableMap(PRESETS);
    }

    /** The preset of that name; an unknown one is an IllegalArgumentException that lists them. */
    public static AudioPreset get(String name) {
        AudioPreset preset = PRESETS.get(name);
        if (preset == null) {
            throw new IllegalArgumentException(
                    "no preset '" + name + "'; there are " + String.join(", ", PRESETS.keySet()));
        }
        return preset;
    }

    /**
     * A preset with what a published {@code preprocessor_config.json} (or the arguments of torchaudio's and librosa's
     * functions) changes.
     *
     * @param sampleRate of the signal; only torchaudio and librosa follow it, the others have their own
     * @throws io.sensorium.InvalidWeightsException when the configuration asks for something that is not there
     */
    public static AudioPreset configured(String name, JsonNode json, int sampleRate) {
        AudioPreset preset = get(name);
        ConfigNode config = new ConfigNode("preprocessor configuration", json);
        return switch (name) {
            case "torchaudio" -> {
                int fft = config.integer("n_fft", 400);
                int window = config.integer("win_length", fft);
                yield preset.with(torchaudio().toBuilder()
                        .sampleRate(config.integer("sample_rate", sampleRate))
                        .nFft(fft)
                        .winLength(window)
                        .hop(config.integer("hop_length", window / 2))
                        .nMels(config.integer("n_mels", 128))
                        .fMin(config.number("f_min", 0))
                        .fMax(config.number("f_max", 0))
                        .power(config.number("power", 2))
                        .melScale(
                                config.choice("mel_scale", "htk", "htk", "slaney")
                                                .equals("htk")
                                        ? MelScale.HTK
                                        : MelScale.SLANEY)
                        .slaneyNorm(
                                config.choice("norm", "none", "none", "slaney").equals("slaney"))
                        .build());
            }
            case "librosa" -> {
                int fft = config.integer("n_fft", 2048);
                yield preset.with(librosa().toBuilder()
                        .sampleRate(config.integer("sr", sampleRate))
                        .nFft(fft)
                        .winLength(config.integer("win_length", fft))
                        .hop(config.integer("hop_length", 512))
                        .nMels(config.integer("n_mels", 128))
                        .fMin(config.number("fmin", 0))
                        .fMax(config.number("fmax", 0))
                        .power(config.number("power", 2))
                        .build());
            }
            case "whisper-80", "whisper-128" -> {
                int rate = config.integer("sampling_rate", 16000);
                yield preset.with(preset.logMel().toBuilder()
                                .sampleRate(rate)
                                .nMels(config.integer(
                                        "feature_size", preset.logMel().nMels()))
                                .nFft(config.integer("n_fft", 400))
                                .winLength(config.integer("n_fft", 400))
                                .hop(config.integer("hop_length", 160))
                                .build())
                        .fit(
                                Fit.PAD,
                                config.integer(
                                        "n_samples", Math.multiplyExact(config.integer("chunk_length", 30), rate)),
                                1);
            }
            case "ast" -> {
                boolean normalise = config.bool("do_normalize", true);
                AudioPreset ast = ast(
                        "ast",
                        config.integer("num_mel_bins", 128),
                        config.integer("max_length", 1024),
                        normalise ? config.number("mean", AST_MEAN) : 0,
                        normalise ? 2 * config.number("std", AST_STD) : 1);
                yield ast.with(ast.logMel().toBuilder()
                        .sampleRate(config.integer("sampling_rate", 16000))
                        .build());
            }
            case "clap", "clap-fusion" -> {
                AudioPreset clap = clap(
                        name,
                        config.choice(
                                        "truncation",
                                        name.equals("clap-fusion") ? "fusion" : "rand_trunc",
                                        "rand_trunc",
                                        "fusion")
                                .equals("fusion"));
                Fit fit = switch (config.choice("padding", "repeatpad", "repeatpad", "repeat", "pad")) {
                    case "repeat" -> Fit.REPEAT;
                    case "pad" -> Fit.PAD;
                    default -> Fit.REPEAT_PAD;
                };
                int rate = config.integer("sampling_rate", 48000);
                yield clap.with(clap.logMel().toBuilder()
                                .sampleRate(rate)
                                .nMels(config.integer("feature_size", 64))
                                .nFft(config.integer("fft_window_size", 1024))
                                .winLength(config.integer("fft_window_size", 1024))
                                .hop(config.integer("hop_length", 480))
                                .fMin(config.number("frequency_min", 0))
                                .fMax(config.number("frequency_max", 14000))
                                .build())
                        .fit(fit, Math.multiplyExact(config.integer("max_length_s", 10), rate), 1);
            }
            case "speech2text" -> {
                boolean both = config.bool("do_ceptral_normalize", true);
                if (both && !(config.bool("normalize_means", true) && config.bool("normalize_vars", true))) {
                    throw Errors.weights(
                            "preprocessor configuration: only normalize_means together with normalize_vars is supported");
                }
                yield preset.with(kaldi(config.integer("num_mel_bins", 80))
                        .sampleRate(config.integer("sampling_rate", 16000))
                        .inputScale(INT16)
                        .norm(both ? FeatureNorm.PER_BIN : FeatureNorm.NONE)
                        .build());
            }
            default -> preset;
        };
    }

    /** The preset for a {@code feature_extractor_type} of transformers, or null. */
    static String forExtractor(String type, JsonNode config) {
        return switch (type) {
            case "WhisperFeatureExtractor" ->
                config.path("feature_size").asInt(80) == 128 ? "whisper-128" : "whisper-80";
            case "ASTFeatureExtractor" -> "ast";
            case "ClapFeatureExtractor" -> "clap";
            case "SeamlessM4TFeatureExtractor" -> "seamless";
            case "Speech2TextFeatureExtractor" -> "speech2text";
            case "Phi4MultimodalFeatureExtractor" -> "phi4mm";
            case "Gemma3nAudioFeatureExtractor" -> "gemma3n";
            case "ParakeetFeatureExtractor" -> "parakeet";
            default -> null;
        };
    }

    private static void put(AudioPreset preset) {
        PRESETS.put(preset.name(), preset);
    }

    private static LogMelConfig torchaudio() {
        return LogMelConfig.builder()
                .sampleRate(16000)
                .nFft(400)
                .winLength(400)
                .hop(200)
                .nMels(128)
                .melMajor(true)
                .build();
    }

    private static LogMelConfig librosa() {
        return LogMelConfig.builder()
                .sampleRate(22050)
                .nFft(2048)
                .winLength(2048)
                .hop(512)
                .padding(Padding.ZERO)
                .nMels(128)
                .melScale(MelScale.SLANEY)
                .slaneyNorm(true)
                .melMajor(true)
                .build();
    }

    private static AudioPreset whisper(String name, int mels) {
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(16000)
                .nFft(400)
                .winLength(400)
                .hop(160)
                .dropLastFrame(true)
                .nMels(mels)
                .fMax(8000)
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
        return plain(name, "openai/whisper log_mel_spectrogram", config).fit(Fit.PAD, 480000, 1);
    }

    private static LogMelConfig.Builder kaldi(int mels) {
        return LogMelConfig.builder()
                .sampleRate(16000)
                .nFft(512)
                .winLength(400)
                .hop(160)
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
                .floor(KALDI_FLOOR);
    }

    /** Kaldi features with a Hann window, then (x − mean)/deviation: AST and ImageBind. */
    private static LogMelConfig.Builder normalised(int mels, double mean, double deviation) {
        return kaldi(mels).window(Window.HANN).outScale(1 / deviation).outShift(-mean / deviation);
    }

    static AudioPreset ast(String name, int mels, int frames, double mean, double deviation) {
        return plain(
                        name,
                        "transformers ASTFeatureExtractor",
                        normalised(mels, mean, deviation).build())
                .frames(frames, -mean / deviation);
    }

    private static AudioPreset clap(String name, boolean fusion) {
        LogMelConfig config = LogMelConfig.builder()
                .sampleRate(48000)
                .nFft(1024)
                .winLength(1024)
                .hop(480)
                .nMels(64)
                .fMax(14000)
                .melScale(fusion ? MelScale.HTK : MelScale.SLANEY)
                .slaneyNorm(!fusion)
                .log(LogKind.DECIBEL)
                .floor(1e-10)
                .build();
        return plain(name, "transformers ClapFeatureExtractor", config)
                .fit(Fit.REPEAT_PAD, 480000, 1)
                .layout(1, fusion ? 4 : 1);
    }
}
