"""The server is blind: neither the wire, nor its memory, nor its files and logs hold anything of the text.

Requests carry secrets in every member that can hold a text. What is looked for is each secret, the plain ids of all
prompts and answers (as JSON, as text and as binary numbers, four in a row), and the tokenizer's own pieces. That the
search finds such things is shown on a server with the plaintext model, which holds all of them.
"""

import json
import os
import pathlib

import pytest

import gateway_process
from gateway_process import ask, chat_body, events
from memory import Needles, Wire, forms_of_ids, open_files, readable_memory, windows
from models import CORPUS

SECRETS = {name: f"canary-{name}-{7919 * (i + 3)}" for i, name in enumerate(
    ["message", "system", "developer", "assistant", "tool-result", "tool-name", "tool-description", "tool-parameter", "stop", "user",
     "metadata", "schema-name", "schema-property", "kwarg", "unknown", "name", "call-id", "argument", "model", "echo", "instructions",
     "input", "cache-key", "header", "part", "bad"])}


def requests():
    """(path, body) with every secret at least once"""
    s = SECRETS
    tool = {"type": "function", "function": {"name": s["tool-name"], "description": s["tool-description"], "parameters": {
        "type": "object", "properties": {s["tool-parameter"]: {"type": "string"}}}}}
    messages = [{"role": "system", "content": s["system"]},
                {"role": "user", "content": s["message"], "name": s["name"]},
                {"role": "assistant", "content": s["assistant"], "tool_calls": [
                    {"id": s["call-id"], "type": "function", "function": {"name": s["tool-name"], "arguments": json.dumps({"a": s["argument"]})}}]},
                {"role": "tool", "tool_call_id": s["call-id"], "content": s["tool-result"]},
                {"role": "user", "content": [{"type": "text", "text": s["part"]}]}]
    more = {"stop": [s["stop"]], "user": s["user"], "metadata": {"a": s["metadata"]}, "chat_template_kwargs": {"x": s["kwarg"]},
            s["unknown"]: s["unknown"], "model": s["model"], "logit_bias": {"70": 5, "71": -3, "72": 4, "73": -100}, "prompt_cache_key": s["cache-key"],
            "safety_identifier": s["user"]}
    schema = {"type": "json_schema", "json_schema": {"name": s["schema-name"], "schema": {
        "type": "object", "properties": {s["schema-property"]: {"type": "string"}}, "required": [s["schema-property"]]}}}
    chat = "/v1/chat/completions"
    yield chat, {**chat_body(), **more, "messages": messages, "tools": [tool]}
    yield chat, {**chat_body(), **more, "messages": messages, "tools": [tool], "stream": True, "logprobs": True, "top_logprobs": 5}
    yield chat, {**chat_body(), "messages": [{"role": "developer", "content": s["developer"]}, *messages[1:2]], "response_format": schema}
    yield chat, {**chat_body(s["bad"]), "temperature": s["bad"]}
    yield "/v1/completions", {"prompt": [s["echo"], s["message"]], "echo": True, "max_tokens": 12, "temperature": 0, **more}
    yield "/v1/responses", {"input": [{"role": "user", "content": s["input"]}], "instructions": s["instructions"], "max_output_tokens": 12,
                            "temperature": 0, **more, "tools": [{"type": "function", "name": s["tool-name"], "parameters": {"type": "object"}}]}
    for text in json.loads(CORPUS.read_text())[:40]:
        if text.strip():
            yield chat, chat_body(text[:200], stop=[s["stop"]])
    yield "/tokenize", {"content": s["message"]}


