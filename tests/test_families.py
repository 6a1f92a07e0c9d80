"""Every family, encrypted and run by stock transformers in fp64, gives the plaintext model's answers once decrypted."""

import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

import families
import models
import reference
import test_conversion
import test_serving

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs/models.md"
INTRODUCTION = """# Models

What `isoveil models` lists, one family a line: its formats, the classes of transformers that it is under, the largest difference of
an output after decryption, by the range of the outputs, in profiles `exact` and `rotated`, and from which group the key draws for each
kind of space there (`Perm` permutations, `SignedPerm` with signs, `Mono` with scales, `O` all rotations, `O1` those that keep the mean,
`GL` all invertible maps). Written by `python tests/test_families.py build/release/isoveil/apps/isoveil`, from models with random weights
of these classes in stock transformers, in fp64 where the class computes in it; Llama,
GPT-2 and those that it is too old for are compared with this project's own reference (tests/reference.py).

The fewer symmetries a family has, the more its server sees. Where a norm stands behind the residual sum (BERT and its kin, OLMo 2) the
residual is permuted but not rotated in either profile; norms of queries and keys leave signs, so that their sizes stay; ALiBi holds heads
in their places; gains that all heads share stay as they are; `roberta` and `mpnet` keep the id of padding, and the ids below it among
themselves, because engines count positions from it. How much that gives to a host is not measured yet for these
families.

Encoders in GGUF: llama.cpp computes GELU by its approximation and looks it up in fp16, so that its vectors differ from those of transformers, for
the plaintext model as for the encrypted one. Of 200 sentences all-MiniLM-L6-v2 (trained weights, F32) gives vectors whose cosines with those
of the plaintext model in transformers are below 1 by at most 4e-6 through llama-server, in both profiles, and by 6e-9 through
transformers (`tests/test_minilm.py`).

| family | formats | classes | exact | rotated | drawn in exact | drawn in rotated |
|---|---|---|---|---|---|---|"""
# Of which the pinned transformers has no class: in this project's own reference here, in a newer transformers in test_newer_*.py.
NEWER = ["qwen3", "qwen3-moe", "olmo2", "smollm3", "seed-oss", "olmo3", "exaone4", "cohere2", "gemma3", "modernbert"]
PROMPTS = ["the front desk of the clinic opens at eight", "日本語 und 12,50 €"]
# Largest difference by range. Profile exact moves bits; classes that norm in fp32 round there. Profile rotated rounds
# every weight to fp32 once more.
BOUND = {"exact": 2e-6, "rotated": 1e-5}


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            made[name] = families.make(name, tmp_path_factory.mktemp("families") / name)
        return made[name]
    return make


def load(folder):
    # Debian's torch cannot write the masks of two classes in fp64.
    wide = json.loads((folder / "config.json").read_text())["model_type"] not in ("mpt", "opt")
    return transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float64 if wide else torch.float32).eval()


def ids_of(folder):
    tokenizer = models.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.encode(text).ids for text in PROMPTS]


def logits(model, row):
    with torch.no_grad():
        return model(torch.tensor([row]), use_cache=False).logits[0].double().numpy()


def greedy(model, row, n=64):
    """Not model.generate, which needs torch.distributed: Debian's cannot be imported."""
    said, cache, ids = [], None, list(row)
    cached = model.config.model_type != "gemma2"  # whose own cache has no room for more than the first call
    with torch.no_grad():
        for _ in range(n):
            out = model(torch.tensor([ids]), past_key_values=cache, use_cache=cached)
            said.append(int(out.logits[0, -1].argmax()))
            cache, ids = (out.past_key_values, [said[-1]]) if cached else (None, [*row, *said])
    return said


def difference(plain, encrypted, permutation, rows):
    """(largest difference, range) after decryption"""
    worst, low, high = 0, np.inf, -np.inf
    for row in rows:
        expected = logits(plain, row)
        found = logits(encrypted, [permutation[i] for i in row])[:, permutation]
        worst = max(worst, np.abs(found - expected).max())
        low, high = min(low, expected.min()), max(high, expected.max())
    return worst, high - low


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", families.DECODERS)
def test_logits_and_greedy_text(runner, family_folder, name, profile, tmp_path):
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out, "--profile", profile)
    config = json.loads((folder / "config.json").read_text())
    permutation = runner.permutation(out, config["vocab_size"])
    plain, encrypted = load(folder), load(out / "server")
    worst, span = difference(plain, encrypted, permutation, ids_of(folder))
    assert span > 1, "the model is too flat to tell anything"
    assert worst < BOUND[profile] * span, (worst, span)

    row = ids_of(folder)[0]
    said = greedy(plain, row)
    assert greedy(encrypted, [permutation[i] for i in row]) == [permutation[i] for i in said]


