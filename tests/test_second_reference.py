"""`isoveil verify --reference transformers`: the Hugging Face library judges beside llama.cpp, from the folders' own files."""

import subprocess
import sys

import pytest
from test_conversion import CARRIED, changed  # noqa: F401 (a fixture)

pytest.importorskip("transformers")


def command(runner, source, out, python=sys.executable):
    return ["verify", "--plain", source, "--encrypted", out, "-k", runner.key, "--reference", "transformers", "--python", python]


@pytest.mark.parametrize("case, args", [("plain", []), ("yarn-all", ["--to", "gguf"]), ("gpt2", ["--profile", "rotated"])])
def test_both_libraries_say_match(runner, changed, tmp_path, case, args):  # noqa: F811
    folder = changed(*CARRIED[case])
    runner.encrypt(folder, tmp_path / "out", *args)
    found = runner.run(*command(runner, folder, tmp_path / "out"))
    reference = found["reference"]
    assert found["match"] and reference["engine"].startswith("transformers ")
    assert 0 < reference["conversion"]["max_abs_logit_diff"] < 2e-6 * found["logit_range"]
    assert ("server" in reference) == ("gguf" not in args)
    if "server" in reference:
        allowed = reference["server_allowed"]["max_abs_logit_diff"]
        assert 0 < reference["server"]["max_abs_logit_diff"] < min(allowed, 1e-4 * found["logit_range"])
        assert allowed < 1e-4 * found["logit_range"]


@pytest.fixture
def encrypted(runner, model_folder, tmp_path):
    runner.encrypt(model_folder("llama-gqa"), tmp_path / "out", "--to", "gguf")
    return model_folder("llama-gqa"), tmp_path / "out"


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_a_number_that_the_conversion_reads_otherwise_is_found(runner, encrypted, tmp_path):
    # Both GGUF files agree with each other; transformers alone is told another number than the conversion took.
    other = script(tmp_path / "python", f'''code=$(printf '%s' "$2" | sed 's/use_safetensors=True/&, rope_theta=10100.0/')
exec {sys.executable} "$1" "$code"\n''')
    said = runner.call(*command(runner, *encrypted, other))
    assert said.returncode == 3 and said.stdout.startswith("MISMATCH"), said


@pytest.mark.parametrize("python, why", [("no-such-python", "is no program"), ("/bin/true", "ended"),
                                         ("/usr/bin/python3 -S", "is no program")])
def test_a_python_that_cannot_do_it_is_named(runner, encrypted, python, why):
    said = runner.fail(1, *command(runner, *encrypted, python))
    assert why in said and "--python" in said


def test_what_transformers_says_is_told(runner, encrypted, tmp_path):
    broken = script(tmp_path / "python", f'''code=$(printf '%s' "$2" | sed 's/trust_remote_code=False/&, no_such_option=3/')
exec {sys.executable} "$1" "$code"\n''')
    said = runner.fail(1, *command(runner, *encrypted, broken))
    assert "no_such_option" in said and str(encrypted[0]) in said


def test_a_gguf_source_has_no_second_reference(runner, encrypted, tmp_path):
    runner.run("convert", encrypted[0], "-o", tmp_path / "gguf")
    assert "no Hugging Face folder" in runner.fail(2, *command(runner, tmp_path / "gguf/model.gguf", encrypted[1]))


def test_blocks_that_are_moved_whole_are_not_judged_as_rounded(runner, llama, model_folder, tmp_path):
    runner.run("convert", model_folder("llama-256"), "-o", tmp_path / "gguf")
    quantised = tmp_path / "q8_0.gguf"
    subprocess.run([llama / "llama-quantize", tmp_path / "gguf/model.gguf", quantised, "q8_0"], check=True, capture_output=True)
    for args, rounded in (([], False), (["--requantize"], True)):
        out = tmp_path / f"out{rounded}"
        runner.encrypt(quantised, out, "--profile", "rotated", *args)
        found = runner.run("verify", "--plain", quantised, "--encrypted", out, "-k", runner.key)
        assert found["match"] and (found["plaintext_rounding"]["weight_rounding"]["max_abs_logit_diff"] > 0) == rounded
