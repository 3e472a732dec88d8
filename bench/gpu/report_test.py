"""Tests report.py and reaches.py on lines that are made up: python3 report_test.py."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent


def stage(name, batch, us, road="device", flops=0.0, count=1e9):
    return {"stage": name, "shape": "", "batch": batch, "road": road, "us": us, "bytes": count, "flops": flops,
            "floor_us": 1.0, "share_of_floor": 1.0}


def peer(name, batch, precision, form, us):
    return {"stage": name, "batch": batch, "precision": precision, "peer": form, "us": us}


class ReportTest(unittest.TestCase):
    def report(self, strict, fast, peers, sizes="full", ours=(1000.0, 100.0)):
        with tempfile.TemporaryDirectory() as name:
            out = pathlib.Path(name)
            for precision, rows in (("strict", strict), ("fast", fast)):
                device = {"device": "GPU", "precision": precision, "sizes": sizes, "gbytes_per_s": ours[0], "tflops": ours[1]}
                (out / f"stages-{precision}.json").write_text("".join(json.dumps(r) + "\n" for r in [device, *rows]))
            (out / "peers.json").write_text("".join(json.dumps(p) + "\n" for p in peers))
            run = subprocess.run([sys.executable, HERE / "report.py", name], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            for file in ("table.txt", "reaches.txt", "chart.svg"):
                self.assertTrue((out / file).read_text())
            return json.loads((out / "results.json").read_text()), run.stdout

    def verdicts(self, results):
        return {(v["reach"], v["precision"], v["target"]): v["verdict"] for v in results["reaches"]}

    def test_floor_is_of_the_highest_ceilings(self):
        # 1e9 bytes take 1000 us at 1000 GB/s of ours and 500 us at torch's 2000; 1e11 operations 1000 us at 100 TFLOP/s.
        rows = [stage("a", 1, 2000), stage("b", 1, 2000, flops=1e11)]
        ceilings = {"ceilings": "torch", "gbytes_per_s": 2000.0, "tflops": 50.0}
        results, _ = self.report(rows, [], [ceilings])
        self.assertAlmostEqual(results["rows"][0]["floor_us"], 500)
        self.assertEqual(results["rows"][0]["floor_by"], "bytes")
        self.assertAlmostEqual(results["rows"][1]["floor_us"], 1000)
        self.assertEqual(results["rows"][1]["floor_by"], "flops")
        self.assertAlmostEqual(results["rows"][1]["share_of_floor"], 0.5)

    def test_reaches(self):
        strict = [stage("log_mel", 256, 1999), stage("patch_embed", 1, 26, "host to host"),
                  stage("log_mel_project", 1, 20, "host to device")]
        fast = [stage("patch_embed", 256, 1501), stage("perceiver", 64, 100), stage("patch_embed", 1, 25, "host to host")]
        peers = [
            peer("log_mel", 256, "strict", "torchaudio, eager", 20000),
            peer("log_mel", 256, "strict", "torchaudio, compiled, CUDA graph", 9000),
            peer("patch_embed", 256, "fast", "torch, eager", 4503),
            peer("patch_embed", 256, "fast", "torch, compiled, CUDA graph", 10),
            peer("perceiver", 64, "fast", "torch, bf16 inputs, eager", 200),
        ]
        results, said = self.report(strict, fast, peers)
        v = self.verdicts(results)
        self.assertEqual(v["log-mel of 10 s", "strict", "<= 2x the floor"], "PASS")
        self.assertEqual(v["log-mel of 10 s", "strict", ">= 5x torchaudio"], "FAIL")  # the fastest form counts
        self.assertEqual(v["patch embedding", "fast", "<= 1.5x the floor"], "FAIL")
        self.assertEqual(v["patch embedding", "fast", ">= 3x torch, eager"], "PASS")
        self.assertEqual(v["patch embedding", "strict", ">= 3x torch, eager"], "not measured")
        self.assertEqual(v["Perceiver 256 x 4096", "fast", ">= 2x torch"], "PASS")
        self.assertEqual(v["one image, host to host", "strict", "<= 25 us"], "FAIL")
        self.assertEqual(v["one image, host to host", "fast", "<= 25 us"], "PASS")
        self.assertEqual(v["10 s of log-mel + projection, left there", "strict", "<= 20 us"], "PASS")
        self.assertEqual(v["10 s of log-mel + projection, left there", "fast", "<= 20 us"], "not measured")
        self.assertIn("Reaches: 6 PASS, 3 FAIL, 3 not measured", said)

    def test_only_the_same_work_is_a_peer(self):
        rows = [stage("a", 1, 10), stage("a", 1, 20, "host to host"), stage("a", 256, 30)]
        peers = [peer("a", 1, "strict", "slow", 50), peer("a", 1, "strict", "quick", 40), peer("a", 256, "fast", "other", 1)]
        results, _ = self.report(rows, [], peers)
        self.assertEqual([r.get("peer") for r in results["rows"]], ["quick", None, None])
        self.assertAlmostEqual(results["rows"][0]["ratio"], 4)

    def test_says_what_is_missing(self):
        _, said = self.report([stage("a", 1, 10)], [], [{"missing": "torch cannot be imported: no"}])
        self.assertIn("torch cannot be imported: no", said)

    def test_a_trial_reaches_nothing(self):
        results, said = self.report([stage("patch_embed", 1, 1, "host to host")], [], [], sizes="tiny")
        self.assertEqual(results["reaches"], [])
        self.assertIn("not measured, a trial", said)


if __name__ == "__main__":
    unittest.main()
