"""isoveil-gateway: the gateway as a program of its own, which can neither encrypt nor fetch."""

import os
import subprocess

from conftest import BUILD
from gateway_process import CHAT, ask, chat_body, free_port, start

PROGRAM = BUILD / "isoveil/apps/isoveil-gateway"


def names_in(program):
    return subprocess.run(["nm", "-C", program], capture_output=True, text=True, check=True).stdout


def test_it_holds_no_code_that_reads_checkpoints_or_fetches(isoveil):
    whole, gateway = names_in(isoveil), names_in(PROGRAM)
    for name in ("isoveil::WriteShards(", "isoveil::Bind(", "isoveil::HubClient::", "isoveil::LlamaEvaluator::", "isoveil::MatrixJob::"):
        assert name in whole, f"{name} is what the check looks for"
        assert name not in gateway
    assert "isoveil::Gateway::" in gateway
    # Nor the library of `pull`, which brings 28 others into the process.
    libraries = [subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout for program in (isoveil, PROGRAM)]
    assert "libcurl" in libraries[0] and "libcurl" not in libraries[1]


def test_it_answers_as_the_command_does(runner, blind, blind_server, front, tmp_path):
    port = free_port()
    command = [PROGRAM, blind.client, "-k", runner.key, "--upstream", blind_server.url, "--name", "tiny"]
    served = start(command, port, tmp_path / "log", env=os.environ | {"ISOVEIL_PORT": str(port)})
    try:
        question = chat_body(temperature=0, max_tokens=24)
        contents = [ask(g, CHAT, question).json["choices"][0]["message"]["content"] for g in (served, front)]
        assert contents[0] == contents[1] and contents[0]
    finally:
        assert served.end() == 0


def test_it_explains_itself():
    run = lambda *args: subprocess.run([PROGRAM, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = run("--help")
    assert said.returncode == 0 and "--upstream" in said.stdout and "ISOVEIL_UPSTREAM" in said.stdout
    assert run("--version").stdout.startswith("isoveil-gateway ")
    said = run()
    assert said.returncode == 2 and "CLIENT is required" in said.stderr
    said = run("/nowhere", "-k", "/nowhere/key", "--json")
    assert said.returncode == 1 and '"problem"' in said.stdout
