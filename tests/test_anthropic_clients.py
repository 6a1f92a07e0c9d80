"""Anthropic's official clients, unmodified, before the gateway.

The answers themselves are held against a stock llama-server with the plaintext model, which has this endpoint too.
"""

import json

import anthropic
import pytest

import node_clients
from conftest import post
from gateway_process import ask, chat_body, gateway, wait_for, slots

KEY = "a-key-of-the-tests-0123456789"
TOOL = {"name": "get_time", "description": "Tells the time", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}}}


@pytest.fixture
def client(front):
    with anthropic.Anthropic(base_url=front.url, api_key="none", max_retries=0) as made:
        yield made


def user(text):
    return {"role": "user", "content": text}


def message(client, text="hello", temperature=0, **more):
    """The client of today no longer names the temperature; older ones and other languages' do."""
    return client.messages.create(**{"model": "tiny", "messages": [user(text)], "max_tokens": 24,
                                     "extra_body": {"temperature": temperature}, **more})


def prompt_tokens(usage):
    return usage.input_tokens + usage.cache_read_input_tokens


def test_message(client, front):
    answer = message(client)
    chat = ask(front, "/v1/chat/completions", chat_body("hello", max_tokens=24)).json
    assert answer.type == "message" and answer.role == "assistant" and answer.model == "tiny"
    assert [block.text for block in answer.content] == [chat["choices"][0]["message"]["content"]]
    assert (answer.stop_reason, answer.stop_sequence) == ("max_tokens", None)
    assert prompt_tokens(answer.usage) == chat["usage"]["prompt_tokens"] and answer.usage.output_tokens == 24
    assert answer._request_id.startswith("req_")


def test_the_same_as_the_plaintext_server(client, plain_server):
    for text in ("hello", "日本語", "On Saturday"):
        body = {"max_tokens": 20, "system": "Be brief."}
        plain = post(plain_server.url + "/v1/messages", {"messages": [user(text)], "temperature": 0, **body})
        own = message(client, text, **body)
        assert [block.text for block in own.content] == [block["text"] for block in plain["content"]]
        assert own.stop_reason == plain["stop_reason"]
        assert prompt_tokens(own.usage) == plain["usage"]["input_tokens"] + plain["usage"].get("cache_read_input_tokens", 0)


def test_stream(client):
    whole = message(client)
    with client.messages.stream(model="tiny", messages=[user("hello")], max_tokens=24,
                                extra_body={"temperature": 0}) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert said == whole.content[0].text
    assert ([block.text for block in final.content], final.stop_reason) == ([said], whole.stop_reason)
    assert prompt_tokens(final.usage) == prompt_tokens(whole.usage) and final.usage.output_tokens == 24


def test_stop_sequence(client):
    whole = message(client).content[0].text
    stop = whole[5:9]
    answer = message(client, stop_sequences=["never said", stop])
    assert answer.content[0].text == whole[:whole.index(stop)]
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", stop)


def test_the_count_is_that_of_the_answer(client):
    for more in ({}, {"system": "Be brief."}, {"tools": [TOOL]}):
        counted = client.messages.count_tokens(model="tiny", messages=[user("hello")], **more)
        assert counted.input_tokens == prompt_tokens(message(client, **more).usage)
    assert client.messages.count_tokens(model="tiny", messages=[user("word " * 20000)]).input_tokens > 20000


def test_a_conversation_with_tools(client):
    first = message(client, "what time", tools=[TOOL], tool_choice={"type": "auto"})
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"zone": "UTC"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "eight"}]}
    turns = [user("what time"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    second = message(client, messages=turns, tools=[TOOL])
    assert prompt_tokens(second.usage) > prompt_tokens(first.usage) + 10


def test_an_answer_that_is_begun_goes_on(client, blind):
    whole = message(client).content[0].text
    begun = whole[:whole.index(" ", 4)]
    answer = message(client, messages=[user("hello"), {"role": "assistant", "content": begun}])
    assert begun + answer.content[0].text != begun and not answer.content[0].text.startswith(begun)
    assert (begun + answer.content[0].text).startswith(whole[:len(whole) // 2])


def test_errors(client):
    with pytest.raises(anthropic.BadRequestError) as refused:
        message(client, temperature=9)
    assert refused.value.body["error"]["type"] == "invalid_request_error" and "temperature" in str(refused.value)
    with pytest.raises(anthropic.BadRequestError) as refused:
        message(client, "word " * 20000)
    assert "context" in str(refused.value)
    with pytest.raises(anthropic.BadRequestError):
        message(client, messages=[{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}])


def test_api_key(blind, blind_server, tmp_path):
    (tmp_path / "keys").write_text(KEY + "\n")
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys") as g:
        for given in ({"api_key": KEY}, {"auth_token": KEY, "api_key": None}):
            assert message(anthropic.Anthropic(base_url=g.url, max_retries=0, **given)).content[0].text
        with pytest.raises(anthropic.AuthenticationError):
            message(anthropic.Anthropic(base_url=g.url, api_key=KEY + "x", max_retries=0))


def test_node_client(client, blind, blind_server, tmp_path):
    (tmp_path / "keys").write_text(KEY + "\n")
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys",
                 "--name", "tiny") as g:
        seen = json.loads(node_clients.run("messages.mjs", BASE_URL=g.url, API_KEY=KEY))
    wait_for(lambda: not any(slot["is_processing"] for slot in slots(blind_server)), 1.5, "the end of the aborted stream")
    assert seen["checks"] == ["message", "stream", "count", "second turn", "errors", "abort"]
    assert seen["text"] == message(client).content[0].text
