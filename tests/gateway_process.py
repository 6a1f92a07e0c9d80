"""Processes of the gateway tests: llama-server and `isoveil gateway`, with their logs, memory and HTTP."""

import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

# Flash attention and the key-value cache round to sixteen bits, in an order that depends on who else is served.
STEADY = ["-fa", "off", "-ctk", "f32", "-ctv", "f32"]

CHAT, COMPLETE, RESPOND = "/v1/chat/completions", "/v1/completions", "/v1/responses"
KEYS = ["first-key-0123456789abc", "second-key-0123456789ab"]
LONG = dict(max_tokens=3500, ignore_eos=True, stream=True)
WORDS = "the front desk"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Served:
    """A running server: `url`, `port`, `pid`, `process`, and `log`, the file of all that it says."""

    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, pathlib.Path(log)
        self.url, self.pid = f"http://127.0.0.1:{port}", process.pid

    def said(self):
        return self.log.read_text(errors="replace")

    def peak(self):
        """The most that it has had in memory."""
        return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) * 1024

    def rss(self):
        """resident bytes"""
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096

    def end(self, how=signal.SIGINT, seconds=15):
        """The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def start(command, port, log, path="/health", seconds=20, env=None):
    """Starts a server and waits until it answers."""
    with open(log, "ab") as file:
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)
    served = Served(process, port, log)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, served.said()[-3000:]
        try:
            urllib.request.urlopen(served.url + path, timeout=2).read()
            return served
        except urllib.error.HTTPError:
            pass
        except OSError:
            pass
        time.sleep(0.03)
    process.kill()
    raise AssertionError(f"{command[0]} does not become ready")


@contextlib.contextmanager
def llama_server(binary, model, log, *args):
    port = free_port()
    served = start([binary, "-m", model, "--host", "127.0.0.1", "--port", port, "-t", "1", "-tb", "1", "-c", "16384",
                    "-np", "4", *STEADY, "--no-webui", *args], port, log)
    try:
        yield served
    finally:
        served.end(signal.SIGTERM)


def gateway_command(runner, client, upstreams, port, *args):
    command = [runner.program, "gateway", client, "-k", runner.key, "--port", port, *args]
    for url in upstreams:
        command += ["--upstream", url]
    return [str(c) for c in command]


@contextlib.contextmanager
def gateway(runner, client, upstreams, log, *args, path="/health"):
    port = free_port()
    served = start(gateway_command(runner, client, upstreams, port, *args), port, log, path)
    try:
        yield served
    finally:
        served.end()


def without_canary(client, to):
    """A copy of a client folder that has met no server yet."""
    return shutil.copytree(client, to, ignore=shutil.ignore_patterns("canary.json"))


def refuses_to_start(blind, upstreams, *args, client=None):
    """The exit code of a gateway that does not start, and the lines that it says."""
    command = gateway_command(blind.runner, client or blind.client, upstreams, free_port(), *args)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and done.stdout == ""
    return done.returncode, [line for line in done.stderr.splitlines() if "is not sealed by a passphrase" not in line]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers}, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["message"] and error["type"]
        return error


def ask(served, path, body=None, headers=None, method=None, timeout=60):
    """One request; a body that is no text is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=timeout)
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    given = {"Content-Type": "application/json"} if body is not None else {}
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, body, {**given, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def events(text):
    """The data of a whole event stream."""
    if isinstance(text, bytes):
        text = text.decode()
    return [line[6:] for line in text.split("\n") if line.startswith("data: ")]


def chat_body(text="hello", **more):
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 16, **more}


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


def metric(served, name):
    """The sum over all servers of a number that /metrics tells; the gateway must have --metrics."""
    text = ask(served, "/metrics").body.decode()
    return sum(float(value) for value in re.findall(rf"^isoveil_{name}(?:{{.*}})? (\S+)$", text, re.M))


def wait_until_ready(served, n, seconds=10):
    """Until `n` servers have been admitted; the gateway must have --metrics."""
    wait_for(lambda: metric(served, "upstreams_ready") == n, seconds, f"the admission of {n} servers")


def slots(server):
    return json.loads(urllib.request.urlopen(server.url + "/slots", timeout=10).read())


def wait_for(condition, seconds=10, what="the condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.03)
    raise AssertionError(f"{what} does not come true within {seconds} s")
