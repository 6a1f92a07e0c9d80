"""Three servers of which one at a time misbehaves, under requests: `POOL_REQUESTS=10000 pytest tests/test_pool.py`."""

import concurrent.futures
import os
import shutil
import time

import fake_llama
from fake_llama import FakeLlama
from gateway_process import ask, chat_body, gateway, wait_for

CHAT = "/v1/chat/completions"
N_REQUESTS = int(os.environ.get("POOL_REQUESTS", "240"))
N_CLIENTS = 8
WORDS = [f"the desk {i}" for i in range(6)]


def die(server):
    """Ends, and is started again on its port after a while."""
    server.close()
    return lambda: FakeLlama(server.n_vocab, port=server.port)


def freeze(server):
    """Accepts, and says nothing more."""
    server.frozen = True

    def go_on():
        server.frozen = False
        return server
    return go_on


def run_another_model(server):
    server.close()
    other = FakeLlama(server.n_vocab, model=5, port=server.port)

    def go_back():
        # Those on their way when it came, one of each client; what it says is dropped. No other is sent to it.
        assert len(other.questions()) <= N_CLIENTS, "a server of another model is asked"
        other.close()
        return FakeLlama(server.n_vocab, port=server.port)
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


def n_threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_one_server_of_three_misbehaves_at_a_time(blind, tmp_path):
    client = tmp_path / "client"
    shutil.copytree(blind.client, client, ignore=shutil.ignore_patterns("canary.json"))
    servers = [FakeLlama(blind.n_vocab) for _ in range(3)]
    with gateway(blind.runner, client, [s.url for s in servers], tmp_path / "log", "--upstream-kind", "llama-server") as g:
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
            rounds = [(m, i % 3) for i, m in enumerate(MISBEHAVIOURS)]
            if N_REQUESTS < 1000:  # the others are tested one by one elsewhere
                rounds = rounds[:3]
            each = max(1, N_REQUESTS // len(rounds))
            for misbehaviour, k in rounds:
                # It must be in use, else its failure is none.
                before = len(servers[k].questions())

                def is_used():
                    list(pool.map(one, range(6)))
                    return len(servers[k].questions()) > before
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
            broken = "nothing"
            list(pool.map(one, range(24)))
        wait_for(lambda: n_threads(g.pid) <= threads + 2, 15, "the threads are as many as before")
        assert g.rss() < memory + (32 << 20)
        # All of them go, and one comes back.
        for server in servers:
            server.close()
        begun = time.monotonic()
        wait_for(lambda: ask(g, "/health").status == 503, 5, "health tells that none is there")
        with FakeLlama(blind.n_vocab, port=servers[1].port):
            wait_for(lambda: ask(g, "/health").status == 200, 5, "health tells that one is back")
        print(f"{len(rounds) * each} requests, rss {memory} -> {g.rss()}, {time.monotonic() - begun:.1f} s")
