"""Who may ask: hosts, origins, addresses, keys."""

from gateway_process import CHAT, KEYS, RESPOND, ask, chat_body, gateway, refuses_to_start


def test_hosts(front):
    port = front.port
    status = lambda host: ask(front, "/v1/models", headers={"Host": host}).status
    for host in ("127.0.0.1", f"127.0.0.1:{port}", f"localhost:{port}", f"LocalHost:{port}", f"[::1]:{port}", f"127.0.0.2:{port}"):
        assert status(host) == 200, host
    for host in ("evil.example", f"evil.example:{port}", "127.evil.example", f"127.evil.example:{port}", f"127.0.0.1.evil.example:{port}",
                 f"localhost.evil.example:{port}", f"127.0.0.1:{port + 1}", f"0.0.0.0:{port}", f"evil.example#127.0.0.1:{port}",
                 f"[::1]evil.example:{port}", f"127.0.0.1:evil.example:{port}", f"localhost:1:{port}", "", "[", ":", f":{port}"):
        refused = ask(front, "/v1/models", headers={"Host": host})
        assert refused.status == 403 and refused.error["code"] == "host_not_allowed", host
    for path in ("/", "/health", "/isoveil/status", "/metrics", "/nothing"):
        assert ask(front, path, headers={"Host": "evil.example"}).status == 403, path


def test_origins(front):
    status = lambda **headers: ask(front, "/v1/models", headers={k.replace("_", "-"): v for k, v in headers.items()}).status
    assert status(Origin=front.url) == 200
    for origin in ("null", "https://evil.example", f"http://127.0.0.1:{front.port + 1}", f"{front.url}.evil.example", "file://", "*"):
        assert status(Origin=origin) == 403, origin
        # What a browser asks first: no answer allows anything.
        asked = ask(front, CHAT, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}, method="OPTIONS")
        assert asked.status == 403
    assert status(Sec_Fetch_Site="cross-site") == 403
    assert status(Sec_Fetch_Site="same-origin") == status(Sec_Fetch_Site="none") == 200
    assert ask(front, CHAT, chat_body(), {"Origin": "https://evil.example"}).status == 403
    for path in ("/", "/v1/models", CHAT):
        allowed = [h for h in ask(front, path, headers={"Origin": front.url}).headers if h.startswith("access-control")]
        assert allowed == []


def test_further_hosts_and_origins(blind, blind_server, tmp_path):
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--allowed-host", "desk.example",
                 "--allowed-origin", "https://page.example") as g:
        assert ask(g, "/v1/models", headers={"Host": f"desk.example:{g.port}"}).status == 200
        assert ask(g, "/v1/models", headers={"Host": "other.example"}).status == 403
        assert ask(g, "/v1/models", headers={"Origin": "https://page.example"}).status == 200
        assert ask(g, "/v1/models", headers={"Origin": "https://page.example.evil"}).status == 403


def test_pages_of_a_further_origin_may_read_answers(blind, blind_server, tmp_path):
    """What a browser asks before and hears after: without these headers it shows a page nothing, not even an error."""
    (tmp_path / "keys").write_text(KEYS[0])
    origin = {"Origin": "https://page.example"}
    bearer = {**origin, "Authorization": f"Bearer {KEYS[0]}"}
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys",
                 "--allowed-origin", "https://page.example") as g:
        for path in (CHAT, "/v1/models", RESPOND, "/chat/completions", "/nothing"):
            before = ask(g, path, headers={**origin, "Access-Control-Request-Method": "POST",
                                           "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os"}, method="OPTIONS")
            assert before.status == 204 and before.body == b"", path
            assert before.headers["access-control-allow-origin"] == "https://page.example"
            assert "POST" in before.headers["access-control-allow-methods"]
            assert "x-stainless-os" in before.headers["access-control-allow-headers"]
        answers = [ask(g, CHAT, chat_body(), bearer), ask(g, CHAT, chat_body(stream=True), bearer), ask(g, CHAT, "{", bearer),
                   ask(g, CHAT, chat_body(), origin), ask(g, "/nothing", headers=bearer), ask(g, CHAT, headers=bearer)]
        assert [a.status for a in answers] == [200, 200, 400, 401, 404, 405]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == "https://page.example" and answer.headers["vary"] == "Origin"
            assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        other = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
        for refused in (ask(g, CHAT, headers=other, method="OPTIONS"), ask(g, CHAT, chat_body(), {**bearer, **other})):
            assert refused.status == 403 and "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in ask(g, "/v1/models", headers={"Authorization": f"Bearer {KEYS[0]}"}).headers


def test_other_addresses_need_a_key(blind, blind_server, tmp_path):
    for host in ("0.0.0.0", "::", "192.0.2.1", "127.evil.example", "localhost.example"):
        code, said = refuses_to_start(blind, [blind_server.url], "--host", host)
        assert "--host" in said[0] and any("--api-key-file" in line for line in said), said
    keys = tmp_path / "keys"
    for content in ("", "# only a comment\n", "short\n"):
        keys.write_text(content)
        _, said = refuses_to_start(blind, [blind_server.url], "--host", "0.0.0.0", "--api-key-file", keys)
        assert "short" not in "".join(said)
    keys.write_text("\n".join(KEYS))
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--host", "0.0.0.0", "--api-key-file", keys) as g:
        bearer = {"Authorization": f"Bearer {KEYS[0]}"}
        assert ask(g, "/v1/models", headers=bearer).status == 200
        # The address that is bound is no name of this machine.
        assert ask(g, "/v1/models", headers={**bearer, "Host": f"0.0.0.0:{g.port}"}).status == 403


def test_api_keys(blind, blind_server, tmp_path):
    (tmp_path / "keys").write_text("# people\n" + "\r\n".join(KEYS) + "\n")
    with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log", "--api-key-file", tmp_path / "keys", "--metrics") as g:
        for key in KEYS:
            for given in (f"Bearer {key}", f"bearer {key}", f"BEARER {key}"):
                assert ask(g, "/v1/models", headers={"Authorization": given}).status == 200
        for given in (None, "", "Bearer", "Bearer ", f"Bearer {KEYS[0]}x", f"Bearer {KEYS[0][:-1]}", f"Basic {KEYS[0]}", KEYS[0],
                      f"Bearer {KEYS[0]} ", "Bearer # people", f"Bearer {KEYS[0]},{KEYS[1]}"):
            for path in ("/v1/models", CHAT, "/isoveil/status", "/metrics", "/tokenize", "/nothing"):
                body = None if path in ("/v1/models", "/isoveil/status", "/metrics", "/nothing") else chat_body()
                refused = ask(g, path, body, headers={"Authorization": given} if given is not None else {})
                stripped = given is not None and given.strip() == f"Bearer {KEYS[0]}"  # spaces at the end are none of HTTP's
                if stripped:
                    assert refused.status in (200, 404, 400)
                    continue
                assert refused.status == 401 and refused.error["code"] == "invalid_api_key", (given, path)
                assert refused.headers["www-authenticate"] == "Bearer"
        assert ask(g, "/health").status == ask(g, "/").status == 200
        assert all(key not in g.said() for key in KEYS)
