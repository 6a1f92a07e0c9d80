"""/v1/embeddings: OpenAI's clients get the plaintext model's vectors, from an encrypted encoder that a server pools."""

import base64
import json
import types

import numpy as np
import pytest

import models
from conftest import Runner
from gateway_process import ask, chat_body, gateway, refuses_to_start, wait_for, without_canary
from vllm_form import EMBED, vllm_form

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

TEXTS = ["the front desk of the clinic", "Lily saw a big red ball and went home", "日本語 und 12,50 €"]


class Pooler:
    """A model in stock transformers, with a pooling of vLLM's; `scales`: to length 1, as vLLM does unless told otherwise."""

    def __init__(self, folder, pooling="mean", scales=True, dtype=torch.float64):
        self.model = transformers.AutoModel.from_pretrained(folder, torch_dtype=dtype).eval()
        self.pooling, self.scales = pooling, scales

    def __call__(self, ids):
        with torch.no_grad():
            states = self.model(torch.tensor([ids])).last_hidden_state[0].double().numpy()
        vector = states.mean(0) if self.pooling == "mean" else states[0 if self.pooling == "cls" else -1]
        return vector / np.linalg.norm(vector) if self.scales else vector


@pytest.fixture(scope="module")
def encoder(runner, model_folder, tmp_path_factory):
    """(plaintext folder, encrypted folders by profile)"""
    folder, out = model_folder("bert-f32"), tmp_path_factory.mktemp("encoder")
    for profile in ("exact", "rotated"):
        runner.encrypt(folder, out / profile, "--profile", profile)
    return folder, out


def unit(vector):
    return np.array(vector) / np.linalg.norm(vector)


@pytest.mark.parametrize("profile, pooling, scales", [("exact", "mean", True), ("exact", "cls", False), ("rotated", "last", True)])
def test_vectors_are_those_of_the_plaintext_model(runner, encoder, tmp_path, profile, pooling, scales):
    folder, out = encoder
    client = without_canary(out / profile / "client", tmp_path / "client")
    plain = Pooler(folder, pooling)
    tokenizer = models.Tokenizer.from_file(str(folder / "tokenizer.json"))
    with vllm_form(embed=Pooler(out / profile / "server", pooling, scales)) as (url, asked), \
            gateway(runner, client, [url], tmp_path / "log") as g:
        answer = ask(g, EMBED, {"model": "m", "input": TEXTS}).json
        sent = asked[-1]["input"]
        ids = ask(g, "/tokenize", {"content": TEXTS[0], "add_special": True}).json["tokens"]
        coded = ask(g, EMBED, {"input": TEXTS[0], "encoding_format": "base64"}).json["data"][0]["embedding"]
        of_ids = ask(g, EMBED, {"input": [ids, ids[:2]], "dimensions": 48}).json["data"]
    permutation = runner.permutation(out / profile, json.loads((folder / "config.json").read_text())["vocab_size"])
    back = {wire: i for i, wire in enumerate(permutation)}
    plain_ids = [[back[wire] for wire in row] for row in sent]
    assert plain_ids[0] == ids and tokenizer.decode(ids) == TEXTS[0]
    for entry, row in zip(answer["data"], plain_ids, strict=True):
        expected = unit(plain(row))
        found = np.array(entry["embedding"])
        assert abs(np.linalg.norm(found) - 1) < 1e-6
        # Weights of F32: the profile rotated rounds them once more.
        assert np.abs(found - expected).max() < (1e-6 if profile == "exact" else 1e-4)
        encrypted = unit(Pooler(out / profile / "server", pooling)(sent[entry["index"]]))
        assert np.abs(encrypted - expected).max() > 0.1, "the server sees the plain vectors"
    assert np.array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), np.array(of_ids[0]["embedding"], "<f4"))
    assert np.abs(unit(plain(ids[:2])) - of_ids[1]["embedding"]).max() < 1e-4
    assert answer["usage"]["prompt_tokens"] == sum(map(len, sent)) and answer["model"] and answer["object"] == "list"


