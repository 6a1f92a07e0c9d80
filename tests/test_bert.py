"""An encrypted encoder gives, in stock transformers, the plaintext model's vectors once they are decrypted."""

import json

import numpy as np
import pytest

import models

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

OUTPUTS = ("last_hidden_state", "pooler_output")
TEXTS = ["the front desk of the clinic", "Lily saw a big red ball and went home", "日本語 und 12,50 €"]


def batch_of(folder):
    """ids of texts of different length, padded, in two segments"""
    tokenizer = models.Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = [tokenizer.encode(text).ids for text in TEXTS]
    pad, longest = tokenizer.token_to_id("<|pad|>"), max(map(len, rows))
    ids = np.array([row + [pad] * (longest - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask, (np.arange(longest) > 4) * np.ones_like(ids)


def run(folder, ids, mask, segments):
    model = transformers.AutoModel.from_pretrained(folder, torch_dtype=torch.float64).eval()
    assert type(model).__name__ == "BertModel"
    with torch.no_grad():
        out = model(torch.tensor(ids), attention_mask=torch.tensor(mask), token_type_ids=torch.tensor(segments.astype(int)))
    return {name: out[name].numpy() for name in OUTPUTS if out[name] is not None}


def encrypted_vectors(runner, folder, out, batch):
    """what the server gives, and what the client makes of it"""
    ids, mask, segments = batch
    permutation = np.array(runner.permutation(out, json.loads((folder / "config.json").read_text())["vocab_size"]))
    found = run(out / "server", permutation[ids], mask, segments)
    ports = [port["name"] for port in json.loads((out / "client/manifest.json").read_text())["ports"] if port["kind"] == "vectors"]
    decrypt = lambda name: np.array(runner.run("vectors", out / "client", "-k", runner.key, "--output", name,
                                               text=json.dumps(found[name].tolist()))["vectors"])
    return found, {name: decrypt(name) for name in ports}


@pytest.mark.parametrize("name, profile", [(name, "exact") for name in models.ENCODERS] + [("bert-f32", "rotated"), ("bert-prefixed", "rotated")])
def test_vectors_are_those_of_the_plaintext_model(runner, model_folder, name, profile, tmp_path):
    folder = model_folder(name)
    runner.encrypt(folder, tmp_path / "out", "--profile", profile)
    batch = batch_of(folder)
    expected = run(folder, *batch)
    found, plain = encrypted_vectors(runner, folder, tmp_path / "out", batch)
    assert set(plain) == (set(OUTPUTS) if models.ENCODERS[name]["pooler"] else {"last_hidden_state"})
    for output, vectors in plain.items():
        span = np.ptp(expected[output])
        assert span > 0.5, "the model is too flat to tell anything"
        # Profile rotated rounds weights to fp32 once more.
        assert np.abs(vectors - expected[output]).max() < (1e-10 if profile == "exact" else 1e-5) * span
        assert np.abs(found[output] - expected[output]).max() > 0.1 * span, "the server sees the plain vectors"


def test_another_key_gives_other_vectors(runner, isoveil, model_folder, tmp_path):
    from conftest import Runner
    folder, batch = model_folder("bert"), batch_of(model_folder("bert"))
    runner.encrypt(folder, tmp_path / "out")
    other = Runner(isoveil, tmp_path / "other.key")
    other.call("keygen", "-o", other.key, "--no-passphrase")
    said = other.fail(1, "vectors", tmp_path / "out/client", "-k", other.key, text="[1]")
    assert "was encrypted with key" in said
    other.encrypt(folder, tmp_path / "theirs")
    found, _ = encrypted_vectors(runner, folder, tmp_path / "out", batch)
    theirs = np.array(other.run("vectors", tmp_path / "theirs/client", "-k", other.key,
                                text=json.dumps(found["last_hidden_state"].tolist()))["vectors"])
    expected = run(folder, *batch)["last_hidden_state"]
    assert np.abs(theirs - expected).max() > 0.1 * np.ptp(expected)


def test_a_forgotten_rule_shows(runner, model_folder, tmp_path):
    """The positions' embeddings left in plaintext: the bound tells."""
    folder, batch = model_folder("bert"), batch_of(model_folder("bert"))
    runner.encrypt(folder, tmp_path / "out")
    (tmp_path / "out/server").chmod(0o755)
    path = tmp_path / "out/server/model.safetensors"
    path.chmod(0o644)
    tensors = {name: values for name, (values, _, _) in models.read_safetensors(path).items()}
    name = "embeddings.position_embeddings.weight"
    tensors[name] = models.read_folder(folder)[name][0]
    models.write_safetensors(path, tensors, "F64")
    _, plain = encrypted_vectors(runner, folder, tmp_path / "out", batch)
    expected = run(folder, *batch)["last_hidden_state"]
    assert np.abs(plain["last_hidden_state"] - expected).max() > 1e-3 * np.ptp(expected)


def test_the_server_gets_no_text_and_no_plain_id(runner, model_folder, tmp_path):
    folder = model_folder("bert")
    runner.encrypt(folder, tmp_path / "out")
    config, source = (json.loads((path / "config.json").read_text()) for path in (tmp_path / "out/server", folder))
    permutation = runner.permutation(tmp_path / "out", source["vocab_size"])
    assert config["pad_token_id"] == permutation[source["pad_token_id"]]
    assert "_name_or_path" not in config and config["layer_norm_eps"] == 1e-12
    plain, encrypted = models.read_folder(folder), models.read_folder(tmp_path / "out/server")
    assert plain.keys() == encrypted.keys()
    for name, (values, _, _) in plain.items():
        assert not np.array_equal(values, encrypted[name][0]), f"{name} is left in plaintext"


def test_what_an_encoder_cannot_do_is_said(runner, model_folder, tmp_path):
    folder = model_folder("bert")
    said = runner.fail(1, "encrypt", folder, "-k", runner.key, "-o", tmp_path / "rotated", "--profile", "rotated")
    assert "F64 has no fp32 arithmetic" in said
    said = runner.fail(1, "encrypt", folder, "-k", runner.key, "-o", tmp_path / "gguf", "--to", "gguf")
    assert "F64 has no fp32 arithmetic" in said
    runner.encrypt(folder, tmp_path / "out")
    client = tmp_path / "out/client"
    said = runner.fail(1, "chat", client, "--upstream", "http://127.0.0.1:9", "-k", runner.key)
    assert "belongs to a model that gives no text; it gives last_hidden_state, pooler_output" in said
    vectors = ["vectors", client, "-k", runner.key]
    assert "expected 48 numbers, found 1" in runner.fail(2, *vectors, text="[1]")
    assert "stdin[1]: expected 48 numbers, found 2" in runner.fail(2, *vectors, text=json.dumps([[0] * 48, [1, 2]]))
    assert "position 1 is no number" in runner.fail(1, *vectors, text='[1, "2"]')
    assert "is no list" in runner.fail(1, *vectors, text='{"a": 1}')
    assert "is nested deeper than" in runner.fail(1, *vectors, text="[" * 100000)
    assert "expected one of last_hidden_state, pooler_output, found 'logits'" in runner.fail(1, *vectors, "--output", "logits", text="[1]")


def test_a_text_model_has_no_vectors(runner, model_folder, tmp_path):
    runner.encrypt(model_folder("llama-tied"), tmp_path / "out")
    said = runner.fail(1, "vectors", tmp_path / "out/client", "-k", runner.key, text="[1]")
    assert "belongs to a model that gives no vectors" in said