def outputs_of(name, folder, ids, mask):
    hf_class, _, output = families.ENCODERS[name]
    model = getattr(transformers, hf_class).from_pretrained(folder, torch_dtype=torch.float64).eval()
    with torch.no_grad():
        out = model(torch.tensor(ids), attention_mask=torch.tensor(mask))
    return out["logits" if output == "labels" else output].double().numpy()


def batch_of(folder):
    """ids of texts of different lengths, padded behind"""
    rows = ids_of(folder)
    pad, longest = json.loads((folder / "config.json").read_text())["pad_token_id"], max(map(len, rows))
    return (np.array([row + [pad] * (longest - len(row)) for row in rows]),
            np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows]))


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", families.ENCODERS)
def test_outputs_of_encoders(runner, family_folder, name, profile, tmp_path):
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out, "--profile", profile)
    config = json.loads((folder / "config.json").read_text())
    permutation = np.array(runner.permutation(out, config["vocab_size"]))
    ids, mask = batch_of(folder)
    expected, found = outputs_of(name, folder, ids, mask), outputs_of(name, out / "server", permutation[ids], mask)
    output = families.ENCODERS[name][2]
    if output == "logits":
        plain = found[..., permutation]
    else:
        port = "logits" if output == "labels" else output
        plain = np.array(runner.run("vectors", out / "client", "-k", runner.key, "--output", port, text=json.dumps(found.tolist()))["vectors"])
    span = np.ptp(expected)
    assert span > 0.1, "the model is too flat to tell anything"
    assert np.abs(plain - expected).max() < (1e-10 if profile == "exact" else BOUND["rotated"]) * span
    if output != "labels":
        assert np.abs(found - expected).max() > 0.1 * span, "the server sees the plain outputs"


@pytest.mark.parametrize("name", [name for name, (_, _, output) in families.ENCODERS.items() if output == "labels"])
def test_the_server_sees_no_label(runner, family_folder, name, tmp_path):
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out)
    names = list(json.loads((folder / "config.json").read_text())["id2label"].values())
    config = json.loads((out / "server/config.json").read_text())
    assert config["id2label"] == {str(i): f"LABEL_{i}" for i in range(len(names))}
    assert not any(label in (out / "server/config.json").read_text() for label in names)
    manifest = json.loads((out / "client/manifest.json").read_text())
    assert [port["names"] for port in manifest["ports"] if port["kind"] == "labels"] == [names]
    assert [space["moves"] for space in manifest["spaces"] if space["label"] == "labels"] == [["permute"]], "what is secret is their order"


@pytest.mark.parametrize("name", ["roberta", "xlm-roberta", "camembert", "mpnet"])
def test_padding_stays_where_engines_look_for_it(runner, family_folder, name, tmp_path):
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out)
    plain, encrypted = (json.loads((path / "config.json").read_text()) for path in (folder, out / "server"))
    permutation = runner.permutation(out, plain["vocab_size"])
    pad = plain["pad_token_id"]
    assert encrypted["pad_token_id"] == permutation[pad] == pad
    assert sum(i == p for i, p in enumerate(permutation)) < 12, "the others move"


@pytest.mark.parametrize("name", families.DECODERS | families.ENCODERS)
def test_no_tensor_is_left_plain(runner, family_folder, name, tmp_path):
    """But for numbers that every head shares, of which the plan says that they stay."""
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out)
    plain, encrypted = models.read_folder(folder), models.read_folder(out / "server")
    treatments = {t["name"]: t["treatment"] for t in json.loads((out / "client/manifest.json").read_text())["tensors"]}
    assert set(treatments) == set(encrypted)
    for tensor, (values, _, _) in plain.items():
        found = encrypted.get(tensor, encrypted.get(next((n for n in encrypted if n.endswith("." + tensor)), None)))
        if all(text.endswith("stays") for text in treatments.get(tensor, [])) and tensor in treatments:
            continue
        assert found is not None, tensor
        if values.size < 8 or "self_attn" in tensor and "_norm" in tensor:
            continue  # a permutation of three labels or heads may be none
        assert values.shape == found[0].shape and not np.array_equal(values, found[0]), f"{tensor} is left in plaintext"


# Those that the pinned llama.cpp runs here; how far its GELU, a table of fp16 values, is from the function.
GGUF = {"granite": 1e-4, "starcoder2": 2e-3, "stablelm": 1e-4, "stablelm-parallel": 1e-4, "phi": 2e-3,
        "mixtral": 1e-4, "qwen2-moe-everywhere": 1e-4, "olmoe-ungrouped": 1e-4}


