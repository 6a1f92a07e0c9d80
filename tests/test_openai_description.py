"""OpenAI's API description, walked: every member of a request in every form that it may have, every event of a stream, every way to end.

What the description gains with a new version has to be given a place in the tables below.
"""

import json

import openai_schema
import pytest

from gateway_process import CHAT, COMPLETE, RESPOND, ask, chat_body, events
from scripted_model import scripted_model

USER = [{"role": "user", "content": "hello"}]
GOOD = {CHAT: chat_body(max_tokens=2), COMPLETE: {"model": "tiny", "prompt": "hello", "max_tokens": 2},
        RESPOND: {"model": "tiny", "input": "hello", "max_output_tokens": 2}}
REQUESTS = {CHAT: "CreateChatCompletionRequest", COMPLETE: "CreateCompletionRequest", RESPOND: "CreateResponse"}

# What becomes of each member: every form is taken; or some forms are refused by name, as docs/gateway.md says.
TAKEN = {
    CHAT: "frequency_penalty logprobs max_completion_tokens max_tokens metadata model n parallel_tool_calls presence_penalty prompt_cache_key "
          "prompt_cache_options prompt_cache_retention reasoning_effort safety_identifier seed service_tier stop store stream temperature top_p user verbosity",
    COMPLETE: "echo frequency_penalty max_tokens model n presence_penalty seed stop stream temperature top_p user logprobs",
    RESPOND: "context_management include instructions max_output_tokens max_tool_calls metadata model parallel_tool_calls prompt_cache_key prompt_cache_options "
             "prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature tools top_logprobs top_p truncation user",
}
REFUSED = {
    CHAT: "audio function_call functions logit_bias messages modalities moderation prediction response_format stream_options tool_choice tools top_logprobs "
          "web_search_options",
    COMPLETE: "best_of logit_bias prompt stream_options suffix",
    RESPOND: "background conversation input moderation previous_response_id prompt text tool_choice",
}
# A member that needs another one beside it.
BESIDE = {"stream_options": {"stream": True}, "logprobs": {}}
LOGPROBS = {CHAT: {"logprobs": True}, RESPOND: {"include": ["message.output_text.logprobs"]}}
# The member that an error may name instead.
ALSO = {"tool_choice": "tools", "top_logprobs": "logprobs", "n": "best_of"}
# Two limits of this gateway are lower than OpenAI's.
BOUNDS = {"n": 16, "logprobs": 20}


