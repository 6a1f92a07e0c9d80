"""The examination: held-out phrasings about held-out people, with the answers that the grammar accepts.

    questions.py OUT.json
"""
from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import grammar as g
from dialogues import Dialogue, Generator, capitalised
from entities import FIRST, LAST, Entities

PER_ACT = 6
SEED = 99
TURNS = 5  # no question stands later in its dialogue: the longest prompts of training are not much longer


@dataclass(frozen=True)
class Question:
    id: str
    messages: list[dict[str, str]]
    intent: str
    entities: list[str]
    accept: str


def escaped(text: str) -> str:
    """Only what every dialect of regular expressions takes for special."""
    return re.sub(r"([.?*+^$|\\()\[\]{}])", r"\\\1", text)


def accepted(answers: list[str]) -> str:
    return "^(?:" + "|".join(escaped(answer) for answer in dict.fromkeys(answers)) + ")$"


def pattern_of(act: str) -> re.Pattern[str]:
    """Every answer of an act, whatever its slots hold."""
    templates = list(g.PREPARATIONS.values()) if act == "prepare" else g.ANSWERS[act]
    shapes = [re.sub(r"\\\{\w+\\\}", ".+", escaped(capitalised(template))) for template in templates]
    return re.compile("|".join(f"(?:{shape})" for shape in shapes))


def held_out_questions(per_act: int = PER_ACT, seed: int = SEED) -> list[Question]:
    """As many of every act, so that the rare ones weigh as much as the frequent ones.

    Earlier turns are the grammar's.
    """
    generator = Generator(seed, held_out=True)
    found: dict[str, list[Question]] = defaultdict(list)
    while len(found) < len(g.ANSWERS) or min(map(len, found.values())) < per_act:
        dialogue = generator.dialogue()
        for i, turn in enumerate(dialogue.turns[:TURNS]):
            if len(found[turn.act]) < per_act:
                found[turn.act].append(Question(
                    f"{turn.act}-{len(found[turn.act]) + 1}", dialogue.messages(i), turn.act, turn.entities,
                    accepted(turn.answers)))
    return [question for act in g.ANSWERS for question in found[act]]


def held_out_dialogues(count: int, seed: int = SEED + 1) -> list[Dialogue]:
    """Whole dialogues of at least two turns, to be held with the model's own answers in the history."""
    generator = Generator(seed, held_out=True)
    out: list[Dialogue] = []
    while len(out) < count:
        dialogue = generator.dialogue()
        if 2 <= len(dialogue.turns) <= TURNS:
            out.append(dialogue)
    return out


class CommonNames(Entities):
    """The listed names of the training side only: the people of an ordinary town."""

    def name(self) -> str:
        return f"{self.rng.choice(FIRST)} {self.rng.choice(LAST)}"


def naming_turns(kind: str, count: int, seed: int = SEED + 2) -> list[tuple[list[dict[str, str]], str]]:
    """Turns whose answer must repeat a name, and the name. Kinds: common, training, held-out.

    Training here means names of the training side in training's phrasings: new ones, but of the kind it has seen.
    """
    generator = Generator(seed, held_out=kind == "held-out")
    if kind == "common":
        generator.entities = CommonNames(generator.rng, held_out=False)
    out: list[tuple[list[dict[str, str]], str]] = []
    while len(out) < count:
        dialogue = generator.dialogue()
        out += [(dialogue.messages(i), turn.slots["name"]) for i, turn in enumerate(dialogue.turns[:TURNS])
                if "{name}" in g.ANSWERS[turn.act][0]]
    return out[:count]


def read(path: Path) -> list[Question]:
    return [Question(**raw) for raw in json.loads(path.read_text())]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(
        json.dumps([asdict(question) for question in held_out_questions()], indent=1, ensure_ascii=False) + "\n")
