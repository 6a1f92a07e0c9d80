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


def test_gateway(isoveil, llama):
    report = run(isoveil, "gateway", "--rounds", "20", "--streams", "40", "--paced-streams", "8", "--paced-rounds", "1", "--tokens", "256", "--pace", "5",
                 "--llama", str(llama))
    assert len(report["paced"]) == 4
    for of in report["paced"].values():
        assert 0 < of["first"]["least"] <= of["first"]["median"] and 0 < of["last"]["median"]
        assert of["events_per_token"]["least"] > 0.8
    assert report["direct"]["tokens_per_second"] > 0 and report["direct"]["microseconds"] > 0 and report["direct"]["gateway"]["ratio"] > 0
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
