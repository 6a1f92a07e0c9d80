"""A server that fails, lies or falls silent in the middle of an answer."""

import json
import socket

import openai
import pytest

import fake_llama
from fake_llama import Slow
from gateway_process import CHAT, COMPLETE, RESPOND, WORDS, ask, chat_body, events, open_stream


def faults(n_vocab):
    """name: (script, HTTP status without a stream, whether tokens precede the fault)"""
    json_of = json.dumps
    return {
        "dies at once": (fake_llama.raw(""), 503, False),
        "dies before a token": (fake_llama.dies_after(0), 503, False),
        "dies in mid-stream": (fake_llama.dies_after(3), 503, True),
        "half an event": (fake_llama.says_after(3, 'data: {"tokens": [1'), 503, True),
        "garbage": (fake_llama.says_after(3, "data: %%%\n\n"), 502, True),
        "an event of another kind": (fake_llama.says_after(3, "data: [1, 2]\n\n"), 502, True),
        "an id beyond the vocabulary": (fake_llama.says_after(3, f'data: {json_of({"tokens": [n_vocab], "stop": False})}\n\n'), 502, True),
        "a negative id": (fake_llama.says_after(3, 'data: {"tokens": [-1], "stop": false}\n\n'), 502, True),
        "an id that is text": (fake_llama.says_after(3, 'data: {"tokens": ["a"], "stop": false}\n\n'), 502, True),
        "no ids": (fake_llama.says_after(3, 'data: {"content": "plain", "stop": false}\n\n'), 502, True),
        "too many ids": (fake_llama.says_after(3, f'data: {json_of({"tokens": [1] * 500, "stop": False})}\n\n'), 502, True),
        "a wrong count": (fake_llama.says_after(3, f'data: {json_of({"tokens": [], "stop": True, "stop_type": "limit", "tokens_predicted": 99})}\n\n'), 502, True),
        "an error event": (fake_llama.says_after(3, 'data: {"error": {"code": 500, "message": "broken"}}\n\n'), 503, True),
        "a huge event": (fake_llama.says_after(3, b"data: " + b"x" * (64 << 20)), 502, True),
        "status 500": (fake_llama.answers("500 Oops", '{"error": {"code": 500, "message": "broken"}}'), 503, False),
        "status 503": (fake_llama.answers("503 Busy", '{"error": {"code": 503, "message": "loading"}}'), 503, False),
        "status 400": (fake_llama.answers("400 Bad", '{"error": {"code": 400, "message": "bad prompt"}}'), 502, False),
        "status 404": (fake_llama.answers("404 Lost", "lost"), 502, False),
        "status 401": (fake_llama.answers("401 Who", '{"error": {"code": 401, "message": "key"}}'), 502, False),
        "status 302": (fake_llama.raw("HTTP/1.1 302 Moved\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"), 502, False),
        "no HTTP": (fake_llama.raw("SSH-2.0-OpenSSH\r\n\r\n"), (502, 503), False),
        "a page": (fake_llama.answers("200 OK", "<html>hello</html>"), (502, 503), False),
    }


@pytest.mark.parametrize("name", faults(1))
def test_faults_of_the_server(name, faked, fake, blind):
    script, status, has_tokens = faults(blind.n_vocab)[name]
    statuses = status if isinstance(status, tuple) else (status,)
    assert ask(faked, CHAT, chat_body(WORDS)).status == 200
    fake.script = script
    for path, body in ((CHAT, chat_body(WORDS)), (COMPLETE, {"prompt": WORDS}),
                       (RESPOND, {"input": WORDS, "max_output_tokens": 16})):
        whole = ask(faked, path, body)
        assert whole.status in statuses, (path, whole.body)
        assert whole.error["type"] == "upstream_error" and WORDS not in whole.error["message"]
        assert ("retry-after" in whole.headers) == (whole.status == 503)
        streamed = ask(faked, path, {**body, "stream": True})
        if has_tokens:
            assert streamed.status == 200
            *parts, last = events(streamed.body)
            # A completion whose tokens are parts of characters, or control tokens, has no text to send yet.
            assert len(parts) >= (2 if path == CHAT else 1) and all(json.loads(p).get("error") is None for p in parts)
            last = json.loads(last)
            assert b"[DONE]" not in streamed.body and b'"finish_reason":"' not in streamed.body
            with openai.OpenAI(base_url=faked.url + "/v1", api_key="x", max_retries=0) as client:
                if path == RESPOND:
                    assert last["type"] == "response.failed" and last["response"]["status"] == "failed"
                    assert set(last["response"]["error"]) == {"code", "message"}
                    assert list(client.responses.create(model="tiny", input=WORDS, stream=True))[-1].type == "response.failed"
                    continue
                assert set(last["error"]) == {"message", "type", "param", "code"}
                with pytest.raises(openai.APIError):
                    list(client.chat.completions.create(model="tiny", messages=body["messages"], stream=True) if path == CHAT else
                         client.completions.create(model="tiny", prompt=WORDS, stream=True))
        else:
            assert streamed.status in statuses and streamed.error
    fake.script = fake_llama.honest
    assert ask(faked, CHAT, chat_body(WORDS)).status == 200
    assert WORDS not in faked.said()


def test_the_server_is_asked_in_numbers_only(faked, fake):
    body = chat_body(WORDS, stop=["desk"], user="somebody", tools=[], metadata={"a": "secret"}, seed=3, logit_bias={"70": 5})
    assert ask(faked, CHAT, body).status == 200

    def strings(node):
        if isinstance(node, str):
            yield node
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from strings(child)

    for request in fake.requests:
        assert set(strings(request)) == set(request["response_fields"])


def test_a_silent_server_and_a_client_that_leaves(faked, fake):
    for n in (0, 3):
        fake.script = slow = Slow(n)
        s = socket.create_connection(("127.0.0.1", faked.port))
        data = json.dumps(chat_body(WORDS, stream=n > 0)).encode()
        s.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{faked.port}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        assert slow.begun.wait(5)
        if n:
            s.recv(100)
        assert not slow.left.wait(0.6)
        s.close()
        assert slow.left.wait(2), "the server is not told that nobody waits"


def test_silence_is_filled_with_pings(faked, fake):
    fake.script = slow = Slow(2)
    s, seen = open_stream(faked, chat_body(WORDS, stream=True))
    s.settimeout(8)
    while b": ping\n\n" not in seen:
        seen += s.recv(4096)
    s.close()
    assert slow.left.wait(2)