@pytest.mark.parametrize("name", GGUF)
def test_gguf_is_the_same_function(runner, llama, family_folder, name, tmp_path):
    window = families.DECODERS[name][1].get("sliding_window", 128)  # the context that the conversion has
    lengths = [n for n in (3, 7, 30, 100) if n < window]
    assert test_conversion.compare(runner, llama, family_folder(name), tmp_path, lengths) < GGUF[name]


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", GGUF)
def test_gguf_matches_once_decrypted(runner, family_folder, name, profile, tmp_path):
    runner.encrypt(family_folder(name), tmp_path / "out", "--profile", profile, "--to", "gguf")
    verify = runner.call("verify", "--plain", family_folder(name), "--encrypted", tmp_path / "out", "-k", runner.key)
    assert verify.returncode == 0 and verify.stdout.startswith("match"), verify.stdout + verify.stderr


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", ["mixtral", "qwen2-moe-everywhere", "olmoe-ungrouped"])
def test_gguf_with_experts_writes_the_same_text(runner, llama, family_folder, name, profile, tmp_path):
    folder, out = family_folder(name), tmp_path / "out"
    runner.run("convert", folder, "-o", tmp_path / "gguf")
    runner.encrypt(folder, out, "--profile", profile, "--to", "gguf")
    permutation = runner.permutation(out, json.loads((folder / "config.json").read_text())["vocab_size"])
    row = ids_of(folder)[0]
    greedy = lambda model, ids: test_serving.plain_greedy(llama, model, ids, 64, "-ctk", "f32", "-ctv", "f32", "-fa", "off")
    said = greedy(tmp_path / "gguf/model.gguf", row)
    assert len(said) == 64 and len(set(said)) > 5
    assert greedy(out / "server/model.gguf", [permutation[i] for i in row]) == [permutation[i] for i in said]


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("kind", ["f32", "q8_0"])
def test_stacked_experts_change_places(runner, llama, model_folder, kind, profile, tmp_path):
    """GGUF to GGUF: of each layer the router's rows and all three stacks move alike, blocks whole."""
    runner.run("convert", model_folder("qwen3-moe-everywhere"), "-o", tmp_path / "gguf")
    source, out = tmp_path / "gguf/model.gguf", tmp_path / "out"
    if kind != "f32":
        subprocess.run([llama / "llama-quantize", source, tmp_path / "blocks.gguf", kind], check=True, capture_output=True)
        source = tmp_path / "blocks.gguf"
    runner.encrypt(source, out, "--profile", profile)
    treatments = {t["name"]: t for t in json.loads((out / "client/manifest.json").read_text())["tensors"]}
    for matrix in ("gate", "up", "down"):
        stack = treatments[f"blk.0.ffn_{matrix}_exps.weight"]
        assert stack["shape"][0] == len(stack["treatment"]) == 5 and stack["type"] == kind.upper()
    verify = runner.call("verify", "--plain", source, "--encrypted", out, "-k", runner.key)
    assert verify.returncode == 0 and verify.stdout.startswith("match"), verify.stdout + verify.stderr


CONFIG_ERRORS = [
    ("mpt", {"attn_config": {"qk_ln": True}}, ["attn_config.qk_ln", "has no rule"]),
    ("mpt", {"expansion_ratio": 3}, ["expansion_ratio"]),
    ("opt", {"word_embed_proj_dim": 32}, ["word_embed_proj_dim", "32"]),
    ("opt", {"do_layer_norm_before": False}, ["do_layer_norm_before"]),
    ("bloom", {"apply_residual_connection_post_layernorm": True}, ["apply_residual_connection_post_layernorm"]),
    ("cohere", {"use_qk_norm": True}, ["use_qk_norm"]),
    ("phi", {"partial_rotary_factor": 1.5}, ["partial_rotary_factor", "1.5"]),
    ("granite", {"hidden_act": "gelu"}, ["hidden_act", "gelu"]),
    ("mixtral", {"num_local_experts": 4}, ["declares no such weight", "experts"]),
    ("mixtral", {"num_local_experts": "five"}, ["num_local_experts", "five"]),
    ("mixtral", {"num_experts_per_tok": 6}, ["6 of 5 experts"]),
    ("gemma2", {"hidden_activation": "relu"}, ["hidden_activation", "relu"]),
    ("albert", {"num_hidden_groups": 2}, ["num_hidden_groups"]),
    ("roberta", {"pad_token_id": 5000}, ["pad_token_id", "5000"]),
    ("mpnet", {"pad_token_id": 2}, ["pad_token_id", "from id 1"]),
    ("bert-labels", {"id2label": ["calm", "glad"]}, ["id2label", "expected texts"]),
    ("bert-labels", {"id2label": {"0": "calm", "2": "glad"}}, ["id2label", "expected texts"]),
    ("bert-labels", {"id2label": {"0": "calm"}}, ["classifier", "shape"]),
    ("distilbert", {"architectures": ["DistilBertForQuestionAnswering"]}, ["DistilBertForQuestionAnswering", "supported are"]),
]


