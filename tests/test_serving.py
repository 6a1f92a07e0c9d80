"""Stock llama-server serves the encrypted checkpoint; it gets ids and gives ids."""

import json
import shutil
import subprocess

import pytest

from conftest import STORIES, n_vocab_of, post, serving


def plain_greedy(llama, model, ids, n, *args):
    """What the plaintext model says on the same server."""
    with serving(llama / "llama-server", model, *args) as url:
        answer = post(url + "/completion", {"prompt": ids, "n_predict": n, "temperature": 0, "return_tokens": True, "ignore_eos": True})
    return answer["tokens"]


def blind_greedy(runner, llama, out, prompt, n, *args):
    with serving(llama / "llama-server", next((out / "server").glob("*.gguf"))) as url:
        return runner.run("generate", out / "client", prompt, "-k", runner.key, "--upstream", url, "-n", n, "--ignore-eos", *args)


# Of the logits' range, which is below 50 here: what test_exactness allows a rotated model, and ten times what sums
# in another order differ by.
ROUNDING = {"rotated": 1e-4, "exact": 1e-5}


def check_tie(llama, plain_gguf, prompt, plain, other, profile):
    """Where the answers part, the plaintext model itself holds both tokens for equally likely, up to rounding."""
    at = next(i for i, (a, b) in enumerate(zip(plain, other)) if a != b)
    with serving(llama / "llama-server", plain_gguf) as url:
        answer = post(url + "/completion", {"prompt": prompt + plain[:at], "n_predict": 1, "temperature": 0, "n_probs": 8,
                                            "ignore_eos": True})
    likely = {entry["id"]: entry["logprob"] for entry in answer["completion_probabilities"][0]["top_logprobs"]}
    assert abs(likely[plain[at]] - likely[other[at]]) < 2 * ROUNDING[profile] * 50


def check_same_greedy(runner, llama, source, plain_gguf, tmp_path, profile, prompt, n, *args):
    out = tmp_path / "out"
    runner.encrypt(source, out, "--profile", profile, "--to", "gguf")
    answer = blind_greedy(runner, llama, out, prompt, n, *args)
    decrypt = lambda ids: runner.run("tokens", "decrypt", out / "client", "-k", runner.key, text=json.dumps(ids))
    sent, received = answer["wire"]["sent"], answer["wire"]["received"]
    plain_prompt = decrypt(sent)["plain_ids"]
    assert plain_prompt != sent
    assert len(received) == n
    back = decrypt(received)
    plain = plain_greedy(llama, plain_gguf, plain_prompt, n)
    if back["plain_ids"] != plain:
        check_tie(llama, plain_gguf, plain_prompt, plain, back["plain_ids"], profile)
    assert back["text"] == answer["text"]
    return plain_prompt, answer


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("source", ["hf", "stories260k-f32.gguf"])
def test_trained_model_tells_its_story(runner, llama, tmp_path, profile, source):
    if not STORIES.is_dir():
        pytest.skip("the trained model stories260k is not beside the checkout")
    _, answer = check_same_greedy(runner, llama, STORIES / source, STORIES / "stories260k-f32.gguf", tmp_path, profile,
                                  "Once upon a time", 200)
    assert answer["text"].startswith(", there was a little girl named Lily. She loved to play outside in the park.")


@pytest.fixture(scope="session")
def plain_gguf(runner, model_folder, llama, tmp_path_factory):
    """The plaintext GGUF of a random model. `verify` runs on the same conversion, and transformers on none at all."""

    def make(name):
        out = tmp_path_factory.mktemp("plain") / name
        done = runner.call("convert", model_folder(name), "-o", out)
        assert done.returncode == 0, done.stderr
        return out / "model.gguf"

    return make


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", ["llama-gqa", "llama-biases", "llama-untied", "gpt2"])
def test_random_models(runner, llama, model_folder, plain_gguf, tmp_path, name, profile):
    check_same_greedy(runner, llama, model_folder(name), plain_gguf(name), tmp_path, profile, "the clinic opens", 100)


def test_special_tokens_in_the_prompt(runner, llama, model_folder, plain_gguf, tmp_path):
    prompt = "<|user|>what time is it<|end|>"
    plain, _ = check_same_greedy(runner, llama, model_folder("llama-gqa"), plain_gguf("llama-gqa"), tmp_path, "exact", prompt, 40,
                                 "--parse-special")
    config = json.loads((model_folder("llama-gqa") / "generation_config.json").read_text())
    assert config["suppress_tokens"][0] in plain and config["eos_token_id"][1] in plain


def test_the_server_stops_on_encrypted_end_ids(runner, llama, model_folder, tmp_path):
    """Every id is made an end of generation in turn by biasing it: the stock server itself must stop."""
    out = tmp_path / "out"
    runner.encrypt(model_folder("llama-gqa"), out, "--to", "gguf")
    manifest = json.loads((out / "client/manifest.json").read_text())
    permutation = runner.permutation(out, n_vocab_of(manifest))
    assert len(manifest["end_of_generation"]) == 2
    with serving(llama / "llama-server", out / "server/model.gguf") as url:
        for plain_id in manifest["end_of_generation"]:
            body = {"prompt": [permutation[70]], "n_predict": 20, "temperature": 0, "return_tokens": True,
                    "logit_bias": [[permutation[plain_id], 1000.0]]}
            assert post(url + "/completion", body)["stop_type"] == "eos"
            # The plain id means another token there.
            body["logit_bias"] = [[plain_id, 1000.0]]
            assert post(url + "/completion", body)["stop_type"] == "limit"


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_K_M", "Q6_K"])
def test_quantised_blocks_stay_whole(runner, llama, plain_gguf, tmp_path, kind):
    gguf = pytest.importorskip("gguf")
    quantised = tmp_path / "q.gguf"
    subprocess.run([llama / "llama-quantize", plain_gguf("llama-256"), quantised, kind], check=True, capture_output=True)
    for profile in ("exact", "rotated"):
        out = tmp_path / profile
        runner.encrypt(quantised, out, "--profile", profile)
        before = {t.name: t for t in gguf.GGUFReader(quantised).tensors}
        after = {t.name: t for t in gguf.GGUFReader(out / "server/model.gguf").tensors}
        assert before.keys() == after.keys()
        n_quantised = 0
        for name, tensor in before.items():
            assert tensor.tensor_type == after[name].tensor_type
            block_elements, block_bytes = gguf.GGML_QUANT_SIZES[tensor.tensor_type]
            if block_elements > 1:
                n_quantised += 1
                blocks = lambda t: sorted(bytes(b) for b in t.data.reshape(-1, block_bytes))
                assert blocks(tensor) == blocks(after[name]), name
        assert n_quantised >= 10
        report = runner.run("verify", "--plain", quantised, "--encrypted", out, "-k", runner.key)
        # llama.cpp rounds activations to eight bits, block by block: a sum in another order can flip one.
        assert report["match"] and report["top1_agreement"] > 0.9 and report["mean_kl"] < 1e-2


def test_requantising_is_asked_for(runner, llama, plain_gguf, tmp_path):
    quantised = tmp_path / "q.gguf"
    subprocess.run([llama / "llama-quantize", plain_gguf("llama-256"), quantised, "Q8_0"], check=True, capture_output=True)
    runner.fail(2, "encrypt", quantised, "-k", runner.key, "-o", tmp_path / "no", "--requantize")
    runner.encrypt(quantised, tmp_path / "out", "--profile", "rotated", "--requantize")
    report = runner.run("verify", "--plain", quantised, "--encrypted", tmp_path / "out", "-k", runner.key)
    assert report["top1_agreement"] > 0.9
