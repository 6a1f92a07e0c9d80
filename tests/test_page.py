"""The chat page: its build is what is compiled in, its own tests pass, and it works in a real browser."""

import filecmp
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import ROOT, serving_up

WEB = ROOT / "web"
CHROMIUM = os.environ.get("ISOVEIL_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FRONT_DESK = ROOT / "models/front-desk"


def npm(*args, env=None, timeout=600):
    done = subprocess.run(["npm", *args], cwd=WEB, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="session")
def packages():
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: scripts/deps --test installs it")
    if not (WEB / "node_modules/.package-lock.json").is_file():
        npm("ci", "--no-audit", "--no-fund")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: scripts/deps --test installs it")
    return {"ISOVEIL_CHROMIUM": CHROMIUM}


def test_the_page_that_is_compiled_in_is_the_one_of_the_sources(packages, tmp_path):
    shutil.copytree(WEB / "dist", tmp_path / "dist")
    npm("run", "build")
    compared = filecmp.dircmp(tmp_path / "dist", WEB / "dist")
    assert compared.left_only == compared.right_only == []
    _, differ, errors = filecmp.cmpfiles(tmp_path / "dist", WEB / "dist", compared.common_files, shallow=False)
    assert differ == errors == [], "commit web/dist after npm run build"


def test_pure_modules(packages):
    npm("test")


def test_page_before_canned_answers(packages, browser):
    npm("run", "test:browser", env=browser)


def test_page_before_the_real_gateway(packages, browser, isoveil, tmp_path):
    if not (FRONT_DESK / "model.safetensors").is_file():
        pytest.skip("models/front-desk has no weights")
    with serving_up(isoveil, FRONT_DESK, tmp_path) as up:
        npm("run", "test:browser", env={**browser, "ISOVEIL_BASE_URL": up["url"]})
