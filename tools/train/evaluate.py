"""Examine the front desk: the shipped folder, or any server with an OpenAI-compatible interface.

    evaluate.py --folder ../../models/front-desk --json ../../models/front-desk/score.json --document ../../docs/model.md
    evaluate.py --base-url http://127.0.0.1:8080/v1

An answer has the right intent if it has the shape of an answer of the expected act, the right entities if it repeats all
of them letter by letter, and is grammatical if it has the shape of any answer of the grammar. It is right if it is
exactly one of the accepted answers. Everything is greedy.
"""
from __future__ import annotations

import argparse
import csv
import json
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grammar as g
from dialogues import Dialogue
from questions import Question, accepted, held_out_dialogues, naming_turns, pattern_of, read

ROOT = Path(__file__).parents[2]
SAMPLES = 30


class Desk(Protocol):
    def answer(self, messages: list[dict[str, str]]) -> str: ...


class FolderDesk:
    """The exported weights, in the PyTorch model of this folder."""

    def __init__(self, folder: Path):
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        from data import Encoder
        from model import Llama, ModelSettings
        config = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.encoder = Encoder(self.tokenizer)
        self.model = Llama(ModelSettings(
            config["vocab_size"], config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"],
            config["num_key_value_heads"], config["intermediate_size"], config["max_position_embeddings"],
            config["rope_theta"], config["rms_norm_eps"]))
        weights = load_file(str(folder / "model.safetensors"))
        self.model.load_state_dict({name: weight.float() for name, weight in weights.items()})
        self.stop = set(config["eos_token_id"])

    def answer(self, messages: list[dict[str, str]]) -> str:
        return self.tokenizer.decode(self.model.greedy(self.encoder.prompt(messages), self.stop))


class ServedDesk:
    def __init__(self, base_url: str, model: str):
        self.url, self.model = base_url.rstrip("/") + "/chat/completions", model

    def answer(self, messages: list[dict[str, str]]) -> str:
        body = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": 96}
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)["choices"][0]["message"]["content"].strip()


@dataclass(frozen=True)
class Marked:
    question: Question
    answer: str
    intent: bool
    entities: bool
    grammatical: bool
    right: bool


def mark(question: Question, answer: str, patterns: dict[str, re.Pattern[str]]) -> Marked:
    return Marked(
        question, answer, bool(patterns[question.intent].fullmatch(answer)),
        all(entity in answer for entity in question.entities),
        any(pattern.fullmatch(answer) for pattern in patterns.values()), bool(re.fullmatch(question.accept, answer)))


def hold(desk: Desk, dialogue: Dialogue) -> bool:
    """A whole dialogue on the model's own answers; right if every turn is."""
    messages = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
    for turn in dialogue.turns:
        messages.append({"role": "user", "content": turn.user})
        answer = desk.answer(messages)
        if not re.fullmatch(accepted(turn.answers), answer):
            return False
        messages.append({"role": "assistant", "content": answer})
    return True


def names_copied(desk: Desk, count: int) -> dict[str, float]:
    """The share of answers with the right name, by kind of name; `count` of each."""
    return {kind: sum(name in desk.answer(messages) for messages, name in naming_turns(kind, count)) / count
            for kind in ("common", "training", "held-out")}


def summary(marked: list[Marked], dialogues: list[bool]) -> dict:
    def share(values: list[bool]) -> float:
        return round(sum(values) / len(values), 4)

    with_entities = [m for m in marked if m.question.entities]
    later = [m for m in marked if sum(message["role"] == "user" for message in m.question.messages) > 1]
    return {
        "questions": len(marked), "intent": share([m.intent for m in marked]),
        "questions_with_entities": len(with_entities), "entities": share([m.entities for m in with_entities]),
        "grammatical": share([m.grammatical for m in marked]), "right": share([m.right for m in marked]),
        "later_turns": len(later), "later_turns_right": share([m.right for m in later]),
        "dialogues": len(dialogues), "dialogues_right": share(dialogues),
        "wrong": [{"id": m.question.id, "answer": m.answer} for m in marked if not m.right]}


