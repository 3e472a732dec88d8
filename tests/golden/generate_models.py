#!/usr/bin/env python3
"""Golden cases of model families that are restated from their published formulas, in numpy float64.

    generate_models.py OUT     writes the folders that tests/golden holds

Names of weights and configuration keys are the published ones (transformers, ImageBind, open_flamingo); weights and
inputs are random from a fixed seed. The formulas were written down from the papers and the reference code's
documentation, not computed by that code: a case proves that two independent readings agree.
"""

import json
import math
import pathlib
import struct
import sys

import numpy as np

out_dir = pathlib.Path(sys.argv[1])


class Case:
    """Weights that are made when they are first named, and what is saved."""

    def __init__(self, name, config):
        self.name, self.config = name, config
        self.random = np.random.default_rng(abs(hash_of(name)))
        self.weights, self.tensors = {}, {}

    def weight(self, name, *shape, deviation=0.15, mean=0.0):
        if name not in self.weights:
            self.weights[name] = (mean + deviation * self.random.standard_normal(shape)).astype(np.float32)
        return self.weights[name].astype(np.float64)

    def input(self, name, *shape):
        self.tensors[name] = self.random.standard_normal(shape).astype(np.float32)
        return self.tensors[name].astype(np.float64)

    def output(self, name, value):
        self.tensors[name] = np.asarray(value, dtype=np.float32)

    def linear(self, x, name, out, bias=True):
        y = x @ self.weight(name + ".weight", out, x.shape[-1]).T
        return y + self.weight(name + ".bias", out) if bias else y

    def norm(self, x, name, eps):
        mean = x.mean(-1, keepdims=True)
        y = (x - mean) / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + eps)
        return y * self.weight(name + ".weight", x.shape[-1], mean=1.0) + self.weight(name + ".bias", x.shape[-1])

    def save(self):
        folder = out_dir / self.name
        folder.mkdir(parents=True, exist_ok=True)
        about = {"kind": "model", "family": self.config["model_type"], "reference": "restated from the published formula"}
        (folder / "case.json").write_text(json.dumps(about, indent=1))
        (folder / "config.json").write_text(json.dumps(self.config, indent=1))
        save(folder / "model.safetensors", self.weights)
        save(folder / "expected.safetensors", self.tensors)


def hash_of(text):
    value = 5381
    for c in text.encode():
        value = (value * 33 + c) % 2**32
    return value


