"""The training does what its README says: each command runs, a stopped training goes on, and what is shipped comes from here."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from evaluate import curve_as_text, scores_as_text
from model import ModelSettings
from questions import held_out_questions
from train import Run, Settings, rate
from vocabulary import learn, write

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models" / "front-desk"
TINY = ModelSettings(layers=1, width=32, heads=2, kv_heads=1, ffn=32)


def settings(**more) -> Settings:
    return Settings(**{"steps": 6, "cycles": 2, "warmup": 2, "batch_tokens": 512, "report_every": 3, "validate_every": 6,
                       "save_seconds": 0.0, "model": TINY, **more})


def weights(state: Path) -> dict[str, torch.Tensor]:
    return torch.load(state / "checkpoint.pt")["model"]


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    Run(tmp_path / "whole", settings(), tokenizer).go()
    stopped = Run(tmp_path / "stopped", settings(), tokenizer)
    step = stopped.step

    def until_the_fourth(batch):
        if stopped.progress.step == 4:
            raise KeyboardInterrupt
        return step(batch)

    stopped.step = until_the_fourth
    with pytest.raises(KeyboardInterrupt):
        stopped.go()
    again = Run(tmp_path / "stopped", settings(), tokenizer)
    assert again.progress.step == 4
    again.go()
    whole, other = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(whole[name], other[name]) for name in whole)
    # Another seed gives another model, so that equality means something.
    (tmp_path / "seed").mkdir()
    Run(tmp_path / "seed", settings(seed=21), tokenizer).go()
    assert not all(torch.equal(whole[name], other) for name, other in weights(tmp_path / "seed").items())


def test_the_rate_rises_and_falls_in_every_cycle() -> None:
    s = settings(steps=200, cycles=2, warmup=10)
    rates = [rate(s, step) for step in range(200)]
    assert rates[:100] == rates[100:]
    assert max(rates) == rates[9] == s.peak and rates[99] < 0.001 * s.peak


def test_the_vocabulary_is_the_one_that_is_shipped(tmp_path: Path) -> None:
    write(tmp_path, learn(seed=1, dialogues=12000))
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), path.name


def test_the_questions_are_those_of_the_file() -> None:
    written = json.loads((ROOT / "tests/vectors/front-desk/questions.json").read_text())
    assert json.loads(json.dumps([asdict(question) for question in held_out_questions()])) == written


def test_the_document_shows_the_score_of_the_file() -> None:
    document = (ROOT / "docs/model.md").read_text()
    assert scores_as_text(json.loads((FOLDER / "score.json").read_text())) in document
    assert curve_as_text(FOLDER / "loss.csv") in document


def test_the_documented_commands(tmp_path: Path) -> None:
    """On a copy, with a training of six steps; the examination is run by tests/test_front_desk.py on a served model."""
    for name in ("tools/train", "models/front-desk"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests/vectors/front-desk").mkdir(parents=True)
    small = {**asdict(settings(report_every=1)), "model": TINY.to_dict()}
    (tmp_path / "tools/train/settings.json").write_text(json.dumps(small))
    readme = (ROOT / "tools/train/README.md").read_text()
    [block] = re.findall(r"^## How to run\n.*?((?:^    [^\n]*\n)+)", readme, re.M | re.S)
    commands = [line.strip() for line in block.splitlines()]
    assert commands[0].endswith("PY=$(scripts/python-env)") and commands[1] == "cd tools/train"
    run = [command for command in commands[2:] if "evaluate.py" not in command and "pytest" not in command]
    assert [re.search(r"\w+\.py", command)[0] for command in run] == ["vocabulary.py", "train.py", "export.py", "questions.py"]
    script = "\n".join(run).replace("$PY", sys.executable).replace("/tmp/front-desk", str(tmp_path / "state"))
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path / "tools/train", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "models/front-desk/config.json").read_text())
    assert config["hidden_size"] == TINY.width
    assert len((tmp_path / "models/front-desk/loss.csv").read_text().splitlines()) == 7
    assert (tmp_path / "tests/vectors/front-desk/questions.json").read_bytes() == (
        ROOT / "tests/vectors/front-desk/questions.json").read_bytes()
