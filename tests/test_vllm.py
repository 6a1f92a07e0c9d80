"""Stock vLLM serves the encrypted Hugging Face folder, and the gateway speaks its dialect. Exactness is compared with the same
vLLM on the plaintext folder, both in FP32."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from conftest import ROOT, post
from gateway_process import events, free_port, gateway, gateway_command, start
from test_front_desk import QUESTIONS, answer, gap_where_they_part

MODEL = ROOT / "models/front-desk"
SOME = QUESTIONS[::4]
PYTHON = os.environ.get("ISOVEIL_VLLM")
pytestmark = pytest.mark.skipif(not PYTHON, reason="vLLM takes 6 GB: scripts/test --engines installs it, or ISOVEIL_VLLM names a Python that has it")


@contextlib.contextmanager
def vllm(folder, log, *arguments):
    port = free_port()
    served = start([PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", folder, "--served-model-name", "front-desk", "--host", "127.0.0.1",
                    "--port", port, "--dtype", "float32", "--enforce-eager", *(arguments or ("--max-model-len", "512"))], port, log, seconds=300,
                   env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"})
    try:
        yield served
    finally:
        served.end(signal.SIGTERM, 60)


def ask(url, question="When do you open on Saturday?", **fields):
    return post(url + "/v1/chat/completions", {"model": "front-desk", "messages": [{"role": "user", "content": question}],
                                               "temperature": 0, **fields})


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What the plaintext model says."""
    with vllm(MODEL, tmp_path_factory.mktemp("plain") / "log") as served:
        yield {"answers": [answer(served.url, question) for question in SOME], "usage": ask(served.url)["usage"], "url": served.url}


@pytest.fixture(scope="module", params=["exact", "rotated"])
def veiled(request, runner, tmp_path_factory):
    """The gateway before a vLLM that has the encrypted model."""
    folder = tmp_path_factory.mktemp("veiled")
    runner.encrypt(MODEL, folder / "out", "--profile", request.param)
    with vllm(folder / "out/server", folder / "log") as served, gateway(runner, folder / "out/client", [served.url], folder / "gateway") as front:
        front.profile, front.client, front.upstream = request.param, folder / "out/client", served
        yield front


def test_answers_are_the_same_word_for_word(plain, veiled):
    said = [answer(veiled.url, question) for question in SOME]
    parted = [(p, o) for p, o in zip(plain["answers"], said, strict=True) if p[0] != o[0]]
    if veiled.profile == "exact":
        # Only a tie within the rounding of FP32 sums may turn.
        assert len(parted) <= 0.01 * len(SOME)
        assert all(gap_where_they_part(p[1], o[1]) < 1e-3 for p, o in parted)
    else:
        # Weights are stored in BF16, so each is rounded once more.
        assert len(parted) <= 0.1 * len(SOME)


def test_the_server_sees_no_text(veiled):
    said = veiled.upstream.said()
    assert "POST /v1/completions" in said and "Saturday" not in said