def text_of(answer):
    """What the model said, in any of the APIs."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return "".join(c["delta"].get("content") or "" for data in events(answer.body)[:-1] for c in json.loads(data)["choices"])
    body = answer.json
    if "output" in body:
        return body["output"][0]["content"][0]["text"]
    return "".join(c["message"]["content"] or "" if "message" in c else c["text"] for c in body.get("choices", []))


def run(served):
    """Sends all requests; gives what was answered."""
    said = []
    for path, body in requests():
        answer = ask(served, path, body, headers={"X-Secret": SECRETS["header"], "User-Agent": SECRETS["header"]})
        if answer.status == 200:
            said.append(text_of(answer))
        else:
            assert "bad" in json.dumps(body) or "response_format" in body, answer.body
    return said


def secrets():
    return Needles({f"secret {name}": text.encode() for name, text in SECRETS.items()})


def plain_ids(blind, said):
    """Prompts and answers as plain ids, four in a row. Those that are also a run of encrypted ids or of one number
    repeated are no evidence."""
    texts = [*SECRETS.values(), *said, *(t[:200] for t in json.loads(CORPUS.read_text())[:40])]
    found = {tuple(window) for text in texts for window in windows(blind.ids(text))}
    encrypted = {tuple(window) for text in texts for window in windows([blind.permutation[i] for i in blind.ids(text)])}
    kept = sorted(w for w in found - encrypted if len(set(w)) > 2)
    assert len(kept) > 1500
    return kept


def id_needles(runs):
    return Needles({name: form for ids in runs for name, form in forms_of_ids(list(ids)).items()})


# Words that a program and its libraries hold anyway: what a server holds before any request is no evidence.
def pieces(blind):
    texts = {blind.tokenizer.decode([i], skip_special_tokens=False).encode() for i in range(blind.tokenizer.get_vocab_size())}
    return {f"piece {t.decode(errors='replace')!r}": t for t in texts if len(t) > 4 and len(set(t)) > 2 and b"\xef\xbf\xbd" not in t}


@pytest.fixture(scope="module")
def watched(blind, tmp_path_factory):
    """Everything that a blind server could have learned, after all requests."""
    folder = tmp_path_factory.mktemp("watched")
    binary = blind.llama / "llama-server"
    with gateway_process.llama_server(binary, blind.model, folder / "server.log", "-v", "--slots") as server:
        idle = Needles(pieces(blind)).found_in(readable_memory(server.pid))
        with Wire(server.port) as wire, gateway_process.gateway(blind.runner, blind.client, [wire.url], folder / "gateway.log") as g:
            said = run(g)
            # The page's own view of the wire stays on this side, too.
            ask(g, "/v1/chat/completions", chat_body(SECRETS["message"]), headers={"X-Isoveil-Wire": "1"})
            places = [("the wire, sent", bytes(wire.sent)), ("the wire, received", bytes(wire.received)),
                      ("the server's log", server.log.read_bytes()), ("the gateway's log", g.log.read_bytes()),
                      *((f"memory {name}", data) for name, data in readable_memory(server.pid)),
                      *((f"file {name}", data) for name, data in open_files(server.pid)),
                      ("arguments and environment", pathlib.Path(f"/proc/{server.pid}/cmdline").read_bytes())]
        yield {"places": places, "said": said, "idle": idle}


def test_what_is_watched_is_all_there(watched):
    names = {name for name, _ in watched["places"]}
    assert any("[heap]" in n for n in names) and any("[stack]" in n for n in names) and "memory anonymous" in names
    assert any(n.startswith("file ") and n.endswith("model.gguf") for n in names) or any("model.gguf" in n for n in names)
    sizes = {}
    for name, data in watched["places"]:
        sizes[name] = sizes.get(name, 0) + len(data)
    assert sizes["the wire, sent"] > 20_000 and sizes["the wire, received"] > 50_000
    assert sizes["the server's log"] > 1000 and sizes["the gateway's log"] > 0
    assert len(watched["said"]) > 40 and all(secret in json.dumps(list(requests())) for name, secret in SECRETS.items() if name != "header")


def test_no_secret_is_anywhere(watched):
    assert secrets().found_in(watched["places"]) == {}


def test_no_plain_ids_are_anywhere(watched, blind):
    assert id_needles(plain_ids(blind, watched["said"])).found_in(watched["places"]) == {}


def test_no_answer_is_anywhere(watched):
    said = {f"answer {i}": text.encode()[:24] for i, text in enumerate(watched["said"]) if len(set(text)) > 8 and len(text.encode()) > 16}
    assert len(said) > 30
    assert Needles(said).found_in(watched["places"]) == {}


def test_no_piece_of_the_vocabulary_is_anywhere(watched, blind):
    names = pieces(blind)
    assert len(names) > 60
    known = set().union(*watched["idle"].values())
    # What libraries hold anyway are some English words; a server with this vocabulary holds all of it.
    assert len(known) < len(names) / 2, known
    found = Needles(names).found_in(watched["places"])
    assert {place: new for place, them in found.items() if (new := them - known)} == {}
    assert not known & {"piece ' Sprechstunde'", "piece ' clinic'", "piece ' текста'"} and "piece ' текста'" in names


def test_the_wire_carries_encrypted_ids(watched, blind):
    """They are where the plain ones are not."""
    wire = dict(watched["places"])["the wire, sent"]
    ids = [blind.permutation[i] for i in blind.ids(SECRETS["message"])]
    assert len(ids) >= 4
    forms = Needles(forms_of_ids(ids[1:-1]))
    assert forms.found(wire)
    in_memory = forms.found_in((n, d) for n, d in watched["places"] if n.startswith("memory"))
    assert any("int32" in name for names in in_memory.values() for name in names)


def test_the_search_finds_all_of_it_in_a_plaintext_server(blind, tmp_path):
    """The same requests, the same search, a server that is not blind."""
    with gateway_process.llama_server(blind.llama / "llama-server", blind.plain_model, tmp_path / "log", "--jinja", "-v") as server:
        with Wire(server.port) as wire:
            served = type("Served", (), {"port": wire.port})
            said = []
            for path, body in requests():
                if path == "/v1/chat/completions" and "logit_bias" not in body and "temperature" in body and body["temperature"] == 0 \
                        and "response_format" not in body:
                    said.append(text_of(ask(served, path, body)))
            secret = SECRETS["message"]
            ask(served, "/v1/chat/completions", chat_body(secret, max_tokens=4))
            ask(served, "/completion", {"prompt": blind.ids(secret), "n_predict": 12, "temperature": 0, "return_tokens": True})
            places = [("wire", bytes(wire.sent + wire.received)), *(("memory", data) for _, data in readable_memory(server.pid)),
                      *open_files(server.pid)]
        found = secrets().found_in(places)
        assert "secret message" in found["wire"] and "secret message" in found["memory"]
        ids = id_needles(plain_ids(blind, said)).found_in(places)
        assert any("as text" in name for name in ids["wire"]) and any("int32" in name for name in ids["memory"])
        found = Needles(pieces(blind)).found_in(places)
        assert len(found["memory"]) > 0.9 * len(pieces(blind))
        assert secrets().found(server.log.read_bytes()), "its own log tells stop strings"


def test_the_search_finds_what_is_planted():
    """In the memory of this very process, in each form."""
    secret = b"planted-" + os.urandom(6).hex().encode()
    ids = [70_001 % 65_536, 33, 4_711, 902]
    forms = forms_of_ids(ids)
    held = [bytes(form) for form in forms.values()]
    needles = Needles({**forms, "secret": secret})
    found = set().union(*needles.found_in(readable_memory(os.getpid())).values())
    assert found == {*forms, "secret"} and held
