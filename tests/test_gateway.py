"""What the gateway refuses, survives and keeps to itself."""

import concurrent.futures
import contextlib
import gzip
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time
import zlib

import openai
import pytest

import fake_llama
from conftest import serving_up
from fake_llama import FakeLlama, Slow
from gateway_process import ask, chat_body, events, free_port, gateway, gateway_command, slots, wait_for

CHAT, COMPLETE, RESPOND = "/v1/chat/completions", "/v1/completions", "/v1/responses"
KEYS = ["first-key-0123456789abc", "second-key-0123456789ab"]
LONG = dict(max_tokens=3500, ignore_eos=True, stream=True)


def open_stream(served, body, headers=None, receive_buffer=None):
    """A connection whose answer has begun."""
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(30)
    s.connect(("127.0.0.1", served.port))
    data = json.dumps(body).encode()
    lines = [f"POST {CHAT} HTTP/1.1", f"Host: 127.0.0.1:{served.port}", "Content-Type: application/json",
             f"Content-Length: {len(data)}", *(f"{k}: {v}" for k, v in (headers or {}).items()), "", ""]
    s.sendall("\r\n".join(lines).encode() + data)
    return s, s.recv(400)


# --- who may ask


def test_hosts(front):
    port = front.port
    status = lambda host: ask(front, "/v1/models", headers={"Host": host}).status
    for host in ("127.0.0.1", f"127.0.0.1:{port}", f"localhost:{port}", f"LocalHost:{port}", f"[::1]:{port}", f"127.0.0.2:{port}"):
        assert status(host) == 200, host
    for host in ("evil.example", f"evil.example:{port}", "127.evil.example", f"127.evil.example:{port}", f"127.0.0.1.evil.example:{port}",
                 f"localhost.evil.example:{port}", f"127.0.0.1:{port + 1}", f"0.0.0.0:{port}", f"evil.example#127.0.0.1:{port}",
                 f"[::1]evil.example:{port}", f"127.0.0.1:evil.example:{port}", f"localhost:1:{port}", "", "[", ":", f":{port}"):
        refused = ask(front, "/v1/models", headers={"Host": host})
        assert refused.status == 403 and refused.error["code"] == "host_not_allowed", host
    for path in ("/", "/health", "/isoveil/status", "/metrics", "/nothing"):
        assert ask(front, path, headers={"Host": "evil.example"}).status == 403, path


def test_origins(front):
    status = lambda **headers: ask(front, "/v1/models", headers={k.replace("_", "-"): v for k, v in headers.items()}).status
    assert status(Origin=front.url) == 200
    for origin in ("null", "https://evil.example", f"http://127.0.0.1:{front.port + 1}", f"{front.url}.evil.example", "file://", "*"):
        assert status(Origin=origin) == 403, origin
        # What a browser asks first: no answer allows anything.
        asked = ask(front, CHAT, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}, method="OPTIONS")
        assert asked.status == 403
    assert status(Sec_Fetch_Site="cross-site") == 403
    assert status(Sec_Fetch_Site="same-origin") == status(Sec_Fetch_Site="none") == 200
    assert ask(front, CHAT, chat_body(), {"Origin": "https://evil.example"}).status == 403
    for path in ("/", "/v1/models", CHAT):
        allowed = [h for h in ask(front, path, headers={"Origin": front.url}).headers if h.startswith("access-control")]
        assert allowed == []


def test_further_hosts_and_origins(blind, blind_server, tmp_path):
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--allowed-host", "desk.example",
                 "--allowed-origin", "https://page.example") as g:
        assert ask(g, "/v1/models", headers={"Host": f"desk.example:{g.port}"}).status == 200
        assert ask(g, "/v1/models", headers={"Host": "other.example"}).status == 403
        assert ask(g, "/v1/models", headers={"Origin": "https://page.example"}).status == 200
        assert ask(g, "/v1/models", headers={"Origin": "https://page.example.evil"}).status == 403


def test_pages_of_a_further_origin_may_read_answers(blind, blind_server, tmp_path):
    """What a browser asks before and hears after: without these headers it shows a page nothing, not even an error."""
    (tmp_path / "keys").write_text(KEYS[0])
    origin = {"Origin": "https://page.example"}
    bearer = {**origin, "Authorization": f"Bearer {KEYS[0]}"}
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys",
                 "--allowed-origin", "https://page.example") as g:
        for path in (CHAT, "/v1/models", RESPOND, "/chat/completions", "/nothing"):
            before = ask(g, path, headers={**origin, "Access-Control-Request-Method": "POST",
                                           "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os"}, method="OPTIONS")
            assert before.status == 204 and before.body == b"", path
            assert before.headers["access-control-allow-origin"] == "https://page.example"
            assert "POST" in before.headers["access-control-allow-methods"]
            assert "x-stainless-os" in before.headers["access-control-allow-headers"]
        answers = [ask(g, CHAT, chat_body(), bearer), ask(g, CHAT, chat_body(stream=True), bearer), ask(g, CHAT, "{", bearer),
                   ask(g, CHAT, chat_body(), origin), ask(g, "/nothing", headers=bearer), ask(g, CHAT, headers=bearer)]
        assert [a.status for a in answers] == [200, 200, 400, 401, 404, 405]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == "https://page.example" and answer.headers["vary"] == "Origin"
            assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        other = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
        for refused in (ask(g, CHAT, headers=other, method="OPTIONS"), ask(g, CHAT, chat_body(), {**bearer, **other})):
            assert refused.status == 403 and "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in ask(g, "/v1/models", headers={"Authorization": f"Bearer {KEYS[0]}"}).headers