def test_a_stream_is_the_whole_answer(veiled):
    whole = ask(veiled.url)
    body = {"messages": [{"role": "user", "content": "When do you open on Saturday?"}], "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}}
    done = subprocess.run(["curl", "-sN", veiled.url + "/v1/chat/completions", "-H", "Content-Type: application/json", "-d", json.dumps(body)],
                          capture_output=True, text=True, check=True)
    *chunks, end = events(done.stdout)
    assert end == "[DONE]"
    chunks = [json.loads(chunk) for chunk in chunks]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    tokens = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [chunks[-1]["usage"][name] for name in tokens] == [whole["usage"][name] for name in tokens]


def test_usage_is_the_plaintext_servers(plain, veiled):
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert ask(veiled.url)["usage"][name] == plain["usage"][name]


def test_a_prompt_has_the_plaintext_servers_probabilities(plain, veiled):
    body = {"model": "front-desk", "prompt": "On Saturday we are open from 9:00 to 13:00.", "echo": True, "logprobs": 2, "max_tokens": 1, "temperature": 0}
    own, other = (post(url + "/v1/completions", body)["choices"][0] for url in (veiled.url, plain["url"]))
    assert own["text"] == other["text"].removeprefix("<|begin_of_text|>")
    assert own["logprobs"]["token_logprobs"][0] is own["logprobs"]["top_logprobs"][0] is None
    near = 1e-3 if veiled.profile == "exact" else 0.2
    assert own["logprobs"]["token_logprobs"][1:] == pytest.approx(other["logprobs"]["token_logprobs"][1:], abs=near)
    assert own["logprobs"]["tokens"] == other["logprobs"]["tokens"]
    assert len(own["logprobs"]["tokens"]) > 10 and all(2 <= len(top) <= 3 for top in own["logprobs"]["top_logprobs"][1:-1])


def test_lm_evals_multiple_choice(plain, veiled, tmp_path):
    """Through the gateway as at the plaintext server: the same choices, as likely."""
    seen = []
    python = subprocess.run([ROOT / "scripts/python-env", "lm-eval"], capture_output=True, text=True, check=True).stdout.strip()
    for name, url in (("own", veiled.url), ("plain", plain["url"])):
        (tmp_path / name).mkdir()
        env = {**os.environ, "HOME": str(tmp_path), "OPENAI_API_KEY": "none", "DESK": veiled.url, "OBEDIENT": "", "MODEL": "front-desk", "CHOICES": url}
        done = subprocess.run([python, ROOT / "tests/clients/lm_eval_client.py"], cwd=tmp_path / name, capture_output=True, text=True, timeout=300, env=env)
        assert done.returncode == 0, done.stderr[-3000:]
        *_, scores, told = done.stdout.splitlines()
        assert json.loads(told)["checks"] == ["chat answers", "completions", "multiple choice"]
        seen.append([pair for question in json.loads(scores) for pair in question])
    near = 1e-2 if veiled.profile == "exact" else 0.5
    assert [greedy for _, greedy in seen[0]] == [greedy for _, greedy in seen[1]] and len(seen[0]) == 4
    assert [score for score, _ in seen[0]] == pytest.approx([score for score, _ in seen[1]], abs=near)


def test_each_field_has_its_effect(veiled):
    [choice] = ask(veiled.url, logprobs=True, top_logprobs=3)["choices"]
    text, tokens = choice["message"]["content"], choice["logprobs"]["content"]
    assert bytes(byte for token in tokens for byte in token["bytes"]).decode().startswith(text)
    assert all(len(token["top_logprobs"]) == 3 and token["logprob"] == token["top_logprobs"][0]["logprob"] for token in tokens)
    assert choice["finish_reason"] == "stop"

    [first] = post(veiled.url + "/tokenize", {"content": tokens[0]["token"]})["tokens"]
    [banned] = ask(veiled.url, logit_bias={str(first): -100})["choices"]
    assert not banned["message"]["content"].startswith(tokens[0]["token"])

    [short] = ask(veiled.url, max_tokens=3)["choices"]
    assert short["finish_reason"] == "length" and text.startswith(short["message"]["content"])
    word = text.split()[2]
    [stopped] = ask(veiled.url, stop=[word])["choices"]
    assert stopped["message"]["content"] == text[:text.index(word)] and stopped["finish_reason"] == "stop"

    warm = {"question": "Hello, I would like to see a dentist.", "temperature": 1.5, "n": 4, "max_tokens": 24}
    said, again, other = ([c["message"]["content"] for c in ask(veiled.url, seed=seed, **warm)["choices"]] for seed in (7, 7, 80))
    assert said == again != other and len(set(said)) > 1


def test_another_model_is_refused(runner, plain, veiled):
    """The plaintext server has a vocabulary of the same size, and other answers."""
    done = subprocess.run(gateway_command(runner, veiled.client, [plain["url"]], free_port()), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "answers differently" in done.stderr
