"""What the CUDA backend is to reach, evaluated from one run's rows and peers: met, missed, or not measured."""

import typing


class Reach(typing.NamedTuple):
    what: str
    stage: str
    batch: int
    road: str
    precisions: tuple
    kind: str  # "floor": at most `limit` floors; "us": at most so many; or a peer's name: at least so many times as fast
    limit: float


REACHES = (
    Reach("patch embedding", "patch_embed", 256, "device", ("fast",), "floor", 1.5),
    Reach("patch embedding", "patch_embed", 256, "device", ("fast", "strict"), "torch, eager", 3),
    Reach("log-mel of 10 s", "log_mel", 256, "device", ("strict",), "floor", 2),
    Reach("log-mel of 10 s", "log_mel", 256, "device", ("strict",), "torchaudio", 5),
    Reach("Perceiver 256 x 4096", "perceiver", 64, "device", ("fast",), "floor", 2),
    Reach("Perceiver 256 x 4096", "perceiver", 64, "device", ("fast", "strict"), "torch", 2),
    Reach("one image, host to host", "patch_embed", 1, "host to host", ("fast", "strict"), "us", 25),
    Reach("10 s of log-mel + projection, left there", "log_mel_project", 1, "host to device", ("fast", "strict"), "us", 20),
)


def outcome(reach, precision, rows, peers):
    """(verdict, target, what was measured)"""
    target = f"<= {reach.limit:g} us" if reach.kind == "us" else f"<= {reach.limit:g}x the floor"
    if reach.kind not in ("us", "floor"):
        target = f">= {reach.limit:g}x {reach.kind}"
    same = [
        r
        for r in rows
        if (r["stage"], r["batch"], r["road"], r["precision"]) == (reach.stage, reach.batch, reach.road, precision)
    ]
    if not same:
        return "not measured", target, "the stage was not timed"
    row = same[0]
    if reach.kind == "us":
        got, met = f"{row['us']:.1f} us", row["us"] <= reach.limit
    elif reach.kind == "floor":
        over = row["us"] / row["floor_us"]
        got, met = f"{over:.2f}x the floor of {row['floor_us']:.1f} us", over <= reach.limit
    else:
        # Of several forms of the same peer the fastest counts.
        beside = [
            p
            for p in peers
            if (p["stage"], p["batch"], p["precision"]) == (reach.stage, reach.batch, precision)
            and p["peer"].startswith(reach.kind)
        ]
        if not beside:
            return "not measured", target, "the peer was not timed"
        best = min(beside, key=lambda p: p["us"])
        ratio = best["us"] / row["us"]
        got, met = f"{ratio:.2f}x {best['peer']} ({best['us']:.1f} us)", ratio >= reach.limit
    return "PASS" if met else "FAIL", target, got


def evaluate(rows, peers):
    verdicts = []
    for reach in REACHES:
        for precision in reach.precisions:
            verdict, target, got = outcome(reach, precision, rows, peers)
            verdicts.append(
                {"reach": reach.what, "batch": reach.batch, "precision": precision, "target": target, "verdict": verdict,
                 "measured": got}
            )
    return verdicts
