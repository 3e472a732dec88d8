#!/usr/bin/env python3
"""Golden cases of the audio front ends, computed by their public implementations.

    generate_audio.py OUT          the small cases that tests/golden holds
    generate_audio.py OUT --all    every preset on short, odd, long and whole clips
    sensorium check --golden OUT   compares this project with them

References: the feature extractors of transformers 5.18 (numpy 2.4, torch 2.13, librosa 0.11); for ImageBind and
openWakeWord, whose code needs other packages, their formulas in numpy float64 below. A case's sound is `count` samples
from `offset` of a file in samples/, or the tensor `waveform48k`. `features` holds the first frames of what the
reference gives; `shape` in case.json is the whole, `valid` the frames that its mask marks as sound.
"""

import argparse
import json
import pathlib
import wave

import numpy as np
from safetensors.numpy import save_file

SPEECH = "sense_and_sensibility_01_austen_64kb-0870.wav"
SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"


def speech():
    with wave.open(str(SAMPLES / SPEECH)) as f:
        assert (f.getframerate(), f.getnchannels(), f.getsampwidth()) == (16000, 1, 2)
        return np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768


def extractor(name, **options):
    import transformers

    return getattr(transformers, name)(**options)


def first(x):
    return np.asarray(x[0], dtype=np.float32)


def whisper(mels):
    def run(x):
        out = extractor("WhisperFeatureExtractor", feature_size=mels)(
            x, sampling_rate=16000, return_tensors="np", return_attention_mask=True
        )
        return first(out["input_features"]), 1, min(len(x) // 160, 3000)

    return run


def ast(x):
    return first(extractor("ASTFeatureExtractor")(x, sampling_rate=16000, return_tensors="np")["input_values"]), 0, None


def speech2text(x):
    out = extractor("Speech2TextFeatureExtractor")(x, sampling_rate=16000, return_tensors="np")
    return first(out["input_features"]), 0, None


def seamless(x):
    out = extractor("SeamlessM4TFeatureExtractor")(x, sampling_rate=16000, return_tensors="np")
    return first(out["input_features"]), 0, int(np.sum(out["attention_mask"][0]))


def clap(truncation):
    def run(x):
        out = extractor("ClapFeatureExtractor", truncation=truncation)(x, sampling_rate=48000, return_tensors="np")
        return first(out["input_features"]), 1, None

    return run


def phi4mm(x):
    out = extractor("Phi4MultimodalFeatureExtractor")(x, sampling_rate=16000, return_tensors="pt")
    return first(out["audio_input_features"].numpy()), 0, None


def gemma3n(x):
    out = extractor("Gemma3nAudioFeatureExtractor")(x, return_tensors="np")
    return first(out["input_features"]), 0, int(np.sum(out["input_features_mask"][0]))


def parakeet(x):
    out = extractor("ParakeetFeatureExtractor")(x, sampling_rate=16000, return_tensors="pt")
    return first(out["input_features"].numpy()), 0, int(out["attention_mask"][0].sum())


def triangles(mel, corners, bins, rate, n_fft, in_mels):
    hz = np.arange(bins) * rate / n_fft
    f = mel(hz) if in_mels else hz
    c = corners
    up = (f[None] - c[:-2, None]) / (c[1:-1] - c[:-2])[:, None]
    down = (c[2:, None] - f[None]) / (c[2:] - c[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down))


def kaldi_fbank(x, mels):
    """Kaldi's filterbank with a Hann window, as torchaudio.compliance.kaldi.fbank states it."""
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), 400)[::160]
    frames = frames - frames.mean(1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    frames = frames * np.hanning(400)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2

    def mel(f):
        return 1127.0 * np.log(1 + f / 700.0)

    bank = triangles(mel, np.linspace(mel(20.0), mel(8000.0), mels + 2), 257, 16000, 512, True)
    bank[:, 256] = 0
    return np.log(np.maximum(power @ bank.T, 1.1920928955078125e-7))


def imagebind(x):
    """load_and_transform_audio_data: three evenly spaced clips of 2 s, 204 frames each, then (x + 4.268)/9.138."""
    clips = []
    for i in range(3):
        start = max(len(x) - 32000, 0) * i // 2
        clip = x[start : start + 32000].astype(np.float64)
        fbank = kaldi_fbank(clip - clip.mean(), 128).T
        fbank = np.pad(fbank, ((0, 0), (0, max(0, 204 - fbank.shape[1]))))[:, :204]
        clips.append((fbank[None] + 4.268) / 9.138)
    return np.stack(clips), 3, None


def openwakeword(x):
    """melspectrogram.onnx and the (x/10 + 2) that follows it."""
    window = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400), 56)
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64) * 32768, 512)[::160]
    power = np.abs(np.fft.rfft(frames * window)) ** 2

    def mel(f):
        f = np.asarray(f, np.float64)
        return np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1e-9) / 1000) * 27 / np.log(6.4))

    def hz(m):
        return np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))

    corners = hz(np.linspace(mel(60.0), mel(3800.0), 34))
    bank = triangles(mel, corners, 257, 16000, 512, False) * (2 / (corners[2:] - corners[:-2]))[:, None]
    db = 10 * np.log10(np.maximum(power @ bank.T, 1e-10))
    return np.maximum(db, db.max() - 80) / 10 + 2, 0, None


