"""What gpu_stages times, as PyTorch has it: for each stage its forms, modules over the same inputs on the device.

Precision "fast" is bfloat16 weights and activations; inputs are those of gpu_stages (fp32 tokens), or bfloat16 already.
"""

import functools
import typing

import torch
from torch.nn import functional as F

try:
    import torchaudio
except Exception as error:  # not there, or of another torch
    torchaudio = None
    torchaudio_error = str(error).splitlines()[0] if str(error) else type(error).__name__


class Form(typing.NamedTuple):
    peer: str
    f: typing.Callable
    inputs: tuple
    compiled: bool = True  # whether torch.compile is timed, too


class Kit:
    """Sizes, device and inputs of one batch in one precision."""

    def __init__(self, device, batch, dtype, tiny):
        self.device, self.batch, self.dtype, self.tiny = device, batch, dtype, tiny

    def size(self, full, trial):
        return trial if self.tiny else full

    def floats(self, *shape):
        return torch.randn(shape, device=self.device)

    def parameter(self, *shape):
        return torch.nn.Parameter(0.02 * self.floats(*shape).to(self.dtype), requires_grad=False)

    def integers(self, low, high, shape, dtype):
        return torch.randint(low, high, shape, dtype=dtype, device=self.device)

    def on(self, module, dtype=None):
        return module.to(self.device, dtype or self.dtype)

    def forms(self, module, *inputs, compiled=True):
        """Over the inputs as they are; in bfloat16 also over inputs that are so already, in the peer's favour."""
        yield Form("torch", module, inputs, compiled)
        if self.dtype != torch.float32 and any(x.dtype == torch.float32 for x in inputs):
            cast = tuple(x.to(self.dtype) if x.dtype == torch.float32 else x for x in inputs)
            yield Form("torch, bf16 inputs", module, cast, compiled)


class PatchEmbed(torch.nn.Module):
    def __init__(self, kit):
        super().__init__()
        self.conv = kit.on(torch.nn.Conv2d(3, kit.size(768, 32), 16, 16))
        self.dtype = kit.dtype

    def forward(self, x):
        return self.planes(x.permute(0, 3, 1, 2).to(self.dtype))

    def planes(self, x):
        return self.conv((x / 255 - 0.5) / 0.5).flatten(2).transpose(1, 2)


class Resize(torch.nn.Module):
    """The shortest edge to `side` (bicubic, antialiased), the middle of it; float planes of whole numbers."""

    def __init__(self, side):
        super().__init__()
        self.side = side

    def planes(self, x):
        height, width = x.shape[1:3]
        wide = self.side * width // height
        x = x.permute(0, 3, 1, 2).float()
        x = F.interpolate(x, (self.side, wide), mode="bicubic", antialias=True, align_corners=False)
        left = (wide - self.side) // 2
        return x[..., left : left + self.side].round().clamp(0, 255)

    def forward(self, x):
        return self.planes(x).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


class ResizePatchEmbed(torch.nn.Module):
    def __init__(self, kit):
        super().__init__()
        self.resize, self.embed = Resize(kit.size(224, 32)), PatchEmbed(kit)

    def forward(self, x):
        return self.embed.planes(self.resize.planes(x).to(self.embed.dtype))


class YuvToRgb(torch.nn.Module):
    """BT.601 of limited range, chroma by bilinear interpolation: about swscale's picture, not to its bytes."""

    def __init__(self, kit):
        super().__init__()
        matrix = torch.tensor([[1.164, 0.0, 1.596], [1.164, -0.392, -0.813], [1.164, 2.017, 0.0]], device=kit.device)
        self.register_buffer("matrix", matrix)

    def forward(self, y, uv):
        uv = F.interpolate(uv.float(), y.shape[1:], mode="bilinear", align_corners=False) - 128
        planes = torch.cat((y.float().unsqueeze(1) - 16, uv), 1)
        rgb = torch.einsum("ij,bjhw->bhwi", self.matrix, planes)
        return rgb.round().clamp(0, 255).to(torch.uint8)


class LogMel(torch.nn.Module):
    def __init__(self, kit, n_fft):
        super().__init__()
        mel = torchaudio.transforms.MelSpectrogram(16000, n_fft, win_length=400, hop_length=160, n_mels=128)
        self.mel = kit.on(mel, torch.float32)

    def forward(self, x):
        return torch.log10(torch.clamp(self.mel(x.float() / 32768), min=1e-10)).transpose(1, 2)


class LogMelProject(torch.nn.Module):
    def __init__(self, kit):
        super().__init__()
        self.features, self.linear = LogMel(kit, 400), kit.on(torch.nn.Linear(128, kit.size(768, 32)))

    def forward(self, x):
        return self.linear(self.features(x).to(self.linear.weight.dtype))


