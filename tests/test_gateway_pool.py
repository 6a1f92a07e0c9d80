"""Servers that stand in for each other; tests/test_pool.py has the long runs."""

import concurrent.futures
import contextlib
import json

import pytest

import fake_llama
from fake_llama import FakeLlama, Slow
from gateway_process import CHAT, WORDS, ask, chat_body, events, gateway, wait_for, wait_until_ready

# What a server that lies or fails does to the requests of a pool in which it stands first: nothing.
MISBEHAVIOURS = {
    "accepts and says nothing": Slow(0),
    "stops in mid-stream": Slow(3),
    "closes at once": fake_llama.raw(""),
    "closes in mid-stream": fake_llama.dies_after(3),
    "answers 400": fake_llama.answers("400 Bad", '{"error": {"code": 400, "message": "bad prompt"}}'),
    "answers 401": fake_llama.answers("401 Who", "{}"),
    "answers 404": fake_llama.answers("404 Lost", "lost"),
    "answers 429": fake_llama.answers("429 Busy", "{}"),
    "answers 500": fake_llama.answers("500 Oops", "{}"),
    "redirects": fake_llama.raw("HTTP/1.1 302 Moved\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"),
    "speaks another protocol": fake_llama.raw("SSH-2.0-OpenSSH\r\n\r\n"),
    "shows a page": fake_llama.answers("200 OK", "<html>hello</html>"),
    "says garbage": fake_llama.says_after(0, "data: %%%\n\n"),
    "says foreign ids": fake_llama.says_after(0, 'data: {"tokens": [99999999], "stop": false}\n\n'),
    "says no ids": fake_llama.says_after(0, 'data: {"content": "plain", "stop": false}\n\n'),
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_one_bad_server_of_three_costs_no_request(name, blind, copied, tmp_path):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(FakeLlama(blind.n_vocab)) for _ in range(3)]
        g = stack.enter_context(gateway(blind.runner, copied, [s.url for s in servers], tmp_path / "log",
                                        "--upstream-kind", "llama-server", "--metrics"))
        wait_until_ready(g, 3)
        expected = ask(g, CHAT, chat_body(WORDS)).json["choices"][0]["message"]
        servers[0].script = MISBEHAVIOURS[name]
        if isinstance(MISBEHAVIOURS[name], Slow):
            servers[0].frozen = True
        for stream in (False, True):
            for _ in range(6):
                answer = ask(g, CHAT, chat_body(WORDS, stream=stream))
                assert answer.status == 200, answer.body
                if stream:
                    chunks = [json.loads(data) for data in events(answer.body)[:-1]]
                    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == expected["content"]
                else:
                    assert answer.json["choices"][0]["message"]["content"] == expected["content"]


def test_two_servers_stand_in_for_each_other(blind, copied, tmp_path):
    first, second = FakeLlama(blind.n_vocab), FakeLlama(blind.n_vocab)
    with gateway(blind.runner, copied, [first.url, second.url], tmp_path / "log", "--upstream-kind", "llama-server") as g:
        reference = ask(g, CHAT, chat_body(WORDS)).json["choices"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda _: ask(g, CHAT, chat_body(WORDS)).json["choices"], range(24)))
        assert all(choices == reference for choices in said)
        assert first.questions() and second.questions(), "the work is not shared"
        # One dies, with requests on their way.
        first.script = fake_llama.raw("")
        assert all(ask(g, CHAT, chat_body(WORDS)).json["choices"] == reference for _ in range(6))
        first.close()
        assert all(ask(g, CHAT, chat_body(WORDS)).json["choices"] == reference for _ in range(6))
        assert ask(g, "/health").status == 200
        # Another model under its address gets no question, and does no harm.
        imposter = FakeLlama(blind.n_vocab, model=5, port=first.port)
        wait_for(lambda: f"{imposter.url} is wrong" in g.said(), 10, "the discovery of the other model")
        answers = [ask(g, CHAT, chat_body(WORDS)) for _ in range(6)]
        assert imposter.questions() == []
        assert [a.status for a in answers] == [200] * 6
        imposter.close()
        # It comes back, and is asked again once it has rested from its failures.
        back = FakeLlama(blind.n_vocab, port=first.port)

        def is_used():
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                assert {a.status for a in pool.map(lambda _: ask(g, CHAT, chat_body(WORDS)), range(24))} == {200}
            return back.questions()
        wait_for(is_used, 20, "the use of the one that came back")
        back.close()
        second.close()
        lost = ask(g, CHAT, chat_body(WORDS))
        assert lost.status == 503 and int(lost.headers["retry-after"]) >= 1 and ask(g, "/health").status == 503
        # A stream that has begun does not move: the text would begin again.
        third = FakeLlama(blind.n_vocab, port=second.port)
        third.script = fake_llama.dies_after(4)
        wait_for(lambda: ask(g, "/health").status == 200, 10, "the admission of the one that came")
        streamed = events(ask(g, CHAT, chat_body(WORDS, stream=True)).body)
        assert "error" in json.loads(streamed[-1]) and len(third.questions()) == 1
        third.close()
