"""The examination of the classifier, by reviews that training never drew: evaluate.py FOLDER [--json FILE]"""
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer

from sentences import DEVELOPMENT, EXAMINATION, HeldOut, sentences

EXAM_SEED, PER_PART = 90_001, 2000
PARTS = {"new reviews": HeldOut(), "new topics": HeldOut(topics=True), "templates of development": HeldOut(DEVELOPMENT),
         "templates of the examination": HeldOut(EXAMINATION), "templates of the examination, new topics": HeldOut(EXAMINATION, topics=True),
         "new words of feeling": HeldOut(feelings=True)}


def encode(tokenizer: Tokenizer, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """{texts, longest}: ids, padded, and the mask"""
    rows = [tokenizer.encode(text).ids for text in texts]
    longest, pad = max(map(len, rows)), tokenizer.token_to_id("[PAD]")
    ids = [row + [pad] * (longest - len(row)) for row in rows]
    return torch.tensor(ids), torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])


@torch.no_grad()
def accuracy(model: transformers.PreTrainedModel, tokenizer: Tokenizer, held_out: HeldOut, n: int) -> float:
    drawn, right = list(sentences(random.Random(EXAM_SEED), n, held_out)), 0
    was_training = model.training
    model.eval()
    for first in range(0, n, 100):
        part = drawn[first:first + 100]
        ids, mask = encode(tokenizer, [s.text for s in part])
        said = model(input_ids=ids, attention_mask=mask).logits.argmax(1).tolist()
        right += sum(a == s.label for a, s in zip(said, part))
    model.train(was_training)
    return right / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = transformers.DistilBertForSequenceClassification.from_pretrained(arguments.folder).eval()
    tokenizer = Tokenizer.from_file(str(arguments.folder / "tokenizer.json"))
    score = {name: accuracy(model, tokenizer, part, PER_PART) for name, part in PARTS.items()}
    print(json.dumps(score, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps({"reviews": PER_PART, "accuracy": score}, indent=2) + "\n")


if __name__ == "__main__":
    main()