def test_paths_in_every_spelling_and_wrong_methods(front):
    for path in (CHAT, CHAT + "/", "/chat/completions", "/chat/completions/"):
        assert ask(front, path, chat_body()).status == 200, path
    for path in ("/v1/models", "/v1/models/", "/models", "/models/", "/health/"):
        assert ask(front, path).status == 200, path
    assert ask(front, "/v1/models/tiny/").json == ask(front, "/models/tiny").json
    for method, path, allowed in (("GET", CHAT, "POST"), ("PUT", CHAT, "POST"), ("POST", "/v1/models", "GET"), ("DELETE", "/health", "GET"),
                                  ("POST", "/v1/responses/resp_1", "DELETE, GET"), ("GET", "/completions", "POST")):
        refused = ask(front, path, method=method)
        assert refused.status == 405 and refused.error["code"] == "method_not_allowed", (method, path)
        assert refused.headers["allow"] == allowed
    assert ask(front, "/v1/nothing", "{}").status == 404


def test_streams_of_http_1_0_have_no_chunks(front):
    data = json.dumps(chat_body(stream=True)).encode()
    with socket.create_connection(("127.0.0.1", front.port), timeout=30) as s:
        s.sendall(f"POST {CHAT} HTTP/1.0\r\nHost: 127.0.0.1:{front.port}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        said = b"".join(iter(lambda: s.recv(65536), b""))
    head, body = said.split(b"\r\n\r\n", 1)
    assert b"transfer-encoding" not in head.lower()
    assert body.startswith(b"data: {") and body.endswith(b"data: [DONE]\n\n")


def test_headers_of_answers(front):
    page = ask(front, "/")
    assert page.status == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    for answer in (page, ask(front, "/v1/models"), ask(front, "/nothing"), ask(front, CHAT, chat_body())):
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert re.fullmatch("req_[0-9a-z]{24}", answer.headers["x-request-id"])
    assert ask(front, "/nothing").error["code"] == "not_found"
    assert ask(front, CHAT).status in (404, 405) and ask(front, CHAT).error
    # The page's folder is no way to other files.
    for path in ("/../etc/passwd", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/%00", "/index.html/../../x"):
        assert ask(front, path).status in (400, 404), path


def refuses_to_start(blind, upstreams, *args, client=None):
    command = gateway_command(blind.runner, client or blind.client, upstreams, free_port(), *args)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and done.stdout == ""
    return done.returncode, [line for line in done.stderr.splitlines() if "is not sealed by a passphrase" not in line]


def test_other_addresses_need_a_key(blind, blind_server, tmp_path):
    for host in ("0.0.0.0", "::", "192.0.2.1", "127.evil.example", "localhost.example"):
        code, said = refuses_to_start(blind, [blind_server.url], "--host", host)
        assert "--host" in said[0] and any("--api-key-file" in line for line in said), said
    keys = tmp_path / "keys"
    for content in ("", "# only a comment\n", "short\n"):
        keys.write_text(content)
        _, said = refuses_to_start(blind, [blind_server.url], "--host", "0.0.0.0", "--api-key-file", keys)
        assert "short" not in "".join(said)
    keys.write_text("\n".join(KEYS))
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--host", "0.0.0.0", "--api-key-file", keys) as g:
        bearer = {"Authorization": f"Bearer {KEYS[0]}"}
        assert ask(g, "/v1/models", headers=bearer).status == 200
        # The address that is bound is no name of this machine.
        assert ask(g, "/v1/models", headers={**bearer, "Host": f"0.0.0.0:{g.port}"}).status == 403


def test_api_keys(blind, blind_server, tmp_path):
    (tmp_path / "keys").write_text("# people\n" + "\r\n".join(KEYS) + "\n")
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys", "--metrics") as g:
        for key in KEYS:
            for given in (f"Bearer {key}", f"bearer {key}", f"BEARER {key}"):
                assert ask(g, "/v1/models", headers={"Authorization": given}).status == 200
        for given in (None, "", "Bearer", "Bearer ", f"Bearer {KEYS[0]}x", f"Bearer {KEYS[0][:-1]}", f"Basic {KEYS[0]}", KEYS[0],
                      f"Bearer {KEYS[0]} ", "Bearer # people", f"Bearer {KEYS[0]},{KEYS[1]}"):
            for path in ("/v1/models", CHAT, "/isoveil/status", "/metrics", "/tokenize", "/nothing"):
                body = None if path in ("/v1/models", "/isoveil/status", "/metrics", "/nothing") else chat_body()
                refused = ask(g, path, body, headers={"Authorization": given} if given is not None else {})
                stripped = given is not None and given.strip() == f"Bearer {KEYS[0]}"  # spaces at the end are none of HTTP's
                if stripped:
                    assert refused.status in (200, 404, 400)
                    continue
                assert refused.status == 401 and refused.error["code"] == "invalid_api_key", (given, path)
                assert refused.headers["www-authenticate"] == "Bearer"
        assert ask(g, "/health").status == ask(g, "/").status == 200
        assert all(key not in g.said() for key in KEYS)


def test_rate_of_a_key(blind, blind_server, tmp_path):
    (tmp_path / "keys").write_text("\n".join(KEYS))
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys",
                 "--max-per-minute", "3") as g:
        asked = lambda key: ask(g, COMPLETE, {"prompt": "a", "max_tokens": 1}, {"Authorization": f"Bearer {key}"})
        assert [asked(KEYS[0]).status for _ in range(3)] == [200] * 3
        refused = asked(KEYS[0])
        assert refused.status == 429 and refused.error["type"] == "rate_limit_error"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert asked(KEYS[1]).status == 200


def test_requests_of_a_key_at_a_time(blind, blind_server, tmp_path):
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--max-concurrent", "2") as g:
        open_ones = [open_stream(g, chat_body(**LONG))[0] for _ in range(2)]
        refused = ask(g, CHAT, chat_body())
        assert refused.status == 429 and int(refused.headers["retry-after"]) >= 1
        for s in open_ones:
            s.close()
        wait_for(lambda: ask(g, CHAT, chat_body()).status == 200, 3, "a free place")


# --- what a request may be


def test_bodies(front, blind, blind_server, tmp_path):
    bad = [b"", b"{", b"[]", b"5", b"null", b'"x"', b"{} {}", b"{}x", b'{"messages": NaN}', b"{'a': 1}", b'\xff\xfe{}', b'{"a": "\xff"}',
           b'{"a": "\xed\xa0\x80"}', b'{"a": 1,}', b'{"temperature": 0, "temperature": 1}', b'{"messages": [{"role": "a", "role": "b"}]}',
           b'{"a":' * 200 + b"1" + b"}" * 200, b"[" * 100_000, b'{"a":' * 100_000, b'{"x": 1e999999}', b"\0", b'{"a": "\x01"}']
    for body in bad:
        for path in (CHAT, COMPLETE, RESPOND, "/tokenize", "/detokenize", "/v1/embeddings"):
            answer = ask(front, path, body)
            assert answer.status == 400 and answer.error["type"] == "invalid_request_error", (path, body[:60])
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--max-body", "20000") as g:
        large = chat_body("x" * 20000)
        assert ask(g, CHAT, large).status == 413 and ask(g, CHAT, large).error["code"] == "body_too_large"
        assert ask(g, CHAT, chat_body("x" * 500)).status == 200
        s = socket.create_connection(("127.0.0.1", g.port))
        s.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{g.port}\r\nContent-Length: 99999999999999999999\r\n\r\n".encode())
        s.settimeout(10)
        assert re.match(rb"HTTP/1.1 4\d\d", s.recv(100))
        s.close()
        # A body that grows chunk by chunk has the same limit.
        s = socket.create_connection(("127.0.0.1", g.port))
        s.settimeout(10)
        s.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{g.port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        answer = b""
        try:
            for _ in range(100):
                s.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            answer = s.recv(100)
        except OSError:
            pass
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
        s.close()
        assert ask(g, CHAT, chat_body("x" * 500)).status == 200


def test_compressed_bodies(blind, blind_server, front, tmp_path):
    body = json.dumps(chat_body()).encode()
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body)}
    plain = ask(front, CHAT, body)
    for coding, bytes_ in packed.items():
        answer = ask(front, CHAT, bytes_, {"Content-Encoding": coding})
        assert answer.status == 200 and answer.json["choices"] == plain.json["choices"], coding
    asked = ask(front, CHAT, body, {"Accept-Encoding": "gzip, deflate"})
    assert asked.json["choices"] == plain.json["choices"] and "content-encoding" not in asked.headers
    for coding in ("br", "zstd"):
        answer = ask(front, CHAT, body, {"Content-Encoding": coding})
        assert answer.status == 415 and answer.error["code"] == "unsupported_content_encoding"
    for damaged in (body, packed["gzip"][:40], packed["gzip"][:20] + b"x" * 30, b""):
        assert ask(front, CHAT, damaged, {"Content-Encoding": "gzip"}).status == 400, damaged[:30]
    # 1 GB in 1 MB: refused when the limit is passed, not when all is unpacked.
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([bomb.compress(b'{"messages": "'), *(bomb.compress(b"a" * (1 << 20)) for _ in range(1000)), bomb.flush()])
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log") as g:
        before = g.peak()
        for _ in range(3):
            answer = ask(g, CHAT, bomb, {"Content-Encoding": "gzip"})
            assert answer.status == 413 and answer.error["code"] == "body_too_large"
        assert g.peak() < before + (64 << 20)
        assert ask(g, CHAT, packed["gzip"], {"Content-Encoding": "gzip"}).status == 200


