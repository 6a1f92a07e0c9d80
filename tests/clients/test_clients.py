"""Each client, unmodified and of a pinned version, leads a whole conversation through the gateway: turns with history, streams, tools, typed
answers, a prompt that is too long. At the desk the encrypted model that ships answers on a real llama-server; tools are called by a
server that does what the last message says (scripted_model.py). The official clients and the Vercel AI SDK are in the tests that always run.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import node_clients
from conftest import ROOT
from gateway_process import ask, gateway, llama_server

HERE = pathlib.Path(__file__).parent
pytestmark = pytest.mark.skipif(not os.environ.get("ISOVEIL_CLIENTS"), reason="the clients take 3.5 GB: scripts/test --clients installs and runs them")

# name: the lock that it comes from (Python, or a folder with one of npm), what its script checks
CLIENTS = {
    "langchain": ("agents", ["conversation", "stream", "completion", "agent", "structured output", "too long"]),
    "litellm": ("agents", ["conversation", "stream", "async", "responses and completions", "tools", "too long", "bad request"]),
    "instructor": ("agents", ["conversation", "TOOLS", "JSON", "JSON_SCHEMA", "MD_JSON", "partial stream", "asked again", "too long"]),
    "pydantic_ai": ("agents", ["OpenAIChatModel", "OpenAIResponsesModel"]),
    "openai_agents": ("agents", ["OpenAIResponsesModel", "OpenAIChatCompletionsModel"]),
    "aider": ("aider", ["edits", "stream", "too long"]),
    "codex": ("codex", ["shell", "second turn", "third turn", "too long"]),
    "promptfoo": ("promptfoo", ["chat", "responses", "tools", "JSON", "too long"]),
    "open_webui": ("open-webui", ["models", "conversation", "stream", "tools", "its own tools", "too long"]),
    "lm_eval": ("lm-eval", ["chat answers", "completions", "multiple choice refused"]),
}
# The prompts of the first two are longer than the desk's context; the last has questions and no conversation.
TELL_NO_CONVERSATION = ["aider", "codex", "lm_eval"]
# Nothing is asked of anyone else.
ALONE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "AIDER_ANALYTICS": "false", "OPENAI_API_KEY": "none",
         "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_DISABLE_REMOTE_GENERATION": "true"}


@pytest.fixture(scope="module")
def desk(runner, llama, tmp_path_factory):
    """A gateway before a llama-server with the encrypted model that ships."""
    folder = tmp_path_factory.mktemp("desk")
    runner.encrypt(ROOT / "models/front-desk", folder / "out", "--to", "gguf")
    with llama_server(llama / "llama-server", folder / "out/server/model.gguf", folder / "server", "-c", "2048") as server, \
            gateway(runner, folder / "out/client", [server.url], folder / "log", "--name", "tiny") as served:
        yield served


def environment(lock):
    """An interpreter, and the folder of the client's programs."""
    if (HERE / lock / "package-lock.json").is_file():
        return sys.executable, node_clients.installed(HERE / lock) / ".bin"
    done = subprocess.run([ROOT / "scripts/python-env", lock], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    python = pathlib.Path(done.stdout.strip())
    return python, python.parent


def say_again(desk, said):
    """What the gateway says to the same conversation."""
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    answer = ask(desk, "/v1/chat/completions", {"messages": messages, "temperature": 0, "max_tokens": 64})
    return answer.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize("name", CLIENTS)
def test_client(name, desk, obedient, tmp_path):
    lock, checks = CLIENTS[name]
    python, programs = environment(lock)
    done = subprocess.run([python, HERE / f"{name}_client.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **ALONE, "HOME": str(tmp_path), "PROGRAMS": str(programs), "DESK": desk.url, "OBEDIENT": obedient.url})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["checks"] == checks
    assert bool(seen["said"]) == (name not in TELL_NO_CONVERSATION)
    # Three turns each time, with what was said before.
    assert [len(said) for said in seen["said"]] == [2, 4, 6] * (len(seen["said"]) // 3)
    for said in seen["said"]:
        assert said[-1] == say_again(desk, said[:-1]), said
