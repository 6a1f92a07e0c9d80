"""Every fenced block of README.md is run as it stands there; only the two ports are exchanged for free ones."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from conftest import ROOT

TEXT = (ROOT / "README.md").read_text()
# The list of further commands: what stands before two spaces or the end of a line.
LISTED = re.findall(r"^    (isoveil .*?)(?:  .*)?$", TEXT, re.M)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.S | re.M)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url, process):
    for _ in range(600):
        assert process.poll() is None, f"ended with {process.returncode}"
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not become ready")


def end(process):
    process.send_signal(signal.SIGINT)
    process.wait(20)


def test_the_blocks_are_what_this_test_runs():
    assert [language for language, _ in BLOCKS] == ["python", "sh", "sh", "sh"]


def test_readme(isoveil, tmp_path):
    pytest.importorskip("openai", reason="the official client is in tests/requirements.lock")
    (python, prepare, serve, gateway) = [text for _, text in BLOCKS]
    (tmp_path / "models").symlink_to(ROOT / "models")
    ports = {"8081": str(free_port()), "8080": str(free_port())}

    def local(text):
        for shown, free in ports.items():
            text = text.replace(f":{shown}", f":{free}").replace(f"--port {shown}", f"--port {free}")
        return re.sub(r"^isoveil ", f"exec {isoveil} ", text, flags=re.M)

    def start(text, *more):
        command = local(text).strip() + "".join(" " + m for m in more)
        return subprocess.Popen(["bash", "-c", command], cwd=tmp_path, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    done = subprocess.run(["bash", "-ec", local(prepare).replace("exec ", "")], cwd=tmp_path, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    server = start(serve)
    try:
        wait_for(f"http://127.0.0.1:{ports['8081']}/health", server)
        front = start(gateway, "--port", ports["8080"], "--name", "front-desk")
        try:
            wait_for(f"http://127.0.0.1:{ports['8080']}/health", front)
            said = subprocess.run([sys.executable, "-c", local(python)], capture_output=True, text=True, timeout=120)
            assert said.returncode == 0, said.stderr
            assert len(said.stdout.split()) >= 3
            [chat] = [c for c in LISTED if c.startswith("isoveil chat")]
            command = local(f"{chat} --upstream http://127.0.0.1:8081 --temperature 0")
            said = subprocess.run(["bash", "-c", command], cwd=tmp_path, input="Hello\n", capture_output=True, text=True, timeout=60)
            assert said.returncode == 0 and len(said.stdout.split()) >= 3, said.stderr
        finally:
            end(front)
        assert front.returncode == 0
    finally:
        end(server)


def test_the_listed_commands(isoveil, tmp_path):
    """Those that need nothing else; chat runs above, pull has a test file of its own, generate, tokens and vectors are only named."""
    (tmp_path / "model").symlink_to(ROOT / "models/front-desk")
    run = lambda command: subprocess.run(["bash", "-c", re.sub("^isoveil", isoveil, command)], cwd=tmp_path, capture_output=True, text=True)
    names = {"MODEL": "model", "PATH": "model", "OWNER/NAME": "--help"}
    done = set()
    for command in LISTED:
        if "chat" in command or "," in command:
            continue
        for shown, real in names.items():
            command = command.replace(shown, real)
        said = run(command)
        assert said.returncode == 0 and said.stdout + said.stderr, (command, said.stderr)
        done.add(command.split()[1])
    assert done == {"inspect", "models", "encrypt", "pull", "convert"}
    assert (tmp_path / "plain/model.gguf").is_file()
    for named in set(re.findall(r"isoveil (\w+)", TEXT)):
        assert run(f"isoveil {named} --help").returncode == 0, named
