"""Whatever a user names: a pipe nobody writes into, a device, a folder, a name no file can have. Every command says one
sentence and ends; none waits for ever, none is ended by an exception."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = 30


@pytest.fixture(scope="module")
def encrypted(runner, model_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("inputs") / "out"
    runner.encrypt(model_folder("llama-gqa"), out, "--to", "gguf")
    return out


def commands(model, key, client, server, out):
    """Every command that opens what is named, by name."""
    return {
        "encrypt": ["encrypt", model, "-k", key, "-o", out],
        "dry-run": ["encrypt", model, "--dry-run"],
        "inspect": ["inspect", model],
        "convert": ["convert", model, "-o", out],
        "verify": ["verify", "--plain", model, "--encrypted", client.parent, "-k", key],
        "up": ["up", model, "-k", key, "-o", out, "--port", "0"],
        "tokens": ["tokens", "encrypt", client, "-k", key],
        "generate": ["generate", client, "-k", key, "--upstream", "http://127.0.0.1:9", "x"],
        "gateway": ["gateway", client, "-k", key, "--upstream", "http://127.0.0.1:9"],
        "serve": ["serve", server],
        "keygen": ["keygen", "--no-passphrase", "-o", key],
    }


def refused(isoveil, arguments, cwd=None):
    done = subprocess.run(
        [isoveil, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, cwd=cwd
    )
    assert done.returncode in (1, 2, 105), (done.returncode, done.stderr)
    assert "terminate" not in done.stderr and "unexpected" not in done.stderr, done.stderr
    assert "isoveil: error:" in done.stderr or done.returncode in (2, 105), done.stderr
    return done.stderr


PATHS = {
    "long name": lambda folder: folder / ("n" * 300),
    "long path": lambda folder: pathlib.Path(str(folder) + "/longer" * 900),
    "missing": lambda folder: folder / "missing",
    "folder": lambda folder: folder,
    "device": lambda folder: pathlib.Path("/dev/zero"),
    "below a file": lambda folder: folder / "file" / "below",
    "pipe": lambda folder: folder / "pipe",
}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("command", ["encrypt", "dry-run", "inspect", "convert", "verify", "up", "tokens", "generate", "gateway", "serve"])
def test_a_path_that_is_nothing_to_read(isoveil, runner, encrypted, tmp_path, command, kind):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    path = PATHS[kind](tmp_path)
    all_of_them = commands(path, runner.key, path, path, tmp_path / "out")
    if command == "verify":
        all_of_them["verify"][4] = encrypted
    refused(isoveil, all_of_them[command])


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("command", ["encrypt", "verify", "tokens", "gateway", "inspect"])
def test_a_key_that_is_nothing_to_read(isoveil, runner, encrypted, model_folder, tmp_path, command, kind):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    key = PATHS[kind](tmp_path)
    model = key if command == "inspect" else model_folder("llama-gqa")
    refused(isoveil, commands(model, key, encrypted / "client", encrypted / "server", tmp_path / "out")[command])


@pytest.mark.parametrize("kind", ["long name", "long path", "below a file"])
@pytest.mark.parametrize("command", ["encrypt", "convert", "up", "keygen"])
def test_a_place_where_nothing_can_be_written(isoveil, runner, encrypted, model_folder, tmp_path, command, kind):
    (tmp_path / "file").write_text("x")
    path = PATHS[kind](tmp_path)
    key = path if command == "keygen" else runner.key
    refused(isoveil, commands(model_folder("llama-gqa"), key, encrypted / "client", encrypted / "server", path)[command])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_a_pipe_inside_a_model_folder(isoveil, runner, model_folder, tmp_path, name):
    model = tmp_path / "model"
    shutil.copytree(model_folder("llama-gqa"), model)
    (model / name).unlink()
    os.mkfifo(model / name)
    assert name in refused(isoveil, commands(model, runner.key, model, model, tmp_path / "out")["encrypt"])


@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.gguf"])
def test_a_pipe_inside_a_client_folder(isoveil, runner, encrypted, tmp_path, name):
    client = tmp_path / "client"
    shutil.copytree(encrypted / "client", client)
    (client / name).unlink()
    os.mkfifo(client / name)
    assert name in refused(isoveil, commands(client, runner.key, client, client, tmp_path / "out")["tokens"])


@pytest.mark.parametrize("command", ["encrypt", "inspect", "up", "gateway", "serve"])
def test_a_current_folder_that_is_gone(isoveil, runner, encrypted, tmp_path, command):
    gone = tmp_path / "gone"
    gone.mkdir()
    wrapped = ["-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", gone, isoveil]
    here = pathlib.Path("here")
    refused("/bin/sh", [*wrapped, *commands(here, runner.key, here, here, pathlib.Path("out"))[command]])


def test_a_passphrase_through_a_pipe_still_works(isoveil, tmp_path):
    script = f"{isoveil} keygen -o {tmp_path}/key --passphrase-file <(sleep 0.2; echo secret) && {isoveil} inspect {tmp_path}/key"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0 and "sealed by a passphrase" in done.stdout, done.stderr


def test_no_call_that_throws_is_in_the_source():
    """std::filesystem's questions and changes throw unless they are given an error code; base/file.h has some that do not."""
    names = (
        "absolute|canonical|copy|copy_file|create_directories|create_directory|current_path|equivalent|exists|file_size|"
        "is_directory|is_empty|is_regular_file|last_write_time|permissions|relative|remove|remove_all|rename|resize_file|"
        "space|status|symlink_status|temp_directory_path"
    )
    call = re.compile(rf"std::filesystem::({names})\((?![^;]*(error|ignored|ec)\))")
    loop = re.compile(r"for \([^;:]*: *std::filesystem::(recursive_)?directory_iterator")
    found = []
    for path in (ROOT / "isoveil").rglob("*.cc"):
        if path.stem.endswith(("_test", "_fuzzer")):
            continue
        found += [f"{path.name}: {line.strip()}" for line in path.read_text().splitlines() if call.search(line) or loop.search(line)]
    assert not found
