"""`isoveil pull` against a hub that behaves, and one that does not."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import hub_server
from hub_server import COMMIT, REPO, TOKEN, Hub

WEIGHTS = random.Random(1).randbytes(300_000)
SMALL = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b'{"model": {}}', "tokenizer_config.json": b"{}",
         "README.md": b"# Tiny\n", "LICENSE": b"MIT\n", "chat_template.jinja": b"{{ messages }}", "generation_config.json": b""}
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


def fill(hub, weights=("model.safetensors",)):
    for path, content in SMALL.items():
        hub.add(path, content)
    for i, path in enumerate(weights):
        hub.add(path, WEIGHTS[i:], lfs=True)
    for path in ("pytorch_model.bin", "training_args.pt", "onnx/config.json", ".gitattributes"):
        hub.add(path, b"never fetched", lfs=path.endswith((".bin", ".pt")))
    return hub


@pytest.fixture
def hub():
    with Hub() as hub:
        yield fill(hub)


class Puller:
    def __init__(self, program, folder):
        self.program, self.folder, self.out = program, folder, folder / "tiny-model"
        home = folder / "home"
        home.mkdir()
        keep = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and not k.lower().endswith("_proxy")}
        self.environment = dict(keep, HOME=str(home), no_proxy="*")
        self.environment.pop("XDG_CACHE_HOME", None)
        self.environment.pop("HUGGING_FACE_HUB_TOKEN", None)

    def command(self, hub, *args):
        endpoint = [] if hub is None else ["--endpoint", hub.endpoint]
        return [self.program, "pull", *([] if REPO in args else [REPO]), *endpoint, *map(str, args)]

    def call(self, hub, *args, **environment):
        return subprocess.run(self.command(hub, *args), cwd=self.folder, env=dict(self.environment, **environment),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def run(self, hub, *args, **environment):
        done = self.call(hub, *args, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def fail(self, hub, *args, code=1, **environment):
        done = self.call(hub, *args, "--json", **environment)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert not self.out.exists()
        return json.loads(done.stdout)["error"]

    def content(self):
        return {str(p.relative_to(self.out)): p.read_bytes() for p in self.out.rglob("*") if p.is_file()}

    def check(self, hub, weights=("model.safetensors",)):
        """Exactly the chosen files are there, with the hub's content, and nothing beside the folder."""
        content = self.content()
        content.pop(".isoveil-source.json")
        assert content == {path: hub.files[path].content for path in [*SMALL, *weights]}
        assert not (self.folder / "tiny-model.partial").exists()


@pytest.fixture
def puller(isoveil, tmp_path):
    return Puller(isoveil, tmp_path)


# A hub that behaves