WRONG = {
    CHAT: {
        "messages": [5, "x", {}, [], None, [5], [{}], [{"role": 5, "content": "x"}], [{"role": "user"}], [{"role": "user", "content": 5}],
                     [{"role": "user", "content": [5]}], [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
                     [{"role": "user", "content": [{"type": "text"}]}], [{"role": "assistant", "content": None}],
                     [{"role": "assistant", "tool_calls": 5}], [{"role": "assistant", "tool_calls": [5]}],
                     [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "a"}}]}],
                     [{"role": "tool", "content": "x", "tool_call_id": 5}], [{"role": "user", "content": "x", "name": 5}]],
        "temperature": ["hot", -1, 2.1, True, [], {}], "top_p": ["x", 1.1, -1], "min_p": ["x", 2, -1],
        "presence_penalty": ["x", 3, -3], "frequency_penalty": ["x", 3, -3], "repeat_penalty": ["x", 0, 11],
        "repetition_penalty": [-1, "x"], "top_k": ["x", -2, 1.5, 1 << 40], "seed": ["x", 1.5, 1 << 63, [], True],
        "ignore_eos": ["x", 1], "max_tokens": ["x", 0, -1, 1.5, 1e30, True], "max_completion_tokens": ["x", 0, -1],
        "n": ["x", 0, -1, 17, 1.5, 1 << 62], "stream": ["yes", 1, []], "stop": [5, {}, [5], ["x"] * 17, [["x"]]],
        "logit_bias": [5, [], "x", {"x": 1}, {"-1": 1}, {"5": "x"}, {"999999": 1}, {"99999999999999": 1}, {" 5": 1}, {"5": 1e300}],
        "logprobs": ["x", 1, []], "top_logprobs": ["x", -1, 21, 1.5, 3], "tools": [5, {}, [5], [{}], [{"type": "function"}],
            [{"type": "function", "function": {"name": 5}}], [{"type": "function", "function": {"name": "a", "description": 5}}],
            [{"type": "function", "function": {"name": "a", "parameters": 5}}], [{"type": "custom", "custom": {"name": "a"}}]],
        "tool_choice": [5, [], "sometimes", {}, {"type": "function"}, {"type": "function", "function": {"name": "none"}}],
        "parallel_tool_calls": ["x", 1], "response_format": [5, [], "json", {}, {"type": "xml"}, {"type": "json_schema"},
            {"type": "json_schema", "json_schema": {"schema": 5}}, {"type": "json_schema", "json_schema": {"schema": {"type": 5}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://evil.example/x"}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/nothing"}}}, {"type": "json_schema", "json_schema": {"schema": {"pattern": "("}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/a", "a": {"anyOf": [{"not": {"$ref": "#"}}]}}}}],
        "reasoning_effort": [5, []], "chat_template_kwargs": [5, "x", []],
    },
    COMPLETE: {"prompt": [5, {}, [], None, [[]], ["a", 5], [1, "a"], [99999], [-1], [1.5], [[1], "a", [None]], [True], ["a"] * 65],
               "echo": ["x", 1], "logprobs": [True, "x", 21, -1], "max_tokens": [-1, "x"], "n": [0, 17], "temperature": ["x"], "stop": [5]},
    RESPOND: {"input": [5, {}, None, [5], [{"type": "message", "content": 5}], [{"type": "message", "role": 5, "content": "x"}],
                        [{"role": "user", "content": [{"type": "input_image"}]}], [{"type": "computer_call"}],
                        [{"type": "function_call", "name": 5, "arguments": "{}"}], [{"type": "function_call_output", "output": 5}], []],
              "instructions": [5, []], "max_output_tokens": [0, "x", -1], "temperature": [3, "x"], "stream": ["x"], "tools": [5, {}],
              "background": [5, True], "previous_response_id": ["resp_1"], "conversation": ["conv_1"], "prompt": [{"id": "x"}]},
    "/tokenize": {"content": [5, None, []], "add_special": [5], "parse_special": ["x"]},
    "/detokenize": {"tokens": [5, None, ["x"], [-1], [99999], [1.5]]},
}
GOOD = {CHAT: chat_body(), COMPLETE: {"prompt": "a", "max_tokens": 2}, RESPOND: {"input": "hello", "max_output_tokens": 2},
        "/tokenize": {"content": "a"}, "/detokenize": {"tokens": [1]}}


@pytest.mark.parametrize("path", WRONG)
def test_wrong_values_are_named(front, path):
    assert ask(front, path, GOOD[path]).status == 200
    for field, values in WRONG[path].items():
        for value in values:
            answer = ask(front, path, {**GOOD[path], field: value})
            assert answer.status == 400, (field, value, answer.body)
            error = answer.error
            # A parameter that contradicts another one may name either.
            names = {field, "messages" if path == RESPOND and field == "input" else field}
            assert any(error["param"].startswith(name) for name in names), (field, value, error)
            assert "evil.example" not in error["message"]


def test_stream_options(front):
    for wrong in (5, "x", {"include_usage": 1}):
        assert ask(front, CHAT, chat_body(stream=True, stream_options=wrong)).error["param"] in ("stream_options", "include_usage")
    assert ask(front, CHAT, chat_body(stream_options={"include_usage": True})).error["param"] == "stream_options"


def test_what_needs_text_on_the_server_is_refused_by_name(front):
    refused = {"grammar": 'root ::= "a"', "guided_json": {"type": "object"}, "guided_regex": "a+", "guided_grammar": "x",
               "guided_choice": ["a"], "json_schema": {"type": "object"}, "dry_multiplier": 0.8, "dry_sequence_breakers": ["\n"],
               "banned_strings": ["x"], "mirostat": 2, "best_of": 3, "suffix": "x", "audio": {"voice": "x"},
               "modalities": ["text", "audio"], "prediction": {"type": "content", "content": "x"}, "web_search_options": {},
               "functions": [{"name": "a"}], "function_call": {"name": "a"}}
    for path in (CHAT, COMPLETE):
        for name, value in refused.items():
            error = ask(front, path, {**GOOD[path], name: value}).error
            assert error["param"] == name and error["code"] == "unsupported", name
            assert ask(front, path, {**GOOD[path], name: None}).status == 200
    for name, value in {"modalities": ["text"], "best_of": 1, "suffix": "", "mirostat": 0, "dry_multiplier": 0}.items():
        assert ask(front, CHAT, {**chat_body(), name: value}).status == 200
    assert ask(front, "/v1/embeddings", {"input": "x"}).error["code"] == "unsupported"


def test_schemas_that_refer_to_themselves_further_down_are_good(front):
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}
    answer = ask(front, CHAT, chat_body(response_format={"type": "json_schema", "json_schema": {"name": "tree", "schema": tree}}))
    # The model of the tests writes no JSON; max_tokens cuts off what it writes.
    assert answer.status == 200 and answer.json["choices"][0]["finish_reason"] == "length"


