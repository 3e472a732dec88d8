"""Puts gpu_stages' and peers.py's lines together: DIR/results.json, DIR/table.txt and DIR/chart.svg."""

import json
import pathlib
import sys


def lines(path):
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def main(directory):
    out = pathlib.Path(directory)
    peers = lines(out / "peers.json")
    rows, devices = [], []
    for precision in ("strict", "fast"):
        for line in lines(out / f"stages-{precision}.json"):
            if "device" in line:
                devices.append(line)
                continue
            row = dict(line, precision=precision)
            beside = [
                p
                for p in peers
                if (p["stage"], p["batch"], p["precision"]) == (row["stage"], row["batch"], precision)
                and row["road"] == "device"
            ]
            if beside:
                best = min(beside, key=lambda p: p["us"])
                row["peer"], row["peer_us"], row["ratio"] = best["peer"], best["us"], best["us"] / row["us"]
            rows.append(row)
    if not rows:
        sys.exit("report: no stage was timed")
    (out / "results.json").write_text(json.dumps({"devices": devices, "rows": rows, "peers": peers}, indent=1) + "\n")

    head = ["stage", "batch", "road", "precision", "us", "floor us", "share", "best peer", "peer us", "ratio"]
    table = [head]
    for r in rows:
        table.append(
            [r["stage"], str(r["batch"]), r["road"], r["precision"], f"{r['us']:.1f}", f"{r['floor_us']:.1f}",
             f"{100 * r['share_of_floor']:.0f} %", r.get("peer", "-"), f"{r['peer_us']:.1f}" if "peer" in r else "-",
             f"{r['ratio']:.2f}x" if "peer" in r else "-"]
        )
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    text = "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in table)
    (out / "table.txt").write_text(text + "\n")
    print(text)

    # One bar a row: time over the floor; the line is the floor itself.
    most = max(r["us"] / r["floor_us"] for r in rows)
    bars = []
    for i, r in enumerate(rows):
        y, over = 30 + 22 * i, r["us"] / r["floor_us"]
        label = f"{r['stage']} B={r['batch']} {r['precision']} {r['road']}"
        bars.append(f'<text x="4" y="{y + 12}">{label}</text>')
        bars.append(f'<rect x="330" y="{y}" width="{400 * over / most:.1f}" height="15" fill="#4477aa"/>')
        bars.append(f'<text x="{336 + 400 * over / most:.1f}" y="{y + 12}">{over:.1f}x the floor</text>')
    height = 40 + 22 * len(rows)
    (out / "chart.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" font-family="sans-serif" font-size="12">'
        f'<text x="4" y="16">Time over the floor of the measured ceilings (shorter is better)</text>{"".join(bars)}'
        f'<line x1="{330 + 400 / most:.1f}" y1="24" x2="{330 + 400 / most:.1f}" y2="{height - 8}" stroke="#cc3311"/></svg>\n'
    )


main(sys.argv[1])