def scores_as_text(score: dict) -> str:
    rows = [("right intent", "questions", "intent"), ("right entities", "questions_with_entities", "entities"),
            ("grammatical", "questions", "grammatical"), ("exactly an accepted answer", "questions", "right"),
            ("the same, later turns only", "later_turns", "later_turns_right"),
            ("whole dialogues on the model's own answers", "dialogues", "dialogues_right")]
    lines = ["| measure | of | share |", "|---|---:|---:|"]
    lines += [f"| {name} | {score[of]} | {100 * score[key]:.1f} % |" for name, of, key in rows]
    lines += [f"| {kind} names copied | {score['names_of_each_kind']} | {100 * share:.1f} % |" for kind, share in score["names"].items()]
    return "\n".join(lines)


def curve_as_text(path: Path) -> str:
    rows = [row for row in csv.DictReader(path.open()) if row["held_out_loss"]]
    lines = ["| step | tokens seen | minutes | loss | held-out loss |", "|---:|---:|---:|---:|---:|"]
    for row in rows:
        millions, minutes = int(row["tokens"]) / 1e6, int(row["seconds"]) / 60
        lines.append(f"| {row['step']} | {millions:.1f} M | {minutes:.0f} | {row['loss']} | {row['held_out_loss']} |")
    return "\n".join(lines)


def samples_as_text(marked: list[Marked]) -> str:
    """Every n-th question, so that nobody chose them."""
    parts = []
    for m in marked[::len(marked) // SAMPLES][:SAMPLES]:
        lines = [f"> *{message['role']}:* {message['content']}  " for message in m.question.messages]
        title = f"**{m.question.id}** ({'right' if m.right else 'wrong'})"
        parts.append("\n".join([title, "", *lines, f"> **{m.answer}**"]))
    return "\n\n".join(parts)


def fill(document: Path, blocks: dict[str, str]) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`."""
    text = document.read_text()
    for name, block in blocks.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text, found = between.subn(lambda m: f"{m[1]}\n{block}\n\n{m[2]}", text)
        if found != 1:
            raise SystemExit(f"{document} has no block named {name}")
    document.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--folder", type=Path)
    where.add_argument("--base-url")
    parser.add_argument("--model", default="front-desk", help="the model's name at the server")
    parser.add_argument("--questions", type=Path, default=ROOT / "tests" / "vectors" / "front-desk" / "questions.json")
    parser.add_argument("--dialogues", type=int, default=50, help="whole dialogues to hold")
    parser.add_argument("--names", type=int, default=100, help="names of each kind to be repeated")
    parser.add_argument("--json", type=Path, help="write the score here")
    parser.add_argument("--document", type=Path, help="fill the score, the curve and the samples in here")
    options = parser.parse_args()
    desk: Desk = FolderDesk(options.folder) if options.folder else ServedDesk(options.base_url, options.model)
    patterns = {act: pattern_of(act) for act in g.ANSWERS}
    marked = [mark(question, desk.answer(question.messages), patterns) for question in read(options.questions)]
    score = summary(marked, [hold(desk, dialogue) for dialogue in held_out_dialogues(options.dialogues)])
    score["names_of_each_kind"], score["names"] = options.names, names_copied(desk, options.names)
    print(scores_as_text(score))
    for wrong in score["wrong"]:
        print(f"{wrong['id']}: {wrong['answer']}")
    if options.json:
        options.json.write_text(json.dumps(score, indent=1, ensure_ascii=False) + "\n")
    if options.document:
        blocks = {"score": scores_as_text(score), "samples": samples_as_text(marked)}
        if options.folder:
            blocks["curve"] = curve_as_text(options.folder / "loss.csv")
        fill(options.document, blocks)


if __name__ == "__main__":
    main()
