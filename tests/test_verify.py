"""`isoveil verify` against damaged servers: what finds each damage, as it happened to the folder, and as if encryption
itself had done it and noted the result's hashes."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

gguf = pytest.importorskip("gguf")

CHUNK = 16 << 20


def tree_hash(path):
    data = path.read_bytes()
    chunks = [data[i:i + CHUNK] for i in range(0, len(data), CHUNK)]
    return hashlib.sha256(b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)).hexdigest()


def note_again(out):
    """The manifest as if encryption had written the folder so."""
    path = out / "client/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["server_files"] = [{"name": file.name, "bytes": file.stat().st_size, "tree_hash": tree_hash(file)}
                                for file in sorted((out / "server").iterdir())]
    path.chmod(0o644)
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def encrypted(runner, model_folder, tmp_path_factory):
    """encrypted(target) -> a copy of an encryption to do harm to; its source is llama-untied."""
    made = {}
    for target, to in (("gguf", ["--to", "gguf"]), ("hf", [])):
        made[target] = tmp_path_factory.mktemp("verify") / target
        runner.encrypt(model_folder("llama-untied"), made[target], *to)

    def copy(target, place):
        shutil.copytree(made[target], place)
        for path in place.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return place

    return copy


def verify(runner, source, out):
    """What finds the damage: "files", "description", "logits", or None; and what is said."""
    done = runner.call("verify", "--plain", source, "--encrypted", out, "-k", runner.key)
    said = done.stdout + done.stderr
    if done.returncode == 0:
        assert done.stdout.startswith("match")
        return None, said
    assert done.returncode == 3, said
    if done.stdout.startswith("MISMATCH"):
        return "logits", said
    files = ("its content is not what encryption wrote", " bytes, found ", "is missing", "did not write this file")
    return ("files" if any(text in said for text in files) else "description"), said


def weights(change):
    """A change of tensors of the GGUF file, given as {name: array of rows}."""
    def damage(out):
        tensors = {t.name: t.data for t in gguf.GGUFReader(out / "server/model.gguf", "r+").tensors}
        change(tensors)
    return damage


def number(key, *values):
    """Puts the first of `values` that the field does not hold already: which id a key gives to EOS is chance."""
    def damage(out):
        field = gguf.GGUFReader(out / "server/model.gguf", "r+").fields[key]
        field.parts[field.data[0]][0] = next(v for v in values if field.parts[field.data[0]][0] != v)
    return damage


def text(file, change):
    def damage(out):
        path = out / "server" / file
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content, indent=2))
    return damage


def swap(array, i, j):
    array[[i, j]] = array[[j, i]]


def put(array, at, value):
    array[at] = value


def scale(array, at, factor):
    array[at] *= factor


HEAD = 16  # coordinates of a head
DAMAGES = {
    # weights: (target, damage, what finds it once it is noted)
    "two rows of ffn_up swapped": ("gguf", weights(lambda t: swap(t["blk.0.ffn_up.weight"], 3, 4)), "logits"),
    "two rows of ffn_gate swapped": ("gguf", weights(lambda t: swap(t["blk.1.ffn_gate.weight"], 0, 95)), "logits"),
    "one sign of ffn_down": ("gguf", weights(lambda t: scale(t["blk.1.ffn_down.weight"], (5, 7), -1)), "logits"),
    "one weight of attn_q times 100": ("gguf", weights(lambda t: scale(t["blk.0.attn_q.weight"], (2, 2), 100)), "logits"),
    "one weight of attn_k times 1.01": ("gguf", weights(lambda t: scale(t["blk.0.attn_k.weight"], (9, 1), 1.01)), "logits"),
    "one weight of output times 1.001": ("gguf", weights(lambda t: scale(t["output.weight"], (1, 1), 1.001)), "logits"),
    "a zeroed attention matrix": ("gguf", weights(lambda t: scale(t["blk.1.attn_output.weight"], slice(None), 0)), "logits"),
    "zeroed keys": ("gguf", weights(lambda t: scale(t["blk.0.attn_k.weight"], slice(None), 0)), "logits"),
    "two heads of queries swapped": ("gguf", weights(lambda t: swap(t["blk.0.attn_q.weight"], np.arange(HEAD), HEAD + np.arange(HEAD))), "logits"),
    "two heads of keys swapped": ("gguf", weights(lambda t: swap(t["blk.1.attn_k.weight"], np.arange(HEAD), HEAD + np.arange(HEAD))), "logits"),
    "two rows of output swapped": ("gguf", weights(lambda t: swap(t["output.weight"], 10, 200)), "logits"),
    "embeddings turned round": ("gguf", weights(lambda t: put(t["token_embd.weight"], slice(None), t["token_embd.weight"][::-1].copy())), "logits"),
    "a sign of attn_norm": ("gguf", weights(lambda t: scale(t["blk.0.attn_norm.weight"], 11, -1)), "logits"),
    "two gains of ffn_norm swapped": ("gguf", weights(lambda t: swap(t["blk.1.ffn_norm.weight"], 0, 1)), "logits"),
    "one gain of output_norm times 1.001": ("gguf", weights(lambda t: scale(t["output_norm.weight"], 5, 1.001)), "logits"),
    "noise of a thousandth": ("gguf", weights(lambda t: scale(t["blk.0.attn_v.weight"], slice(None), 1 + 1e-3 * np.sin(np.arange(64, dtype=np.float32)))), "logits"),
    "two layers' ffn_down exchanged": ("gguf", weights(lambda t: swap_tensors(t, "blk.0.ffn_down.weight", "blk.1.ffn_down.weight")), "logits"),
    "a weight that is no number": ("gguf", weights(lambda t: put(t["blk.0.ffn_up.weight"], (0, 0), np.nan)), "infinite or not a number"),
    "an infinite weight": ("gguf", weights(lambda t: put(t["blk.0.ffn_up.weight"], (0, 0), np.inf)), "infinite or not a number"),
    # numbers and ids
    "epsilon": ("gguf", number("llama.attention.layer_norm_rms_epsilon", 1.1e-5), "llama.attention.layer_norm_rms_epsilon"),
    "base of RoPE": ("gguf", number("llama.rope.freq_base", 10001), "llama.rope.freq_base"),
    "context length": ("gguf", number("llama.context_length", 128), "llama.context_length"),
    "id of EOS": ("gguf", number("tokenizer.ggml.eos_token_id", 7, 8), "tokenizer.ggml.eos_token_id"),
    "id of EOT": ("gguf", number("tokenizer.ggml.eot_token_id", 7, 8), "tokenizer.ggml.eot_token_id"),
    "a token's type": ("gguf", number("tokenizer.ggml.token_type", 3, 1), "tokenizer.ggml.token_type"),
    "config.json: rope_theta": ("hf", text("config.json", lambda c: c.update(rope_theta=10001.0)), "rope_theta"),
    "config.json: EOS": ("hf", text("config.json", lambda c: c.update(eos_token_id=[1, 2])), "eos_token_id"),
    "config.json: a window": ("hf", text("config.json", lambda c: c.update(sliding_window=8)), "sliding_window"),
    "config.json: no epsilon": ("hf", text("config.json", lambda c: c.pop("rms_norm_eps")), "rms_norm_eps"),
    "generation_config.json: EOS": ("hf", text("generation_config.json", lambda c: c.update(eos_token_id=[3])), "eos_token_id"),
    "generation_config.json: temperature": ("hf", text("generation_config.json", lambda c: c.update(temperature=0.1)), "temperature"),
    "tokenizer.json": ("hf", text("tokenizer.json", lambda c: c.update(version="2.0")), "version"),
    # files
    "a file is missing": ("hf", lambda out: (out / "server/generation_config.json").unlink(), "generation_config.json"),
}


def swap_tensors(tensors, a, b):
    first = tensors[a].copy()
    tensors[a][:] = tensors[b]
    tensors[b][:] = first


def test_what_is_intact_matches(runner, model_folder, encrypted, tmp_path):
    for target in ("gguf", "hf"):
        out = encrypted(target, tmp_path / target)
        assert verify(runner, model_folder("llama-untied"), out)[0] is None
        note_again(out)
        assert verify(runner, model_folder("llama-untied"), out)[0] is None


@pytest.mark.parametrize("name", DAMAGES)
def test_what_finds_a_damage(runner, model_folder, encrypted, tmp_path, name):
    target, damage, finder = DAMAGES[name]
    out = encrypted(target, tmp_path / "out")
    damage(out)
    found, said = verify(runner, model_folder("llama-untied"), out)
    assert found == "files", said
    note_again(out)
    found, said = verify(runner, model_folder("llama-untied"), out)
    if finder == "logits":
        assert found == "logits", said
    else:
        assert finder in said


def test_files_that_come_and_go(runner, model_folder, encrypted, tmp_path):
    source = model_folder("llama-untied")
    out = encrypted("hf", tmp_path / "out")
    (out / "server/.gitattributes").write_text("*.safetensors filter=lfs")
    assert verify(runner, source, out)[0] is None
    (out / "server/adapter_config.json").write_text("{}")
    found, said = verify(runner, source, out)
    assert found == "files" and "adapter_config.json" in said
    (out / "server/adapter_config.json").unlink()
    weights = out / "server/model.safetensors"
    os.truncate(weights, weights.stat().st_size - 4)
    found, said = verify(runner, source, out)
    assert found == "files" and "model.safetensors" in said


def test_an_infinite_weight_of_the_source_is_no_match(runner, model_folder, encrypted, tmp_path):
    """Encryption refuses it; here it comes afterwards, in the middle of a tensor where the model's identity does not look."""
    source = tmp_path / "source"
    runner.run("convert", model_folder("llama-256"), "-o", source)
    plain = source / "model.gguf"
    runner.encrypt(plain, tmp_path / "out")
    for path in (plain, tmp_path / "out/server/model.gguf"):
        path.chmod(0o644)
        tensors = {t.name: t.data for t in gguf.GGUFReader(path, "r+").tensors}
        tensors["blk.0.ffn_up.weight"][200, 100] = np.inf
        del tensors
    note_again(tmp_path / "out")
    error = runner.fail(1, "verify", "--plain", plain, "--encrypted", tmp_path / "out", "-k", runner.key)
    assert f"{plain}: tensor 'blk.0.ffn_up.weight'" in error and "infinite or not a number" in error


