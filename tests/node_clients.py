"""Node clients, installed from a lock file: the official ones of tests/node, others of tests/clients."""

import os
import shutil
import subprocess

import pytest

from conftest import ROOT

NODE = ROOT / "tests/node"


def installed(folder=NODE):
    """node_modules of a folder; the lock that it was made from is kept in it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed: scripts/deps --test installs them")
    kept = folder / "node_modules/isoveil-lock.json"
    lock = (folder / "package-lock.json").read_bytes()
    if not kept.is_file() or kept.read_bytes() != lock:
        done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-2000:]
        kept.write_bytes(lock)
    return folder / "node_modules"


def run(script, **env):
    """What the script prints."""
    installed()
    done = subprocess.run(["node", script], cwd=NODE, capture_output=True, text=True, timeout=120, env={**os.environ, **env})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
