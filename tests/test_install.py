"""What one user builds and installs, another runs: nothing of it lies in the builder's home."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import BUILD, ROOT

NOBODY = 65534


@pytest.fixture(scope="module")
def place():
    """A folder that everybody can read, with the program installed in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="isoveil-install."))
    folder.chmod(0o755)
    subprocess.run(["cmake", "--install", BUILD, "--prefix", folder / "prefix"], check=True, capture_output=True)
    shutil.copytree(ROOT / "models/front-desk", folder / "model")
    (folder / "work").mkdir()
    (folder / "work").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def as_nobody(*command, **more):
    user = dict(user=NOBODY, group=NOBODY, extra_groups=[]) if os.getuid() == 0 else {}
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, env=environment,
                          stdin=subprocess.DEVNULL, **user, **more)


def test_another_user_encrypts_and_verifies(place):
    program, work = place / "prefix/bin/isoveil", place / "work"
    for arguments in (["keygen", "--no-passphrase", "-o", work / "key"],
                      ["encrypt", place / "model", "-k", work / "key", "-o", work / "out", "--to", "gguf"],
                      ["verify", "--plain", place / "model", "--encrypted", work / "out", "-k", work / "key", "-n", "4"]):
        done = as_nobody(program, *arguments, "--json", cwd=work)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["match"]


def test_another_user_serves(place):
    """The installed llama-server starts; here on a file that is none, so that it ends."""
    (place / "work/none.gguf").write_text("none")
    done = as_nobody(place / "prefix/bin/isoveil", "serve", place / "work/none.gguf", cwd=place / "work")
    assert done.returncode == 1 and "llama-server is not installed" not in done.stderr and "cannot be run" not in done.stderr


def test_no_library_lies_in_a_home(place):
    for program in ("bin/isoveil", "bin/isoveil-gateway", "lib/isoveil/llama-server"):
        listed = as_nobody("ldd", place / "prefix" / program).stdout
        assert "not found" not in listed and str(pathlib.Path.home()) + "/" not in listed, listed


def test_the_program_as_built_needs_only_the_build_folder(isoveil):
    listed = subprocess.run(["ldd", isoveil], capture_output=True, text=True, check=True).stdout
    cache = os.path.expanduser("~/.cache")
    assert cache not in listed, listed


def test_another_project_uses_the_client(place, tmp_path):
    """find_package(isoveil), the public headers and nothing of the source tree: a text as the command line encrypts it."""
    build = tmp_path / "build"
    said = subprocess.run(["cmake", "-S", ROOT / "tests/consumer", "-B", build, f"-DCMAKE_PREFIX_PATH={place / 'prefix'}",
                           "-DCMAKE_BUILD_TYPE=Release"], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    said = subprocess.run(["cmake", "--build", build], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    old = ROOT / "tests/vectors/client/version-1"
    expected = json.loads((old / "expected.json").read_text())
    key = shutil.copy(old / "my.key", tmp_path)
    os.chmod(key, 0o600)
    said = subprocess.run([build / "consumer", old / "client", key, expected["text"]], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    ids, text = said.stdout.splitlines()
    assert [int(i) for i in ids.split()] == expected["ids"] and text == expected["text"]
    said = subprocess.run([build / "consumer", old / "nowhere", key, "x"], capture_output=True, text=True)
    assert said.returncode == 1 and "nowhere" in said.stderr
