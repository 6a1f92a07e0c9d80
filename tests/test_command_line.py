"""Mistakes at the command line: wrong folders, mistyped commands, flags from the environment."""

import os
import subprocess

import pytest


@pytest.fixture(scope="module")
def out(runner, model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    runner.encrypt(model_folder("llama-gqa"), folder / "gguf", "--to", "gguf")
    runner.encrypt(model_folder("llama-gqa"), folder / "hf")
    return folder


@pytest.mark.parametrize("typed, words", [
    (["encrpyt", "x"], ["'encrpyt' is no command", "did you mean 'encrypt'?"]),
    (["gatway"], ["did you mean 'gateway'?"]),
    (["tokens", "decript"], ["did you mean 'decrypt'?"]),
    (["nonsense"], ["'nonsense' is no command", "isoveil --help"])])
def test_a_mistyped_command(runner, typed, words):
    error = runner.fail(2, *typed)
    assert all(word in error for word in words) and "subcommand" not in error


@pytest.mark.parametrize("given", ["gguf", "gguf/server", "gguf/server/"])
@pytest.mark.parametrize("command", [["gateway"], ["chat"], ["generate"], ["tokens", "encrypt"], ["tokens", "decrypt"]])
def test_the_client_folder_is_named(runner, out, command, given):
    error = runner.fail(1, *command, f"{out}/{given}", "-k", runner.key, *(["hello"] if command == ["generate"] else []))
    assert error.count("isoveil: error:") == 1 and f"hint: name {out}/gguf/client\n" in error, error


@pytest.mark.parametrize("given", ["gguf", "gguf/client"])
def test_the_server_folder_is_named(runner, out, given):
    assert f"hint: name {out}/gguf/server\n" in runner.fail(1, "serve", out / given)


@pytest.mark.parametrize("given", ["gguf/client", "gguf/server"])
def test_the_whole_folder_is_named(runner, out, model_folder, given):
    error = runner.fail(1, "verify", "--plain", model_folder("llama-gqa"), "--encrypted", out / given, "-k", runner.key)
    assert f"hint: name {out}/gguf\n" in error


def test_serve_says_a_sentence(runner, out, tmp_path):
    assert "vllm serve" in runner.fail(1, "serve", out / "hf/server")
    (tmp_path / "notes.txt").write_text("no model at all")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF")
    (tmp_path / "empty").mkdir()
    for path, words in [("notes.txt", "neither GGUF nor safetensors"), ("broken.gguf", "broken.gguf"), ("absent", "o such file"),
                        ("empty", "isoveil encrypt --to gguf"), (out / "hf/server/model.safetensors", "is no GGUF file")]:
        error = runner.fail(1, "serve", tmp_path / path)
        assert error.count("isoveil: error:") == 1 and words in error and len(error.splitlines()) <= 2, error


@pytest.mark.parametrize("flags", [["encrypt", "--ids"], ["decrypt"]])
def test_ids_are_read_strictly(runner, out, flags):
    command = ["tokens", flags[0], out / "hf/client", "-k", runner.key, *flags[1:]]
    assert runner.call(*command, text='{"ids": [1, 2], "more": [[]]}').returncode == 0
    for text, problem in [("[" * 100_000 + "]" * 100_000, "stdin: is nested deeper than 64"), ('{"ids": [1], "ids": [2]}', "stdin: key 'ids' occurs twice"),
                          ("[1, 2", "stdin: is no well-formed JSON"), ("[1.5]", "position 0 is no token id"), ("5", "is no list")]:
        error = runner.fail(1, *command, text=text)
        assert problem in error and "expected a JSON list of ids" in error, error


def test_choices_are_shown_as_typed(runner):
    for command in ("encrypt", "up"):
        text = runner.call(command, "--help").stdout
        assert "exact|rotated" in text and "ENUM" not in text and "->" not in text
    error = runner.fail(2, "encrypt", "x", "--profile", "weak")
    assert "expected exact|rotated, found 'weak'" in error
    assert "auto|llama-server" in runner.call("gateway", "--help").stdout


def with_variables(runner, *args, **variables):
    environment = {**os.environ, **{"ISOVEIL_" + name: str(value) for name, value in variables.items()}}
    return subprocess.run([runner.program, *map(str, args)], capture_output=True, text=True, env=environment, timeout=300)


def test_every_flag_is_a_variable(runner, model_folder, tmp_path):
    folder = model_folder("llama-gqa")
    done = with_variables(runner, "encrypt", folder, KEY=runner.key, OUTPUT=tmp_path / "out", PROFILE="rotated", TO="gguf", JSON="1")
    assert done.returncode == 0 and '"profile": "rotated"' in done.stdout and '"format": "gguf"' in done.stdout, done.stderr
    # The command line counts first, and a wrong value is said as there.
    done = with_variables(runner, "encrypt", folder, "--dry-run", "--profile", "exact", PROFILE="rotated")
    assert done.returncode == 0
    done = with_variables(runner, "encrypt", folder, PROFILE="weak", DRY_RUN="true")
    assert done.returncode == 2 and "expected exact|rotated" in done.stderr
    # Commas separate: the second address is looked at by itself, and is none.
    done = with_variables(runner, "gateway", tmp_path / "out/client", "-k", runner.key, UPSTREAM="http://127.0.0.1:1,ftp://there")
    assert done.returncode == 2 and "does not begin with http://" in done.stderr, done.stderr
    # A variable that no flag of the command has changes nothing.
    assert with_variables(runner, "keygen", "-o", tmp_path / "k", "--no-passphrase", UPSTREAM="x", PROFILE="y").returncode == 0


@pytest.mark.parametrize("command", ["up", "keygen", "inspect", "encrypt", "convert", "verify", "serve", "gateway", "chat", "generate", "pull"])
def test_the_help_names_the_variable_of_every_flag(runner, command):
    lines = runner.call(command, "--help").stdout.splitlines()
    flags = [line.split()[0].split(",")[-1] for line in lines if line.startswith("  -")]
    text = " ".join(lines)
    for flag in flags:
        if flag != "--help":
            assert "ISOVEIL_" + flag.removeprefix("--").replace("-", "_").upper() in text, flag
