#!/usr/bin/env python3
"""Golden cases of parameters that published files rarely set, on small inputs of a fixed seed.

    generate_variants.py OUT

References: Pillow and torchaudio (checked with Debian's 9.4 and 0.13: their rules for these have not changed), and for
what stands around them numpy restatements of transformers' PIL processors and of librosa.
"""

import json
import math
import pathlib
import struct
import sys

import numpy as np
import torch
import torchaudio
import torchaudio.compliance.kaldi as kaldi
from PIL import Image, ImageOps

RANDOM = np.random.default_rng(20261125)
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
HALF = ([0.5] * 3, [0.5] * 3)
TYPES = {"float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "uint8": "U8"}


def save(folder, tensors):
    header, payload = {}, b""
    for name, value in sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize):
        data = np.ascontiguousarray(value).tobytes()
        header[name] = {
            "dtype": TYPES[str(value.dtype)],
            "shape": list(value.shape),
            "data_offsets": [len(payload), len(payload) + len(data)],
        }
        payload += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "expected.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + payload)


def write(folder, case, config, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text(json.dumps(case, indent=1) + "\n")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save(folder, tensors)


# ---- pictures --------------------------------------------------------------------------------------------------------


def noise(width, height, channels=3):
    """Smooth in places, black and white in others."""
    x = RANDOM.integers(0, 256, (height, width, channels), dtype=np.uint8)
    x[: height // 2] = x[: height // 2] // 128 * 255
    return x if channels > 1 else x[:, :, 0]


def centre_crop(image, height, width):
    have_h, have_w = image.shape[1:]
    out = np.zeros((3, height, width), image.dtype)
    top, left = max(0, (have_h - height) // 2), max(0, (have_w - width) // 2)
    down, right = max(0, math.ceil((height - have_h) / 2)), max(0, math.ceil((width - have_w) / 2))
    part = image[:, top : top + height, left : left + width]
    out[:, down : down + part.shape[1], right : right + part.shape[2]] = part
    return out


def finish(image, config):
    mean, std = config["image_mean"], config["image_std"]
    if config.get("do_rescale", True):
        image = (image.astype(np.float64) * config.get("rescale_factor", 1 / 255)).astype(np.float32)
    if config.get("do_normalize", True):
        image = image.astype(np.float32)
        image = ((image.T - np.array(mean, np.float32)) / np.array(std, np.float32)).T
    return image


def pixels(out, name, file, save_picture, size, config, stats=HALF, turned=False):
    """`size` is (height, width) that the configuration's rule comes to, computed by hand."""
    folder = out / f"image-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    save_picture(folder / file)
    config = {"image_mean": stats[0], "image_std": stats[1], **config}
    picture = Image.open(folder / file)
    picture = (ImageOps.exif_transpose(picture) if turned else picture).convert("RGB")
    if config.get("do_resize", True):
        picture = picture.resize((size[1], size[0]), resample=config["resample"])
    image = np.array(picture).transpose(2, 0, 1)
    if config.get("do_center_crop", False):
        image = centre_crop(image, config["crop_size"]["height"], config["crop_size"]["width"])
    case = {"kind": "image-preprocess", "reference": f"Pillow {Image.__version__}, numpy", "input": file}
    write(folder, case, config, {"pixel_values": finish(image, config)[None]})


def pictures(out):
    def png(array, **how):
        return lambda path: Image.fromarray(array).save(path, **how)

    vit, clip = {"image_processor_type": "ViTImageProcessor"}, {"image_processor_type": "CLIPImageProcessor"}
    pixels(out, "vit-box", "rgb.png", png(noise(50, 37)), (20, 31), {**vit, "resample": 4, "size": {"height": 20, "width": 31}})
    pixels(out, "vit-hamming", "rgb.png", png(noise(19, 44)), (23, 30), {**vit, "resample": 5, "size": {"height": 23, "width": 30}})
    pixels(out, "vit-nearest", "palette.png", lambda path: Image.fromarray(noise(50, 37)).quantize(16).save(path, bits=4, transparency=3), (20, 61), {**vit, "resample": 0, "size": {"height": 20, "width": 61}})
    grey = np.clip(RANDOM.integers(0, 600, (21, 33)), 0, 65535).astype(np.uint16)
    pixels(out, "vit-grey16", "grey16.png", png(grey), (30, 17), {**vit, "resample": 1, "size": {"height": 30, "width": 17}})
    pixels(out, "vit-longest", "rgb.png", png(noise(48, 9)), (4, 20), {**vit, "resample": 2, "size": {"shortest_edge": 16, "longest_edge": 20}})
    pixels(out, "vit-most", "rgb.png", png(noise(30, 45)), (27, 18), {**vit, "resample": 3, "size": {"max_height": 27, "max_width": 40}})
    pixels(out, "clip-black", "rgba.png", png(noise(30, 45, 4)), (30, 20), {**clip, "resample": 3, "size": {"shortest_edge": 20}, "crop_size": {"height": 25, "width": 33}, "do_center_crop": True}, CLIP)
    pixels(out, "clip-bytes", "grey.png", png(noise(30, 45, 1)), (30, 20), {**clip, "resample": 3, "size": {"shortest_edge": 20}, "crop_size": {"height": 20, "width": 20}, "do_center_crop": True, "do_rescale": False, "do_normalize": False}, CLIP)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = np.array(Image.fromarray(noise(12, 8)).resize((48, 32), resample=3))
    pixels(out, "vit-turned", "turned.jpg", png(photo, quality=95, exif=exif), (20, 16), {**vit, "resample": 2, "size": {"height": 20, "width": 16}, "exif_transpose": True}, turned=True)


# ---- sounds ----------------------------------------------------------------------------------------------------------


def sound(count, rate):
    t = np.arange(count) / rate
    x = 0.3 * np.sin(2 * np.pi * 220 * t * (1 + np.sin(9 * t) / 10)) + 0.1 * np.sin(2 * np.pi * 1900 * t)
    return (x + 0.02 * RANDOM.standard_normal(count)).astype(np.float32)


def audio(out, name, preset, rate, x, config, features, reference):
    case = {"kind": "audio-features", "preset": preset, "reference": reference, "sample_rate": rate}
    write(out / f"audio-{name}", case, config, {"waveform": x, "features": features})


def librosa(x, rate, n_fft, hop_length, win_length, n_mels, fmin):
    """librosa.feature.melspectrogram with htk=True, norm=None, window='hamming', pad_mode='edge', power=1."""
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
    left = (n_fft - win_length) // 2
    window = np.pad(window, (left, n_fft - win_length - left))
    x = np.pad(x.astype(np.float64), n_fft // 2, mode="edge")
    frames = [x[at : at + n_fft] * window for at in range(0, len(x) - n_fft + 1, hop_length)]
    magnitude = np.abs(np.fft.rfft(frames, axis=1))
    mel = np.linspace(2595 * np.log10(1 + fmin / 700), 2595 * np.log10(1 + rate / 2 / 700), n_mels + 2)
    hz = 700 * (10 ** (mel / 2595) - 1)
    ramps = hz[:, None] - np.fft.rfftfreq(n_fft, 1 / rate)[None]
    step = np.diff(hz)[:, None]
    bank = np.maximum(0, np.minimum(-ramps[:-2] / step[:-1], ramps[2:] / step[1:]))
    return bank @ magnitude.T


def sounds(out):
    torch.set_default_dtype(torch.float64)
    version = f"torchaudio {torchaudio.__version__}, float64"
    for name, rate, config in [
        ("torchaudio-odd-rate", 11025, {"n_fft": 300, "hop_length": 110, "n_mels": 30}),
        ("torchaudio-prime", 16000, {"n_fft": 457, "hop_length": 200, "n_mels": 20, "f_min": 50.0, "norm": "slaney", "mel_scale": "slaney", "normalized": True, "pad": 77, "pad_mode": "replicate"}),
    ]:
        x = sound(3001, rate)
        mel = torchaudio.transforms.MelSpectrogram(sample_rate=rate, **config)
        audio(out, name, "torchaudio", rate, x, config, mel(torch.from_numpy(x.astype(np.float64))).numpy(), version)
    config = {"num_mel_bins": 25, "snip_edges": False, "window_type": "blackman", "subtract_mean": True, "high_freq": -300.0}
    x = sound(4001, 22050)
    features = kaldi.fbank(torch.from_numpy(x.astype(np.float64))[None], sample_frequency=22050, **config).numpy()
    audio(out, "kaldi-edges", "kaldi", 22050, x, config, features, version)
    x = sound(3001, 22051)
    config = {"n_fft": 301, "hop_length": 140, "win_length": 250, "n_mels": 22, "fmin": 40.0}
    features = librosa(x, 22051, **config)
    config.update(htk=True, norm=None, window="hamming", pad_mode="edge", power=1.0)
    audio(out, "librosa-odd", "librosa", 22051, x, config, features, "librosa's formulas in numpy, float64")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    pictures(target)
    sounds(target)