# case: (reference, function, least samples); a case is its preset, but for clap-fusion
PRESETS = {
    "whisper-80": ("transformers WhisperFeatureExtractor", whisper(80), 1),
    "whisper-128": ("transformers WhisperFeatureExtractor", whisper(128), 1),
    "ast": ("transformers ASTFeatureExtractor", ast, 400),
    "speech2text": ("transformers Speech2TextFeatureExtractor", speech2text, 720),
    "seamless-m4t": ("transformers SeamlessM4TFeatureExtractor", seamless, 720),
    "clap": ("transformers ClapFeatureExtractor, rand_trunc", clap("rand_trunc"), 1),
    "clap-fusion": ("transformers ClapFeatureExtractor, fusion", clap("fusion"), 1),
    "phi-4-mm": ("transformers Phi4MultimodalFeatureExtractor", phi4mm, 400),
    "gemma-3n": ("transformers Gemma3nAudioFeatureExtractor", gemma3n, 600),
    "parakeet": ("transformers ParakeetFeatureExtractor", parakeet, 480),
    "imagebind": ("formulas of ImageBind, float64", imagebind, 400),
    "openwakeword": ("formulas of openWakeWord, float64", openwakeword, 512),
}
LENGTHS = [400, 401, 513, 721, 1600, 8123, 16000, 16001, 48017, 113600]


def write(out, preset, offset, count, frames):
    reference, run, least = PRESETS[preset]
    if count < least:
        return
    x = speech()[offset : offset + count]
    tensors = {}
    if preset.startswith("clap"):
        x = np.repeat(x, 3)[: min(3 * len(x), 480000)]  # crude, but sound all the same
        x = (0.5 * x + 0.5 * np.roll(x, 1)).astype(np.float32)
        tensors["waveform48k"] = x
    features, axis, valid = run(x)
    case = {
        "kind": "audio-features",
        "preset": "clap" if preset.startswith("clap") else preset,
        "reference": reference,
        "sample_rate": 48000 if tensors else 16000,
        "shape": list(features.shape),
    }
    if not tensors:
        case.update(input=SPEECH, offset=offset, count=count)
    if valid is not None:
        case["valid"] = valid
    if frames and features.shape[axis] > frames:
        case["axis"] = axis
        features = np.take(features, np.arange(frames), axis)
    tensors["features"] = np.ascontiguousarray(features)
    folder = out / f"audio-{preset}-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text(json.dumps(case, indent=1) + "\n")
    if preset == "clap-fusion":
        (folder / "config.json").write_text(json.dumps({"truncation": "fusion"}, indent=1) + "\n")
    save_file(tensors, str(folder / "expected.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    for preset in PRESETS:
        if arguments.all:
            for count in LENGTHS:
                write(arguments.out, preset, 0, count, 0)
        else:
            # Where somebody speaks; an odd length; of padding only the first frames.
            write(arguments.out, preset, 20000, 3333 if preset.startswith("clap") else 8123, 60)


if __name__ == "__main__":
    main()
