"""A kill at every write and rename, and a disk that is full from any moment on."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from gateway_process import free_port, gateway_command, start

MOST = 150


def sample(count, most):
    step = max(1, -(-count // most))
    return sorted({*range(1, count + 1, step), count})


class Encryption:
    def __init__(self, isoveil, library, key, model, folder):
        self.command = [isoveil, "encrypt", str(model), "-k", str(key), "-o", str(folder / "out"), "--threads", "1"]
        self.library, self.folder = library, folder

    def run(self, **faults):
        environment = dict(os.environ, **({"LD_PRELOAD": self.library} if faults else {}), **faults)
        return subprocess.run(self.command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def published(self):
        """{path: bytes} of what stands under its final name, or None"""
        out = self.folder / "out"
        return {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()} if out.exists() else None

    def clean(self):
        subprocess.run(["rm", "-rf", self.folder / "out", self.folder / "out.partial"], check=True)


@pytest.fixture(params=["llama-gqa", "llama-sharded"])
def encryption(request, isoveil, fault_library, runner, model_folder, tmp_path):
    return Encryption(isoveil, fault_library, runner.key, model_folder(request.param), tmp_path)


@pytest.fixture
def reference(encryption):
    """The undisturbed result and the number of calls that made it."""
    counter = encryption.folder / "count"
    done = encryption.run(FAULT_COUNT_FILE=str(counter))
    assert done.returncode == 0, done.stderr
    published = encryption.published()
    encryption.clean()
    count = int(counter.read_text())
    assert published and count > 60
    return published, count


def test_a_kill_at_any_moment_leaves_nothing_or_everything(encryption, reference):
    expected, count = reference
    resumed = 0
    for n in sample(count, MOST):
        killed = encryption.run(FAULT_KILL_AT=str(n))
        assert killed.returncode == -signal.SIGKILL, (n, killed.stderr)
        left = encryption.published()
        if left is None:
            again = encryption.run()
            assert again.returncode == 0, (n, again.stderr)
            resumed += 1
        assert encryption.published() == expected, n
        assert not (encryption.folder / "out.partial").exists()
        encryption.clean()
    assert resumed > 50


def test_a_full_disk_is_said_and_leaves_nothing(encryption, reference):
    expected, count = reference
    failures = 0
    for n in sample(count, 40):
        done = encryption.run(FAULT_ENOSPC_AT=str(n))
        if done.returncode == 0:
            # Only calls that need no space came after.
            assert encryption.published() == expected
        else:
            failures += 1
            assert done.returncode == 1
            assert done.stderr.count("isoveil: error:") == 1 and "No space left" in done.stderr, done.stderr
            assert encryption.published() is None
            assert encryption.run().returncode == 0
            assert encryption.published() == expected
        encryption.clean()
    assert failures > 20


def test_a_source_that_is_cut_off_while_it_is_read_is_named(encryption, reference, tmp_path):
    """Reading a mapped file beyond its new end would raise SIGBUS."""
    expected, count = reference
    weights = sorted(pathlib.Path(encryption.command[2]).glob("*.safetensors"))[-1]
    content = weights.read_bytes()
    failures = 0
    try:
        for n in sample(count, 20):
            done = encryption.run(FAULT_TRUNCATE_AT=str(n), FAULT_TRUNCATE_FILE=str(weights))
            weights.write_bytes(content)
            if done.returncode != 0:
                failures += 1
                assert done.returncode == 1 and encryption.published() is None
                assert done.stderr.count("isoveil: error:") == 1 and weights.name in done.stderr, done.stderr
                again = encryption.run()
                assert again.returncode == 0, again.stderr
            assert encryption.published() == expected, n
            encryption.clean()
    finally:
        weights.write_bytes(content)
    assert failures > 5


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_text_that_changes_meanwhile_is_named(encryption, reference, name):
    """The weights would follow one configuration and the client's folder another tokenizer."""
    expected, count = reference
    path = pathlib.Path(encryption.command[2]) / name
    content = path.read_bytes()
    failures = 0
    try:
        for n in sample(count, 6):
            done = encryption.run(FAULT_TRUNCATE_AT=str(n), FAULT_TRUNCATE_FILE=str(path))
            path.write_bytes(content)
            if done.returncode != 0:
                failures += 1
                assert done.returncode == 1 and encryption.published() is None
                assert done.stderr.count("isoveil: error:") == 1 and name in done.stderr, done.stderr
            else:
                assert encryption.published() == expected, n
            encryption.clean()
    finally:
        path.write_bytes(content)
    assert failures >= 5


def test_a_kill_at_the_first_contact_leaves_no_record_or_a_whole_one(blind, copied, fake, fault_library, tmp_path):
    """Another gateway may read the record at any moment, so what a kill leaves is what it might have read."""
    canary = copied / "canary.json"
    before = set(copied.iterdir())

    def serve(**faults):
        port = free_port()
        command = gateway_command(blind.runner, copied, [fake.url], port, "--upstream-kind", "llama-server")
        try:
            return start(command, port, tmp_path / "log", env=dict(os.environ, LD_PRELOAD=fault_library, **faults)).end()
        except AssertionError:  # it ends before it answers
            return None

    counter = tmp_path / "count"
    assert serve(FAULT_COUNT_FILE=str(counter)) == 0
    n_steps = len(json.loads(canary.read_text())["steps"])
    count = int(counter.read_text())
    left = []
    for n in range(1, count + 1):
        canary.unlink(missing_ok=True)
        serve(FAULT_KILL_AT=str(n))
        assert set(copied.iterdir()) - {canary} == before
        left.append(canary.exists())
        assert not left[-1] or len(json.loads(canary.read_text())["steps"]) == n_steps, n
        assert serve() == 0, n
    assert count >= 4 and not left[0]