@pytest.mark.parametrize("name, fields, words", CONFIG_ERRORS)
def test_what_a_declaration_does_not_cover_is_refused_by_name(runner, family_folder, name, fields, words, tmp_path):
    source = shutil.copytree(family_folder(name), tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | fields))
    error = runner.fail(1, "encrypt", source, "-k", runner.key, "-o", tmp_path / "out")
    assert all(word in error for word in words), error
    assert not (tmp_path / "out").exists()


def test_every_family_is_in_the_documentation(runner):
    """and every one there is there to be encrypted, and is compared with something here"""
    listed = runner.run("models")["families"]
    documented = re.findall(r"^\| `([a-z0-9_-]+)` \|(?:[^|]*\|){1}([^|]*)\|", DOCUMENT.read_text(), re.M)
    assert [name for name, _ in documented] == [family["family"] for family in listed]
    for (name, classes), family in zip(documented, listed):
        assert re.findall(r"\w+", classes) == family["classes"], name


def measured(runner, folder, out, name, profile):
    """largest difference by range, and the groups that were drawn"""
    runner.encrypt(folder, out, "--profile", profile)
    config = json.loads((folder / "config.json").read_text())
    permutation = np.array(runner.permutation(out, config["vocab_size"]))
    if name in families.ENCODERS:
        ids, mask = batch_of(folder)
        expected, found = outputs_of(name, folder, ids, mask), outputs_of(name, out / "server", permutation[ids], mask)
        output = families.ENCODERS[name][2]
        port = "logits" if output == "labels" else output
        plain = found[..., permutation] if output == "logits" else np.array(runner.run(
            "vectors", out / "client", "-k", runner.key, "--output", port, text=json.dumps(found.tolist()))["vectors"])
        return np.abs(plain - expected).max() / np.ptp(expected)
    if name in families.DECODERS:
        worst, span = difference(load(folder), load(out / "server"), permutation, ids_of(folder))
    else:
        rows = ids_of(folder)
        pairs = [(reference.logits(folder, row), reference.logits(out / "server", permutation[row])[:, permutation]) for row in rows]
        worst = max(np.abs(a - b).max() for a, b in pairs)
        span = max(a.max() for a, _ in pairs) - min(a.min() for a, _ in pairs)
    return worst / span


def drawn(out):
    """the group of each kind of space, without those that nobody can move"""
    spaces = json.loads((out / "client/manifest.json").read_text())["drawn"]
    short = lambda text: text.split(" in each head")[0] + (", heads stay" if "groups stay" in text and "queries move" not in text else "")
    return {s["space"].removeprefix("layer.*."): short(s["drawn"]) for s in spaces
            if not s["drawn"].startswith(("stays", "trivial")) and s["space"] not in ("vocab", "labels")}


def document(runner, make, folder):
    print(INTRODUCTION)
    made = {}
    for name in [*families.DECODERS, *families.ENCODERS, "llama-gqa", "qwen2", "gpt2", *NEWER]:
        source = make(name, folder / name)
        rows = {}
        for profile in ("exact", "rotated"):
            out = folder / f"{name}-{profile}"
            rows[profile] = (measured(runner, source, out, name, profile), drawn(out))
        family = json.loads((folder / f"{name}-exact/client/manifest.json").read_text())["architecture"]
        worst = made.setdefault(family, {"exact": 0, "rotated": 0, "drawn": rows["exact"][1], "rotated drawn": rows["rotated"][1]})
        for profile in ("exact", "rotated"):
            worst[profile] = max(worst[profile], rows[profile][0])
    for family in runner.run("models")["families"]:
        found = made[family["family"]]
        groups = lambda which: "; ".join(f"{space} {group}" for space, group in found[which].items())
        numbers = [f"{found[profile]:.0e}" for profile in ("exact", "rotated")]
        formats = "folder, GGUF" if "gguf" in family["formats"] else "folder"
        print(f"| `{family['family']}` | {formats} | {', '.join(family['classes'])} | {' | '.join(numbers)} | {groups('drawn')} | {groups('rotated drawn')} |")


if __name__ == "__main__":
    import pathlib
    import sys
    import tempfile
    from conftest import Runner
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runner = Runner(sys.argv[1], folder / "key")
        runner.call("keygen", "-o", runner.key, "--no-passphrase")
        document(runner, lambda name, path: (models if name in models.MODELS | models.FOLDERS else families).make(name, path), folder)
