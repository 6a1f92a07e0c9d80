"""Fixtures of the end-to-end tests: the built programs, models, a key, a server."""

import contextlib
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import tokenizers

import gateway_process
import models
import scripted_model
from fake_llama import FakeLlama

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("ISOVEIL_BUILD", ROOT / "build/release"))
STORIES = ROOT.parent / "shared/data/stories260k"


def pytest_configure():
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


@pytest.fixture(scope="session")
def isoveil():
    """The path of the program."""
    path = BUILD / "isoveil/apps/isoveil"
    assert path.is_file(), f"{path} is not built: run scripts/build"
    return str(path)


@pytest.fixture(scope="session")
def fault_library():
    path = BUILD / "tests/fault/libisoveil_fault.so"
    assert path.is_file(), f"{path} is not built: run scripts/build"
    return str(path)


@pytest.fixture(scope="session")
def llama():
    """The folder of the stock llama.cpp programs."""
    prefix = os.environ.get("ISOVEIL_LLAMA_PREFIX", os.path.expanduser("~/.cache/isoveil/llama.cpp-0.5.0"))
    return pathlib.Path(prefix) / "bin"


class Runner:
    """Runs isoveil; `run` expects success and gives the parsed JSON, `fail` expects an exit code."""

    def __init__(self, program, key):
        self.program, self.key = program, key

    def call(self, *args, text=""):
        return subprocess.run([self.program, *map(str, args)], input=text, capture_output=True, text=True, timeout=300)

    def run(self, *args, text=""):
        done = self.call(*args, "--json", text=text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def fail(self, code, *args, text=""):
        done = self.call(*args, text=text)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stderr

    def encrypt(self, model, out, *args):
        return self.run("encrypt", model, "-k", self.key, "-o", out, *args)

    def permutation(self, out, n_vocab):
        """encrypted id of every plain id"""
        return self.run("tokens", "encrypt", out / "client", "-k", self.key, "--ids", text=json.dumps(list(range(n_vocab))))["ids"]


@pytest.fixture(scope="session")
def runner(isoveil, tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "my.key"
    subprocess.run([isoveil, "keygen", "-o", key, "--no-passphrase"], check=True, capture_output=True)
    return Runner(isoveil, key)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """model_folder(name) -> a Hugging Face folder with random weights, made once; see models.py."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = models.make(name, tmp_path_factory.mktemp("models") / name)
        return made[name]

    return make


@contextlib.contextmanager
def serving(program, model, *args):
    """A llama-server on a free port; gives its URL."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [program, "-m", str(model), "--host", "127.0.0.1", "--port", str(port), "-t", "1", "-tb", "1", "-c", "512", *args]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, f"llama-server ended with {process.returncode}"
            try:
                urllib.request.urlopen(url + "/health", timeout=1).read()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        else:
            raise AssertionError("llama-server does not become ready")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request, timeout=120).read())


@contextlib.contextmanager
def serving_up(program, model, folder, *args, own_names=False):
    """`isoveil up` on a free port, with key and encrypted model in `folder`, there under names of its own choice if
    asked for; gives what it prints with --json."""
    names = [] if own_names else ["-k", str(folder / "up.key"), "-o", str(folder / "up")]
    command = [program, "up", str(model), *names, "--port", "0", "--json", *map(str, args), "--", "-t", "1", "-tb", "1", "-c", "1024"]
    with open(folder / "up.err", "ab") as talk:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=talk, text=True, cwd=folder)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("}"):
                break
        assert lines and process.poll() is None, (folder / "up.err").read_text()
        yield {**json.loads("".join(lines)), "pid": process.pid}
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def n_vocab_of(manifest):
    return next(space["dim"] for space in manifest["spaces"] if space["label"] == "vocab")


class Blind:
    """The model llama-chat, plain and encrypted: folders and, once asked for, servers that all tests share."""

    def __init__(self, runner, llama, source, folder):
        self.runner, self.llama, self.source, self.folder = runner, llama, source, folder
        self.out = folder / "out"
        runner.encrypt(source, self.out, "--to", "gguf")
        self.client, self.model = self.out / "client", self.out / "server/model.gguf"
        done = runner.call("convert", source, "-o", folder / "plain")
        assert done.returncode == 0, done.stderr
        self.plain_model = folder / "plain/model.gguf"
        self.manifest = json.loads((self.client / "manifest.json").read_text())
        self.n_vocab = n_vocab_of(self.manifest)
        self.permutation = runner.permutation(self.out, self.n_vocab)

    @functools.cached_property
    def tokenizer(self):
        """Hugging Face's own, for plain ids"""
        return tokenizers.Tokenizer.from_file(str(self.source / "tokenizer.json"))

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids


@pytest.fixture(scope="session")
def blind(runner, llama, model_folder, tmp_path_factory):
    return Blind(runner, llama, model_folder("llama-chat"), tmp_path_factory.mktemp("blind"))


@pytest.fixture(scope="session")
def blind_server(blind):
    with gateway_process.llama_server(blind.llama / "llama-server", blind.model, blind.folder / "server.log", "--slots") as s:
        yield s


@pytest.fixture(scope="session")
def plain_server(blind):
    with gateway_process.llama_server(blind.llama / "llama-server", blind.plain_model, blind.folder / "plain.log", "--jinja") as s:
        yield s


@pytest.fixture(scope="session")
def front(blind, blind_server):
    """A gateway before the blind server."""
    with gateway_process.gateway(blind.runner, blind.client, [blind_server.url], blind.folder / "gateway.log",
                                 "--name", "tiny", "--metrics") as g:
        yield g


@pytest.fixture
def copied(blind, tmp_path):
    """A client folder that has met no server yet."""
    return gateway_process.without_canary(blind.client, tmp_path / "client")


@pytest.fixture
def fake(blind):
    with FakeLlama(blind.n_vocab) as made:
        yield made


@pytest.fixture
def faked(blind, copied, fake, tmp_path):
    """A gateway before a server of lies."""
    with gateway_process.gateway(blind.runner, copied, [fake.url], tmp_path / "log", "--upstream-kind", "llama-server", "--name", "tiny") as g:
        yield g


@pytest.fixture(scope="session")
def obedient(blind, llama, tmp_path_factory):
    """A gateway before a server that does what the last message says; room for the long prompts of agents."""
    with scripted_model.scripted_model(blind.runner, blind, llama, tmp_path_factory.mktemp("obedient"), 1 << 18) as served:
        yield served
