"""What `encrypt` notices of its source: a run that is taken up after the source or the output changed, weights that no
model can run on, configurations that changed, tokenizers it cannot use, an encryption of an encryption."""

import json
import os
import shutil
import signal
import struct
import subprocess

import numpy as np
import pytest

import models


def weights(folder):
    return folder / "model.safetensors"


def tensor_places(path):
    """{name: (offset in the file, bytes)}"""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    return {name: (8 + size + t["data_offsets"][0], t["data_offsets"][1] - t["data_offsets"][0]) for name, t in header.items() if name != "__metadata__"}


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.fixture
def source(model_folder, tmp_path):
    shutil.copytree(model_folder("llama-gqa"), tmp_path / "source")
    return tmp_path / "source"


def interrupted(isoveil, fault_library, runner, source, out, calls):
    """A run that is killed at one of its calls that write."""
    environment = dict(os.environ, LD_PRELOAD=fault_library, FAULT_KILL_AT=str(calls))
    command = [isoveil, "encrypt", source, "-k", runner.key, "-o", out, "--threads", "1"]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL
    lines = (out.parent / (out.name + ".partial") / "journal").read_text().splitlines()
    assert 3 < len(lines) < 25, lines
    return len(lines) - 1


def same_server(a, b):
    return weights(a / "server").read_bytes() == weights(b / "server").read_bytes()


KILLED_AT = 26


def test_a_source_that_changed_in_the_middle_gives_no_mix(isoveil, fault_library, runner, source, tmp_path):
    done = interrupted(isoveil, fault_library, runner, source, tmp_path / "out", KILLED_AT)
    changed = 0
    for offset, size in tensor_places(weights(source)).values():
        if size > 3 * 4096:
            overwrite(weights(source), offset + size // 2, b"\0" * 64)
            changed += 1
    assert changed > 5
    resumed = runner.encrypt(source, tmp_path / "out")
    assert resumed["resumed_tensors"] < done
    runner.encrypt(source, tmp_path / "fresh")
    assert same_server(tmp_path / "out", tmp_path / "fresh")


def test_an_unchanged_run_is_taken_up(isoveil, fault_library, runner, source, tmp_path):
    done = interrupted(isoveil, fault_library, runner, source, tmp_path / "out", KILLED_AT)
    assert runner.encrypt(source, tmp_path / "out")["resumed_tensors"] == done
    runner.encrypt(source, tmp_path / "fresh")
    assert same_server(tmp_path / "out", tmp_path / "fresh")


@pytest.mark.parametrize("claim", ["done {n}", "done {n} {hash} {hash}", "done {n} {like}"])
def test_a_line_of_the_journal_is_not_believed(isoveil, fault_library, runner, source, tmp_path, claim):
    interrupted(isoveil, fault_library, runner, source, tmp_path / "out", KILLED_AT)
    journal = tmp_path / "out.partial/journal"
    like = journal.read_text().splitlines()[1].split(" ", 2)[2]
    with open(journal, "a") as file:
        for n in range(60):
            file.write(claim.format(n=n, hash="0" * 32, like=like) + "\n")
    runner.encrypt(source, tmp_path / "out")
    runner.encrypt(source, tmp_path / "fresh")
    assert same_server(tmp_path / "out", tmp_path / "fresh")


def test_written_bytes_that_are_lost_are_written_again(isoveil, fault_library, runner, source, tmp_path):
    done = interrupted(isoveil, fault_library, runner, source, tmp_path / "out", KILLED_AT)
    written = weights(tmp_path / "out.partial/server")
    overwrite(written, 4096, b"\0" * (written.stat().st_size - 4096))
    assert runner.encrypt(source, tmp_path / "out")["resumed_tensors"] < done
    runner.encrypt(source, tmp_path / "fresh")
    assert same_server(tmp_path / "out", tmp_path / "fresh")


def test_another_source_is_refused_by_the_run_it_did_not_begin(isoveil, fault_library, runner, source, tmp_path):
    interrupted(isoveil, fault_library, runner, source, tmp_path / "out", KILLED_AT)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "rope_theta": 10001.0}))
    said = runner.fail(1, "encrypt", source, "-k", runner.key, "-o", tmp_path / "out")
    assert "the interrupted run had another model" in said


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_weight_that_is_not_finite_is_named(runner, source, tmp_path, bad, profile):
    name = "model.layers.1.mlp.down_proj.weight"
    offset, _ = tensor_places(weights(source))[name]
    overwrite(weights(source), offset + 4 * 1234, np.float32(bad).tobytes())
    said = runner.fail(1, "encrypt", source, "-k", runner.key, "-o", tmp_path / "out", "--profile", profile)
    assert name in said and "element 1234 " in said and "infinite or not a number" in said
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def quantised(isoveil, llama, model_folder, tmp_path_factory):
    """Width 256, so that one block of 256 covers the residual."""
    folder = tmp_path_factory.mktemp("quantised")
    subprocess.run([isoveil, "convert", model_folder("llama-256"), "-o", folder / "plain"], check=True, capture_output=True)
    target = folder / "q4_k.gguf"
    subprocess.run([llama / "llama-quantize", "--pure", folder / "plain/model.gguf", target, "Q4_K"], check=True, capture_output=True)
    return target


