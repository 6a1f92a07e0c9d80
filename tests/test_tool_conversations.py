"""The official clients lead a whole conversation with a tool, streaming and not: question, call, result, answer, and what was said before."""

import json
import re

import anthropic
import openai
import pytest

import node_clients
from conftest import ROOT

FUNCTION = {"name": "get_time", "description": "Tells the time", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"], "additionalProperties": False}}
ORDER = 'call get_time {"zone": "Europe/Rome"}'
ANSWERS = ["The tool said: eight", "I heard: thanks"]


@pytest.fixture
def client(obedient):
    with openai.OpenAI(base_url=obedient.url + "/v1", api_key="none", max_retries=0) as made:
        yield made


def saw(obedient):
    """The last prompt holds the whole conversation."""
    prompt = obedient.model.prompts[-1]
    return all(part in prompt for part in (ORDER, '"zone": "Europe/Rome"', "<tool_response>\neight\n</tool_response>", *ANSWERS[:1], "thanks"))


@pytest.mark.parametrize("stream", [False, True])
def test_chat_completions(client, obedient, stream):
    tools = [{"type": "function", "function": {**FUNCTION, "strict": True}}]
    messages = [{"role": "user", "content": ORDER}]

    def turn(**more):
        ask = {"model": "tiny", "messages": messages, "tools": tools, **more}
        if stream:
            with client.chat.completions.stream(**ask) as events:
                choice = events.get_final_completion().choices[0]
        else:
            choice = client.chat.completions.create(**ask).choices[0]
        messages.append(choice.message.to_dict())
        return choice

    called = turn()
    [call] = called.message.tool_calls
    assert called.finish_reason == "tool_calls" and call.function.name == "get_time"
    assert json.loads(call.function.arguments) == {"zone": "Europe/Rome"}
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "eight"})
    answered = turn()
    assert (answered.message.content, answered.finish_reason) == (ANSWERS[0], "stop")
    messages.append({"role": "user", "content": "thanks"})
    assert turn(tool_choice="none").message.content == ANSWERS[1] and saw(obedient)
    messages.append({"role": "user", "content": ORDER})
    assert turn(tool_choice="required").message.tool_calls[0].function.name == "get_time"
    messages.pop()
    with pytest.raises(openai.APIStatusError) as refused:
        messages[-1] = {"role": "user", "content": "no call"}
        turn(tool_choice="required")
    assert refused.value.status_code == 502 and refused.value.code == "answer_not_as_required"


@pytest.mark.parametrize("stream", [False, True])
def test_responses(client, obedient, stream):
    tools = [{"type": "function", "strict": True, **FUNCTION}]

    def turn(given, previous=None):
        ask = {"model": "tiny", "input": given, "tools": tools, "previous_response_id": previous}
        if not stream:
            return client.responses.create(**ask)
        with client.responses.stream(**ask) as events:
            return events.get_final_response()

    first = turn(ORDER)
    [call] = first.output
    assert call.type == "function_call" and call.name == "get_time" and json.loads(call.arguments) == {"zone": "Europe/Rome"}
    second = turn([{"type": "function_call_output", "call_id": call.call_id, "output": "eight"}], first.id)
    assert second.output_text == ANSWERS[0]
    assert turn("thanks", second.id).output_text == ANSWERS[1] and saw(obedient)


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_messages(obedient, stream):
    client = anthropic.Anthropic(base_url=obedient.url, api_key="none", max_retries=0)
    tools = [{"name": "get_time", "description": "Tells the time", "input_schema": FUNCTION["parameters"]}]
    messages = []

    def turn(content):
        messages.append({"role": "user", "content": content})
        ask = {"model": "tiny", "max_tokens": 400, "messages": messages, "tools": tools}
        if stream:
            with client.messages.stream(**ask) as events:
                answer = events.get_final_message()
        else:
            answer = client.messages.create(**ask)
        messages.append({"role": "assistant", "content": answer.content})
        return answer

    called = turn(ORDER)
    [call] = called.content
    assert (called.stop_reason, call.type, call.name, call.input) == ("tool_use", "tool_use", "get_time", {"zone": "Europe/Rome"})
    assert turn([{"type": "tool_result", "tool_use_id": call.id, "content": "eight"}]).content[0].text == ANSWERS[0]
    assert turn("thanks").content[0].text == ANSWERS[1] and saw(obedient)


def test_node_clients(obedient):
    """OpenAI's, Anthropic's and the Vercel AI SDK."""
    seen = json.loads(node_clients.run("tools.mjs", BASE_URL=obedient.url, API_KEY="none"))
    assert seen["checks"] == ["chat completions", "responses", "messages", "vercel", "vercel stream", "vercel object"] and saw(obedient)


def test_the_versions_in_the_documentation_are_those_of_the_locks():
    table = (ROOT / "docs/gateway.md").read_text().split("## Clients")[1].split("\n## ")[0]
    locked = set()
    for lock in (ROOT / "tests/requirements.lock", *ROOT.glob("tests/clients/*.lock")):
        locked.update((name.replace("_", "-"), version) for name, version in re.findall(r"^([a-z0-9_.-]+)==(\S+)", lock.read_text(), re.MULTILINE))
    for lock in (ROOT / "tests/node/package-lock.json", *ROOT.glob("tests/clients/*/package-lock.json")):
        packages = json.loads(lock.read_text())["packages"]
        locked.update((path.removeprefix("node_modules/"), entry.get("version")) for path, entry in packages.items())
    documented = re.findall(r"`([@a-z0-9/-]+) ([0-9.]+)`", table)
    assert len(documented) >= 12 and set(documented) <= locked