def resolved(schema):
    while "$ref" in schema:
        schema = openai_schema.load()["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def members(name):
    schema = resolved({"$ref": name})
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found.update(members(part["$ref"]) if "$ref" in part else part.get("properties", {}))
    return found


def forms(schema, depth=0):
    """Values of every form that a schema allows: each entry of an enumeration, each bound, each kind, each alternative."""
    schema = resolved(schema)
    if depth > 6:
        return []
    if "enum" in schema:
        return list(schema["enum"])
    alternatives = [form for name in ("anyOf", "oneOf") for part in schema.get(name, []) for form in forms(part, depth + 1)]
    if alternatives:
        return alternatives
    if "allOf" in schema:
        properties, required = {}, []
        for part in map(resolved, schema["allOf"]):
            properties.update(part.get("properties", {}))
            required += part.get("required", [])
        schema = {"type": "object", "properties": properties, "required": required}
    kind = schema.get("type")
    if kind == "null":
        return [None]
    if kind == "boolean":
        return [True, False]
    if kind in ("integer", "number"):
        bounds = [schema[name] for name in ("minimum", "maximum", "default") if schema.get(name) is not None]
        return bounds or [1]
    if kind == "string":
        if "pattern" in schema:
            return []  # names of things on OpenAI's servers
        return [schema.get("default") or "a"]
    if kind == "array":
        entries = forms(schema.get("items", {}), depth + 1)
        return ([[]] if not schema.get("minItems") else []) + [[entry] * max(1, schema.get("minItems", 1)) for entry in entries]
    if kind == "object" or "properties" in schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        least = {name: (forms(properties.get(name, {"type": "string"}), depth + 1) or ["a"])[0] for name in required}
        return [least] + [{**least, name: form} for name, part in properties.items() if depth < 3 for form in forms(part, depth + 1)[:12]]
    return ["a"]


def distinct(values):
    return list({json.dumps(value): value for value in values}.values())


def test_every_member_has_a_place():
    for path, name in REQUESTS.items():
        assert set(members(name)) == set(f"{TAKEN[path]} {REFUSED[path]}".split()), path


@pytest.mark.parametrize("path", REQUESTS)
def test_every_form_of_every_member(front, path):
    counts = {200: 0, 400: 0, 404: 0}  # the last for references to what is not stored
    for member, schema in members(REQUESTS[path]).items():
        for value in distinct(forms(schema)):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                value = min(value, BOUNDS.get(member, value))
                if member == "seed":  # written in the description as JavaScript rounds the bounds of 64 bits
                    value = max(-(1 << 63), min((1 << 63) - 1, value))
            body = {**GOOD[path], **BESIDE.get(member, LOGPROBS[path] if member == "top_logprobs" else {}), member: value}
            answer = ask(front, path, {k: v for k, v in body.items() if not (k == "max_tokens" and member == "max_completion_tokens")})
            assert answer.status in counts, (member, value, answer.body)
            counts[answer.status] += 1
            openai_schema.check(path, answer.status, answer.headers["content-type"], answer.body)
            if answer.status != 200:
                assert member not in TAKEN[path].split(), (member, value, answer.body)
                assert answer.error["param"].startswith((member, ALSO.get(member, member))), (member, value, answer.body)
    assert counts[200] > (100 if path != COMPLETE else 30)


# --- streams and ends, of a server that says what a test wants


@pytest.fixture(scope="module")
def scripted(runner, blind, llama, tmp_path_factory):
    with scripted_model(runner, blind, llama, tmp_path_factory.mktemp("scripted")) as served:
        yield served


TOOL = {"name": "look", "description": "looks", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}
CALL = '<tool_call>\n{"name": "look", "arguments": {"at": "the sea"}}\n</tool_call>'
LONG = "it goes on and on and on and on and on and on"
# name: what the server says, whether it comes to an end, how chat, completions and responses end
ENDS = {
    "stop": ("All is well.", True, "stop", "stop", "completed"),
    "stop string": ("All is well. STOP and more", True, "stop", "stop", None),
    "length": (LONG * 9, False, "length", "length", "incomplete"),
    "tool call": (CALL, True, "tool_calls", "stop", "completed"),
    "thought": ("<think>\nHm.\n</think>\n\nYes.", True, "stop", "stop", "completed"),
    "nothing": ("", True, "stop", "stop", "completed"),
    "broken": (LONG, False, "error", "error", "failed"),
}
# Ends of the description that cannot come about here: nothing filters, functions are refused, nothing waits in a queue.
NEVER_ENDS = {"content_filter", "function_call", "cancelled", "queued", "in_progress"}


def body_of(path, stream, limit):
    tools = [{"type": "function", "function": TOOL}] if path == CHAT else [{"type": "function", "strict": False, **TOOL}]
    if path == COMPLETE:
        return {"prompt": "hello there", "max_tokens": limit, "stream": stream, "stop": "STOP"}
    if path == CHAT:
        return {"messages": USER, "max_tokens": limit, "tools": tools, "stream": stream, "stop": "STOP"}
    return {"input": "hello", "max_output_tokens": limit, "tools": tools, "stream": stream}


def test_every_way_to_end(scripted):
    """As a document and as a stream: the same end, and every document, chunk and event as described."""
    seen = {CHAT: set(), COMPLETE: set(), RESPOND: set()}
    kinds = set()
    for name, (text, ends, *expected) in ENDS.items():
        for path, end in zip(seen, expected):
            if end is None:
                continue
            scripted.fake.script = scripted.model.say(text, ends)
            limit = 400 if end in ("error", "failed") else 40 if name == "length" else 200
            whole = ask(scripted, path, body_of(path, False, limit))
            stream = ask(scripted, path, body_of(path, True, limit))
            openai_schema.check(path, whole.status, whole.headers["content-type"], whole.body)
            assert stream.status == 200 and openai_schema.check(path, 200, "text/event-stream", stream.body) > 1, (name, path)
            data = [json.loads(d) for d in events(stream.body) if d != "[DONE]"]
            if path == RESPOND:
                kinds |= {event["type"] for event in data}
                ended = data[-1]["response"]["status"]
                assert data[-1]["type"] == f"response.{ended}"
            else:
                reasons = [c["finish_reason"] for d in data for c in d.get("choices", []) if c["finish_reason"]]
                ended = reasons[0] if reasons else "error"
                assert len(reasons) == (end != "error") and ("error" in data[-1]) == (end == "error"), (name, path, stream.body[-300:])
            assert ended == end, (name, path, stream.body[-600:])
            if end in ("error", "failed"):
                assert whole.status == 503
            else:
                assert (whole.json["status"] if path == RESPOND else whole.json["choices"][0]["finish_reason"]) == end
            seen[path].add(ended)
    described = openai_schema.load()["schemas"]
    choice = described["CreateChatCompletionResponse"]["properties"]["choices"]["items"]["properties"]["finish_reason"]
    assert seen[CHAT] - {"error"} == set(forms(choice)) - NEVER_ENDS
    choice = described["CreateCompletionResponse"]["properties"]["choices"]["items"]["properties"]["finish_reason"]
    assert seen[COMPLETE] - {"error"} == set(forms(choice)) - NEVER_ENDS
    assert seen[RESPOND] == set(forms(members("Response")["status"])) - NEVER_ENDS
    # Events: all but those of tools that run on OpenAI's servers, of sound, of refusals and summaries that no model here writes.
    elsewhere = ("audio", "code_interpreter", "file_search", "shell_call", "reasoning_summary", "refusal", "web_search", "image_generation", "mcp",
                 "output_text.annotation", "queued", "custom_tool_call", "error")
    union = resolved({"$ref": "ResponseStreamEvent"})
    every = {forms(resolved(part)["properties"]["type"])[0] for part in union.get("anyOf", union.get("oneOf"))}
    assert kinds == {kind for kind in every if not kind.removeprefix("response.").startswith(elsewhere)}
