"""Paths, methods, headers and bodies."""

import gzip
import json
import re
import socket
import zlib

from gateway_process import CHAT, COMPLETE, RESPOND, ask, chat_body, gateway


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
