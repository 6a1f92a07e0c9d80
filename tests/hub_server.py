"""A model hub for tests: the API, files in git and in LFS, a second host for large files, and faults on demand.

    with Hub() as hub:
        hub.add("config.json", b"{}")
        hub.add("model.safetensors", content, lfs=True)
        hub.fault("model.safetensors", "drop", after=1000)
        ... hub.endpoint, hub.requests ...

It answers as the public hub does: /api/models/R/revision/REV gives the commit, /api/models/R/tree/COMMIT pages
through the files with Link headers, /R/resolve/COMMIT/PATH serves a small file by way of a relative redirect and
sends large ones to the other host, which knows ranges and entity tags.
"""

import dataclasses
import hashlib
import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

REPO = "maker/tiny-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_aVerySecretTokenOfTheTests"


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclasses.dataclass
class File:
    path: str
    content: bytes
    lfs: bool
    listed_size: int

    @property
    def sha256(self):
        return hashlib.sha256(self.content).hexdigest()

    def entry(self):
        entry = {"type": "file", "oid": git_sha1(self.content), "size": self.listed_size, "path": self.path}
        if self.lfs:
            entry["oid"] = git_sha1(b"a pointer")
            entry["lfs"] = {"oid": self.sha256, "size": self.listed_size, "pointerSize": 135}
        return entry


@dataclasses.dataclass
class Request:
    host: str  # "hub" or "cdn"
    path: str
    headers: dict
    status: int = 0
    sent: int = 0  # bytes of body


@dataclasses.dataclass
class Fault:
    """What happens to the next `times` answers about a file (or to the API, for the path "")."""

    kind: str
    times: int
    after: int = 0  # bytes that are sent before
    seconds: float = 0
    status: int = 503
    retry_after: str = ""
    code: str = ""  # X-Error-Code
    message: str = ""
    location: str = ""
    content: bytes = b""


