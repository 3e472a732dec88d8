"""The same stages in PyTorch, where it is installed with CUDA: eager, torch.compile with CUDA graphs, torchaudio.

One JSON line each, in the words of gpu_stages. Nothing to say (no torch, no GPU) is said on stderr, exit 0.
"""

import json
import statistics
import sys
import time


def main():
    try:
        import torch
    except ImportError:
        print("peers: torch is not installed", file=sys.stderr)
        return
    if not torch.cuda.is_available():
        print("peers: torch sees no GPU", file=sys.stderr)
        return
    try:
        import torchaudio
    except ImportError:
        torchaudio = None
        print("peers: torchaudio is not installed", file=sys.stderr)
    torch.manual_seed(1)
    device = "cuda"

    def clock(f, calls):
        for _ in range(5):
            f()
        torch.cuda.synchronize()
        times = []
        for _ in range(30):
            start = time.perf_counter()
            for _ in range(calls):
                f()
            torch.cuda.synchronize()
            times.append((time.perf_counter() - start) / calls)
        return statistics.median(times) * 1e6

    def tell(stage, batch, peer, precision, f):
        try:
            us = clock(f, 20 if batch == 1 else 1)
        except Exception as error:  # a peer that cannot do it is not a failure of this run
            print(f"peers: {peer}, {stage}, batch {batch}: {error}", file=sys.stderr)
            return
        print(json.dumps({"stage": stage, "batch": batch, "peer": peer, "precision": precision, "us": us}), flush=True)

    def forms(stage, batch, module, x, precision):
        with torch.inference_mode():
            tell(stage, batch, "torch eager", precision, lambda: module(x))
            compiled = torch.compile(module, mode="reduce-overhead")
            tell(stage, batch, "torch.compile, CUDA graphs", precision, lambda: compiled(x))

    class PatchEmbed(torch.nn.Module):
        def __init__(self, dtype):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 768, 16, 16).to(device, dtype)
            self.dtype = dtype

        def forward(self, x):
            x = x.permute(0, 3, 1, 2).to(self.dtype)
            return self.conv((x / 255 - 0.5) / 0.5).flatten(2).transpose(1, 2)

    class LogMel(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mel = torchaudio.transforms.MelSpectrogram(16000, 400, hop_length=160, n_mels=128).to(device)
            self.linear = torch.nn.Linear(128, 768).to(device)

        def forward(self, x):
            y = torch.log10(torch.clamp(self.mel(x.float() / 32768), min=1e-10))
            return self.linear(y.transpose(1, 2))

    class Perceiver(torch.nn.Module):
        def __init__(self, dtype):
            super().__init__()
            d = 1024
            self.q = torch.nn.Parameter(torch.randn(1, 8, 256, d // 8, device=device, dtype=dtype))
            self.norm = torch.nn.LayerNorm(d).to(device, dtype)
            self.kv = torch.nn.Linear(d, 2 * d).to(device, dtype)
            self.o = torch.nn.Linear(d, d).to(device, dtype)
            self.norm2 = torch.nn.LayerNorm(d).to(device, dtype)
            self.up = torch.nn.Linear(d, d).to(device, dtype)
            self.down = torch.nn.Linear(d, d).to(device, dtype)

        def forward(self, x):
            b, n, d = x.shape
            k, v = self.kv(self.norm(x)).view(b, n, 2, 8, d // 8).permute(2, 0, 3, 1, 4)
            y = torch.nn.functional.scaled_dot_product_attention(self.q.expand(b, -1, -1, -1), k, v)
            y = self.o(y.transpose(1, 2).reshape(b, 256, d))
            return y + self.down(torch.nn.functional.gelu(self.up(self.norm2(y))))

    for precision, dtype in (("strict", torch.float32), ("fast", torch.bfloat16)):
        for batch in (1, 256):
            pixels = torch.randint(0, 255, (batch, 224, 224, 3), dtype=torch.uint8, device=device)
            forms("patch_embed", batch, PatchEmbed(dtype), pixels, precision)
            if torchaudio and precision == "strict":
                sound = torch.randint(-9999, 9999, (batch, 160000), dtype=torch.int16, device=device)
                forms("log_mel_project", batch, LogMel(), sound, precision)
            smaller = min(batch, 64)
            tokens = torch.randn(smaller, 4096, 1024, device=device, dtype=dtype)
            forms("perceiver", smaller, Perceiver(dtype), tokens, precision)


main()
