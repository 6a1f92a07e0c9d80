"""Stock vLLM pools and classifies with encrypted encoders: the plaintext model's vectors and scores, which stock transformers gives."""

import json

import numpy as np
import pytest

import families
from gateway_process import ask, gateway
from test_labels import QUERY, TEXTS, Encrypted, softmax
from test_vllm import pytestmark, vllm  # noqa: F401: skips all of this without vLLM
from vllm_form import CLASSIFY, EMBED

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

# vLLM on a CPU has attention for heads of 32 and more; fp32 in another order.
WIDE = dict(families.BERT, hidden_size=128, num_attention_heads=4)
MODELS = {"vllm-labels": ("BertForSequenceClassification", dict(WIDE, **families.NAMES), "labels"),
          "vllm-reranker": ("XLMRobertaForSequenceClassification", dict(WIDE, id2label={0: "relevance"}), "labels")}
NEAR = 2e-6


@pytest.fixture(scope="module")
def encrypted(runner, tmp_path_factory):
    def make(name):
        families.ENCODERS[name] = MODELS[name]
        return Encrypted(runner, name, tmp_path_factory.mktemp(name))
    return make


def test_labels(runner, encrypted, tmp_path):
    model = encrypted("vllm-labels")
    with vllm(model.folder / "hf/server", tmp_path / "vllm", "--runner", "pooling") as served, \
            gateway(runner, model.folder / "hf/client", [served.url], tmp_path / "log") as g:
        data = ask(g, CLASSIFY, {"input": TEXTS}).json["data"]
        assert "POST /classify" in served.said() and TEXTS[0] not in served.said()
    for text, entry in zip(TEXTS, data, strict=True):
        assert np.abs(np.array(entry["probs"]) - softmax(model.expected(text))).max() < NEAR
        assert entry["label"] == ["calm", "glad", "sad"][int(np.argmax(model.expected(text)))]


def test_reranking(runner, encrypted, tmp_path):
    model = encrypted("vllm-reranker")
    with vllm(model.folder / "hf/server", tmp_path / "vllm", "--runner", "pooling") as served, \
            gateway(runner, model.folder / "hf/client", [served.url], tmp_path / "log") as g:
        results = ask(g, "/v1/rerank", {"query": QUERY, "documents": TEXTS}).json["results"]
    for entry in results:
        assert abs(entry["relevance_score"] - 1 / (1 + np.exp(-model.expected(QUERY, TEXTS[entry["index"]])[0]))) < NEAR


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_pooled_as_the_folder_says(runner, tmp_path, pooling):
    families.ENCODERS["vllm-vectors"] = ("RobertaModel", WIDE, "last_hidden_state")
    folder = families.make("vllm-vectors", tmp_path / "model")
    (folder / "modules.json").write_text(json.dumps([{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
                                                     for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling")])]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 128, "pooling_mode_mean_tokens": pooling == "mean",
                                                              "pooling_mode_cls_token": pooling == "cls"}))
    runner.encrypt(folder, tmp_path / "out")
    model = transformers.AutoModel.from_pretrained(folder, torch_dtype=torch.float64).eval()
    with vllm(tmp_path / "out/server", tmp_path / "vllm", "--runner", "pooling") as served, \
            gateway(runner, tmp_path / "out/client", [served.url], tmp_path / "log") as g:
        data = ask(g, EMBED, {"input": TEXTS}).json["data"]
        ids = [ask(g, "/tokenize", {"content": text, "add_special": True}).json["tokens"] for text in TEXTS]
    for row, entry in zip(ids, data, strict=True):
        with torch.no_grad():
            states = model(torch.tensor([row])).last_hidden_state[0].numpy()
        vector = states.mean(0) if pooling == "mean" else states[0]
        assert np.abs(vector / np.linalg.norm(vector) - entry["embedding"]).max() < NEAR
