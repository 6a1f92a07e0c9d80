"""What the gateway says of requests, and keeps to itself."""

import json
import time

import fake_llama
from gateway_process import CHAT, LONG, ask, chat_body, events, gateway, metric, open_stream, wait_for


def test_nothing_of_requests_is_said(front):
    secret = "canary-4711-bird"
    for body in (chat_body(secret), chat_body(secret, temperature=secret), {secret: secret}, {"messages": [{"role": secret, "content": secret}]},
                 chat_body(tools=[{"type": "function", "function": {"name": secret}}]), chat_body(stop=[secret]),
                 chat_body(response_format={"type": secret})):
        ask(front, CHAT, body)
        ask(front, CHAT, json.dumps(body)[:-1] + secret)
    assert secret not in front.said()
    metrics = ask(front, "/metrics").body.decode()
    assert secret not in metrics and "isoveil" in metrics and "tiny" not in metrics


def test_metrics_count_what_usage_tells(front):
    def counted():
        return [metric(front, name) for name in ("prompt_tokens_total", "completion_tokens_total", "first_token_seconds_count")]

    before = counted()
    usage = ask(front, CHAT, chat_body()).json["usage"]
    wait_for(lambda: counted() != before, 5, "the record, which ends after the answer")
    assert [b - a for a, b in zip(before, counted())] == [usage["prompt_tokens"], usage["completion_tokens"], 1]


def test_a_log_of_requests_without_content(blind, blind_server, tmp_path):
    secret, key = "canary-4711-bird", "sk-4711-0123456789abc"
    (tmp_path / "keys").write_text(key)
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--log", "json", "--metrics", "--api-key-file",
                 tmp_path / "keys") as g:
        known = {"Authorization": f"Bearer {key}"}

        def lines():
            return [json.loads(line) for line in g.said().splitlines() if line.startswith("{")]

        def logged(n, answer):
            wait_for(lambda: len(lines()) >= n, 10, f"line {n}, which is written after the answer")
            return answer
        usage = logged(1, ask(g, CHAT, chat_body(secret, user=secret), known)).json["usage"]
        streamed = events(logged(2, ask(g, "/chat/completions", chat_body(secret, stream=True, max_tokens=7, ignore_eos=True), known)).body)
        assert streamed[-1] == "[DONE]"
        for n, path in ((3, f"/v1/responses/{secret}"), (4, f"/v1/{secret}?{secret}={secret}"), (4, "/health"), (4, "/metrics"),
                        (4, "/isoveil/status"), (4, "/")):
            logged(n, ask(g, path, headers=known))
        logged(5, ask(g, CHAT, chat_body(secret, temperature=secret), known))
        logged(6, ask(g, CHAT, chat_body(secret), {"Authorization": f"Bearer {secret}"}))
        # One that leaves.
        logged(7, open_stream(g, chat_body(secret, **LONG), known)[0].close())
        log = lines()
    said = g.said()
    assert secret not in said and key not in said and "resp_" not in said and "req_" not in said
    assert [(e["method"], e["endpoint"], e["status"]) for e in log] == [
        ("POST", CHAT, 200), ("POST", CHAT, 200), ("GET", "/v1/responses/{id}", 404), ("GET", None, 404), ("POST", CHAT, 400), ("POST", CHAT, 401),
        ("POST", CHAT, 499)]
    answered, stream, *refused = log
    assert (answered["prompt_tokens"], answered["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert (stream["prompt_tokens"], stream["completion_tokens"]) == (usage["prompt_tokens"], 7)
    for entry in (answered, stream):
        assert entry["server"] == blind_server.url and 0 < entry["first_token_ms"] <= entry["ms"] < 60_000
        assert time.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S." + entry["time"][-4:-1] + "Z")
    assert all(e["server"] is None and e["completion_tokens"] == 0 and e["first_token_ms"] is None for e in refused[:4])
    assert refused[4]["completion_tokens"] > 0


def test_the_log_tells_a_stream_that_broke(blind, copied, fake, tmp_path):
    with gateway(blind.runner, copied, [fake.url], tmp_path / "log", "--log", "text", "--upstream-kind", "llama-server") as g:
        fake.script = fake_llama.says_after(3, 'data: {"tokens": [99999999], "stop": false}\n\n')
        ask(g, CHAT, chat_body(stream=True))
        wait_for(lambda: "status=" in g.said(), 5, "the line")
        line = next(line for line in g.said().splitlines() if "status=" in line)
    assert " POST /v1/chat/completions status=502 " in line and " completion_tokens=3 " in line and line.endswith(f" server={fake.url}"), line


def test_error_texts_quote_nothing_of_messages(front):
    secret = "canary-4711-bird"
    for body in (chat_body(secret, temperature=secret), chat_body(secret, n=secret), {"messages": secret}, chat_body(stop={"a": secret}),
                 {"messages": [{"role": secret, "content": {secret: secret}}]}, chat_body(secret, logit_bias={secret: 1}),
                 chat_body(tools=[{"type": secret}]), chat_body(response_format={"type": secret}), chat_body(tool_choice=secret)):
        answer = ask(front, CHAT, body)
        assert answer.status == 400 and secret not in answer.body.decode(), body
    answer = ask(front, CHAT, '{"messages": "' + secret)
    assert answer.status == 400 and secret not in answer.body.decode()
