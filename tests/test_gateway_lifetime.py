"""The gateway as a process: its end, its port, its children."""

import os
import pathlib
import re
import signal
import subprocess
import time

from conftest import serving_up
from gateway_process import LONG, chat_body, gateway, gateway_command, open_stream, slots, wait_for


def test_interrupted_while_a_stream_runs(blind, blind_server, tmp_path):
    for how in (signal.SIGINT, signal.SIGTERM):
        with gateway(blind.runner, blind.client, [blind_server.url], tmp_path / "log") as g:
            streams = [open_stream(g, chat_body(**LONG))[0] for _ in range(3)]
            begun = time.monotonic()
            assert g.end(how) == 0
            assert time.monotonic() - begun < 5
            for s in streams:
                s.close()
    wait_for(lambda: not any(s["is_processing"] for s in slots(blind_server)), 3, "the end of the generations")
    assert "error" not in (tmp_path / "log").read_text().lower()


def test_port_in_use(blind, blind_server, front):
    command = gateway_command(blind.runner, blind.client, [blind_server.url], front.port)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    said = [line for line in done.stderr.splitlines() if "passphrase" not in line]
    assert len([line for line in said if "in use" in line]) == 1 and len(said) <= 2 and any("--port" in line for line in said), said


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_up_leaves_no_server_behind(blind, tmp_path):
    for how in ("end", signal.SIGTERM, signal.SIGKILL):
        with serving_up(blind.runner.program, blind.source, tmp_path) as up:
            assert alive(up["server_pid"])
            if how != "end":
                os.kill(up["pid"], how)
                wait_for(lambda: not alive(up["server_pid"]), 10, "the server's end")
        wait_for(lambda: not alive(up["server_pid"]) and not alive(up["pid"]), 10, "the server's end")


def test_no_core_dumps(front):
    limits = pathlib.Path(f"/proc/{front.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)
