"""Train the sentiment classifier on one CPU core, a quarter of an hour: train.py FOLDER

FOLDER holds the vocabulary (vocabulary.py) and gets the model, a DistilBERT as Hugging Face stores it.
"""
from __future__ import annotations

import csv
import json
import math
import random
import sys
import time
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer

from evaluate import accuracy, encode
from sentences import DEVELOPMENT, LABELS, HeldOut, sentences
from vocabulary import LONGEST

SEED, STEPS, BATCH, PEAK, WARMUP, DECAY = 11, 7000, 64, 1e-3, 400, 0.05


def make_model(tokenizer: Tokenizer) -> transformers.DistilBertForSequenceClassification:
    config = transformers.DistilBertConfig(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=LONGEST, dim=128, hidden_dim=256, n_layers=3, n_heads=4,
        dropout=0.1, attention_dropout=0.1, seq_classif_dropout=0.1, pad_token_id=tokenizer.token_to_id("[PAD]"),
        id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)})
    return transformers.DistilBertForSequenceClassification(config)


def rate(step: int) -> float:
    if step < WARMUP:
        return PEAK * (step + 1) / WARMUP
    return PEAK * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def save(model: transformers.PreTrainedModel, folder: Path) -> None:
    from safetensors.torch import save_file
    model.config.architectures = [type(model).__name__]
    config = {name: value for name, value in model.config.to_dict().items() if name not in ("transformers_version", "_name_or_path")}
    kept = {name: value for name, value in transformers.DistilBertConfig(**config).to_diff_dict().items()
            if name not in ("transformers_version", "_attn_implementation_autoset")}
    (folder / "config.json").write_text(json.dumps(kept, indent=2) + "\n")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors", {"format": "pt"})


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model, rng, curve, start = make_model(tokenizer), random.Random(SEED), [], time.time()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=DECAY)
    for step in range(STEPS):
        model.train()
        drawn = list(sentences(rng, BATCH))
        ids, mask = encode(tokenizer, [s.text for s in drawn])
        loss = model(input_ids=ids, attention_mask=mask, labels=torch.tensor([s.label for s in drawn])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 250 == 0:
            score = accuracy(model, tokenizer, HeldOut(DEVELOPMENT, topics=True), 400)
            curve.append((step + 1, round(time.time() - start), round(loss.item(), 4), round(score, 4)))
            print(*curve[-1], flush=True)
    save(model.eval(), folder)
    with open(folder / "loss.csv", "w", newline="") as file:
        csv.writer(file).writerows([("step", "seconds", "loss", "held_out_accuracy"), *curve])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