class Hub:
    """`endpoint` is its URL; `requests` what it was asked; `commit` what every branch means now."""

    def __init__(self, tls=None, cdn_tls="same", page=3, token=""):
        self.files, self.faults, self.requests = {}, [], []
        self.commit, self.revisions, self.page, self.token = COMMIT, {"main", COMMIT}, page, token
        self.extra_entries = []
        self.rate = 0  # bytes a second of a body; 0 is no limit
        self.etag_salt = ""
        self._lock = threading.Lock()
        self._servers = {}
        for host, context in (("hub", tls), ("cdn", tls if cdn_tls == "same" else cdn_tls)):
            server = _Server(("127.0.0.1", 0), _Handler)
            server.hub, server.name = self, host
            server.scheme = "https" if context else "http"
            if context:
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            self._servers[host] = server

    def __enter__(self):
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def url(self, host):
        server = self._servers[host]
        return f"{server.scheme}://127.0.0.1:{server.server_address[1]}"

    @property
    def endpoint(self):
        return self.url("hub")

    def add(self, path, content, lfs=False, listed_size=None):
        self.files[path] = File(path, content, lfs, len(content) if listed_size is None else listed_size)

    def fault(self, path, kind, times=1, **what):
        self.faults.append((path, Fault(kind, times, **what)))

    def take(self, path, kinds):
        with self._lock:
            for where, fault in self.faults:
                if where == path and fault.kind in kinds and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def sent(self, path):
        """Bytes of the file's content that went out, over both hosts."""
        quoted = urllib.parse.quote(path)
        return sum(r.sent for r in self.requests if r.path.split("?")[0].endswith("/" + quoted) and r.status in (200, 206))

    def entries(self):
        folders = {p.rsplit("/", 1)[0] for p in self.files if "/" in p}
        listed = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": p} for p in sorted(folders)]
        return listed + [f.entry() for f in self.files.values()] + self.extra_entries


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients of these tests break connections


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub = self.server.hub
        self.record = Request(self.server.name, self.path, {k.lower(): v for k, v in self.headers.items()})
        hub.requests.append(self.record)
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        if self.server.name == "cdn":
            return self.cdn(path.removeprefix("/blobs/"))
        if path.startswith("/api/models/"):
            return self.api(url)
        if path.startswith("/api/resolve-cache/"):
            return self.small(path.split(hub.commit + "/", 1)[1])
        return self.resolve(path)

    do_HEAD = do_GET

    # Answers

    def reply(self, status, body=b"", headers=(), file=None, fault=None):
        self.record.status = status
        self.send_response(status)
        for name, value in dict({"Content-Length": len(body)}, **dict(headers)).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.body(body, fault)

    def body(self, body, fault):
        hub, end = self.server.hub, len(body)
        if self.command == "HEAD":
            return
        if fault and fault.kind in ("drop", "stall"):
            end = min(end, fault.after)
        piece = max(1, hub.rate // 50) if hub.rate else 1 << 16
        for start in range(0, end, piece):
            part = body[start : min(end, start + piece)]
            self.wfile.write(part)
            self.record.sent += len(part)
            if hub.rate:
                time.sleep(0.02)
        if fault and fault.kind == "stall":
            time.sleep(fault.seconds)
        if end < len(body):
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def error(self, status, code="", message="", retry_after=""):
        headers = {"X-Error-Code": code, "X-Error-Message": message, "Retry-After": retry_after}
        body = json.dumps({"error": message}).encode()
        self.reply(status, body, {k: v for k, v in headers.items() if v})

    def fails(self, path, host):
        """Answers with the status, redirect or silence that was asked for."""
        fault = self.server.hub.take(path, {"status", f"{host}-status"})
        if fault:
            message = fault.message.replace("$TOKEN", self.headers.get("Authorization", "").removeprefix("Bearer "))
            if fault.content:
                self.reply(fault.status, fault.content)
            else:
                self.error(fault.status, fault.code, message, fault.retry_after)
            return True
        fault = self.server.hub.take(path, {"redirect", f"{host}-redirect"})
        if fault:
            self.reply(302, headers={"Location": fault.location.replace("$SELF", self.path)})
        return fault is not None

    # The hub

    def api(self, url):
        hub = self.server.hub
        if self.fails("", "hub"):
            return
        rest = url.path.removeprefix("/api/models/")
        if not rest.startswith(REPO + "/") or (hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}"):
            return self.error(401, "RepoNotFound", "Repository not found")
        verb, revision = rest.removeprefix(REPO + "/").split("/", 1)
        if urllib.parse.unquote(revision) not in hub.revisions | {hub.commit} or "/" in revision:
            return self.error(404, "RevisionNotFound", "Invalid rev id: " + revision)
        if verb == "revision":
            siblings = [{"rfilename": p} for p in hub.files]
            return self.reply(200, json.dumps({"id": REPO, "sha": hub.commit, "siblings": siblings}).encode())
        query = urllib.parse.parse_qs(url.query)
        assert query["recursive"] == ["true"]
        start = int(query.get("cursor", ["0"])[0])
        entries = hub.entries()
        headers = {}
        if start + hub.page < len(entries):
            after = f"{hub.endpoint}{url.path}?recursive=true&cursor={start + hub.page}"
            headers["Link"] = f'<{after}>; rel="next"'
        self.reply(200, json.dumps(entries[start : start + hub.page]).encode(), headers)

    def resolve(self, path):
        hub = self.server.hub
        prefix = f"/{REPO}/resolve/{hub.commit}/"
        name = path.removeprefix(prefix)
        if not path.startswith(prefix) or name not in hub.files:
            return self.error(404, "EntryNotFound", "Entry not found")
        if self.fails(name, "hub"):
            return
        file = hub.files[name]
        quoted = urllib.parse.quote(name)
        fault = hub.take(name, {"commit", "linked-size"})
        headers = {
            "X-Repo-Commit": "f" * 40 if fault and fault.kind == "commit" else hub.commit,
            "X-Linked-Size": 7 if fault and fault.kind == "linked-size" else file.listed_size,
            "X-Linked-Etag": f'"{file.sha256 if file.lfs else git_sha1(file.content)}"',
        }
        if file.lfs:
            headers["Location"] = f"{hub.url('cdn')}/blobs/{quoted}?Signature=verysecretsignature"
            return self.reply(302, headers=headers)
        headers["Location"] = f"/api/resolve-cache/models/{REPO}/{hub.commit}/{quoted}"
        self.reply(307, headers=headers)

    def small(self, name):
        file = self.server.hub.files[name]
        self.content(file, git_sha1(file.content), {"X-Repo-Commit": self.server.hub.commit})

    # The other host

    def cdn(self, name):
        if self.fails(name, "cdn"):
            return
        file = self.server.hub.files[name]
        self.content(file, hashlib.md5(file.content).hexdigest(), {})

    def content(self, file, etag, headers):
        hub = self.server.hub
        etag = f'"{etag}{hub.etag_salt}"'
        fault = hub.take(file.path, {"drop", "stall", "ignore-range", "content", "bad-range", "chunked"})
        body = fault.content if fault and fault.kind == "content" else file.content
        if fault and fault.kind == "chunked":
            return self.chunked(fault.content)
        asked = self.headers.get("Range")
        valid = self.headers.get("If-Range", etag) == etag
        if not asked or not valid or (fault and fault.kind == "ignore-range"):
            return self.reply(200, body, dict(headers, ETag=etag, **{"Accept-Ranges": "bytes"}), file, fault)
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(body):
            return self.error(416)
        said = begin + 1 if fault and fault.kind == "bad-range" else begin
        headers = dict(headers, ETag=etag, **{"Content-Range": f"bytes {said}-{len(body) - 1}/{len(body)}"})
        self.reply(206, body[begin:], headers, file, fault)

    def chunked(self, body):
        """No Content-Length: only the count of bytes tells."""
        self.record.status = 200
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        self.record.sent += len(body)


def tls_context(folder):
    """(server context, path of the certificate to trust) for 127.0.0.1"""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
