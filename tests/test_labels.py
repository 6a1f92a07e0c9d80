"""/classify and /v1/rerank, and the commands classify, embed and rerank: the plaintext model's labels and scores, from servers that see
encrypted ids and labels without names."""

import contextlib
import json
import shutil
import signal
import subprocess
import types
import urllib.error
import urllib.request

import numpy as np
import pytest

import families
import models
from conftest import Runner
from gateway_process import ask, gateway, refuses_to_start, without_canary
from real_llama import RealLlama
from vllm_form import CLASSIFY, EMBED, vllm_form

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

TEXTS = ["the front desk of the clinic", "Lily saw a big red ball and went home", "日本語 und 12,50 €"]
QUERY = "When does the clinic open?"
RERANK = "/v1/rerank"
# llama.cpp computes GELU by its approximation.
OF_GELU = 5e-3


class Labeller:
    """A classifier in stock transformers: the numbers of its labels for a list of ids."""

    def __init__(self, folder, dtype=torch.float64):
        self.model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, torch_dtype=dtype).eval()

    def __call__(self, ids):
        with torch.no_grad():
            return self.model(torch.tensor([ids])).logits[0].double().numpy()


def add_pairs(folder):
    """Texts and pairs of them, as RoBERTa frames them."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    tokenizer["post_processor"] = {"type": "RobertaProcessing", "sep": ["<|eos|>", ids["<|eos|>"]], "cls": ["<|bos|>", ids["<|bos|>"]],
                                   "trim_offsets": True, "add_prefix_space": False}
    path.write_text(json.dumps(tokenizer))
    return folder


class Encrypted:
    def __init__(self, runner, name, folder):
        self.source = add_pairs(families.make(name, folder / "model"))
        self.name, self.runner, self.folder = name, runner, folder
        self.plain = Labeller(self.source)
        self.tokenizer = models.Tokenizer.from_file(str(self.source / "tokenizer.json"))
        for to in ("hf", "gguf"):
            runner.encrypt(self.source, folder / to, *(["--to", "gguf"] if to == "gguf" else []))

    def expected(self, *texts):
        return self.plain(self.tokenizer.encode(*texts).ids)


@pytest.fixture(scope="module", params=["distilbert-labels", "roberta-labels"])
def classifier(request, runner, tmp_path_factory):
    return Encrypted(runner, request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def reranker(runner, tmp_path_factory):
    return Encrypted(runner, "xlm-roberta-reranker", tmp_path_factory.mktemp("reranker"))


@pytest.fixture(scope="module", params=["vllm", "llama"])
def engine(request, llama):
    """engine.name, and engine.serve(encrypted): a server's URL and its client folder, for a `with`"""
    @contextlib.contextmanager
    def serve(encrypted):
        if request.param == "vllm":
            with vllm_form(classify=Labeller(encrypted.folder / "hf/server")) as (url, _):
                yield url, encrypted.folder / "hf/client"
            return
        served = RealLlama(llama / "llama-server", encrypted.folder / "gguf/server/model.gguf", arguments=("--embeddings",))
        try:
            yield served.url, encrypted.folder / "gguf/client"
        finally:
            served.close()
    return types.SimpleNamespace(name=request.param, serve=serve, bound=1e-6 if request.param == "vllm" else OF_GELU)


def softmax(numbers):
    return np.exp(numbers) / np.exp(numbers).sum()


def test_labels_are_those_of_the_plaintext_model(runner, classifier, engine, tmp_path):
    with engine.serve(classifier) as (url, client), gateway(runner, client, [url], tmp_path / "log") as g:
        answer = ask(g, CLASSIFY, {"model": "m", "input": TEXTS}).json
        raw = ask(g, CLASSIFY, {"input": TEXTS, "use_activation": False}).json["data"]
    names = ["calm", "glad", "sad"]
    for text, entry, numbers in zip(TEXTS, answer["data"], raw, strict=True):
        expected = classifier.expected(text)
        assert np.abs(np.array(numbers["probs"]) - expected).max() < engine.bound * np.ptp(expected)
        assert np.abs(np.array(entry["probs"]) - softmax(expected)).max() < engine.bound
        assert entry["label"] == names[int(np.argmax(expected))] and entry["num_classes"] == 3
    assert answer["usage"]["prompt_tokens"] == sum(len(classifier.tokenizer.encode(text).ids) for text in TEXTS)


