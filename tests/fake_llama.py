"""A llama-server of lies: it answers as a test says, byte by byte.

    with FakeLlama(n_vocab=914) as fake:
        fake.script = fake_llama.dies_after(3)     # what /completion does from now on
        ...
        fake.prompts                               # the ids that came

A script is called with a `Peer` for each request. Without one the answer is a sequence of ids that depends on the
prompt and `model` alone, as that of a greedy model does.
"""

import http.server
import json
import select
import socket
import threading
import time


class Peer:
    def __init__(self, handler, body, fake):
        self.body, self.fake, self.socket = body, fake, handler.connection
        self.n = body["n_predict"]

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def head(self, status="200 OK", kind="text/event-stream"):
        self.send(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n")

    def ids(self):
        # Each follows from all before it, so that an answer may be begun by one server and ended by another.
        ids, said = list(self.body["prompt"]), []
        for _ in range(self.n):
            said.append((sum(ids) * 7 + len(ids) + 31 * self.fake.model) % self.fake.n_vocab)
            ids.append(said[-1])
        return said

    def event(self, data):
        self.send(f"data: {json.dumps(data)}\n\n")

    def token(self, token_id):
        event = {"content": "", "tokens": [token_id], "stop": False}
        if self.body.get("n_probs"):
            event["completion_probabilities"] = [{"id": token_id, "logprob": -0.1, "top_logprobs": [{"id": token_id, "logprob": -0.1}]}]
        self.event(event)

    def end(self, **more):
        self.event({"tokens": [], "stop": True, "stop_type": "limit", "tokens_evaluated": len(self.body["prompt"]),
                    "tokens_predicted": self.n, **more})

    def gone(self, seconds):
        """True once the other side has closed the connection."""
        ready, _, _ = select.select([self.socket], [], [], seconds)
        try:
            return bool(ready) and self.socket.recv(1) == b""
        except OSError:
            return True


def honest(peer):
    peer.head()
    for token_id in peer.ids():
        peer.token(token_id)
    peer.end()


def dies_after(n):
    """n tokens, then the connection is closed"""
    def script(peer):
        peer.head()
        for token_id in peer.ids()[:n]:
            peer.token(token_id)
    return script


def says_after(n, data):
    """n tokens, then bytes"""
    def script(peer):
        dies_after(n)(peer)
        peer.send(data)
    return script


def answers(status, body):
    def script(peer):
        peer.head(status, "application/json")
        peer.send(body)
    return script


def raw(data):
    return lambda peer: peer.send(data)


class Slow:
    """n tokens, then silence; `left` is set when the other side has closed the connection."""

    def __init__(self, n):
        self.n, self.begun, self.left = n, threading.Event(), threading.Event()

    def __call__(self, peer):
        if self.n:
            dies_after(self.n)(peer)
        self.begun.set()
        if peer.gone(20):
            self.left.set()


class FakeLlama:
    def __init__(self, n_vocab, model=1, port=0, version="HTTP/1.1", n_context=4096):
        self.n_vocab, self.model, self.script, self.requests = n_vocab, model, honest, []
        self.n_looks = 0  # by the one who watches whether it is there
        self.frozen = False  # says nothing at all any more
        self.connections = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            # Connections are kept, as llama-server does.
            protocol_version = version

            def setup(self):
                super().setup()
                fake.connections.append(self.connection)

            def log_message(self, *args):
                pass

            def reply(self, body, status=200):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                fake.n_looks += 1
                while fake.frozen:
                    time.sleep(0.05)
                if self.path == "/v1/models":
                    self.reply({"data": [{"id": "x", "meta": {"n_vocab": fake.n_vocab, "n_ctx": n_context, "n_embd": 8}}]})
                else:
                    self.reply({"status": "ok", "total_slots": 1, "build_info": "fake"})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                while fake.frozen:
                    time.sleep(0.05)
                if self.path != "/completion":
                    return self.reply({"error": {"code": 501, "message": "no"}}, 501)
                fake.requests.append(body)
                try:
                    (fake.script if fake.is_question(body) else honest)(Peer(self, body, fake))
                except OSError:
                    pass
                self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def is_question(self, body):
        """Not the test sequence and the first contact, which are of 24 ids and of one."""
        return len(body["prompt"]) not in (1, 24)

    def questions(self):
        return [body for body in self.requests if self.is_question(body)]

    def n_asked(self):
        return len(self.questions())

    def again(self, model=1):
        return FakeLlama(self.n_vocab, model, self.port)

    def close(self):
        """As the end of a process: its connections are closed with it."""
        self.frozen = False
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
