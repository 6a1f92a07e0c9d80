"""Codex CLI: a thread of three turns that runs commands in a shell, over responses."""

import json
import os
import pathlib
import subprocess

from talk import DESK, MODEL, OBEDIENT, checks, done

home = pathlib.Path("home").resolve()
home.mkdir()
(home / "config.toml").write_text(f"""
model = "{MODEL}"
model_provider = "isoveil"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[model_providers.isoveil]
name = "Isoveil"
base_url = "{OBEDIENT}"
wire_api = "responses"
env_key = "ISOVEIL_API_KEY"
[analytics]
enabled = false
""")


def run(*args):
    """What a turn did: its items and how it ended."""
    command = [os.environ["PROGRAMS"] + "/codex", "exec", *args[:-1], "--skip-git-repo-check", "--json", args[-1]]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "CODEX_HOME": str(home), "ISOVEIL_API_KEY": "none"})
    events = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    assert events, told.stderr
    return [event["item"] for event in events if event["type"] == "item.completed" and event["item"]["type"] != "error"], events[-1]


items, end = run('call exec_command {"cmd": "echo one > note.txt; cat note.txt"}')
assert [item["type"] for item in items] == ["command_execution", "agent_message"], items
assert items[0]["aggregated_output"] == "one\n" and items[0]["exit_code"] == 0
assert items[1]["text"].startswith("The tool said: ") and "one" in items[1]["text"]
assert end["type"] == "turn.completed" and end["usage"]["output_tokens"] > 0
assert pathlib.Path("note.txt").read_text() == "one\n"
checks.append("shell")

items, end = run("resume", "--last", "thanks")
assert [item["text"] for item in items] == ["I heard: thanks"]
checks.append("second turn")

items, end = run("resume", "--last", 'call exec_command {"cmd": "cat note.txt; exit 3"}')
assert items[0]["exit_code"] == 3 and items[0]["aggregated_output"] == "one\n"
assert "one" in items[1]["text"] and end["type"] == "turn.completed"
checks.append("third turn")

items, end = run("-c", f'model_providers.isoveil.base_url="{DESK}"', "hello")
assert end["type"] == "turn.failed" and "context window" in end["error"]["message"], end
checks.append("too long")

done()
