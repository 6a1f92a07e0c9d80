"""Checks answers against OpenAI's own API description, as the official clients receive them.

`Recorder` is a transport for the official client that passes everything on unchanged and keeps what came; `check`
validates one exchange.
"""

import copy
import functools
import json

import httpx2
import jsonschema

from conftest import ROOT

DESCRIPTION = ROOT / "tests/vectors/openai/description.json"
DOCUMENTS = {"/v1/chat/completions": "CreateChatCompletionResponse", "/v1/completions": "CreateCompletionResponse",
             "/v1/responses": "Response", "/v1/models": "ListModelsResponse"}
EVENTS = {"/v1/chat/completions": "CreateChatCompletionStreamResponse", "/v1/completions": "CreateCompletionStreamResponse"}


def with_null(node):
    """The description says `nullable`, which JSON Schema does not know."""
    if isinstance(node, list):
        return [with_null(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    rest = {name: with_null(value) for name, value in node.items() if name not in ("nullable", "discriminator", "format")}
    return {"anyOf": [rest, {"type": "null"}]} if node.get("nullable") is True else rest


@functools.cache
def load():
    components = {"schemas": with_null(json.loads(DESCRIPTION.read_text())["schemas"])}
    # Sent by OpenAI's servers, and looked for by Codex, but not described.
    components["schemas"]["ResponseErrorCode"]["enum"].append("context_length_exceeded")
    # The description has one schema for documents and chunks, of which all but the last have no reason and no usage yet.
    chunk = copy.deepcopy(components["schemas"]["CreateCompletionResponse"])
    choice = chunk["properties"]["choices"]["items"]["properties"]
    choice["finish_reason"] = {"anyOf": [choice["finish_reason"], {"type": "null"}]}
    chunk["properties"]["usage"] = {"anyOf": [chunk["properties"]["usage"], {"type": "null"}]}
    components["schemas"]["CreateCompletionStreamResponse"] = chunk
    return components


@functools.cache
def schema_of_event(kind):
    """The one schema for events of this type: a union of fifty tells nothing about what is wrong."""
    return next(name for name, schema in load()["schemas"].items()
                if name.endswith("Event") and schema.get("properties", {}).get("type", {}).get("enum") == [kind])


@functools.cache
def validator(name):
    components = load()
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})


def validate(name, value):
    error = jsonschema.exceptions.best_match(validator(name).iter_errors(value))
    assert error is None, f"{name}: {error.json_path}: {error.message[:300]} in {json.dumps(value)[:600]}"


def check_stream(path, text):
    *blocks, tail = text.split("\n\n")
    assert tail == "", "the stream ends within an event"
    seen = []
    for block in blocks:
        if block.startswith(":"):
            continue
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if fields["data"] == "[DONE]":
            seen.append("[DONE]")
            continue
        event = json.loads(fields["data"])
        seen.append(event)
        if "error" in event and "type" not in event:
            validate("ErrorResponse", event)
            continue
        validate(EVENTS[path] if path in EVENTS else schema_of_event(event["type"]), event)
        assert fields.get("event", event.get("type")) == event.get("type")
    if path != "/v1/responses" and seen and not (isinstance(seen[-1], dict) and "error" in seen[-1]):
        assert seen[-1] == "[DONE]" and seen.count("[DONE]") == 1
    return len(seen)


def check(path, status, content_type, body):
    """How many documents or events were checked."""
    if status >= 400:
        validate("ErrorResponse", json.loads(body))
        return 1
    if content_type.startswith("text/event-stream"):
        return check_stream(path, body.decode())
    document = json.loads(body)
    if document.get("deleted"):
        assert document == {"id": path.rsplit("/", 1)[1], "object": "response", "deleted": True}
        return 1
    parts = {"/v1/models/": "Model", "/v1/responses/": "Response"}
    validate(DOCUMENTS.get(path, next((name for begin, name in parts.items() if path.startswith(begin)), None)), document)
    return 1


class Kept(httpx2.SyncByteStream):
    def __init__(self, stream, exchange):
        self.stream, self.exchange = stream, exchange

    def __iter__(self):
        for piece in self.stream:
            self.exchange["body"] += piece
            yield piece
        self.exchange["complete"] = True

    def close(self):
        self.stream.close()


class Recorder(httpx2.HTTPTransport):
    def __init__(self):
        super().__init__()
        self.exchanges = []

    def handle_request(self, request):
        response = super().handle_request(request)
        exchange = {"path": request.url.path, "status": response.status_code, "headers": response.headers, "body": b"",
                    "complete": False}
        self.exchanges.append(exchange)
        response.stream = Kept(response.stream, exchange)
        return response

    def check_all(self):
        return sum(check(e["path"], e["status"], e["headers"].get("content-type", ""), e["body"])
                   for e in self.exchanges if e["complete"])