def test_openais_client_reads_them(runner, encoder, tmp_path):
    """It asks for base64 unless told otherwise."""
    openai = pytest.importorskip("openai")
    folder, out = encoder
    client = without_canary(out / "exact" / "client", tmp_path / "client")
    with vllm_form(embed=Pooler(out / "exact/server")) as (url, asked), gateway(runner, client, [url], tmp_path / "log") as g:
        with openai.OpenAI(base_url=g.url + "/v1", api_key="none", max_retries=0) as sdk:
            found = sdk.embeddings.create(model="m", input=TEXTS)
            floats = sdk.embeddings.create(model="m", input=TEXTS, encoding_format="float")
            with pytest.raises(openai.BadRequestError, match="dimensions"):
                sdk.embeddings.create(model="m", input="a", dimensions=7)
    assert [len(entry.embedding) for entry in found.data] == [48] * len(TEXTS)
    for one, other in zip(found.data, floats.data, strict=True):
        assert one.index == other.index and np.abs(np.array(one.embedding) - other.embedding).max() < 1e-7


def test_nothing_but_ids_is_sent(runner, encoder, tmp_path):
    folder, out = encoder
    client = without_canary(out / "exact" / "client", tmp_path / "client")
    with vllm_form(embed=Pooler(out / "exact/server")) as (url, asked), gateway(runner, client, [url], tmp_path / "log", "--log", "text") as g:
        assert ask(g, EMBED, {"input": "canary-4711-bird", "user": "canary-4711-bird", "model": "canary-4711-bird"}).status == 200
        wait_for(lambda: " POST /v1/embeddings status=200 " in g.said(), 5, "the line of the log")
        assert "canary-4711-bird" not in g.said()
    assert all(set(body) == {"input", "encoding_format"} and "canary" not in json.dumps(body) for body in asked)
    assert all(isinstance(i, int) for row in asked[-1]["input"] for i in row)


def test_another_models_server_is_refused(runner, isoveil, encoder, tmp_path):
    folder, out = encoder
    other = Runner(isoveil, tmp_path / "other.key")
    other.call("keygen", "-o", other.key, "--no-passphrase")
    other.encrypt(folder, tmp_path / "theirs")
    client = without_canary(out / "exact" / "client", tmp_path / "client")
    with vllm_form(embed=Pooler(out / "exact/server")) as (url, _), gateway(runner, client, [url], tmp_path / "log"):
        pass  # records the canary
    for wrong in (Pooler(folder), Pooler(tmp_path / "theirs/server"), Pooler(out / "exact/server", "cls")):
        with vllm_form(embed=wrong) as (url, _):
            _, said = refuses_to_start(types.SimpleNamespace(runner=runner), [url], client=client)
            assert "answers differently from the model" in "\n".join(said)


def test_rounding_is_no_other_model(runner, encoder, tmp_path):
    """The bound of the canary: a server that computes in bfloat16 is the same model."""
    folder, out = encoder
    client = without_canary(out / "rotated" / "client", tmp_path / "client")
    with vllm_form(embed=Pooler(out / "rotated/server")) as (url, _), gateway(runner, client, [url], tmp_path / "log"):
        pass
    with vllm_form(embed=Pooler(out / "rotated/server", dtype=torch.bfloat16)) as (url, _), gateway(runner, client, [url], tmp_path / "log") as g:
        assert ask(g, "/health").status == 200


def test_an_encoder_says_that_it_writes_no_text(runner, encoder, tmp_path):
    folder, out = encoder
    client = without_canary(out / "exact" / "client", tmp_path / "client")
    with vllm_form(embed=Pooler(out / "exact/server")) as (url, _), gateway(runner, client, [url], tmp_path / "log") as g:
        refused = ask(g, "/v1/chat/completions", chat_body())
        assert refused.status == 400 and "this model gives embeddings, and no text; use /v1/embeddings" in refused.error["message"]
        assert ask(g, EMBED, {"input": "a", "dimensions": 7}).error["param"] == "dimensions"
        assert ask(g, EMBED, {"input": "a" * 1000}).error["code"] == "context_length_exceeded"
        assert ask(g, EMBED, {"input": "a", "encoding_format": "ubinary"}).error["param"] == "encoding_format"