def test_unknown_members_are_accepted(front):
    body = chat_body()
    plain = ask(front, CHAT, body).json["choices"]
    more = {"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "model": 5, "never_heard_of": [{"x": 1}], "": 0}
    assert ask(front, CHAT, {**body, **more}).json["choices"] == plain


# --- servers that fail


@pytest.fixture
def copied(blind, tmp_path):
    """A client folder that has met no server yet."""
    shutil.copytree(blind.client, tmp_path / "client", ignore=shutil.ignore_patterns("canary.json"))
    return tmp_path / "client"


@pytest.fixture
def fake(blind):
    with FakeLlama(blind.n_vocab) as made:
        yield made


@pytest.fixture
def faked(blind, copied, fake, tmp_path):
    with gateway(blind.runner, copied, [fake.url], tmp_path / "log", "--upstream-kind", "llama-server", "--name", "tiny") as g:
        yield g


WORDS = "the front desk"


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


def test_another_model_is_refused_at_the_start(blind, copied, tmp_path, blind_server):
    upstream = ["--upstream-kind", "llama-server"]
    with FakeLlama(blind.n_vocab + 1) as other:
        code, said = refuses_to_start(blind, [other.url], *upstream, client=copied)
        assert code == 1 and str(blind.n_vocab + 1) in "".join(said), said
        assert not (copied / "canary.json").exists()
    with FakeLlama(blind.n_vocab) as first:
        with gateway(blind.runner, copied, [first.url], tmp_path / "log", *upstream) as g:
            assert "first contact" in g.said() and (copied / "canary.json").stat().st_mode & 0o777 == 0o600
        with gateway(blind.runner, copied, [first.url], tmp_path / "log2", *upstream) as g:
            assert "first contact" not in g.said()
        with FakeLlama(blind.n_vocab, model=2) as other:
            code, said = refuses_to_start(blind, [other.url], *upstream, client=copied)
            assert code == 1 and "answers differently" in "".join(said)
            with gateway(blind.runner, copied, [other.url, first.url], tmp_path / "log3", *upstream) as g:
                assert ask(g, CHAT, chat_body()).status == 200
                wait_for(lambda: f"{other.url} is wrong" in g.said(), 10, "a word about the wrong server")
                assert not any(other.is_question(body) for body in other.requests)
            assert other.questions() == []
    # And a real server with a real model that this client does not know.
    code, said = refuses_to_start(blind, [blind_server.url], client=copied)
    assert code == 1 and "answers differently" in "".join(said)


def test_a_server_that_is_not_there_yet_is_waited_for(blind, copied, tmp_path):
    port = free_port()
    with gateway(blind.runner, copied, [f"http://127.0.0.1:{port}"], tmp_path / "log", "--upstream-kind", "llama-server",
                 path="/isoveil/status") as g:
        assert ask(g, "/health").status == 503 and ask(g, CHAT, chat_body()).status == 503
        with FakeLlama(blind.n_vocab, port=port):
            wait_for(lambda: ask(g, "/health").status == 200, 5, "health after the server has come")
            assert ask(g, CHAT, chat_body()).status == 200
        wait_for(lambda: ask(g, "/health").status == 503, 5, "health after the server has gone")
        with FakeLlama(blind.n_vocab, model=2, port=port) as other:
            wait_for(lambda: ask(g, "/isoveil/status").json["server"] == "wrong", 6, "the other model's discovery")
            assert ask(g, "/isoveil/status").json["model_match"] is False and ask(g, CHAT, chat_body()).status == 502
            assert other.questions() == []
        with FakeLlama(blind.n_vocab, port=port):
            wait_for(lambda: ask(g, "/health").status == 200, 6, "health after the right server has come back")
            assert ask(g, "/isoveil/status").json["model_match"] is True


def test_a_server_that_keeps_no_connections_is_used_all_the_same(blind, copied, tmp_path):
    with FakeLlama(blind.n_vocab, version="HTTP/1.0") as old, \
            gateway(blind.runner, copied, [old.url], tmp_path / "log", "--upstream-kind", "llama-server") as g:
        n = lambda: len(old.requests) - len(old.questions())
        assert ask(g, CHAT, chat_body()).status == 200
        before = n()
        for _ in range(12):
            assert ask(g, CHAT, chat_body()).status == 200
            time.sleep(0.5)
        assert n() == before, "it is not tested anew for each connection"


# What a server that lies or fails does to the requests of a pool in which it stands first: nothing.
MISBEHAVIOURS = {
    "accepts and says nothing": Slow(0),
    "stops in mid-stream": Slow(3),
    "closes at once": fake_llama.raw(""),
    "closes in mid-stream": fake_llama.dies_after(3),
    "answers 400": fake_llama.answers("400 Bad", '{"error": {"code": 400, "message": "bad prompt"}}'),
    "answers 401": fake_llama.answers("401 Who", "{}"),
    "answers 404": fake_llama.answers("404 Lost", "lost"),
    "answers 429": fake_llama.answers("429 Busy", "{}"),
    "answers 500": fake_llama.answers("500 Oops", "{}"),
    "redirects": fake_llama.raw("HTTP/1.1 302 Moved\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"),
    "speaks another protocol": fake_llama.raw("SSH-2.0-OpenSSH\r\n\r\n"),
    "shows a page": fake_llama.answers("200 OK", "<html>hello</html>"),
    "says garbage": fake_llama.says_after(0, "data: %%%\n\n"),
    "says foreign ids": fake_llama.says_after(0, 'data: {"tokens": [99999999], "stop": false}\n\n'),
    "says no ids": fake_llama.says_after(0, 'data: {"content": "plain", "stop": false}\n\n'),
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_one_bad_server_of_three_costs_no_request(name, blind, copied, tmp_path):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(FakeLlama(blind.n_vocab)) for _ in range(3)]
        g = stack.enter_context(gateway(blind.runner, copied, [s.url for s in servers], tmp_path / "log",
                                        "--upstream-kind", "llama-server"))
        wait_for(lambda: all(len(s.requests) >= 2 for s in servers), 10, "the three admissions")
        expected = ask(g, CHAT, chat_body(WORDS)).json["choices"][0]["message"]
        servers[0].script = MISBEHAVIOURS[name]
        if isinstance(MISBEHAVIOURS[name], Slow):
            servers[0].frozen = True
        for stream in (False, True):
            for _ in range(6):
                answer = ask(g, CHAT, chat_body(WORDS, stream=stream))
                assert answer.status == 200, answer.body
                if stream:
                    chunks = [json.loads(data) for data in events(answer.body)[:-1]]
                    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == expected["content"]
                else:
                    assert answer.json["choices"][0]["message"]["content"] == expected["content"]


def test_another_key_is_refused_at_the_start(blind, blind_server, tmp_path):
    key = tmp_path / "other.key"
    subprocess.run([blind.runner.program, "keygen", "-o", key, "--no-passphrase"], check=True, capture_output=True)
    command = gateway_command(blind.runner, blind.client, [blind_server.url], free_port())
    command[command.index("-k") + 1] = str(key)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "key" in done.stderr and done.stdout == ""


def test_two_servers_stand_in_for_each_other(blind, copied, tmp_path):
    first, second = FakeLlama(blind.n_vocab), FakeLlama(blind.n_vocab)
    with gateway(blind.runner, copied, [first.url, second.url], tmp_path / "log", "--upstream-kind", "llama-server") as g:
        reference = ask(g, CHAT, chat_body(WORDS)).json["choices"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda _: ask(g, CHAT, chat_body(WORDS)).json["choices"], range(24)))
        assert all(choices == reference for choices in said)
        assert first.questions() and second.questions(), "the work is not shared"
        # One dies, with requests on their way.
        first.script = fake_llama.raw("")
        assert all(ask(g, CHAT, chat_body(WORDS)).json["choices"] == reference for _ in range(6))
        first.close()
        assert all(ask(g, CHAT, chat_body(WORDS)).json["choices"] == reference for _ in range(6))
        assert ask(g, "/health").status == 200
        # Another model under its address gets no question, and does no harm.
        imposter = FakeLlama(blind.n_vocab, model=5, port=first.port)
        time.sleep(3.2)
        answers = [ask(g, CHAT, chat_body(WORDS)) for _ in range(6)]
        assert imposter.questions() == []
        assert [a.status for a in answers] == [200] * 6
        imposter.close()
        # It comes back.
        back = FakeLlama(blind.n_vocab, port=first.port)
        time.sleep(3.2)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert {a.status for a in pool.map(lambda _: ask(g, CHAT, chat_body(WORDS)), range(24))} == {200}
        assert back.questions()
        back.close()
        second.close()
        lost = ask(g, CHAT, chat_body(WORDS))
        assert lost.status == 503 and int(lost.headers["retry-after"]) >= 1 and ask(g, "/health").status == 503
        # A stream that has begun does not move: the text would begin again.
        third = FakeLlama(blind.n_vocab, port=second.port)
        third.script = fake_llama.dies_after(4)
        time.sleep(3.2)
        streamed = events(ask(g, CHAT, chat_body(WORDS, stream=True)).body)
        assert "error" in json.loads(streamed[-1]) and len(third.questions()) == 1
        third.close()