def save(path, tensors):
    header, data = {}, b""
    for name, value in sorted(tensors.items(), key=lambda t: (-t[1].itemsize, t[0])):
        kind = {"f4": "F32", "i8": "I64"}[value.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += np.ascontiguousarray(value).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def quick_gelu(x):
    return x / (1 + np.exp(-1.702 * x))


def heads(x, count):
    return x.reshape(*x.shape[:-1], count, -1).swapaxes(-2, -3)


def attention(q, k, v, count, mask=None):
    """mask [queries, keys]: False = never."""
    q, k, v = heads(q, count), heads(k, count), heads(v, count)
    score = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        score = np.where(mask, score, -np.inf)
    p = np.exp(score - score.max(-1, keepdims=True))
    y = (p / p.sum(-1, keepdims=True)) @ v
    return y.swapaxes(-2, -3).reshape(*y.shape[:-3], y.shape[-2], -1)


def normalised(x):
    return x / np.sqrt((x**2).sum(-1, keepdims=True))


def conv_patches(x, weight, stride):
    """Tokens [batch, rows·columns, out] of a convolution without padding; weight [out, channels, kernel, kernel]."""
    out, _, kh, kw = weight.shape
    view = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("bchwij,ocij->bhwo", view, weight)
    return y.reshape(len(x), -1, out)


def clip_layers(c, x, prefix, d, mlp, n, layers, eps, act, mask=None):
    for i in range(layers):
        p = f"{prefix}encoder.layers.{i}."
        y = c.norm(x, p + "layer_norm1", eps)
        q, k, v = (c.linear(y, f"{p}self_attn.{w}_proj", d) for w in "qkv")
        x = x + c.linear(attention(q, k, v, n, mask), p + "self_attn.out_proj", d)
        y = c.norm(x, p + "layer_norm2", eps)
        x = x + c.linear(act(c.linear(y, p + "mlp.fc1", mlp)), p + "mlp.fc2", d)
    return x


def clip_text(c, ids, prefix, d, mlp, n, layers, vocabulary, positions):
    x = c.weight(prefix + "embeddings.token_embedding.weight", vocabulary, d, deviation=1)[ids]
    x = x + c.weight(prefix + "embeddings.position_embedding.weight", positions, d)[: ids.shape[1]]
    embeddings = x
    causal = np.tril(np.ones((ids.shape[1],) * 2, dtype=bool))
    x = clip_layers(c, x, prefix, d, mlp, n, layers, 1e-5, quick_gelu, causal)
    return embeddings, c.norm(x, prefix + "final_layer_norm", 1e-5)


def clip_vision(c, pixels, prefix, d, mlp, n, layers, patch, side):
    x = conv_patches(pixels, c.weight(prefix + "embeddings.patch_embedding.weight", d, 3, patch, patch), patch)
    cls = c.weight(prefix + "embeddings.class_embedding", d, deviation=1)
    x = np.concatenate([np.broadcast_to(cls, (len(x), 1, d)), x], 1)
    x = x + c.weight(prefix + "embeddings.position_embedding.weight", (side // patch) ** 2 + 1, d)
    embeddings = x
    x = clip_layers(c, c.norm(x, prefix + "pre_layrnorm", 1e-5), prefix, d, mlp, n, layers, 1e-5, quick_gelu)
    return embeddings, x, c.norm(x[:, 0], prefix + "post_layernorm", 1e-5)


def case_clip():
    """Both towers of one file; the first published files name 2 as the end and pool at the largest id."""
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}
    text = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 12, "vocab_size": 40, "eos_token_id": 2}
    c = Case("model-clip", {"model_type": "clip", "projection_dim": 20, "vision_config": vision, "text_config": text})
    ids = c.random.integers(0, 39, (2, 9))
    ids[0, 5:], ids[1, 8] = 39, 39
    c.tensors["input_ids"] = ids
    e, h, pooled = clip_vision(c, c.input("pixel_values", 3, 3, 32, 32), "vision_model.", 32, 64, 4, 2, 8, 32)
    image = normalised(c.linear(pooled, "visual_projection", 20, False))
    for name, value in ("embeddings", e), ("hidden", h), ("pooled", pooled), ("image_embeds", image):
        c.output(name, value)
    e, h = clip_text(c, ids, "text_model.", 24, 48, 3, 2, 40, 12)
    pooled = h[np.arange(2), ids.argmax(1)]
    words = normalised(c.linear(pooled, "text_projection", 20, False))
    scale = c.weight("logit_scale", deviation=0, mean=2.5)
    for name, value in ("text_embeddings", e), ("text_hidden", h), ("text_pooled", pooled), ("text_embeds", words):
        c.output(name, value)
    c.output("logits_per_image", np.exp(scale) * image @ words.T)
    c.output("logits_per_text", np.exp(scale) * words @ image.T)
    c.save()


def case_clip_text():
    c = Case("model-clip-text", {"model_type": "clip_text_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 160, "vocab_size": 50, "eos_token_id": 49, "projection_dim": 16})
    ids = c.random.integers(0, 48, (2, 150))
    ids[0, 30:], ids[1, 149] = 49, 49
    c.tensors["input_ids"] = ids
    e, h = clip_text(c, ids, "text_model.", 32, 64, 4, 2, 50, 160)
    pooled = h[np.arange(2), (ids == 49).argmax(1)]
    for name, value in ("embeddings", e), ("hidden", h), ("pooled", pooled), ("text_embeds", c.linear(pooled, "text_projection", 16, False)):
        c.output(name, value)
    c.save()


def case_siglip_text():
    c = Case("model-siglip-text", {"model_type": "siglip_text_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 8, "vocab_size": 50, "projection_size": 24, "hidden_act": "gelu_pytorch_tanh"})
    c.tensors["input_ids"] = ids = c.random.integers(0, 50, (3, 8))
    x = c.weight("embeddings.token_embedding.weight", 50, 32, deviation=1)[ids] + c.weight("embeddings.position_embedding.weight", 8, 32)
    c.output("embeddings", x)
    x = c.norm(clip_layers(c, x, "", 32, 64, 4, 2, 1e-6, gelu_tanh), "final_layer_norm", 1e-6)
    c.output("hidden", x)
    c.output("pooled", c.linear(x[:, -1], "head", 24))
    c.save()


def triangle(n_in, n_out):
    """Antialiased bilinear interpolation along one axis as a matrix [n_out, n_in]."""
    scale = n_in / n_out
    support = max(scale, 1.0)
    m = np.zeros((n_out, n_in))
    for i in range(n_out):
        centre = scale * (i + 0.5)
        low, high = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), n_in)
        w = np.maximum(0, 1 - np.abs((np.arange(low, high) + 0.5 - centre) / support))
        m[i, low:high] = w / w.sum()
    return m


def case_siglip2():
    d, patch, side, most = 32, 4, 6, 40
    c = Case("model-siglip2-naflex", {"model_type": "siglip2_vision_model", "hidden_size": d, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_patches": side * side, "patch_size": patch})
    grids = np.array([[4, 10], [5, 8]])  # both full, so that no row is padding
    pixels = c.input("pixel_values", 2, most, 3 * patch * patch)
    c.tensors["spatial_shapes"] = grids
    c.tensors["pixel_attention_mask"] = np.ones((2, most), dtype=np.int64)
    x = c.linear(pixels, "vision_model.embeddings.patch_embedding", d)
    table = c.weight("vision_model.embeddings.position_embedding.weight", side * side, d).reshape(side, side, d)
    x = x + np.stack([np.einsum("ia,jb,abd->ijd", triangle(side, h), triangle(side, w), table).reshape(-1, d) for h, w in grids])
    c.output("embeddings", x)
    x = c.norm(clip_layers(c, x, "vision_model.", d, 64, 4, 2, 1e-6, gelu_tanh), "vision_model.post_layernorm", 1e-6)
    c.output("hidden", x)
    p = "vision_model.head."
    w, b = c.weight(p + "attention.in_proj_weight", 3 * d, d), c.weight(p + "attention.in_proj_bias", 3 * d)
    q = np.broadcast_to(c.weight(p + "probe", 1, 1, d), (2, 1, d)) @ w[:d].T + b[:d]
    y = attention(q, x @ w[d : 2 * d].T + b[d : 2 * d], x @ w[2 * d :].T + b[2 * d :], 4)
    y = c.linear(y, p + "attention.out_proj", d)
    y = y + c.linear(gelu_tanh(c.linear(c.norm(y, p + "layernorm", 1e-6), p + "mlp.fc1", 64)), p + "mlp.fc2", d)
    c.output("pooled", y[:, 0])
    c.save()


def case_vit_pooler():
    """Names of older files, and the pooler of the bare model."""
    d, patch = 32, 8
    c = Case("model-vit-pooler", {"model_type": "vit", "hidden_size": d, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 24, "patch_size": patch, "qkv_bias": True, "layer_norm_eps": 1e-12})
    x = conv_patches(c.input("pixel_values", 2, 3, 24, 24), c.weight("vit.embeddings.patch_embeddings.projection.weight", d, 3, patch, patch), patch)
    x = x + c.weight("vit.embeddings.patch_embeddings.projection.bias", d)
    x = np.concatenate([np.broadcast_to(c.weight("vit.embeddings.cls_token", 1, 1, d), (2, 1, d)), x], 1)
    x = x + c.weight("vit.embeddings.position_embeddings", 1, 10, d)
    c.output("embeddings", x)
    for i in range(2):
        p = f"vit.encoder.layer.{i}."
        y = c.norm(x, p + "layernorm_before", 1e-12)
        q, k, v = (c.linear(y, f"{p}attention.attention.{w}", d) for w in ("query", "key", "value"))
        x = x + c.linear(attention(q, k, v, 4), p + "attention.output.dense", d)
        y = gelu(c.linear(c.norm(x, p + "layernorm_after", 1e-12), p + "intermediate.dense", 48))
        x = x + c.linear(y, p + "output.dense", d)
    x = c.norm(x, "vit.layernorm", 1e-12)
    c.output("hidden", x)
    c.output("pooled", np.tanh(c.linear(x[:, 0], "vit.pooler.dense", d)))
    c.save()


def conv3(x, weight, bias, stride):
    """Convolution over three neighbours of [batch, channels, time], padded by one."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(x, 3, axis=2)[:, :, ::stride]
    return np.einsum("bcti,oci->bot", view, weight) + bias[:, None]


def case_whisper():
    d, mels, positions = 32, 16, 20
    c = Case("model-whisper", {"model_type": "whisper", "d_model": d, "num_mel_bins": mels, "max_source_positions": positions, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64, "activation_function": "gelu"})
    p = "model.encoder."
    x = c.input("input_features", 2, mels, 2 * positions)
    x = gelu(conv3(x, c.weight(p + "conv1.weight", d, mels, 3), c.weight(p + "conv1.bias", d), 1))
    x = gelu(conv3(x, c.weight(p + "conv2.weight", d, d, 3), c.weight(p + "conv2.bias", d), 2))
    angle = np.arange(positions)[:, None] * np.exp(-math.log(10000) / (d / 2 - 1) * np.arange(d / 2))
    c.weights[p + "embed_positions.weight"] = np.concatenate([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
    x = x.swapaxes(1, 2) + c.weight(p + "embed_positions.weight")
    c.output("embeddings", x)
    for i in range(2):
        q = f"{p}layers.{i}."
        y = c.norm(x, q + "self_attn_layer_norm", 1e-5)
        parts = [c.linear(y, f"{q}self_attn.{w}_proj", d, w != "k") for w in "qkv"]
        x = x + c.linear(attention(*parts, 4), q + "self_attn.out_proj", d)
        x = x + c.linear(gelu(c.linear(c.norm(x, q + "final_layer_norm", 1e-5), q + "fc1", 64)), q + "fc2", d)
    c.output("hidden", c.norm(x, p + "layer_norm", 1e-5))
    c.save()


def rotate(x, angle, count):
    """Halves of each head turn by angle [tokens, width/2]."""
    x = heads(x, count)
    a, b = np.split(x, 2, -1)
    y = np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)
    return y.swapaxes(-2, -3).reshape(x.shape[-2], -1)


def case_qwen2_vl():
    d, n, patch = 32, 2, 4
    vision = {"embed_dim": d, "depth": 2, "num_heads": n, "mlp_ratio": 2, "in_channels": 3, "patch_size": patch, "temporal_patch_size": 2, "spatial_merge_size": 2, "hidden_act": "quick_gelu"}
    c = Case("model-qwen2-vl", {"model_type": "qwen2_vl", "vision_config": vision})
    grids = np.array([[1, 4, 6], [2, 2, 4]])
    c.tensors["image_grid_thw"] = grids
    pixels = c.input("pixel_values", int(grids.prod(1).sum()), 3 * 2 * patch * patch)
    x = pixels @ c.weight("visual.patch_embed.proj.weight", d, 3, 2, patch, patch).reshape(d, -1).T
    c.output("embeddings", x)
    frequency = 10000.0 ** (-np.arange(0, d // n // 2, 2) / (d // n // 2))
    angles, segment = [], []
    for t, h, w in grids:
        rows, columns = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
        order = lambda a: a.reshape(h // 2, 2, w // 2, 2).swapaxes(1, 2).reshape(-1)
        one = np.concatenate([order(rows)[:, None] * frequency, order(columns)[:, None] * frequency], 1)
        for _ in range(t):
            angles.append(one)
            segment += [len(angles)] * (h * w)
    angle, segment = np.concatenate(angles), np.array(segment)
    mask = segment[:, None] == segment
    for i in range(2):
        p = f"visual.blocks.{i}."
        q, k, v = np.split(c.linear(c.norm(x, p + "norm1", 1e-6), p + "attn.qkv", 3 * d), 3, -1)
        x = x + c.linear(attention(rotate(q, angle, n), rotate(k, angle, n), v, n, mask), p + "attn.proj", d)
        x = x + c.linear(quick_gelu(c.linear(c.norm(x, p + "norm2", 1e-6), p + "mlp.fc1", 2 * d)), p + "mlp.fc2", d)
    c.output("hidden", x)
    c.weight("visual.merger.ln_q.weight", d)  # of a part that is not run
    c.save()


def case_imagebind():
    d, a, n, patch, side, mels, frames = 32, 24, 4, 4, 12, 16, 26
    c = Case("model-imagebind", {"model_type": "imagebind", "vision_embed_dim": d, "vision_num_blocks": 2, "vision_num_heads": n, "patch_size": patch, "image_size": side, "out_embed_dim": 20, "audio_embed_dim": a, "audio_kernel_size": 8, "audio_stride": 5, "audio_num_mel_bins": mels, "audio_target_len": frames})
    p = "modality_preprocessors.vision."
    pixels = c.input("pixel_values", 2, 3, side, side)
    weight = c.weight(p + "rgbt_stem.proj.1.weight", d, 3, 2, patch, patch)
    x = conv_patches(pixels, weight.sum(2), patch)  # a still is repeated
    x = np.concatenate([np.broadcast_to(c.weight(p + "cls_token", 1, 1, d), (2, 1, d)), x], 1)
    x = x + c.weight(p + "pos_embedding_helper.pos_embed", 1, (side // patch) ** 2 + 1, d)
    c.output("embeddings", x)
    p = "modality_trunks.vision."
    x = c.norm(x, p + "pre_transformer_layer.0", 1e-6)
    for i in range(2):
        q = f"{p}blocks.{i}."
        y = c.norm(x, q + "norm_1", 1e-6)
        y = y @ c.weight(q + "attn.in_proj_weight", 3 * d, d).T + c.weight(q + "attn.in_proj_bias", 3 * d)
        x = x + c.linear(attention(*np.split(y, 3, -1), n), q + "attn.out_proj", d)
        x = x + c.linear(gelu(c.linear(c.norm(x, q + "norm_2", 1e-6), q + "mlp.fc1", 4 * d)), q + "mlp.fc2", d)
    c.output("hidden", x)
    pooled = c.norm(x[:, 0], "modality_heads.vision.0", 1e-6)
    c.output("pooled", pooled)
    c.output("image_embeds", c.linear(pooled, "modality_heads.vision.2", 20, False))
    p = "modality_preprocessors.audio."
    x = conv_patches(c.input("input_values_audio", 2, 1, mels, frames), c.weight(p + "rgbt_stem.proj.weight", a, 1, 8, 8), 5)
    x = c.norm(x, p + "rgbt_stem.norm_layer", 1e-5)
    x = np.concatenate([np.broadcast_to(c.weight(p + "cls_token", 1, 1, a), (2, 1, a)), x], 1)
    c.output("embeddings_audio", x + c.weight(p + "pos_embedding_helper.pos_embed", 1, x.shape[1], a))
    c.save()


def resampler(c, context, mask, latents, depth, n, width, mlp, act, names):
    d = context.shape[-1]
    results = []
    for item, keep in zip(context, mask):
        x, media = latents, item[keep]
        for i in range(depth):
            q, k, v, o = (names[w].format(i) for w in "qkvo")
            a, b = c.norm(x, names["latents"].format(i), 1e-5), c.norm(media, names["context"].format(i), 1e-5)
            both = np.concatenate([b, a])
            if k == v:
                keys, values = np.split(c.linear(both, k, 2 * n * width, False), 2, -1)
            else:
                keys, values = c.linear(both, k, n * width, False), c.linear(both, v, n * width, False)
            x = x + c.linear(attention(c.linear(a, q, n * width, False), keys, values, n), o, d, False)
            y = c.norm(x, names["mlp"].format(i), 1e-5)
            x = x + c.linear(act(c.linear(y, names["up"].format(i), mlp, False)), names["down"].format(i), d, False)
        results.append(c.norm(x, names["norm"], 1e-5))
    return np.stack(results)


def case_resamplers():
    mask = np.ones((2, 30), dtype=np.int64)
    mask[1, 17:] = 0
    p = "model.perceiver_resampler."
    c = Case("model-idefics-resampler", {"model_type": "idefics", "vision_config": {"embed_dim": 24}, "perceiver_config": {"resampler_n_latents": 6, "resampler_depth": 2, "resampler_n_heads": 2, "resampler_head_dim": 8, "qk_layer_norms_perceiver": False}})
    names = {"latents": p + "blocks.{}.0.latents_layer_norm", "context": p + "blocks.{}.0.context_layer_norm", "mlp": p + "blocks.{}.1.ln", "up": p + "blocks.{}.1.fc", "down": p + "blocks.{}.1.c_proj", "norm": p + "layer_norm"}
    names.update({w: p + "blocks.{}.0." + n for w, n in zip("qkvo", ("q_proj", "k_proj", "v_proj", "output_proj"))})
    c.tensors["mask"] = mask
    relu = lambda x: np.maximum(x, 0)
    c.output("latents_out", resampler(c, c.input("context", 2, 30, 24), mask > 0, c.weight(p + "latents", 6, 24, deviation=1), 2, 2, 8, 96, relu, names))
    c.save()
    p = "perceiver."
    c = Case("model-flamingo-resampler", {"model_type": "flamingo_perceiver", "dim": 24, "num_latents": 6, "depth": 2, "heads": 2, "dim_head": 8, "ff_mult": 4})
    names = {"latents": p + "layers.{}.0.norm_latents", "context": p + "layers.{}.0.norm_media", "mlp": p + "layers.{}.1.0", "up": p + "layers.{}.1.1", "down": p + "layers.{}.1.3", "norm": p + "norm"}
    names.update({w: p + "layers.{}.0." + n for w, n in zip("qkvo", ("to_q", "to_kv", "to_kv", "to_out"))})
    c.tensors["mask"] = mask
    c.output("latents_out", resampler(c, c.input("context", 2, 30, 24), mask > 0, c.weight(p + "latents", 6, 24, deviation=1), 2, 2, 8, 96, gelu, names))
    c.save()


for case in (case_clip, case_clip_text, case_siglip_text, case_siglip2, case_vit_pooler, case_whisper, case_qwen2_vl, case_imagebind, case_resamplers):
    case()