def test_nothing_is_left_when_it_is_killed(runner, model_folder, encrypted, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    out = encrypted("hf", tmp_path / "out")
    left = {}
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([runner.program, "verify", "--plain", model_folder("llama-untied"), "--encrypted", out, "-k", runner.key],
                                   env=os.environ | {"TMPDIR": str(scratch)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not list(scratch.rglob("*.gguf")) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        assert process.poll() is None, "it ended before it wrote a model"
        process.send_signal(number)
        process.wait(timeout=60)
        while list(scratch.iterdir()) and time.monotonic() < end:
            time.sleep(0.05)
        left[number] = list(scratch.iterdir())
    assert left == {signal.SIGTERM: [], signal.SIGKILL: []}


def test_temporary_files_need_a_folder(runner, model_folder, encrypted, tmp_path):
    out = encrypted("gguf", tmp_path / "out")
    done = subprocess.run([runner.program, "verify", "--plain", model_folder("llama-untied"), "--encrypted", out, "-k", runner.key],
                          env=os.environ | {"TMPDIR": str(tmp_path / "nowhere")}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "TMPDIR" in done.stderr
    assert runner.fail(2, "verify", "--plain", out, "--encrypted", out, "-k", runner.key, "-n", "1000000000")


def test_a_file_in_a_folder_of_the_server_is_found(runner, model_folder, encrypted, tmp_path):
    out = encrypted("hf", tmp_path / "out")
    (out / "server/1_Pooling").mkdir()
    (out / "server/1_Pooling/config.json").write_text("{}")
    found, said = verify(runner, model_folder("llama-untied"), out)
    assert found == "files" and "1_Pooling/config.json: encryption did not write this file" in said
