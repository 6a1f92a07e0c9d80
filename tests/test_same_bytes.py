"""Encrypting the same model with the same key gives the same bytes in every version: servers and clients of other times stay
one pair, and a run that another version began can be taken up.

`python tests/test_same_bytes.py PROGRAM` prints the hashes anew, for a change that is meant.
"""

import hashlib
import json
import pathlib
import sys
import tempfile

import pytest

import models

ROOT = pathlib.Path(__file__).resolve().parent.parent
HASHES = ROOT / "tests/vectors/encrypted/hashes.json"
KEY_FIXTURE = ROOT / "tests/vectors/key/files/ok-clear.txt"
TARGETS = {"hf": [], "gguf": ["--to", "gguf"]}
# Profile exact alone: it moves bits, which is the same on every processor. Rotated rounds sums.
CASES = [f"{name}/{target}" for name in models.MODELS for target in TARGETS]


def write_key(path):
    """The key of the fixture, which nobody else may read."""
    path.write_text(KEY_FIXTURE.read_text().split("\n\n", 1)[1])
    path.chmod(0o600)
    return path


def server_hash(folder):
    """Of all files of the server with their names."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:32]


def encrypted_hash(runner, key, model, out, case):
    runner.run("encrypt", model, "-k", key, "-o", out, *TARGETS[case.split("/")[1]])
    return server_hash(out / "server")


@pytest.mark.parametrize("case", CASES)
def test_the_bytes_are_those_of_other_versions(runner, model_folder, tmp_path, case):
    expected = json.loads(HASHES.read_text())
    found = encrypted_hash(runner, write_key(tmp_path / "key"), model_folder(case.split("/")[0]), tmp_path / "out", case)
    assert found == expected[case]


def test_every_hash_is_compared():
    assert sorted(json.loads(HASHES.read_text())) == sorted(CASES)


if __name__ == "__main__":
    from conftest import Runner
    runner = Runner(sys.argv[1], None)
    with tempfile.TemporaryDirectory() as folder:
        found, folder = {}, pathlib.Path(folder)
        key = write_key(folder / "key")
        for case in CASES:
            source = folder / case.split("/")[0]
            source.exists() or models.make(source.name, source)
            found[case] = encrypted_hash(runner, key, source, folder / case.replace("/", "-"), case)
    print(json.dumps(found, indent=1))
