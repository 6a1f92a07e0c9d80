"""The benchmarks run and report; their figures are not judged here. bench/encrypt needs 8 GB of disk and is left out."""

import json
import subprocess
import sys

from conftest import ROOT


def run(isoveil, name, *args):
    done = subprocess.run([sys.executable, ROOT / "bench" / name, "--isoveil", isoveil, "--json", *args], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_gateway(isoveil):
    report = run(isoveil, "gateway", "--rounds", "20", "--streams", "40")
    assert report["streams"]["failures"] == 0 and report["streams"]["open_at_once"] == 40
    for what in ("request_seconds", "token_seconds"):
        low, high = report[what]["gateway"]["interval"]
        assert 0 < low <= report[what]["gateway"]["more"] <= high


def test_overhead(isoveil, llama):
    report = run(isoveil, "overhead", "--rounds", "3", "--prompt", "64", "--tokens", "16", "--threads", "1", "--no-instructions", "--llama", str(llama))
    assert report["instructions"] is None
    for times in report["times"].values():
        for name in ("plain again", "encrypted"):
            low, high = times[name]["interval"]
            assert 0 < low <= times[name]["ratio"] <= high
