"""Batches of tokens from dialogues, made while training: no corpus is stored and none is seen twice."""
from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from dialogues import Dialogue, Generator
from vocabulary import BOS, END, END_HEADER, EOT, START_HEADER


class Encoder:
    """The chat template as ids, with a mark on every token that the assistant has to say itself."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.bos, self.end, self.start, self.stop_header, self.eot = (
            tokenizer.token_to_id(token) for token in (BOS, END, START_HEADER, END_HEADER, EOT))

    def plain(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def header(self, role: str, text: str = "") -> list[int]:
        """The line break is encoded together with the text, as it is when the whole template is."""
        return [self.start, *self.plain(role), self.stop_header, *self.plain("\n\n" + text)]

    def message(self, message: dict[str, str]) -> list[int]:
        return [*self.header(message["role"], message["content"]), self.eot]

    def prompt(self, messages: list[dict[str, str]]) -> list[int]:
        ids = [self.bos]
        for message in messages:
            ids += self.message(message)
        return ids + self.header("assistant")

    def dialogue(self, dialogue: Dialogue) -> tuple[list[int], list[bool]]:
        ids, counts = [self.bos], [False]
        for message in dialogue.messages():
            header, whole = len(self.header(message["role"])), self.message(message)
            ids += whole
            counts += [message["role"] == "assistant" and i >= header for i in range(len(whole))]
        return ids, counts


@dataclass
class Batch:
    ids: torch.Tensor
    counts: torch.Tensor


def padded(rows: list[tuple[list[int], list[bool]]], fill: int) -> Batch:
    length = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), length), fill)
    counts = torch.zeros((len(rows), length), dtype=torch.bool)
    for i, (row, count) in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
        counts[i, :len(row)] = torch.tensor(count)
    return Batch(ids, counts)


def batches_of_chunk(encoder: Encoder, seed: int, chunk: int, tokens: int, context: int, held_out: bool = False,
                     dialogues: int = 1024) -> list[Batch]:
    """Dialogues of like length share a batch: little padding, and no dialogue sees another."""
    generator = Generator(seed * 1_000_003 + chunk, held_out)
    rows = [encoder.dialogue(generator.dialogue()) for _ in range(dialogues)]
    rows = sorted((row for row in rows if len(row[0]) <= context), key=lambda row: len(row[0]))
    batches: list[Batch] = []
    group: list[tuple[list[int], list[bool]]] = []
    for row in rows:
        if group and len(row[0]) * (len(group) + 1) > tokens:
            batches.append(padded(group, encoder.end))
            group = []
        group.append(row)
    if group:
        batches.append(padded(group, encoder.end))
    random.Random(chunk).shuffle(batches)
    return batches
