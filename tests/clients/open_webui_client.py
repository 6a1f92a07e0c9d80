"""Open WebUI: its server, as its page asks it, with the desk and the obedient model as two connections."""

import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

from talk import DESK, MODEL, OBEDIENT, ORDER, TOO_LONG, checks, converse, done

TOOLS = [{"type": "function", "function": {"name": "get_time", "description": "Tells the time", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}}]
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
URL = f"http://127.0.0.1:{port}"
settings = {"DATA_DIR": str(pathlib.Path("data").resolve()), "WEBUI_AUTH": "False", "WEBUI_SECRET_KEY": "of-the-tests", "ENABLE_OLLAMA_API": "False",
            "OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "RAG_EMBEDDING_ENGINE": "openai", "ENABLE_VERSION_UPDATE_CHECK": "False",
            "ANONYMIZED_TELEMETRY": "False", "OPENAI_API_BASE_URL": DESK, "OPENAI_API_KEY": "none"}
log = open("log", "w")
server = subprocess.Popen([os.environ["PROGRAMS"] + "/open-webui", "serve", "--host", "127.0.0.1", "--port", str(port)], env={**os.environ, **settings},
                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
token = ""


def post(path, body, method="POST"):
    request = urllib.request.Request(URL + path, json.dumps(body).encode() if body is not None else None,
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}, method=method)
    return urllib.request.urlopen(request, timeout=120).read().decode()


def ready():
    try:
        return post("/health", None, "GET")
    except OSError:
        assert server.poll() is None, pathlib.Path("log").read_text()[-2000:]


def ask(where, messages, stream=False, **more):
    """The message, of a stream as its chunks give it."""
    said = post("/api/chat/completions", {"model": f"{where}.{MODEL}", "messages": messages, "stream": stream, "temperature": 0, "max_tokens": 200, **more})
    if not stream:
        return json.loads(said)["choices"][0]["message"]
    message = {"content": "", "tool_calls": []}
    for chunk in (json.loads(line[6:]) for line in said.split("\n") if line.startswith("data: {")):
        for choice in chunk.get("choices", []):
            message["content"] += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or []:
                if call.get("id"):
                    message["tool_calls"].append({"id": call["id"], "type": "function", "function": {"name": call["function"]["name"], "arguments": ""}})
                message["tool_calls"][-1]["function"]["arguments"] += call["function"].get("arguments") or ""
    return message


CLOCK = '''
class Tools:
    def get_time(self, zone: str) -> str:
        """
        Tells the time.
        :param zone: the zone
        """
        assert zone == "Europe/Rome"
        return "eight"
'''


def stored_turn(text, tools):
    """A turn of a chat that Open WebUI keeps, with tools that its own process runs; what became of it."""
    model, asked, answered = f"obedient.{MODEL}", str(uuid.uuid4()), str(uuid.uuid4())
    question = {"id": asked, "parentId": None, "childrenIds": [answered], "role": "user", "content": text, "models": [model]}
    answer = {"id": answered, "parentId": asked, "childrenIds": [], "role": "assistant", "content": "", "model": model}
    history = {"messages": {asked: question, answered: answer}, "currentId": answered}
    chat = json.loads(post("/api/v1/chats/new", {"chat": {"title": "x", "models": [model], "history": history, "messages": [question, answer]}}))["id"]
    post("/api/chat/completions", {"model": model, "stream": True, "messages": [{"role": "user", "content": text}], "chat_id": chat, "id": answered,
                                   "session_id": "tests", "tool_ids": tools, "params": {"function_calling": "native"}, "user_message": question})
    end = time.monotonic() + 30
    while time.monotonic() < end:
        answer = json.loads(post(f"/api/v1/chats/{chat}", None, "GET"))["chat"]["history"]["messages"][answered]
        if answer.get("done"):
            return answer
        time.sleep(0.1)
    raise AssertionError(answer)


try:
    end = time.monotonic() + 150
    while not ready():
        assert time.monotonic() < end, "Open WebUI does not become ready"
        time.sleep(0.2)
    token = json.loads(post("/api/v1/auths/signin", {"email": "", "password": ""}))["token"]
    post("/openai/config/update", {"ENABLE_OPENAI_API": True, "OPENAI_API_BASE_URLS": [DESK, OBEDIENT], "OPENAI_API_KEYS": ["none", "none"],
                                   "OPENAI_API_CONFIGS": {"0": {"enable": True, "prefix_id": "desk"}, "1": {"enable": True, "prefix_id": "obedient"}}})
    names = [model["id"] for model in json.loads(post("/api/models", None, "GET"))["data"]]
    assert {f"desk.{MODEL}", f"obedient.{MODEL}"} <= set(names), names
    checks.append("models")

    converse("conversation", lambda messages: ask("desk", messages)["content"])
    converse("stream", lambda messages: ask("desk", messages, stream=True)["content"])

    for stream in (False, True):
        messages = [{"role": "user", "content": ORDER}]
        called = ask("obedient", messages, stream, tools=TOOLS)
        [call] = called["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"zone": "Europe/Rome"}, call
        messages += [{"role": "assistant", "content": None, "tool_calls": called["tool_calls"]},
                     {"role": "tool", "tool_call_id": call["id"], "content": "eight"}]
        assert ask("obedient", messages, stream, tools=TOOLS)["content"] == "The tool said: eight"
    checks.append("tools")
    post("/api/v1/tools/create", {"id": "clock", "name": "Clock", "content": CLOCK, "meta": {"description": "A clock", "manifest": {}}})
    answer = stored_turn(ORDER, ["clock"])
    assert answer["content"] == "The tool said: eight", answer
    assert [item["type"] for item in answer["output"]] == ["function_call", "function_call_output", "message"], answer
    checks.append("its own tools")

    try:
        post("/api/chat/completions", {"model": f"desk.{MODEL}", "messages": [{"role": "user", "content": TOO_LONG}], "stream": False})
    except urllib.error.HTTPError as error:
        told = error.read().decode()
        assert error.code == 400 and "maximum context length is 512 tokens" in told, (error.code, told)
        checks.append("too long")
finally:
    server.terminate()
    server.wait(20)

done()
