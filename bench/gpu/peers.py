"""The stages of gpu_stages in PyTorch, where it is installed with CUDA: eager, and compiled and captured as a CUDA graph.

    peers.py [--batches 1,256] [--only REGEX] [--eager] [--sizes full|tiny] [--device cuda|cpu]

One JSON line each: the ceilings that torch reaches, then times. What cannot be had (no torch, no torchaudio, no GPU, a form
that fails) is a line that says so and on stderr; exit 0. --device cpu and --sizes tiny are a trial of this file.
"""

import argparse
import json
import re
import statistics
import sys
import time

AT_ONCE, LONGEST = 2e-3, 3.0  # seconds: of work that hides one wait, and of one row


def tell(**line):
    print(json.dumps(line), flush=True)


def missing(why, **what):
    tell(missing=why, **what)
    print("peers:", *what.values(), why, file=sys.stderr)


class Clock:
    """As gpu_stages times: short calls are given several at once."""

    def __init__(self, torch, device):
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def once(self, f, calls=1):
        start = time.perf_counter()
        for _ in range(calls):
            f()
        self.wait()
        return (time.perf_counter() - start) / calls

    def median(self, f, repeats=30):
        for _ in range(3):
            self.once(f)
        calls = max(1, min(100, int(AT_ONCE / self.once(f))))
        times, start = [], time.perf_counter()
        while len(times) < repeats and (len(times) < 5 or time.perf_counter() - start < LONGEST):
            times.append(self.once(f, calls))
        return statistics.median(times)


def ceilings(torch, clock, device, tiny):
    n, count = (64, 1 << 20) if tiny else (8192, 1 << 30)
    x, y = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    a = torch.zeros(count, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    out = torch.empty_like(x)
    flops = 2 * n**3 / clock.median(lambda: torch.matmul(x, y, out=out))
    tell(
        ceilings=f"torch {torch.__version__}",
        sizes="tiny" if tiny else "full",
        gbytes_per_s=2 * count / clock.median(lambda: b.copy_(a)) / 1e9,
        tflops=flops / 1e12,
    )


def captured(torch, f):
    """f as a CUDA graph over the memory that it has now."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            f()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        f()
    return graph.replay


def time_form(torch, clock, form, device, eager, **row):
    def timed(way, make):
        peer = f"{form.peer}, {way}"
        try:
            tell(**row, peer=peer, us=1e6 * clock.median(make()))
        except Exception as error:  # a peer that cannot do it is no failure of this run
            missing(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, **row, peer=peer)

    def compiled():
        torch._dynamo.reset()  # every size by itself
        f = torch.compile(form.f, dynamic=False)
        f(*form.inputs)
        return captured(torch, lambda: f(*form.inputs)) if device == "cuda" else lambda: f(*form.inputs)

    timed("eager", lambda: lambda: form.f(*form.inputs))
    if form.compiled and not eager:
        timed("compiled, CUDA graph" if device == "cuda" else "compiled", compiled)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--batches", default="1,256")
    options.add_argument("--only", default="")
    options.add_argument("--eager", action="store_true")
    options.add_argument("--sizes", default="full", choices=("full", "tiny"))
    options.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options = options.parse_args()
    try:
        import torch
    except Exception as error:
        return missing(f"torch cannot be imported: {error}")
    device, tiny = options.device, options.sizes == "tiny"
    if device == "cuda" and not torch.cuda.is_available():
        return missing("torch sees no GPU")
    import peer_stages

    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    # fp32 is fp32: convolutions would take TF32 by themselves.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    clock = Clock(torch, device)
    ceilings(torch, clock, device, tiny)
    for precision, dtype in (("strict", torch.float32), ("fast", torch.bfloat16)):
        for stage in peer_stages.STAGES:
            if not re.search(options.only, stage.name) or (precision == "fast" and not stage.rounds):
                continue
            for batch in sorted({min(int(b), stage.most) for b in options.batches.split(",")}):
                row = {"stage": stage.name, "batch": batch, "precision": precision}
                try:
                    for form in stage.forms(peer_stages.Kit(device, batch, dtype, tiny)):
                        time_form(torch, clock, form, device, options.eager, **row)
                except Exception as error:
                    missing(str(error), **row)
                if device == "cuda":
                    torch.cuda.empty_cache()


main()
