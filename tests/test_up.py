"""`isoveil up` and scripts/demo where something is wrong: one clear sentence, and nothing left running."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from conftest import ROOT, post, serving_up

MODEL = ROOT / "models/front-desk"


def processes_about(word):
    """Running programs that have it in their arguments, beside this one."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                arguments = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(word).encode() in arguments:
                found.append(arguments)
    return found


def nothing_runs(word, seconds=5):
    end = time.monotonic() + seconds
    while processes_about(word) and time.monotonic() < end:
        time.sleep(0.05)
    return processes_about(word) == []


def fails(program, folder, *args, **more):
    """What it says when it ends by itself: the error and what to do about it."""
    done = subprocess.run([program, "up", *map(str, args), "-k", folder / "key", "-o", folder / "out"], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, **more)
    assert done.returncode == 1 and done.stdout == ""
    said = done.stderr.splitlines()
    errors = [line for line in said if line.startswith("isoveil: error: ")]
    assert len(errors) == 1 and said[-1].startswith("isoveil: hint: "), said
    assert nothing_runs(folder)
    return errors[0] + said[-1]


def test_a_port_in_use(isoveil, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = fails(isoveil, tmp_path, MODEL, "--port", port)
        assert str(port) in said and "--port" in said


def test_a_folder_that_is_no_model(isoveil, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "config.json" in fails(isoveil, tmp_path, tmp_path / "empty")
    assert not (tmp_path / "out").exists()


def test_a_server_that_cannot_be_run(isoveil, tmp_path):
    said = fails(isoveil, tmp_path, MODEL, "--port", "0", env={**os.environ, "ISOVEIL_LLAMA_SERVER": str(tmp_path / "none")})
    assert "scripts/llama" in said
    # The encrypted model is whole, and the next run takes it.
    with serving_up(isoveil, MODEL, tmp_path) as up:
        assert post(up["url"] + "/v1/completions", {"prompt": "Hello", "max_tokens": 2})["choices"]


def test_a_folder_made_from_another_model(isoveil, tmp_path, model_folder):
    with serving_up(isoveil, MODEL, tmp_path):
        pass
    (tmp_path / "key").write_bytes((tmp_path / "up.key").read_bytes())
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "out").symlink_to(tmp_path / "up")
    assert "another model" in fails(isoveil, tmp_path, model_folder("llama-gqa"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_it_ends_the_server(isoveil, tmp_path, how):
    with serving_up(isoveil, MODEL, tmp_path) as up:
        assert len(processes_about(tmp_path)) == 2
        os.kill(up["pid"], how)
        # What is a zombie until its parent looks has no arguments left.
        assert nothing_runs(tmp_path)


def test_a_server_that_dies_ends_it_with_a_sentence(isoveil, tmp_path):
    with serving_up(isoveil, MODEL, tmp_path) as up:
        os.kill(up["server_pid"], signal.SIGKILL)
        assert nothing_runs(tmp_path, 10)
    said = (tmp_path / "up.err").read_text()
    assert "the blind server has ended by itself" in said and "--server-log" in said


def test_the_model_keeps_its_name(isoveil, tmp_path):
    (tmp_path / "Desk-3.2").symlink_to(MODEL)
    for model, name in (("Desk-3.2", "Desk-3.2"), ("Desk-3.2/", "Desk-3.2"), ("Desk-3.2.isoveil", "Desk-3.2")):
        with serving_up(isoveil, model, tmp_path, own_names=True) as up:
            [listed] = json.load(urllib.request.urlopen(up["url"] + "/v1/models", timeout=10))["data"]
            assert listed["id"] == name
            assert (tmp_path / up["output"]).samefile(tmp_path / "Desk-3.2.isoveil")


def demo(folder, *args, **more):
    return subprocess.run([ROOT / "scripts/demo", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
                          env={**os.environ, "ISOVEIL_DEMO": str(folder), **more})


def test_demo_of_nothing(tmp_path):
    done = demo(tmp_path, tmp_path / "none")
    assert done.returncode == 1 and "error: " in done.stderr and "hint: " in done.stderr
    assert demo(tmp_path, "--unknown").returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_demo_once(tmp_path):
    """From a built tree to an answer, twice: the second time with the same key and encrypted model."""
    for run in range(2):
        done = demo(tmp_path, "--once", "Hello, I would like to see a dentist.")
        assert done.returncode == 0, done.stderr
        assert "sent" in done.stdout + done.stderr and "received" in done.stdout + done.stderr
        made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        assert run == 0 or made == before
        before = made
    assert nothing_runs(tmp_path)


def test_demo_of_the_classifier(tmp_path):
    done = demo(tmp_path, "sentiment", "--once", "The soup was not bad at all.")
    assert done.returncode == 0, done.stderr
    assert "POSITIVE\tThe soup was not bad at all." in done.stdout and "sent  [" in done.stderr
    done = demo(tmp_path, "sentiment", "--once")
    assert done.returncode == 0 and done.stdout.count("POSITIVE") == 2 and done.stdout.count("NEGATIVE") == 2, done.stdout
    assert nothing_runs(tmp_path)


def test_demo_serves_the_page(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([ROOT / "scripts/demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env={**os.environ, "ISOVEIL_DEMO": str(tmp_path), "PORT": str(port), "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert f"http://127.0.0.1:{port}/v1" in said
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
        assert b"<title>" in page
        answer = post(f"http://127.0.0.1:{port}/v1/chat/completions",
                      {"messages": [{"role": "user", "content": "Hello, I would like to see a dentist."}], "temperature": 0})
        assert "dentist" in answer["choices"][0]["message"]["content"], answer
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()
    assert nothing_runs(tmp_path)