# --- clients that misbehave


def test_a_slow_reader_holds_up_nobody(front, blind_server):
    wait_for(lambda: not any(s["is_processing"] for s in slots(blind_server)))
    before = front.rss()
    body = chat_body(logprobs=True, top_logprobs=20, **LONG)
    s, head = open_stream(front, body, receive_buffer=4096)
    time.sleep(1)
    begun = time.monotonic()
    assert all(ask(front, CHAT, chat_body()).status == 200 for _ in range(5))
    assert time.monotonic() - begun < 5
    assert front.rss() - before < 32 << 20
    # In the end it gets everything.
    data = bytearray(head)
    s.settimeout(60)
    while not data.endswith(b"\r\n0\r\n\r\n"):
        piece = s.recv(1 << 16)
        assert piece, "the stream is cut"
        data += piece
    s.close()
    assert data.count(b'"finish_reason":"length"') == 1 and b"data: [DONE]" in data


def test_many_clients_that_leave(front, blind_server):
    for i in range(60):
        s, _ = open_stream(front, chat_body(**LONG)) if i % 3 else (socket.create_connection(("127.0.0.1", front.port)), b"")
        if i % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    wait_for(lambda: not any(s["is_processing"] for s in slots(blind_server)), 5, "the end of all generations")
    assert ask(front, CHAT, chat_body()).status == 200