class Whisper(torch.nn.Module):
    """openai-whisper's log_mel_spectrogram, a batch of clips at once."""

    def __init__(self, kit):
        super().__init__()
        self.register_buffer("window", torch.hann_window(400, device=kit.device))
        self.register_buffer("filters", torch.rand(80, 201, device=kit.device))

    def forward(self, x):
        x = x.float() / 32768
        spectrum = torch.stft(x, 400, 160, window=self.window, return_complex=True)[..., :-1].abs() ** 2
        y = torch.clamp(self.filters @ spectrum, min=1e-10).log10()
        return (torch.maximum(y, y.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


class AstPatches(torch.nn.Module):
    def __init__(self, kit):
        super().__init__()
        self.conv, self.dtype = kit.on(torch.nn.Conv2d(1, kit.size(768, 32), 16, 10)), kit.dtype

    def forward(self, x):
        return self.conv(x.to(self.dtype).transpose(1, 2).unsqueeze(1)).flatten(2).transpose(1, 2)


class TextEmbed(torch.nn.Module):
    def __init__(self, kit):
        super().__init__()
        d = kit.size(512, 32)
        self.table, self.position = kit.on(torch.nn.Embedding(kit.size(49408, 100), d)), kit.parameter(kit.size(77, 9), d)

    def forward(self, ids):
        return self.table(ids) + self.position


class CrossAttend(torch.nn.Module):
    """One layer of a Perceiver; its queries were made at load. One head: K and V are absorbed, as ours are."""

    def __init__(self, kit, heads):
        super().__init__()
        d, self.rows, self.heads, self.dtype = kit.size(1024, 32), kit.size(256, 16), heads, kit.dtype
        self.latents = kit.parameter(self.rows, d)
        self.q = kit.parameter(1, heads, self.rows, d // heads)
        self.norm, self.norm2 = kit.on(torch.nn.LayerNorm(d)), kit.on(torch.nn.LayerNorm(d))
        self.kv = kit.on(torch.nn.Linear(d, d if heads == 1 else 2 * d))
        self.o, self.up, self.down = (kit.on(torch.nn.Linear(d, d)) for _ in range(3))

    def forward(self, x):
        x = self.norm(x.to(self.dtype))
        b, n, d = x.shape
        q = self.q.expand(b, -1, -1, -1)
        if self.heads == 1:
            y = self.kv(F.scaled_dot_product_attention(q, x.unsqueeze(1), x.unsqueeze(1)).squeeze(1))
        else:
            k, v = self.kv(x).view(b, n, 2, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, self.rows, d)
        y = self.latents + self.o(y)
        return y + self.down(F.gelu(self.up(self.norm2(y))))


class AttentionPool(torch.nn.Module):
    def __init__(self, kit):
        super().__init__()
        d, self.dtype = kit.size(768, 36), kit.dtype
        self.q = kit.parameter(1, 12, 1, d // 12)
        self.kv, self.o = kit.on(torch.nn.Linear(d, 2 * d)), kit.on(torch.nn.Linear(d, d))
        self.norm = kit.on(torch.nn.LayerNorm(d))
        self.up, self.down = kit.on(torch.nn.Linear(d, 4 * d)), kit.on(torch.nn.Linear(4 * d, d))

    def forward(self, x):
        b, n, d = x.shape
        k, v = self.kv(x.to(self.dtype)).view(b, n, 2, 12, d // 12).permute(2, 0, 3, 1, 4)
        y = self.o(F.scaled_dot_product_attention(self.q.expand(b, -1, -1, -1), k, v).reshape(b, d))
        return y + self.down(F.gelu(self.up(self.norm(y)), approximate="tanh"))


def merge_half(x):
    """ToMe's bipartite soft matching where every even token goes to its nearest odd one."""
    metric = F.normalize(x, dim=-1)
    a, b = x[:, ::2], x[:, 1::2]
    nearest = (metric[:, ::2] @ metric[:, 1::2].transpose(1, 2)).argmax(-1, keepdim=True)
    return b.scatter_reduce(1, nearest.expand(-1, -1, x.shape[-1]), a, "mean", include_self=True)


def nearest_codes(x, codes, half_squares):
    return torch.argmax(x @ codes.T - half_squares, 1)


def residual_codes(x, books, half_squares):
    ids = []
    for codes, half in zip(books, half_squares):
        ids.append(nearest_codes(x, codes, half))
        x = x - codes[ids[-1]]
    return torch.stack(ids, 1)


def patch_embed(kit):
    side = kit.size(224, 32)
    yield from kit.forms(PatchEmbed(kit), kit.integers(0, 256, (kit.batch, side, side, 3), torch.uint8))


def pictures(kit):
    return kit.integers(0, 256, (kit.batch, kit.size(480, 48), kit.size(640, 64), 3), torch.uint8)


def resize_patch_embed(kit):
    yield from kit.forms(ResizePatchEmbed(kit), pictures(kit))


def resize(kit):
    yield from kit.forms(Resize(kit.size(224, 32)), pictures(kit))


def yuv_to_rgb(kit):
    height, width = kit.size(1080, 54), kit.size(1920, 96)
    y = kit.integers(16, 236, (kit.batch, height, width), torch.uint8)
    yield from kit.forms(YuvToRgb(kit), y, kit.integers(16, 236, (kit.batch, 2, height // 2, width // 2), torch.uint8))


def sound(kit):
    return kit.integers(-9999, 9999, (kit.batch, kit.size(160000, 1600)), torch.int16)


def with_torchaudio(make):
    @functools.wraps(make)
    def forms(kit):
        if torchaudio is None:
            raise RuntimeError(f"torchaudio cannot be imported: {torchaudio_error}")
        module, x = make(kit)
        yield Form("torchaudio", module, (x,))

    return forms


@with_torchaudio
def log_mel_project(kit):
    return LogMelProject(kit), sound(kit)


@with_torchaudio
def log_mel(kit):
    return LogMel(kit, 512), sound(kit)


@with_torchaudio
def resample(kit):
    return kit.on(torchaudio.transforms.Resample(44100, 16000), torch.float32), kit.floats(kit.batch, kit.size(441000, 441))


def log_mel_whisper(kit):
    yield from kit.forms(Whisper(kit), sound(kit))


def ast_patches(kit):
    yield from kit.forms(AstPatches(kit), kit.floats(kit.batch, kit.size(1024, 36), kit.size(128, 26)))


def text_embed(kit):
    ids = kit.integers(0, kit.size(49408, 100), (kit.batch, kit.size(77, 9)), torch.int64)
    yield from kit.forms(TextEmbed(kit), ids)


def tokens(kit, count, d):
    return kit.floats(kit.batch, kit.size(*count), kit.size(*d))


def perceiver(kit):
    yield from kit.forms(CrossAttend(kit, 8), tokens(kit, (4096, 40), (1024, 32)))


def perceiver_absorbed(kit):
    yield from kit.forms(CrossAttend(kit, 1), tokens(kit, (4096, 40), (1024, 32)))


def attention_pool(kit):
    yield from kit.forms(AttentionPool(kit), tokens(kit, (196, 21), (768, 36)))


def mean_pool(kit):
    yield from kit.forms(lambda x: x.mean(1), tokens(kit, (196, 21), (768, 32)))


def token_merge(kit):
    yield from kit.forms(merge_half, tokens(kit, (196, 20), (768, 32)))


def attention(kit):
    def attend(q, k, v):
        b, n, d = q.shape
        q, k, v = (x.to(kit.dtype).view(b, n, d // 64, 64).transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)

    yield from kit.forms(attend, *(tokens(kit, (197, 19), (768, 128)) for _ in range(3)))


def layer_norm(kit):
    norm = kit.on(torch.nn.LayerNorm(kit.size(768, 40)))
    yield from kit.forms(norm, tokens(kit, (197, 19), (768, 40)))


def rms_norm(kit):
    d = kit.size(768, 40)
    gamma = kit.parameter(d)
    yield from kit.forms(lambda x: F.rms_norm(x, (d,), gamma, 1e-6), tokens(kit, (197, 19), (768, 40)))


def vector_quantize(kit):
    codes = kit.floats(kit.size(8192, 64), kit.size(256, 16))
    x, half = kit.floats(kit.batch * kit.size(196, 13), codes.shape[1]), codes.square().sum(1) / 2
    yield Form("torch.cdist + argmin", lambda x: torch.cdist(x, codes).argmin(1), (x,), False)
    yield Form("torch matmul + argmax", lambda x: nearest_codes(x, codes, half), (x,))


def residual_quantize(kit):
    books = kit.floats(kit.size(8, 2), kit.size(1024, 64), kit.size(128, 16))
    half = books.square().sum(2) / 2
    x = kit.floats(kit.batch * kit.size(750, 13), books.shape[2])
    yield Form("torch matmul + argmax", lambda x: residual_codes(x, books, half), (x,))


def top_k(kit):
    vectors = kit.floats(kit.size(100000, 200), kit.size(768, 24))
    queries = kit.floats(kit.batch, vectors.shape[1])
    yield from kit.forms(lambda q: torch.topk(q @ vectors.T, 10), queries)


class Stage(typing.NamedTuple):
    forms: typing.Callable
    rounds: bool  # timed in both precisions
    most: int = 1 << 30  # items at once

    @property
    def name(self):
        return self.forms.__name__


STAGES = (
    Stage(patch_embed, True),
    Stage(resize_patch_embed, True),
    Stage(log_mel_project, True),
    Stage(ast_patches, True),
    Stage(text_embed, False),
    Stage(perceiver, True, 64),
    Stage(perceiver_absorbed, True, 64),
    Stage(attention_pool, True),
    Stage(mean_pool, False),
    Stage(token_merge, False),
    Stage(resize, False),
    Stage(yuv_to_rgb, False),
    Stage(resample, False),
    Stage(log_mel, False),
    Stage(log_mel_whisper, False),
    Stage(attention, True),
    Stage(layer_norm, False),
    Stage(rms_norm, False),
    Stage(vector_quantize, False),
    Stage(residual_quantize, False),
    Stage(top_k, False),
)