def test_a_rotated_profile_that_is_none_says_so(runner, quantised, tmp_path):
    report = runner.encrypt(quantised, tmp_path / "out", "--profile", "rotated")
    assert any("draws nothing here that profile exact does not" in w for w in report["warnings"])
    assert any(w.startswith("residual stays where it is") for w in report["warnings"])
    drawn = {d["space"]: d["drawn"] for d in report["drawn"]}
    assert drawn["residual"] == "stays" and drawn["vocab"] != "stays"
    manifest = json.loads((tmp_path / "out/client/manifest.json").read_text())
    assert manifest["warnings"] == report["warnings"] and manifest["drawn"] == report["drawn"]
    plan = runner.run("encrypt", quantised, "--dry-run", "--profile", "rotated")
    assert plan["warnings"] == report["warnings"]
    assert "isoveil: warning: residual stays" in runner.call("encrypt", quantised, "--dry-run").stderr


def test_what_keeps_its_promise_warns_of_nothing(runner, source, tmp_path):
    report = runner.encrypt(source, tmp_path / "out", "--profile", "rotated")
    assert report["warnings"] == [] and {d["space"] for d in report["drawn"]} >= {"vocab", "residual", "layer.*.ffn"}


def set_json(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


CHANGES = {
    "rope_theta": lambda s: set_json(s / "config.json", rope_theta=20000.0),
    "chat template": lambda s: (s / "chat_template.jinja").write_text("{{ messages[0].content }}"),
    "tokenizer": lambda s: set_json(s / "tokenizer_config.json", add_bos_token=True, note="changed"),
    "generation": lambda s: (s / "generation_config.json").write_text('{"temperature": 0.25}'),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_encryption_of_what_the_model_was_is_not_served(runner, source, tmp_path, change):
    runner.encrypt(source, tmp_path / "out", "--to", "gguf")
    CHANGES[change](source)
    said = runner.fail(1, "up", source, "-k", runner.key, "-o", tmp_path / "out", "--port", "0")
    assert "was made from another model" in said and "remove the folder" in said


@pytest.mark.parametrize("command", ["dry-run", "inspect", "encrypt"])
@pytest.mark.parametrize("damage", ["missing", "unknown kind", "too few tokens"])
def test_a_tokenizer_that_cannot_be_used_is_refused_by_every_command(runner, source, tmp_path, command, damage):
    file = source / "tokenizer.json"
    if damage == "missing":
        file.unlink()
    elif damage == "unknown kind":
        tokenizer = json.loads(file.read_text())
        tokenizer["model"]["type"] = "Another"
        file.write_text(json.dumps(tokenizer))
    else:
        tokenizer = json.loads(file.read_text())
        tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": 5000, "content": "<|far|>"})
        file.write_text(json.dumps(tokenizer))
    arguments = {"dry-run": ["encrypt", source, "--dry-run"], "inspect": ["inspect", source],
                 "encrypt": ["encrypt", source, "-k", runner.key, "-o", tmp_path / "out"]}[command]
    said = runner.fail(1, *arguments)
    assert "token" in said


def rename_in_folder(source, token, name):
    """`token`, an added one, under another name"""
    path = source / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    (entry,) = [t for t in tokenizer["added_tokens"] if t["content"] == token]
    entry["content"] = name
    vocabulary = tokenizer["model"]["vocab"]
    if token in vocabulary:
        vocabulary[name] = vocabulary.pop(token)
    path.write_text(json.dumps(tokenizer))


# To llama.cpp a text ends at a zero byte, and it ends the process that loads one text twice.
SAME_TEXTS = {"twice": "<|eos|>", "twice up to a zero byte": "!\0xxxxx"}


@pytest.mark.parametrize("command", ["dry-run", "inspect", "encrypt"])
@pytest.mark.parametrize("format", ["folder", "gguf"])
@pytest.mark.parametrize("name", SAME_TEXTS)
def test_a_text_that_two_tokens_have_is_refused_by_every_command(runner, source, tmp_path, command, format, name):
    model = source
    if format == "folder":
        rename_in_folder(source, "<|pad|>", SAME_TEXTS[name])
    else:
        runner.run("convert", source, "-o", tmp_path / "plain")
        model = tmp_path / "plain/model.gguf"
        raw = model.read_bytes()
        assert raw.count(b"<|pad|>") == 1
        model.write_bytes(raw.replace(b"<|pad|>", SAME_TEXTS[name].encode()))
    arguments = {"dry-run": ["encrypt", model, "--dry-run"], "inspect": ["inspect", model],
                 "encrypt": ["encrypt", model, "-k", runner.key, "-o", tmp_path / "out"]}[command]
    said = runner.fail(1, *arguments)
    assert "there already as token" in said, said


@pytest.mark.parametrize("target", [[], ["--to", "gguf"]])
def test_an_encryption_is_not_encrypted_again(runner, source, tmp_path, target):
    runner.encrypt(source, tmp_path / "out", *target)
    for arguments in (["--dry-run"], ["-k", runner.key, "-o", tmp_path / "twice"]):
        said = runner.fail(2, "encrypt", tmp_path / "out/server", *arguments)
        assert "is encrypted already" in said and not (tmp_path / "twice").exists()
    assert runner.run("inspect", tmp_path / "out/server")["kind"] == "encrypted"


@pytest.mark.parametrize("key", ["llama.attention.layer_norm_rms_epsilon"])
def test_what_llama_cpp_cannot_load_is_not_published(runner, source, tmp_path, key):
    runner.run("convert", source, "-o", tmp_path / "plain")
    gguf = tmp_path / "plain/model.gguf"
    raw = gguf.read_bytes()
    assert raw.count(key.encode()) == 1
    gguf.write_bytes(raw.replace(key.encode(), key[:-1].encode() + b"_"))
    said = runner.fail(1, "encrypt", gguf, "-k", runner.key, "-o", tmp_path / "out")
    assert "llama.cpp cannot load it" in said and not (tmp_path / "out").exists()


def test_a_rope_that_does_not_fit_the_head_is_not_published(runner, source, tmp_path):
    runner.run("convert", source, "-o", tmp_path / "plain")
    gguf = tmp_path / "plain/model.gguf"
    raw = gguf.read_bytes()
    at = raw.index(b"llama.rope.dimension_count") + len(b"llama.rope.dimension_count")
    assert struct.unpack("<II", raw[at : at + 8])[0] == 4
    gguf.write_bytes(raw[: at + 4] + struct.pack("<I", 2000) + raw[at + 8 :])
    said = runner.fail(1, "encrypt", gguf, "-k", runner.key, "-o", tmp_path / "out")
    assert "isoveil: error:" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", [["--threads", "4294967295"], ["--threads", "0"], ["--threads", "-1"], ["--memory", "1"],
                                  ["--memory", "9999999TB"], ["--memory", "18446744073709551615"]])
def test_numbers_out_of_range_are_refused(runner, source, tmp_path, flag):
    assert flag[0] in runner.fail(2, "encrypt", source, "-k", runner.key, "-o", tmp_path / "out", *flag)


def test_the_largest_numbers_work(runner, source, tmp_path):
    assert runner.encrypt(source, tmp_path / "out", "--threads", "1024", "--memory", "1TB")["tensors"] > 10