def test_a_reranker_sorts_as_the_plaintext_model_does(runner, reranker, engine, tmp_path):
    body = {"model": "m", "query": QUERY, "documents": [TEXTS[0], {"text": TEXTS[1]}, TEXTS[2]]}
    with engine.serve(reranker) as (url, client), gateway(runner, client, [url], tmp_path / "log") as g:
        answer = ask(g, RERANK, body).json
        top = ask(g, "/v2/rerank", {**body, "top_n": 1, "return_documents": False}).json["results"]
        bare = ask(g, "/rerank", {"query": QUERY, "texts": TEXTS}).json
    expected = [1 / (1 + np.exp(-reranker.expected(QUERY, text)[0])) for text in TEXTS]
    scores = [entry["relevance_score"] for entry in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert [entry["index"] for entry in answer["results"]] == list(np.argsort(expected)[::-1])
    for entry in answer["results"]:
        assert abs(entry["relevance_score"] - expected[entry["index"]]) < engine.bound
        assert entry["document"]["text"] == TEXTS[entry["index"]]
    assert len(top) == 1 and top[0]["index"] == answer["results"][0]["index"] and "document" not in top[0]
    assert [(entry["index"], entry["score"]) for entry in bare] == [(entry["index"], entry["relevance_score"]) for entry in answer["results"]]


def test_the_commands_say_the_same(runner, classifier, reranker, engine):
    with engine.serve(classifier) as (url, client):
        arguments = (client, "-k", runner.key, "--upstream", url)
        results = runner.run("classify", *arguments, text="\n".join(TEXTS))["results"]
        said = runner.call("classify", *arguments, TEXTS[0]).stdout
        if engine.name == "llama":
            vectors = runner.run("embed", *arguments, *TEXTS)["vectors"]
            assert [abs(np.linalg.norm(vector) - 1) < 1e-6 for vector in vectors] == [True] * len(TEXTS)
        else:
            assert "gives no vectors; it gives logits" in runner.fail(1, "embed", *arguments, "a")
        assert "gives 3 labels of a text" in runner.fail(1, "rerank", *arguments, "-q", "a", "b")
        assert "DOCUMENT: expected at least one text, found none" in runner.fail(2, "rerank", *arguments, "-q", "a")
        assert "TEXT: is empty" in runner.fail(2, "classify", *arguments, "a", "")
        said_of_verify = runner.fail(1, "verify", "--plain", classifier.source, "--encrypted", client.parent, "-k", runner.key)
        assert "gives no text" in said_of_verify and "only models that write text are compared" in said_of_verify
    for text, result in zip(TEXTS, results, strict=True):
        expected = softmax(classifier.expected(text))
        assert result["text"] == text
        assert [result["scores"][name] for name in ("calm", "glad", "sad")] == pytest.approx(list(expected), abs=engine.bound)
    assert said.split()[1] == results[0]["label"] and TEXTS[0] in said
    with engine.serve(reranker) as (url, client):
        ranked = runner.run("rerank", client, "-k", runner.key, "--upstream", url, "-q", QUERY, "-n", "2", *TEXTS)["results"]
    assert len(ranked) == 2 and ranked[0]["relevance_score"] >= ranked[1]["relevance_score"]
    assert ranked[0]["document"] == TEXTS[ranked[0]["index"]]


def test_nothing_but_ids_is_sent(runner, classifier, tmp_path):
    client = without_canary(classifier.folder / "hf/client", tmp_path / "client")
    with vllm_form(classify=Labeller(classifier.folder / "hf/server")) as (url, asked), gateway(runner, client, [url], tmp_path / "log") as g:
        assert ask(g, CLASSIFY, {"input": "canary-4711-bird", "user": "canary-4711-bird"}).status == 200
        assert "canary-4711-bird" not in g.said()
    assert all(set(body) == {"input", "use_activation"} and all(isinstance(i, int) for row in body["input"] for i in row) for body in asked)
    told = (classifier.folder / "hf/server/config.json").read_text()
    assert not any(name in told for name in ("calm", "glad", "sad"))


def test_another_models_server_is_refused(runner, isoveil, classifier, tmp_path):
    other = Runner(isoveil, tmp_path / "other.key")
    other.call("keygen", "-o", other.key, "--no-passphrase")
    other.encrypt(classifier.source, tmp_path / "theirs")
    client = without_canary(classifier.folder / "hf/client", tmp_path / "client")
    right = classifier.folder / "hf/server"
    with vllm_form(classify=Labeller(right)) as (url, _), gateway(runner, client, [url], tmp_path / "log"):
        pass  # records the canary
    with vllm_form(classify=Labeller(right, torch.bfloat16)) as (url, _), gateway(runner, client, [url], tmp_path / "log") as g:
        assert ask(g, "/health").status == 200, "rounding is no other model"
    for wrong in (classifier.source, tmp_path / "theirs/server"):
        with vllm_form(classify=Labeller(wrong)) as (url, _):
            _, said = refuses_to_start(types.SimpleNamespace(runner=runner), [url], client=client)
            assert "answers differently from the model" in "\n".join(said)


def test_a_model_says_what_it_gives(runner, classifier, tmp_path):
    client = without_canary(classifier.folder / "hf/client", tmp_path / "client")
    with vllm_form(classify=Labeller(classifier.folder / "hf/server")) as (url, _), gateway(runner, client, [url], tmp_path / "log") as g:
        refused = ask(g, EMBED, {"input": "a"})
        assert refused.status == 400 and "this model gives labels, and no embeddings; use /classify" in refused.error["message"]
        assert ask(g, RERANK, {"query": "a", "documents": ["b"]}).error["code"] == "unsupported"
        assert ask(g, CLASSIFY, {"input": "a" * 1000}).error["code"] == "context_length_exceeded"


def test_up_serves_an_encoder_without_a_page(isoveil, classifier, tmp_path):
    """A key, an encryption, a llama-server that gives vectors, a gateway; no page, which holds conversations."""
    process = subprocess.Popen([isoveil, "up", classifier.source, "-k", tmp_path / "key", "-o", tmp_path / "out", "--port", "0", "--json"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, text
            text += line
        url = json.loads(text)["url"]
        g = types.SimpleNamespace(url=url, port=int(url.rsplit(":", 1)[1]))
        [entry] = ask(g, CLASSIFY, {"input": TEXTS[0]}).json["data"]
        assert np.abs(np.array(entry["probs"]) - softmax(classifier.expected(TEXTS[0]))).max() < OF_GELU
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(g.url + "/", timeout=10)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.mark.parametrize("fields, function", [
    ({}, "softmax"), ({"problem_type": "single_label_classification"}, "softmax"), ({"problem_type": "multi_label_classification"}, "sigmoid"),
    ({"problem_type": "regression"}, "none"), ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, "none")])
def test_scores_are_what_the_configuration_says(runner, classifier, fields, function, tmp_path):
    folder = shutil.copytree(classifier.source, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))
    runner.encrypt(folder, tmp_path / "out")
    [port] = [port for port in json.loads((tmp_path / "out/client/manifest.json").read_text())["ports"] if port["kind"] == "labels"]
    assert port["function"] == function
    (folder / "config.json").write_text(json.dumps(config | {"problem_type": "poetry"}))
    assert "config.json: problem_type" in runner.fail(1, "encrypt", folder, "-k", runner.key, "-o", tmp_path / "refused")
