"""Three servers of which one at a time misbehaves, under requests: `POOL_REQUESTS=10000 pytest tests/test_pool.py`.

Servers of lies do what no real one would; stock llama-servers are killed, frozen and exchanged as machines are.
"""

import concurrent.futures
import os
import time

import pytest

import fake_llama
from conftest import ROOT
from fake_llama import FakeLlama
from gateway_process import CHAT, ask, chat_body, gateway, wait_for, without_canary
from real_llama import RealLlama

N_REQUESTS = int(os.environ.get("POOL_REQUESTS", "240"))
N_CLIENTS = 8
WORDS = [f"the desk {i}" for i in range(6)]


def die(server):
    """Ends, and is started again on its port after a while."""
    server.close()
    return server.again


def freeze(server):
    """Accepts, and says nothing more."""
    server.frozen = True

    def go_on():
        server.frozen = False
        return server
    return go_on


def run_another_model(server):
    server.close()
    other = server.again(model=5)

    def go_back():
        # Those on their way when it came, one of each client; what it says is dropped. No other is sent to it.
        assert other.n_asked() <= N_CLIENTS, "a server of another model is asked"
        other.close()
        return server.again()
    return go_back


def answer_garbage(script):
    def begin(server):
        server.script = script

        def go_back():
            server.script = fake_llama.honest
            return server
        return go_back
    begin.__name__ = "garbage"
    return begin


MISBEHAVIOURS = [die, freeze, run_another_model,
                 answer_garbage(fake_llama.answers("400 Bad", '{"error": {"code": 400, "message": "no"}}')),
                 answer_garbage(fake_llama.answers("200 OK", "<html>hello</html>")),
                 answer_garbage(fake_llama.raw("SSH-2.0-OpenSSH\r\n\r\n")),
                 answer_garbage(fake_llama.says_after(0, 'data: {"tokens": [99999999], "stop": false}\n\n')),
                 answer_garbage(fake_llama.raw(""))]


def exchange_for(model):
    """The same architecture and vocabulary, as another key encrypts it: nothing but its answers tells."""
    def run_another(server):
        server.close()
        other = server.again(model)

        def go_back():
            other.close()
            return server.again()
        return go_back
    return run_another


def become_another_program(server):
    """Something else listens on the port, such as a web server."""
    server.close()
    other = FakeLlama(8, port=server.port)
    other.script = fake_llama.answers("200 OK", "<html>hello</html>")

    def go_back():
        other.close()
        return server.again()
    return go_back


def n_threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def survive(runner, client, servers, rounds, n_requests, log):
    """Requests through a pool of `servers`, of which each round's misbehaves and recovers."""
    with gateway(runner, client, [s.url for s in servers], log, "--upstream-kind", "llama-server") as g:
        reference = {words: ask(g, CHAT, chat_body(words)).json["choices"] for words in WORDS}

        def one(i):
            words = WORDS[i % len(WORDS)]
            answer = ask(g, CHAT, chat_body(words))
            assert answer.status == 200, (broken, answer.body)
            assert answer.json["choices"] == reference[words], broken

        broken = "nothing"
        with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
            list(pool.map(one, range(24)))
            threads, memory = n_threads(g.pid), g.rss()
            each = max(1, n_requests // len(rounds))
            for i, misbehaviour in enumerate(rounds):
                k = i % len(servers)
                # It must be in use, else its failure is none.
                before = servers[k].n_asked()

                def is_used():
                    list(pool.map(one, range(6)))
                    return servers[k].n_asked() > before
                wait_for(is_used, 30, "the server is used")
                broken = misbehaviour.__name__
                requests = [pool.submit(one, i) for i in range(each // 2)]
                go_back = misbehaviour(servers[k])
                requests += [pool.submit(one, i) for i in range(each - each // 2)]
                for request in requests:
                    request.result(60)
                assert ask(g, "/health").status == 200, "two servers are well"
                servers[k] = go_back()
            broken = "nothing"
            list(pool.map(one, range(24)))
        wait_for(lambda: n_threads(g.pid) <= threads + 2, 15, "the threads are as many as before")
        assert g.rss() < memory + (32 << 20)
        # All of them go, and one comes back.
        for server in servers:
            server.close()
        begun = time.monotonic()
        wait_for(lambda: ask(g, "/health").status == 503, 5, "health tells that none is there")
        servers[1] = servers[1].again()
        wait_for(lambda: ask(g, "/health").status == 200, 5, "health tells that one is back")
        # So it is when it is there, but says nothing.
        servers[1].frozen = True
        wait_for(lambda: ask(g, "/health").status == 503, 15, "health tells that it says nothing")
        servers[1].frozen = False
        wait_for(lambda: ask(g, "/health").status == 200, 5, "health tells that it speaks again")
        print(f"{len(rounds) * each} requests, rss {memory} -> {g.rss()}, {time.monotonic() - begun:.1f} s")


def test_one_server_of_three_misbehaves_at_a_time(blind, tmp_path):
    servers = [FakeLlama(blind.n_vocab) for _ in range(3)]
    # In a run of many requests all of them; the others are tested one by one elsewhere.
    rounds = MISBEHAVIOURS if N_REQUESTS >= 1000 else MISBEHAVIOURS[:3]
    try:
        survive(blind.runner, without_canary(blind.client, tmp_path / "client"), servers, rounds, N_REQUESTS, tmp_path / "log")
    finally:
        for server in servers:
            server.close()


@pytest.fixture(scope="module")
def desk(runner, isoveil, tmp_path_factory):
    """The model that comes with the project, encrypted by two keys."""
    folder = tmp_path_factory.mktemp("desk")
    runner.encrypt(ROOT / "models/front-desk", folder / "own", "--to", "gguf")
    runner.call("keygen", "-o", folder / "other.key", "--no-passphrase")
    runner.run("encrypt", ROOT / "models/front-desk", "-k", folder / "other.key", "-o", folder / "other", "--to", "gguf")
    return folder


def test_one_llama_server_of_three_misbehaves_at_a_time(runner, llama, desk, tmp_path):
    servers = [RealLlama(llama / "llama-server", desk / "own/server/model.gguf") for _ in range(3)]
    rounds = [die, freeze, exchange_for(desk / "other/server/model.gguf"), become_another_program]
    try:
        survive(runner, desk / "own/client", servers, rounds, N_REQUESTS // 3, tmp_path / "log")
    finally:
        for server in servers:
            server.close()
