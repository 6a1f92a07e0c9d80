"""The official Node clients, installed from the lock file of tests/node."""

import os
import shutil
import subprocess

import pytest

from conftest import ROOT

NODE = ROOT / "tests/node"


def installed():
    """The lock that node_modules was made from is kept in it."""
    kept = NODE / "node_modules/isoveil-lock.json"
    lock = (NODE / "package-lock.json").read_bytes()
    if kept.is_file() and kept.read_bytes() == lock:
        return
    done = subprocess.run(["npm", "ci"], cwd=NODE, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    kept.write_bytes(lock)


def run(script, **env):
    """What the script prints."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed: scripts/deps --test installs them")
    installed()
    done = subprocess.run(["node", script], cwd=NODE, capture_output=True, text=True, timeout=120, env={**os.environ, **env})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
