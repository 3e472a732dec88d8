"""Puts gpu_stages' and peers.py's lines together: DIR/results.json, DIR/table.txt, DIR/reaches.txt and DIR/chart.svg.

A floor is the larger of a stage's bytes and operations over the highest ceilings that anybody reached in this run, the
project's own kernels or torch: a slow kernel of ours does not lower what it is measured by.
"""

import html
import json
import math
import pathlib
import sys

from reaches import evaluate


def lines(path):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def columns(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in table) + "\n"


def beside(row, peers):
    """The fastest peer that does the row's work: on the device, in its precision."""
    same = [p for p in peers if all(p[key] == row[key] for key in ("stage", "batch", "precision"))]
    return min(same, key=lambda p: p["us"], default=None) if row["road"] == "device" else None


def chart(rows):
    """One bar a row: time over the floor, in decades; the line is the floor itself."""
    left, wide = 400, 420
    top = max(1.0, max(math.log10(r["us"] / r["floor_us"]) for r in rows))
    bars = []
    for i, r in enumerate(rows):
        y, over = 48 + 20 * i, r["us"] / r["floor_us"]
        width = max(1.0, wide * math.log10(max(over, 1)) / top)
        label = html.escape(f"{r['stage']} B={r['batch']} {r['precision']} {r['road']}")
        bars.append(f'<text x="4" y="{y + 12}">{label}</text>')
        bars.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="14" fill="#4477aa"/>')
        if "peer_us" in r:
            at = left + wide * math.log10(max(r["peer_us"] / r["floor_us"], 1)) / top
            bars.append(f'<rect x="{min(at, left + wide):.1f}" y="{y}" width="3" height="14" fill="#ee7733"/>')
        bars.append(f'<text x="{left + width + 8:.1f}" y="{y + 12}">{over:.1f}x</text>')
    height = 60 + 20 * len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + wide + 80}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="4" y="16">Time over the floor of the measured ceilings, logarithmic (shorter is better); orange: the '
        f'best peer</text><line x1="{left}" y1="40" x2="{left}" y2="{height - 8}" stroke="#cc3311"/>{"".join(bars)}</svg>\n'
    )


def main(directory):
    out = pathlib.Path(directory)
    said = lines(out / "peers.json")
    peers, missing = [p for p in said if "us" in p], [p for p in said if "missing" in p]
    ceilings = [p for p in said if "ceilings" in p]
    timed = []
    for precision in ("strict", "fast"):
        for line in lines(out / f"stages-{precision}.json"):
            if "device" in line:
                ceilings.append(dict(line, ceilings=f"gpu_stages, {precision}"))
            else:
                timed.append(dict(line, precision=precision))
    if not timed:
        sys.exit("report: no stage was timed")
    trial = any(c.get("sizes") == "tiny" for c in ceilings)
    bytes_per_us = 1e3 * max(c["gbytes_per_s"] for c in ceilings)
    flops_per_us = 1e6 * max(c["tflops"] for c in ceilings)
    rows = []
    for row in timed:
        by_bytes, by_flops = row["bytes"] / bytes_per_us, row["flops"] / flops_per_us
        row["floor_us"], row["floor_by"] = max((by_bytes, "bytes"), (by_flops, "flops"))
        row["share_of_floor"] = row["floor_us"] / row["us"]
        best = beside(row, peers)
        if best:
            row["peer"], row["peer_us"], row["ratio"] = best["peer"], best["us"], best["us"] / row["us"]
        rows.append(row)
    verdicts = [] if trial else evaluate(rows, peers)
    results = {"ceilings": ceilings, "rows": rows, "peers": peers, "missing": missing, "reaches": verdicts}
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")

    table = [["stage", "batch", "road", "precision", "us", "floor us", "by", "share", "best peer", "peer us", "ratio"]]
    for r in rows:
        peer = [r["peer"], f"{r['peer_us']:.1f}", f"{r['ratio']:.2f}x"] if "peer" in r else ["-", "-", "-"]
        share = f"{100 * r['share_of_floor']:.0f} %"
        table.append([r["stage"], str(r["batch"]), r["road"], r["precision"], f"{r['us']:.1f}", f"{r['floor_us']:.2f}",
                      r["floor_by"], share, *peer])
    text = "Ceilings\n" + columns(
        [["by", "GB/s", "TFLOP/s bf16"]]
        + [[c["ceilings"], f"{c['gbytes_per_s']:.1f}", f"{c['tflops']:.2f}"] for c in ceilings]
    )
    text += f"The highest are used. Floors below: bytes / {bytes_per_us / 1e3:.1f} GB/s, flops / {flops_per_us / 1e6:.2f} TFLOP/s\n\n"
    text += columns(table)
    if missing:
        text += "\nPeers that are missing\n" + columns(
            [[str(p.get(key, "-")) for key in ("stage", "batch", "precision", "peer")] + [p["missing"]] for p in missing]
        )
    (out / "table.txt").write_text(text)
    (out / "chart.svg").write_text(chart(rows))

    if trial:
        reached = "Reaches: not measured, a trial at tiny sizes\n"
    else:
        counts = ", ".join(f"{sum(v['verdict'] == w for v in verdicts)} {w}" for w in ("PASS", "FAIL", "not measured"))
        reached = f"Reaches: {counts}\n" + columns(
            [[v["verdict"], f"{v['reach']}, B={v['batch']}", v["precision"], v["target"], v["measured"]] for v in verdicts]
        )
    (out / "reaches.txt").write_text(reached)
    print(text + "\n" + reached, end="")


if __name__ == "__main__":
    main(sys.argv[1])
