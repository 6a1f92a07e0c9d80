"""Clients that ask too much, read slowly, leave, or send garbage."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import signal
import socket
import struct
import time

from fake_llama import FakeLlama
from gateway_process import CHAT, COMPLETE, KEYS, LONG, RESPOND, ask, chat_body, gateway, open_stream, slots, wait_for


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


def unsent(port):
    """Bytes that a server has sent and its readers have not taken."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[0], 16) for row in rows if int(row[1].split(":")[1], 16) == port)


def test_a_slow_reader_holds_up_nobody(front, blind_server):
    wait_for(lambda: not any(s["is_processing"] for s in slots(blind_server)))
    before = front.rss()
    body = chat_body(logprobs=True, top_logprobs=20, **LONG)
    s, head = open_stream(front, body, receive_buffer=4096)
    wait_for(lambda: unsent(front.port) > 1 << 16, 10, "that the answer waits for its reader")
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


def test_clients_that_send_drop_by_drop_shut_nobody_out(blind, copied, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with FakeLlama(blind.n_vocab) as fake, contextlib.ExitStack() as open_ones:
        with gateway(blind.runner, copied, [fake.url], tmp_path / "log", "--upstream-kind", "llama-server") as g:
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