def test_clients_that_send_drop_by_drop_shut_nobody_out(blind, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    client = tmp_path / "client"
    shutil.copytree(blind.client, client, ignore=shutil.ignore_patterns("canary.json"))
    with FakeLlama(blind.n_vocab) as fake, contextlib.ExitStack() as open_ones:
        with gateway(blind.runner, client, [fake.url], tmp_path / "log", "--upstream-kind", "llama-server") as g:
            drops = [open_ones.enter_context(socket.create_connection(("127.0.0.1", g.port))) for _ in range(1024)]
            for s in drops:
                s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nX: ")
            for _ in range(4):
                for s in drops:
                    with contextlib.suppress(OSError):
                        s.send(b"x")
                begun = time.monotonic()
                assert ask(g, "/v1/models", timeout=5).status == 200
                assert time.monotonic() - begun < 2
                time.sleep(0.5)
            begun = time.monotonic()
            assert g.end(signal.SIGTERM) == 0
            assert time.monotonic() - begun < 5


def hostile(rng, port):
    """One malformed, truncated or odd request."""
    path = rng.choice([CHAT, COMPLETE, RESPOND, "/v1/models", "/tokenize", "/detokenize", "/", "/health", "/v1/models/%ff", "/" + "a" * 5000])
    good = rng.choice([chat_body("a", max_tokens=1), {"prompt": "a", "max_tokens": 1}, {"input": "a", "max_output_tokens": 1}])
    body = json.dumps(good).encode()
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(6)
        at = rng.randrange(len(body) + 1)
        if kind == 0:
            body = body[:at]
        elif kind == 1:
            body = body[:at] + rng.randbytes(rng.randrange(1, 9)) + body[at:]
        elif kind == 2 and body:
            at = min(at, len(body) - 1)
            body = body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1:]
        elif kind == 3:
            body = body[:at] + rng.choice([b"[" * 90, b'{"a":' * 90, b"\0", b"null", b"1e400", b"-", b'"', b"\\ud800", b"\xff"]) + body[at:]
        elif kind == 4:
            body = body + body
        else:
            body = body.replace(b"1", rng.choice([b"99999999999999999999", b"-1", b"1.5", b"true", b"[1]", b'""']))
    lines = [rng.choice([f"POST {path} HTTP/1.1"] * 12 + [f"GET {path} HTTP/1.1", f"POST {path} HTTP/9.9", f"{path}", "", "\0\0\0",
                                                         f"BREW {path} HTTP/1.1", f"POST  {path}  HTTP/1.1", "GET / HTTP/1.1\r\n" + "a" * 9000])]
    headers = [f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    length = rng.choice([str(len(body))] * 12 + [str(len(body) + 40), str(max(0, len(body) - 5)), "-1", "x", "99999999999999999999", "0", ""])
    headers.append(f"Content-Length: {length}")
    odd = ["Transfer-Encoding: chunked", "Content-Encoding: gzip", "Expect: 100-continue", "Range: bytes=0-", "X: " + "y" * 9000, "no colon",
           ": empty", "Host: evil.example", "Connection: keep-alive", "Accept-Encoding: br", "\tfolded", "Content-Type: multipart/form-data; boundary=x",
           "Origin: null", "Authorization: Bearer \xff"]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        headers.insert(rng.randrange(len(headers) + 1), rng.choice(odd))
    data = "\r\n".join(lines + headers).encode("latin-1") + b"\r\n\r\n" + body
    if rng.random() < 0.2:
        data = data[:rng.randrange(len(data) + 1)]
    if rng.random() < 0.05:
        data = rng.randbytes(rng.randrange(300))
    return data


def attack(port, seed, n):
    """How many got an answer."""
    rng, answered = random.Random(seed), 0
    for _ in range(n):
        with socket.socket() as s:
            s.settimeout(10)
            try:
                s.connect(("127.0.0.1", port))
                s.sendall(hostile(rng, port))
                if rng.random() < 0.15:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    continue
                s.shutdown(socket.SHUT_WR)
                answer = s.recv(1 << 16)
                answered += bool(answer)
                assert answer == b"" or re.match(rb"HTTP/1\.[01] \d{3} ", answer), answer[:100]
            except (ConnectionError, BrokenPipeError):
                pass
    return answered


def test_ten_thousand_hostile_requests(front, blind_server):
    attack(front.port, 1, 500)
    warm = front.rss()
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answered = sum(pool.map(lambda seed: attack(front.port, seed, 1000), range(10, 20)))
    assert time.monotonic() - begun < 40
    assert answered > 5000
    assert ask(front, CHAT, chat_body()).json["usage"]["completion_tokens"] > 0
    assert ask(front, "/health").json == {"status": "ok"}
    assert front.process.poll() is None
    wait_for(lambda: front.rss() < warm + (24 << 20), 5, "the end of what the requests took in memory")
    wait_for(lambda: len(os.listdir(f"/proc/{front.pid}/task")) < 80, 15, "the end of the threads")
    wait_for(lambda: len(os.listdir(f"/proc/{front.pid}/fd")) < 60, 15, "the end of the connections")


def test_nothing_of_requests_is_said(front):
    secret = "canary-4711-bird"
    for body in (chat_body(secret), chat_body(secret, temperature=secret), {secret: secret}, {"messages": [{"role": secret, "content": secret}]},
                 chat_body(tools=[{"type": "function", "function": {"name": secret}}]), chat_body(stop=[secret]),
                 chat_body(response_format={"type": secret})):
        ask(front, CHAT, body)
        ask(front, CHAT, json.dumps(body)[:-1] + secret)
    assert secret not in front.said()
    metrics = ask(front, "/metrics").body.decode()
    assert secret not in metrics and "isoveil" in metrics and "tiny" not in metrics


def test_metrics_count_what_usage_tells(front):
    def counted():
        text = ask(front, "/metrics").body.decode()
        names = ("prompt_tokens_total", "completion_tokens_total", "first_token_seconds_count")
        return [int(re.search(rf'^isoveil_{name}{{server="1"}} (\d+)$', text, re.M)[1]) for name in names]

    before = counted()
    usage = ask(front, CHAT, chat_body()).json["usage"]
    deadline = time.monotonic() + 5
    while counted() == before and time.monotonic() < deadline:  # the record ends after the answer
        time.sleep(0.02)
    assert [b - a for a, b in zip(before, counted())] == [usage["prompt_tokens"], usage["completion_tokens"], 1]


def test_a_log_of_requests_without_content(blind, blind_server, tmp_path):
    secret, key = "canary-4711-bird", "sk-4711-0123456789abc"
    (tmp_path / "keys").write_text(key)
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--log", "json", "--metrics", "--api-key-file",
                 tmp_path / "keys") as g:
        known = {"Authorization": f"Bearer {key}"}
        usage = ask(g, CHAT, chat_body(secret, user=secret), known).json["usage"]
        streamed = events(ask(g, "/chat/completions", chat_body(secret, stream=True, max_tokens=7, ignore_eos=True), known).body)
        assert streamed[-1] == "[DONE]"
        for path in (f"/v1/responses/{secret}", f"/v1/{secret}?{secret}={secret}", "/health", "/metrics", "/isoveil/status", "/"):
            ask(g, path, headers=known)
        ask(g, CHAT, chat_body(secret, temperature=secret), known)
        ask(g, CHAT, chat_body(secret), {"Authorization": f"Bearer {secret}"})
        # One that leaves.
        open_stream(g, chat_body(secret, **LONG), known)[0].close()

        def lines():
            return [json.loads(line) for line in g.said().splitlines() if line.startswith("{")]
        wait_for(lambda: len(lines()) >= 7, 10, "the last line")
        log = lines()
    said = g.said()
    assert secret not in said and key not in said and "resp_" not in said and "req_" not in said
    assert [(e["method"], e["endpoint"], e["status"]) for e in log] == [
        ("POST", CHAT, 200), ("POST", CHAT, 200), ("GET", "/v1/responses/{id}", 404), ("GET", None, 404), ("POST", CHAT, 400), ("POST", CHAT, 401),
        ("POST", CHAT, 499)]
    answered, stream, *refused = log
    assert (answered["prompt_tokens"], answered["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert (stream["prompt_tokens"], stream["completion_tokens"]) == (usage["prompt_tokens"], 7)
    for entry in (answered, stream):
        assert entry["server"] == blind_server.url and 0 < entry["first_token_ms"] <= entry["ms"] < 60_000
        assert time.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S." + entry["time"][-4:-1] + "Z")
    assert all(e["server"] is None and e["completion_tokens"] == 0 and e["first_token_ms"] is None for e in refused[:4])
    assert refused[4]["completion_tokens"] > 0


def test_the_log_tells_a_stream_that_broke(blind, tmp_path):
    with FakeLlama(blind.n_vocab) as fake:
        client = tmp_path / "client"
        shutil.copytree(blind.client, client, ignore=shutil.ignore_patterns("canary.json"))
        with gateway(blind.runner, client, [fake.url], tmp_path / "log", "--log", "text", "--upstream-kind", "llama-server") as g:
            fake.script = fake_llama.says_after(3, 'data: {"tokens": [99999999], "stop": false}\n\n')
            ask(g, CHAT, chat_body(stream=True))
            wait_for(lambda: "status=" in g.said(), 5, "the line")
            line = next(line for line in g.said().splitlines() if "status=" in line)
    assert " POST /v1/chat/completions status=502 " in line and " completion_tokens=3 " in line and line.endswith(f" server={fake.url}"), line


def test_error_texts_quote_nothing_of_messages(front):
    secret = "canary-4711-bird"
    for body in (chat_body(secret, temperature=secret), chat_body(secret, n=secret), {"messages": secret}, chat_body(stop={"a": secret}),
                 {"messages": [{"role": secret, "content": {secret: secret}}]}, chat_body(secret, logit_bias={secret: 1}),
                 chat_body(tools=[{"type": secret}]), chat_body(response_format={"type": secret}), chat_body(tool_choice=secret)):
        answer = ask(front, CHAT, body)
        assert answer.status == 400 and secret not in answer.body.decode(), body
    answer = ask(front, CHAT, '{"messages": "' + secret)
    assert answer.status == 400 and secret not in answer.body.decode()


# --- the process


def test_interrupted_while_a_stream_runs(blind, blind_server, tmp_path):
    for how in (signal.SIGINT, signal.SIGTERM):
        with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log") as g:
            streams = [open_stream(g, chat_body(**LONG))[0] for _ in range(3)]
            begun = time.monotonic()
            assert g.end(how) == 0
            assert time.monotonic() - begun < 5
            for s in streams:
                s.close()
    wait_for(lambda: not any(s["is_processing"] for s in slots(blind_server)), 3, "the end of the generations")
    assert "error" not in (tmp_path / "log").read_text().lower()


def test_port_in_use(blind, blind_server, front):
    command = gateway_command(blind.runner, blind.client, [blind_server.url], front.port)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    said = [line for line in done.stderr.splitlines() if "passphrase" not in line]
    assert len([line for line in said if "in use" in line]) == 1 and len(said) <= 2 and any("--port" in line for line in said), said


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_up_leaves_no_server_behind(blind, tmp_path):
    for how in ("end", signal.SIGTERM, signal.SIGKILL):
        with serving_up(blind.runner.program, blind.source, tmp_path) as up:
            assert alive(up["server_pid"])
            if how != "end":
                os.kill(up["pid"], how)
                wait_for(lambda: not alive(up["server_pid"]), 10, "the server's end")
        wait_for(lambda: not alive(up["server_pid"]) and not alive(up["pid"]), 10, "the server's end")


def test_no_core_dumps(front):
    limits = pathlib.Path(f"/proc/{front.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)
