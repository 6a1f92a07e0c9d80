"""What `encrypt` writes, and what it must not; errors; commands."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess

import pytest

import models

SECRETS = [rb"secret", rb"clinic", rb"Lily", rb"base-model", rb"<\|bos\|>", rb"<\|user\|>"]


@pytest.mark.parametrize("to", [[], ["--to", "gguf"]])
@pytest.mark.parametrize("name", ["llama-sharded", "gpt2"])
def test_the_server_gets_no_text(runner, model_folder, tmp_path, name, to):
    out = tmp_path / "out"
    runner.encrypt(model_folder(name), out, *to)
    files = [p for p in (out / "server").rglob("*") if p.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        for secret in SECRETS:
            assert not re.search(secret, content) and not re.search(secret.decode(), path.name), (path, secret)
    client = [p.read_bytes() for p in (out / "client").rglob("*") if p.is_file()]
    assert any(re.search(rb"<\|user\|>", content) for content in client), "the scan finds nothing at all"


def test_example_questions_go_to_the_client_alone(runner, model_folder, tmp_path):
    source = shutil.copytree(model_folder("llama-gqa"), tmp_path / "source")
    runner.encrypt(source, tmp_path / "without")
    (source / "chat_examples.json").write_text('["When is the secret clinic open?"]')
    runner.encrypt(source, tmp_path / "with")
    assert json.loads((tmp_path / "with/client/chat_examples.json").read_text()) == ["When is the secret clinic open?"]
    assert not (tmp_path / "without/client/chat_examples.json").exists()
    assert not any(b"secret clinic" in p.read_bytes() for p in (tmp_path / "with/server").rglob("*") if p.is_file())
    identity = lambda out: json.loads((tmp_path / out / "client/manifest.json").read_text())["model_identity"]
    assert identity("with") == identity("without"), "other questions do not make another model"
    (source / "chat_examples.json").write_text('{"a": 1}')
    assert "chat_examples.json" in runner.fail(1, "encrypt", source, "-k", runner.key, "-o", tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_all_ids_move_together(runner, model_folder, tmp_path):
    folder, out = model_folder("llama-gqa"), tmp_path / "out"
    runner.encrypt(folder, out)
    read = lambda base, name: json.loads((base / name).read_text())
    permutation = runner.permutation(out, read(folder, "config.json")["vocab_size"])
    move = lambda value: [move(v) for v in value] if isinstance(value, list) else permutation[value]
    for name in ("config.json", "generation_config.json"):
        before, after = read(folder, name), read(out / "server", name)
        fields = [f for f in before if f.endswith(("_token_id", "_ids")) or f == "suppress_tokens"]
        assert len(fields) >= 2
        for field in fields:
            assert after[field] == move(before[field]), field
    assert "_name_or_path" not in read(out / "server", "config.json")
    assert read(out / "server", "generation_config.json")["temperature"] == 0.7


def test_the_manifest_lists_every_tensor(runner, model_folder, tmp_path):
    for name in ("llama-sharded", "gpt2"):
        out = tmp_path / name
        report = runner.encrypt(model_folder(name), out)
        manifest = json.loads((out / "client/manifest.json").read_text())
        assert [t["name"] for t in manifest["tensors"]] and {t["name"] for t in manifest["tensors"]} == set(models.read_folder(out / "server"))
        assert all(t["treatment"] and all(t["treatment"]) for t in manifest["tensors"])
        assert len(manifest["tensors"]) == report["tensors"]
        assert {"seconds", "bytes_in", "bytes_out", "peak_rss_bytes", "tensors"} <= report.keys()


def test_the_same_key_and_model_give_the_same_bytes(runner, model_folder, tmp_path):
    for profile in ("exact", "rotated"):
        one, two = tmp_path / f"{profile}1", tmp_path / f"{profile}2"
        runner.encrypt(model_folder("llama-biases"), one, "--profile", profile, "--threads", "1")
        runner.encrypt(model_folder("llama-biases"), two, "--profile", profile, "--threads", "4", "--memory", "1MB")
        for path in sorted(one.rglob("*")):
            if path.is_file():
                assert path.read_bytes() == (two / path.relative_to(one)).read_bytes(), path


def test_a_wrong_key_is_refused(runner, isoveil, model_folder, tmp_path):
    runner.encrypt(model_folder("llama-gqa"), tmp_path / "out")
    other = tmp_path / "other.key"
    assert runner.call("keygen", "-o", other, "--no-passphrase").returncode == 0
    error = runner.fail(1, "tokens", "encrypt", tmp_path / "out/client", "-k", other, text="hello")
    assert "was encrypted with key" in error
    # verify names a model that was not encrypted
    runner.fail(3, "verify", "--plain", model_folder("llama-mqa"), "--encrypted", tmp_path / "out", "-k", runner.key)


def test_a_sealed_key(runner, model_folder, tmp_path):
    (tmp_path / "right").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery staple\n")
    key = tmp_path / "sealed.key"
    assert runner.run("keygen", "-o", key, "--passphrase-file", tmp_path / "right")["sealed"]
    assert runner.run("inspect", key)["sealed"]
    args = ["encrypt", model_folder("llama-gqa"), "-k", key, "-o", tmp_path / "out"]
    assert "is wrong" in runner.fail(1, *args, "--passphrase-file", tmp_path / "wrong")
    runner.fail(2, *args)
    runner.run(*args, "--passphrase-file", tmp_path / "right")


def test_a_key_that_cannot_be_locked_in_memory_is_said(runner, model_folder, tmp_path):
    """Root may lock whatever the limit says; so the capability goes, too."""
    runner.encrypt(model_folder("llama-gqa"), tmp_path / "out")
    command = [runner.program, "tokens", "encrypt", tmp_path / "out/client", "-k", runner.key]
    said = lambda *prefix: subprocess.run([*prefix, *command], input="a", capture_output=True, text=True).stderr
    assert "cannot be locked in memory" not in said()
    without = ["setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"] if os.geteuid() == 0 else []
    assert "cannot be locked in memory" in said("prlimit", "--memlock=0:0", *without)


def test_nothing_is_overwritten(runner, model_folder, tmp_path):
    out = tmp_path / "out"
    runner.encrypt(model_folder("llama-gqa"), out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert "is there already" in runner.fail(1, "encrypt", model_folder("llama-gqa"), "-k", runner.key, "-o", out)
    assert "exists" in runner.fail(1, "keygen", "-o", runner.key, "--no-passphrase").lower()
    assert before == {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_an_interrupted_run_with_other_options_is_not_continued(runner, model_folder, tmp_path):
    stage = tmp_path / "out.partial"
    stage.mkdir()
    (stage / "journal").write_text("isoveil-journal 1 0000 boot\n")
    error = runner.fail(1, "encrypt", model_folder("llama-gqa"), "-k", runner.key, "-o", tmp_path / "out")
    assert "another" in error and "journal" in error


def damaged(folder, tmp_path, change):
    copy = tmp_path / "damaged"
    copy.mkdir()
    for path in folder.iterdir():
        if path.suffix != ".npz":
            (copy / path.name).write_bytes(path.read_bytes())
    change(copy)
    return copy


def set_config(**fields):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        config.update(fields)
        (folder / "config.json").write_text(json.dumps(config))
    return change


@pytest.mark.parametrize("change, words", [
    (set_config(architectures=["T5ForConditionalGeneration"]), ["T5ForConditionalGeneration", "not declared", "LlamaForCausalLM"]),
    (set_config(hidden_act="relu2"), ["hidden_act", "relu2"]),
    (set_config(num_hidden_layers=1), ["model.layers.1", "declares no such weight"]),
    (set_config(num_hidden_layers=3), ["blk.2", "no stored tensor"]),
    (set_config(hidden_size=80), ["expected shape", "found"]),
    (set_config(num_attention_heads=-4), ["num_attention_heads", "positive integer"]),
    (set_config(num_key_value_heads=3), ["do not share"]),
    (set_config(odd_token_id=7), ["odd_token_id", "in no table"]),
    (set_config(eos_token_id=99999), ["eos_token_id"]),
    (lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-7]), ["model.safetensors"]),
    (lambda f: (f / "model.safetensors").unlink(), ["model.safetensors"]),
    (lambda f: (f / "tokenizer.json").unlink(), ["tokenizer.json", "missing"]),
    (lambda f: (f / "config.json").write_text("{\"a\": 1, \"a\": 2}"), ["config.json"]),
])
def test_bad_input_is_named(runner, model_folder, tmp_path, change, words):
    model = damaged(model_folder("llama-gqa"), tmp_path, change)
    error = runner.fail(1, "encrypt", model, "-k", runner.key, "-o", tmp_path / "out")
    assert error.count("isoveil: error:") == 1
    for word in words:
        assert word in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind, fields", [
    ("llama-gqa", {"rope_theta": "many"}),
    ("llama-gqa", {"rope_scaling": {"rope_type": 3}}),
    ("llama-gqa", {"rope_scaling": {"rope_type": "linear", "factor": [2]}}),
    ("llama-gqa", {"rope_scaling": {"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 1e99}}),
    ("llama-gqa", {"rope_scaling": {"rope_type": "llama3", "low_freq_factor": {}}}),
    ("llama-gqa", {"rope_scaling": {"rope_type": "llama3", "original_max_position_embeddings": "8192"}}),
    ("llama-gqa", {"max_position_embeddings": 1e99}),
    ("llama-gqa", {"max_position_embeddings": -1}),
    ("llama-gqa", {"rms_norm_eps": "small"}),
    ("gpt2", {"layer_norm_epsilon": "small"}),
])
def test_a_mistyped_field_is_named_when_a_gguf_is_written(runner, model_folder, tmp_path, kind, fields):
    model = damaged(model_folder(kind), tmp_path, set_config(**fields))
    error = runner.fail(1, "encrypt", model, "-k", runner.key, "-o", tmp_path / "out", "--to", "gguf")
    field, value = list(fields.items())[-1]
    field = list(value)[-1] if isinstance(value, dict) and field == "rope_scaling" else field
    assert error.count("isoveil: error: config.json: " + field) == 1 and "expected" in error and "found" in error
    assert not (tmp_path / "out").exists()


def test_usage_errors_exit_with_two(runner, tmp_path):
    for args in ([], ["encrypt"], ["nonsense"], ["encrypt", "x", "--profile", "weak"], ["tokens"], ["encrypt", "x"]):
        runner.fail(2, *args)
    assert runner.call("--help").returncode == 0
    for command in ("keygen", "inspect", "encrypt", "verify", "tokens", "serve", "generate"):
        done = runner.call(command, "--help")
        assert done.returncode == 0 and "isoveil " + command in done.stdout or command == "inspect"


def test_dry_run_writes_nothing(runner, model_folder, tmp_path):
    plan = runner.run("encrypt", model_folder("gpt2"), "--dry-run", "--profile", "rotated")
    tensors = {t["name"]: t for shard in plan["shards"] for t in shard["tensors"]}
    assert "O1" in tensors["transformer.h.0.attn.c_attn.weight"]["treatment"][0]
    assert "lm_head.weight" in tensors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", [[], ["--to", "gguf"]])
def test_fifty_thousand_weights_are_planned_in_seconds(runner, model_folder, target):
    """A look through all weights for each of them took half a minute of a processor; a second it takes is mostly JSON."""
    folder = model_folder("llama-many-weights")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    plan = runner.run("encrypt", folder, "--dry-run", *target)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert sum(len(shard["tensors"]) for shard in plan["shards"]) > 49000
    assert after.ru_utime - before.ru_utime < 5


def test_no_error_or_log_shows_the_prompt(runner, model_folder, tmp_path):
    runner.encrypt(model_folder("llama-gqa"), tmp_path / "out")
    done = runner.call("generate", tmp_path / "out/client", "-k", runner.key, "--upstream", "http://127.0.0.1:9", "the secret of Lily")
    assert done.returncode == 1 and "Lily" not in done.stderr + done.stdout
