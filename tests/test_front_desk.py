"""The model that comes with the project: encrypted and behind the gateway it answers as it does in plaintext."""

import json
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import tokenizers

import models
import reference
from conftest import ROOT, post, serving, serving_up
from test_exactness import difference

MODEL = ROOT / "models/front-desk"
QUESTIONS = json.loads((ROOT / "tests/vectors/front-desk/questions.json").read_text())


def answer(url, question):
    """The greedy answer's text, and its tokens with the five likeliest at each place."""
    said = post(url + "/v1/chat/completions", {"model": "front-desk", "messages": question["messages"], "temperature": 0,
                                               "max_tokens": 64, "logprobs": True, "top_logprobs": 5})["choices"][0]
    return said["message"]["content"], said["logprobs"]["content"]


def answers(url):
    return [answer(url, question) for question in QUESTIONS]


def texts(said):
    return [text for text, _ in said]


def gap_where_they_part(plain, other):
    """How much likelier (in log-probability, that is in logits) the model finds its token than the next best, at the
    first place where the answers differ. An answer that ends there has no token to show, the other one has."""
    at = next((i for i, (a, b) in enumerate(zip(plain, other)) if a["bytes"] != b["bytes"]), min(len(plain), len(other)))
    first, second = (plain if at < len(plain) else other)[at]["top_logprobs"][:2]
    return first["logprob"] - second["logprob"]


@pytest.fixture(scope="module")
def plain_answers(runner, llama, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "front-desk"
    assert runner.call("convert", MODEL, "-o", out).returncode == 0
    with serving(llama / "llama-server", out / "model.gguf", "--jinja") as url:
        return answers(url)


def test_there_are_enough_questions():
    assert len(QUESTIONS) >= 200
    assert len({json.dumps(q["messages"]) for q in QUESTIONS}) == len(QUESTIONS)


@pytest.fixture(scope="module")
def rounding(runner, tmp_path_factory):
    """The largest difference of a logit between the plaintext model and itself, summed in another order."""
    out = tmp_path_factory.mktemp("verify") / "out"
    runner.encrypt(MODEL, out, "--to", "gguf")
    report = runner.run("verify", "--plain", MODEL, "--encrypted", out, "-k", runner.key)
    return report["plaintext_rounding"]["served_summation_order"]["max_abs_logit_diff"]


@pytest.mark.parametrize("profile", ["exact", "rotated"])
def test_logits_in_fp64(runner, profile, tmp_path):
    runner.encrypt(MODEL, tmp_path / "out", "--profile", profile)
    vocabulary = tokenizers.Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    permutation = runner.permutation(tmp_path / "out", vocabulary.get_vocab_size())
    ids = [vocabulary.encode(question["messages"][-1]["content"]).ids for question in QUESTIONS[::60]]
    largest, rms, span = difference(MODEL, tmp_path / "out/server", permutation, ids)
    if profile == "exact":
        assert largest < 1e-10 * span
    else:
        # What rounding to BF16 does: weights that BF16 would round to these, spread evenly over half a step.
        rng = np.random.default_rng(1)
        unrounded = {name: values * (1 + rng.uniform(-1, 1, values.shape) / 512) for name, (values, _, _) in models.read_folder(MODEL).items()}
        errors = [reference.logits(MODEL, row, unrounded) - reference.logits(MODEL, row) for row in ids]
        assert rms < 1.5 * np.sqrt(np.mean(np.concatenate([e.ravel() for e in errors]) ** 2))


@pytest.mark.parametrize("profile", ["exact", "rotated"])
def test_verify(runner, profile, tmp_path):
    runner.encrypt(MODEL, tmp_path / "out", "--profile", profile, "--to", "gguf")
    report = runner.run("verify", "--plain", MODEL, "--encrypted", tmp_path / "out", "-k", runner.key)
    assert report["match"] and report["top1_agreement"] > 0.97 and report["tokens_compared"] > 100


def test_exact_answers_are_the_same_word_for_word(isoveil, plain_answers, rounding, tmp_path):
    """Sums in another order round differently, and BF16 activations magnify that: two words whose logits are nearer
    than the plaintext model is to itself may change places, and nothing else may."""
    with serving_up(isoveil, MODEL, tmp_path) as up:
        said = answers(up["url"])
    parted = [(p, o) for p, o in zip(plain_answers, said, strict=True) if p[0] != o[0]]
    assert len(parted) <= 0.02 * len(QUESTIONS)
    for plain, other in parted:
        print(f"a tie: {plain[0]!r} or {other[0]!r}")
        assert gap_where_they_part(plain[1], other[1]) < 2 * rounding


def test_rotated_answers_are_mostly_the_same(isoveil, plain_answers, tmp_path, record_property):
    with serving_up(isoveil, MODEL, tmp_path, "--profile", "rotated") as up:
        same = sum(a == b for a, b in zip(texts(answers(up["url"])), texts(plain_answers), strict=True))
    record_property("identical", f"{same} of {len(QUESTIONS)}")
    print(f"rotated in BF16: {same} of {len(QUESTIONS)} answers are identical")
    # Weights are rounded once more, so an answer may turn where two words are about equally likely.
    assert same >= 0.9 * len(QUESTIONS)


def test_the_examination_of_the_encrypted_model(isoveil, tmp_path):
    """tools/train/evaluate.py as its README says, on every fifth question. The written score is that of the plaintext
    weights in PyTorch's FP32, so an answer may turn at a tie; wrong ids or weights would turn them all."""
    some = QUESTIONS[::5]
    (tmp_path / "questions.json").write_text(json.dumps(some))
    with serving_up(isoveil, MODEL, tmp_path) as up:
        done = subprocess.run([sys.executable, ROOT / "tools/train/evaluate.py", "--base-url", up["url"] + "/v1", "--dialogues", "2", "--names", "2",
                               "--questions", tmp_path / "questions.json", "--json", tmp_path / "score.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wrong, written = ({answer["id"]: answer["answer"] for answer in json.loads((folder / "score.json").read_text())["wrong"]}
                      for folder in (tmp_path, MODEL))
    turned = [q["id"] for q in some if wrong.get(q["id"]) != written.get(q["id"])]
    assert len(turned) <= 0.05 * len(some), turned


def test_streamed_text_is_the_whole_text(isoveil, tmp_path):
    with serving_up(isoveil, MODEL, tmp_path) as up:
        for question in QUESTIONS[::20]:
            request = urllib.request.Request(
                up["url"] + "/v1/chat/completions",
                json.dumps({"messages": question["messages"], "temperature": 0, "max_tokens": 64, "stream": True}).encode(),
                {"Content-Type": "application/json"})
            text = ""
            for line in urllib.request.urlopen(request, timeout=60):
                if line.startswith(b"data: {"):
                    text += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
            assert text == answer(up["url"], question)[0]