def test_a_model_is_fetched_by_commit(hub, puller):
    report = puller.run(hub)
    puller.check(hub)
    assert report["commit"] == COMMIT and report["folder"] == "tiny-model" and not report["up_to_date"]
    assert report["bytes"] == report["fetched_bytes"] == len(WEIGHTS) + sum(map(len, SMALL.values()))
    hashes = {f["path"]: f.get("sha256") for f in report["files"]}
    assert hashes["model.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()
    resolved = [r.path for r in hub.requests if "/resolve/" in r.path]
    assert resolved and all(f"/resolve/{COMMIT}/" in path for path in resolved)
    assert sum("/tree/" in r.path for r in hub.requests) == -(-len(hub.entries()) // hub.page) > 3


def test_a_branch_that_moves_meanwhile_does_not_mix(hub, puller):
    """The file list is asked for by the commit that was resolved, not by the branch."""
    puller.run(hub)
    assert all(f"/tree/{COMMIT}" in r.path for r in hub.requests if "/tree/" in r.path)


def test_talk_goes_to_stderr_and_there_is_no_bar_without_a_terminal(hub, puller):
    done = puller.call(hub)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("tiny-model: 8 files") and COMMIT[:12] in done.stdout


def test_shards_come_with_their_index(puller):
    with Hub() as hub:
        fill(hub, SHARDS)
        hub.add("model.safetensors.index.json", b'{"weight_map": {}}')
        puller.run(hub)
        puller.check(hub, [*SHARDS, "model.safetensors.index.json"])


def test_gguf_models_are_listed_until_one_is_named(puller):
    with Hub() as hub:
        fill(hub, ["m-Q4_K_M.gguf", "Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"])
        error = puller.fail(hub, code=2)
        assert "m-Q4_K_M.gguf" in error["problem"] and "Q8_0/m.gguf" in error["problem"] and "--include" in error["hint"]
        puller.run(hub, "--include", "*Q8_0*")
        puller.check(hub, ["Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"])


def test_pickles_alone_are_refused(puller):
    with Hub() as hub:
        fill(hub, [])
        error = puller.fail(hub)
        assert "pickle" in error["problem"] and "pytorch_model.bin" in error["problem"] and error["code"] == "unsupported"
        assert "pickle" in puller.fail(hub, "--include", "*.bin")["problem"]
        assert not any("/resolve/" in r.path for r in hub.requests)


def test_a_second_run_has_nothing_to_do(hub, puller):
    puller.run(hub)
    before, times = puller.content(), {p: p.stat().st_mtime_ns for p in puller.out.iterdir()}
    count = len(hub.requests)
    done = puller.call(hub)
    assert done.returncode == 0 and "nothing to do" in done.stdout
    assert not any("/resolve/" in r.path for r in hub.requests[count:])
    # A copy has other times, and is hashed.
    os.utime(puller.out / "model.safetensors")
    assert puller.run(hub)["up_to_date"]
    assert puller.content() == before
    assert {p: t for p, t in times.items() if p.name != "model.safetensors"} == {
        p: p.stat().st_mtime_ns for p in puller.out.iterdir() if p.name != "model.safetensors"}


@pytest.mark.parametrize("damage", ["flip", "shorter", "missing", "other-commit"])
def test_a_second_run_finds_damage_and_changes_nothing(hub, puller, damage):
    puller.run(hub)
    victim = puller.out / "model.safetensors"
    if damage == "flip":
        victim.write_bytes(bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:])
    elif damage == "shorter":
        victim.write_bytes(WEIGHTS[:-1])
    elif damage == "missing":
        victim.unlink()
    else:
        hub.add("model.safetensors", WEIGHTS[::-1], lfs=True)
    before = puller.content()
    done = puller.call(hub)
    assert done.returncode == 1 and "model.safetensors" in done.stderr and "-o" in done.stderr
    assert puller.content() == before


def test_a_folder_that_something_else_began_is_not_touched(hub, puller):
    stage = puller.folder / "tiny-model.partial"
    stage.mkdir()
    (stage / "thesis.txt").write_text("years of work")
    assert "isoveil pull" in puller.fail(hub)["problem"]
    assert (stage / "thesis.txt").read_text() == "years of work"


def test_revision_and_output(hub, puller):
    hub.revisions.add("refs/pr/1")
    report = puller.run(hub, "--revision", "refs/pr/1", "-o", puller.folder / "elsewhere")
    assert report["commit"] == COMMIT and (puller.folder / "elsewhere/config.json").exists()
    assert any("/revision/refs%2Fpr%2F1" in r.path for r in hub.requests)


def test_the_hub_of_these_tests_is_one_for_the_public_client(hub, puller):
    """huggingface_hub fetches the same bytes from it."""
    fetch = "import sys, huggingface_hub as h; h.snapshot_download(sys.argv[1], local_dir=sys.argv[2], endpoint=sys.argv[3])"
    environment = dict(puller.environment, HF_HUB_DISABLE_PROGRESS_BARS="1")
    done = subprocess.run([sys.executable, "-c", fetch, REPO, str(puller.folder / "theirs"), hub.endpoint], env=environment,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    puller.run(hub)
    ours = puller.content()
    ours.pop(".isoveil-source.json")
    assert ours and all((puller.folder / "theirs" / path).read_bytes() == content for path, content in ours.items())


def test_encrypt_reads_what_pull_wrote(puller, runner, model_folder):
    source = model_folder("llama-gqa")
    with Hub() as hub:
        for path in source.iterdir():
            hub.add(path.name, path.read_bytes(), lfs=path.suffix == ".safetensors")
        puller.run(hub)
    runner.encrypt(puller.out, puller.folder / "encrypted")
    assert (puller.folder / "encrypted/server/config.json").exists()


def test_files_with_the_same_content(hub, puller):
    for i in range(40):
        hub.add(f"{i}_config.json", b"the same")
    report = puller.run(hub, "--connections", 16)
    assert len(report["files"]) == 40 + len(SMALL) + 1 and (puller.out / "39_config.json").read_bytes() == b"the same"


# Faults that pass


def test_a_broken_connection_goes_on_where_it_broke(hub, puller):
    hub.fault("model.safetensors", "drop", after=100_000)
    done = puller.call(hub)
    assert done.returncode == 0, done.stderr
    puller.check(hub)
    assert hub.sent("model.safetensors") == len(WEIGHTS)
    assert "next try" in done.stderr
    again = [r for r in hub.requests if r.host == "cdn"][-1]
    assert again.headers["range"] == "bytes=100000-"
    assert again.headers["if-range"] == f'"{hashlib.md5(WEIGHTS).hexdigest()}"'


def test_progress_makes_the_count_of_tries_begin_again(hub, puller):
    hub.fault("model.safetensors", "drop", times=4, after=60_000)
    puller.run(hub, "--retries", 1)
    puller.check(hub)


def test_a_file_that_changed_on_the_other_host_begins_again(hub, puller):
    hub.fault("model.safetensors", "drop", after=100_000)
    process = subprocess.Popen(puller.command(hub), cwd=puller.folder, env=puller.environment)
    while hub.sent("model.safetensors") < 100_000:
        time.sleep(0.01)
    hub.etag_salt = "-changed"
    assert process.wait(30) == 0
    puller.check(hub)
    assert [r.status for r in hub.requests if r.host == "cdn"][-1] == 200


def test_a_server_that_ignores_ranges_starts_the_file_again(hub, puller):
    hub.fault("model.safetensors", "drop", after=100_000)
    hub.fault("model.safetensors", "ignore-range", times=1)
    report = puller.run(hub)
    puller.check(hub)
    assert hub.sent("model.safetensors") == 100_000 + len(WEIGHTS)
    assert report["fetched_bytes"] == report["bytes"] + 100_000


@pytest.mark.parametrize("path", ["", "config.json", "model.safetensors"])
def test_a_busy_server_is_asked_again_when_it_says(hub, puller, path):
    hub.fault(path, "status", status=503, retry_after="1")
    start = time.monotonic()
    puller.run(hub)
    puller.check(hub)
    assert time.monotonic() - start >= 1


def test_a_long_wait_is_an_error(hub, puller):
    hub.fault("", "status", status=429, retry_after="7200", times=9)
    assert "7200 s" in puller.fail(hub)["problem"]
    assert len(hub.requests) == 1


def test_tries_end(hub, puller):
    hub.fault("model.safetensors", "cdn-status", status=500, times=9)
    error = puller.fail(hub, "--retries", 2)
    assert "500" in error["problem"] and "3 tries" in error["problem"] and "Signature" not in json.dumps(error)
    assert sum(r.host == "cdn" for r in hub.requests) == 3


def test_an_address_that_ran_out_is_asked_for_again(hub, puller):
    hub.fault("model.safetensors", "cdn-status", status=403)
    puller.run(hub)
    puller.check(hub)


def test_a_silent_server_is_given_up(hub, puller):
    hub.fault("model.safetensors", "stall", after=50_000, seconds=20)
    start = time.monotonic()
    puller.run(hub, "--timeout", 1)
    puller.check(hub)
    assert time.monotonic() - start < 10
    assert hub.sent("model.safetensors") == len(WEIGHTS)


def test_a_killed_run_is_taken_up_without_fetching_again(puller):
    with Hub() as hub:
        fill(hub, SHARDS)
        hub.add("model.safetensors.index.json", b"{}")
        hub.fault(SHARDS[0], "stall", after=200_000, seconds=20)
        process = subprocess.Popen(puller.command(hub), cwd=puller.folder, env=puller.environment)
        stage = puller.folder / "tiny-model.partial"

        def sizes():
            found = {}
            for path in stage.rglob("*") if stage.exists() else ():
                with contextlib.suppress(FileNotFoundError):  # renamed since it was listed
                    found[path.name] = path.stat().st_size
            return found

        end = time.monotonic() + 20
        while not (sizes().get(SHARDS[0]) == 200_000 and sizes().get(SHARDS[1]) == len(WEIGHTS) - 1 and "LICENSE" in sizes()):
            assert time.monotonic() < end and process.poll() is None, sizes()
            time.sleep(0.01)
        assert not puller.out.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        before = len(hub.requests)
        done = puller.call(hub, "--json")
        assert done.returncode == 0 and "are checked first" in done.stderr, done.stderr
        report = json.loads(done.stdout)
        puller.check(hub, [*SHARDS, "model.safetensors.index.json"])
        assert hub.sent(SHARDS[0]) == len(WEIGHTS) and hub.sent(SHARDS[1]) == len(WEIGHTS) - 1
        assert report["fetched_bytes"] <= len(WEIGHTS) - 200_000 + sum(map(len, SMALL.values()))
        [again] = [r for r in hub.requests[before:] if r.host == "cdn"]
        assert again.headers["range"] == "bytes=200000-" and "if-range" in again.headers


def leave_stage(hub, puller, bytes_there):
    """A stage with the beginning of the weights."""
    hub.fault("model.safetensors", "drop", after=bytes_there)
    puller.fail(hub, "--retries", 0)
    hub.faults.clear()
    hub.requests.clear()
    partial = puller.folder / "tiny-model.partial/model.safetensors"
    assert partial.stat().st_size == bytes_there
    return partial


def test_a_damaged_beginning_is_fetched_again(hub, puller):
    partial = leave_stage(hub, puller, 100_000)
    partial.write_bytes(bytes(100_000))
    puller.run(hub)
    puller.check(hub)
    assert hub.sent("model.safetensors") == 2 * len(WEIGHTS) - 100_000


def test_a_beginning_of_another_commit_is_not_built_on(hub, puller):
    leave_stage(hub, puller, 100_000)
    (puller.folder / "tiny-model.partial/NOTICE").write_text("of the other commit")
    hub.add("model.safetensors", WEIGHTS[::-1], lfs=True)
    hub.commit = "9" * 40
    puller.run(hub)
    puller.check(hub)
    assert hub.sent("model.safetensors") == len(WEIGHTS)


def test_two_runs_do_not_write_into_one_folder(hub, puller):
    hub.rate = 200_000
    process = subprocess.Popen(puller.command(hub), cwd=puller.folder, env=puller.environment, stdout=subprocess.DEVNULL)
    while not (puller.folder / "tiny-model.partial/model.safetensors").exists():
        time.sleep(0.01)
    assert "another process" in puller.fail(hub)["problem"]
    assert process.wait(30) == 0
    puller.check(hub)


# Faults that last


def test_wrong_content_is_refused(hub, puller):
    for path, content in (("model.safetensors", WEIGHTS[::-1]), ("config.json", b'{"model_type": "gpt_2"}')):
        assert len(content) == len(hub.files[path].content)
        hub.fault(path, "content", times=2, content=content)
        error = puller.fail(hub)
        assert error["code"] == "mismatch" and error["where"] == path and "expected" in error["problem"]
        hub.faults.clear()
        puller.run(hub)
        puller.check(hub)
        shutil.rmtree(puller.out)


def test_one_lasting_failure_stops_the_other_downloads(hub, puller):
    hub.fault("model.safetensors", "stall", after=1000, seconds=20)
    hub.fault("config.json", "content", times=9, content=b'{"model_type": "gpt_2"}')
    start = time.monotonic()
    assert puller.fail(hub)["where"] == "config.json"
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("content", [WEIGHTS[:-1], WEIGHTS + b"x"])
@pytest.mark.parametrize("kind", ["content", "chunked"])
def test_wrong_size_is_refused(hub, puller, kind, content):
    hub.fault("model.safetensors", kind, times=9, content=content)
    error = puller.fail(hub, "--retries", 0)
    assert error["where"] == "model.safetensors" and str(len(WEIGHTS)) in error["problem"]
    # The header tells before the first byte; without one, the surplus is not written.
    size = (puller.folder / "tiny-model.partial/model.safetensors").stat().st_size
    assert size == 0 if kind == "content" else size <= len(WEIGHTS)
    hub.faults.clear()
    puller.run(hub)
    puller.check(hub)


def test_another_commit_or_size_than_listed_is_refused(hub, puller):
    hub.fault("model.safetensors", "linked-size")
    assert "found 7" in puller.fail(hub, "--connections", 1)["problem"]
    assert (puller.folder / "tiny-model.partial/model.safetensors").stat().st_size == 0
    hub.fault("config.json", "commit")
    assert "f" * 40 in puller.fail(hub, "--connections", 1)["problem"]


def test_a_wrong_range_is_refused(hub, puller):
    leave_stage(hub, puller, 100_000)
    hub.fault("model.safetensors", "bad-range")
    assert "bytes 100001-" in puller.fail(hub)["problem"]


def test_endless_redirects_end(hub, puller):
    hub.fault("model.safetensors", "redirect", times=100, location="$SELF")
    assert "more than 10" in puller.fail(hub)["problem"]
    assert sum("/model.safetensors" in r.path for r in hub.requests) == 11


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/x", ""])
def test_redirects_elsewhere_are_refused(hub, puller, location):
    hub.fault("config.json", "redirect", location=location)
    assert "redirects to" in puller.fail(hub)["problem"]


HOSTILE = ["../model.safetensors", "/etc/model.safetensors", "", "a//model.safetensors", "a/../../x", "./x", "..\\config.json",
           "x\u0000config.json", "bell\u0007.safetensors", "line\nbreak.json", "config.json", "..", "a/.."]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(hub, puller, name):
    hub.extra_entries.append({"type": "file", "oid": "1" * 40, "size": 1, "path": name})
    before = sorted(puller.folder.rglob("*"))
    error = puller.fail(hub)
    assert error["code"] == "format" and error["where"].startswith("file name")
    assert "\a" not in error["where"] and sorted(puller.folder.rglob("*")) == before
    assert not any("/resolve/" in r.path for r in hub.requests)


@pytest.mark.parametrize("entry", [{}, {"size": -1}, {"size": 1.5}, {"size": "9"}, {"size": 1, "oid": "../../x"}, {"size": 1, "oid": 7},
                                   {"size": 1, "oid": "1" * 40, "lfs": {"size": 1, "oid": "1" * 40}}])
def test_malformed_lists_are_refused(hub, puller, entry):
    hub.extra_entries.append({"type": "file", "path": "x.json", **entry})
    assert puller.fail(hub)["code"] == "format"


def test_a_model_that_does_not_fit_is_refused_before_it_is_fetched(hub, puller):
    hub.add("model.safetensors", WEIGHTS, lfs=True, listed_size=1 << 44)
    error = puller.fail(hub)
    assert error["code"] == "no_space" and "GB" in error["problem"] and "free" in error["problem"]
    assert not any("/resolve/" in r.path for r in hub.requests)
    assert not (puller.folder / "tiny-model.partial").exists()


def test_a_disk_that_fills_keeps_what_came(hub, puller, fault_library):
    counter = puller.folder / "count"
    puller.run(hub, "--connections", 1, "-o", "first", LD_PRELOAD=fault_library, FAULT_COUNT_FILE=str(counter))
    full = set()
    for n in range(1, int(counter.read_text()), 3):
        done = puller.call(hub, "--connections", 1, "--json", LD_PRELOAD=fault_library, FAULT_ENOSPC_AT=str(n))
        if done.returncode == 0:
            break
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "no_space" and "free" in error["hint"], (n, error)
        assert not puller.out.exists()
        full.add(os.path.basename(error["where"]))
    assert "model.safetensors" in full and len(full) > 3
    if not puller.out.exists():
        puller.run(hub)
    puller.check(hub)


# Access


def test_the_token_goes_to_the_hub_alone(puller):
    with Hub(token=TOKEN) as hub:
        fill(hub)
        done = puller.call(hub, HF_TOKEN=TOKEN)
        assert done.returncode == 0, done.stderr
        puller.check(hub)
        assert {r.host for r in hub.requests} == {"hub", "cdn"}
        for request in hub.requests:
            assert request.headers.get("authorization") == (f"Bearer {TOKEN}" if request.host == "hub" else None), request
        assert TOKEN not in done.stdout + done.stderr
        assert not any(TOKEN.encode() in content for content in puller.content().values())


def test_the_token_is_not_in_argv_and_not_in_errors(hub, puller):
    hub.rate = 300_000
    process = subprocess.Popen(puller.command(hub), cwd=puller.folder, env=dict(puller.environment, HF_TOKEN=TOKEN))
    while hub.sent("model.safetensors") == 0:
        time.sleep(0.01)
    arguments = open(f"/proc/{process.pid}/cmdline").read()
    assert "pull" in arguments and TOKEN not in arguments
    assert process.wait(30) == 0
    for status in (400, 401, 403, 404, 500):
        hub.fault("", "status", status=status, message="you sent $TOKEN")
        done = puller.call(hub, "--retries", 0, "-o", "other", HF_TOKEN=TOKEN)
        assert done.returncode == 1 and done.stderr and TOKEN not in done.stderr + done.stdout
    hub.fault("", "status", status=500, message="said by the server")
    assert "said by the server" in puller.call(hub, "--retries", 0, "-o", "other", HF_TOKEN=TOKEN).stderr


def test_an_error_that_nests_without_end_says_nothing(hub, puller):
    for more, said in [("[1]", True), ("[" * 30_000 + "]" * 30_000, False)]:
        hub.fault("", "status", status=500, content=b'{"error": "said by the server", "more": %b}' % more.encode())
        error = puller.fail(hub, "--retries", 0)
        assert "500" in error["problem"] and ("said by the server" in error["problem"]) == said


def test_a_token_that_would_break_the_header_is_refused(hub, puller):
    done = puller.call(hub, HF_TOKEN="hf_x\r\nHost: elsewhere")
    assert done.returncode == 2 and "HF_TOKEN" in done.stderr and "elsewhere" not in done.stderr
    assert hub.requests == []


@pytest.mark.parametrize("place", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HOME"])
def test_where_the_token_is_found(puller, place):
    environment = {}
    if place in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        environment[place] = TOKEN
    else:
        file = puller.folder / {"HF_TOKEN_PATH": "token", "HF_HOME": "hf/token", "HOME": "home/.cache/huggingface/token"}[place]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TOKEN + "\n")
        if place != "HOME":
            environment[place] = str(file if place == "HF_TOKEN_PATH" else file.parent)
    with Hub(token=TOKEN) as hub:
        fill(hub)
        puller.run(hub, **environment)
    puller.check(hub)


def test_a_gated_model_says_what_to_do(hub, puller):
    hub.fault("config.json", "status", times=9, status=401, code="GatedRepo", message="Access to model is restricted")
    error = puller.fail(hub)
    assert error["code"] == "auth" and "gated" in error["problem"] and "licence" in error["hint"] and "HF_TOKEN" in error["hint"]
    hub.faults.clear()
    hub.fault("config.json", "status", times=9, status=403, code="GatedRepo")
    assert "no access" in puller.fail(hub, HF_TOKEN=TOKEN)["problem"]
    hub.faults.clear()
    hub.fault("", "status", times=9, status=401)
    assert "not accepted" in puller.fail(hub, HF_TOKEN=TOKEN)["problem"]


def test_what_is_not_there(hub, puller):
    error = puller.fail(hub, "--revision", "v9")
    assert error["code"] == "not_found" and "'v9'" in error["problem"] and "--revision" in error["hint"]
    hub.fault("", "status", status=404)
    assert "no such repository" in puller.fail(hub)["problem"]
    with Hub(token=TOKEN) as private:
        assert "private" in puller.fail(private)["problem"]


# Endpoints


def test_endpoints(hub, puller):
    assert puller.run(None, HF_ENDPOINT=hub.endpoint + "/")["commit"] == COMMIT
    for endpoint in ("ftp://x", "http://u:secret@127.0.0.1", "https://x?y", "nonsense", "http://"):
        done = puller.call(None, "--endpoint", endpoint)
        assert done.returncode == 2 and "endpoint" in done.stderr and "secret" not in done.stderr


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a/..", "a b/c", "-a/b", "a/b.git", "a/b?x", "http://x/y", "a\\b", "a/" + "b" * 99])
def test_repository_names(isoveil, puller, name):
    done = subprocess.run([isoveil, "pull", "--endpoint", "http://127.0.0.1:9", "--", name], env=puller.environment,
                          cwd=puller.folder, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and done.stderr, done.stderr


def test_a_hub_that_is_not_there(puller):
    error = puller.fail(None, "--endpoint", "http://127.0.0.1:9", "--retries", 0)
    assert error["code"] == "unavailable" and "connect" in error["problem"]


def test_https_is_checked_and_never_left(puller, tmp_path):
    context, certificate = hub_server.tls_context(tmp_path)
    with Hub(tls=context) as hub:
        fill(hub)
        error = puller.fail(hub)
        assert error["code"] == "auth" and "certificate" in error["problem"]
        puller.run(hub, SSL_CERT_FILE=str(certificate))
        puller.check(hub)
    shutil.rmtree(puller.out)
    with Hub(tls=context, cdn_tls=None) as hub:
        fill(hub)
        assert "from https to http" in puller.fail(hub, SSL_CERT_FILE=str(certificate))["problem"]
        assert not any(r.host == "cdn" for r in hub.requests)
