"""Which servers a gateway takes."""

import subprocess

from fake_llama import FakeLlama
from gateway_process import CHAT, ask, chat_body, free_port, gateway, gateway_command, refuses_to_start, wait_for


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


def test_another_key_is_refused_at_the_start(blind, blind_server, tmp_path):
    key = tmp_path / "other.key"
    subprocess.run([blind.runner.program, "keygen", "-o", key, "--no-passphrase"], check=True, capture_output=True)
    command = gateway_command(blind.runner, blind.client, [blind_server.url], free_port())
    command[command.index("-k") + 1] = str(key)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "key" in done.stderr and done.stdout == ""


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
        before, looks = n(), old.n_looks

        def is_looked_at():
            assert ask(g, CHAT, chat_body()).status == 200
            return old.n_looks >= looks + 3
        wait_for(is_looked_at, 20, "three looks at the server")
        assert n() == before, "it is not tested anew for each connection"
