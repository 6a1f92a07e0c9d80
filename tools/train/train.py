"""Train the front desk on one CPU core.

    train.py --state DIR [--settings settings.json]

The schedule counts steps, not seconds, so that a paused or slow machine gives the same weights. DIR holds the checkpoint
and the loss curve; a run that finds a checkpoint there goes on from it.
"""
from __future__ import annotations

import argparse
import csv
import json
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer

from data import Batch, Encoder, batches_of_chunk
from model import Llama, ModelSettings


@dataclass
class Settings:
    seed: int = 20
    steps: int = 11200
    # Each cycle warms up to the peak and falls to zero.
    cycles: int = 2
    batch_tokens: int = 2048
    peak: float = 2e-3
    warmup: int = 200
    decay: float = 0.05
    clip: float = 1.0
    threads: int = 1
    # Products in BF16, as the model is shipped, with weights, sums and updates in FP32: twice the speed where the
    # processor has instructions for it.
    bfloat16: bool = True
    save_seconds: float = 180.0
    report_every: int = 20
    validate_every: int = 250
    model: ModelSettings = field(default_factory=lambda: ModelSettings(layers=6))

    @classmethod
    def read(cls, path: Path) -> Settings:
        raw = json.loads(path.read_text())
        return cls(**{**raw, "model": ModelSettings(**raw["model"])})


def rate(settings: Settings, step: int) -> float:
    length = settings.steps // settings.cycles
    step %= length
    if step < settings.warmup:
        return settings.peak * (step + 1) / settings.warmup
    done = (step - settings.warmup) / (length - settings.warmup)
    return settings.peak * 0.5 * (1 + math.cos(math.pi * done))


def optimizer_of(model: Llama, settings: Settings) -> torch.optim.AdamW:
    """Decay pulls on the matrices only: a gain or a rare piece's embedding has no reason to shrink."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.dim() != 2 or "embed" in name]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": settings.decay},
                              {"params": rest, "weight_decay": 0.0}], lr=settings.peak, betas=(0.9, 0.95))


@dataclass
class Progress:
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    chunk: int = 0
    batch: int = 0


class Run:
    def __init__(self, state: Path, settings: Settings, tokenizer: Tokenizer):
        self.state, self.settings, self.encoder = state, settings, Encoder(tokenizer)
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        self.model = Llama(settings.model)
        self.optimizer = optimizer_of(self.model, settings)
        self.progress = Progress()
        self.checkpoint = state / "checkpoint.pt"
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.progress = Progress(**saved["progress"])
        context = settings.model.context
        self.exam = batches_of_chunk(self.encoder, 77, 0, settings.batch_tokens, context, held_out=True, dialogues=128)

    def save(self) -> None:
        """Written aside and renamed: a killed run leaves the older checkpoint, never half of one."""
        aside = self.checkpoint.with_suffix(".new")
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "progress": vars(self.progress), "settings": self.settings.model.to_dict()}, aside)
        os.replace(aside, self.checkpoint)

    def loss(self, batch: Batch) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            return self.model.loss(batch.ids, batch.counts)

    @torch.no_grad()
    def validate(self) -> float:
        weights = [int(batch.counts.sum()) for batch in self.exam]
        losses = [float(self.loss(batch)) for batch in self.exam]
        return sum(w * l for w, l in zip(weights, losses)) / sum(weights)

    def step(self, batch: Batch) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.settings, self.progress.step)
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        return float(loss)

    def go(self) -> None:
        s, p = self.settings, self.progress
        losses: list[float] = []
        saved = time.monotonic()
        while p.step < s.steps:
            batches = batches_of_chunk(self.encoder, s.seed, p.chunk, s.batch_tokens, s.model.context)
            while p.batch < len(batches) and p.step < s.steps:
                began = time.monotonic()
                losses.append(self.step(batches[p.batch]))
                p.tokens += batches[p.batch].ids.numel()
                p.seconds += time.monotonic() - began
                p.step, p.batch = p.step + 1, p.batch + 1
                if p.step % s.report_every == 0:
                    self.report(sum(losses) / len(losses))
                    losses = []
                if time.monotonic() - saved > s.save_seconds:
                    self.save()
                    saved = time.monotonic()
            if p.batch == len(batches):
                p.chunk, p.batch = p.chunk + 1, 0
        self.save()

    def report(self, loss: float) -> None:
        p, s = self.progress, self.settings
        held_out = f"{self.validate():.4f}" if p.step % s.validate_every < s.report_every or p.step == s.steps else ""
        path = self.state / "loss.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(["step", "tokens", "seconds", "rate", "loss", "held_out_loss"])
            writer.writerow([p.step, p.tokens, round(p.seconds), f"{rate(s, p.step - 1):.6f}", f"{loss:.4f}", held_out])


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--settings", type=Path, default=here / "settings.json")
    parser.add_argument("--vocabulary", type=Path,
                        default=here.parents[1] / "models" / "front-desk" / "tokenizer.json")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    (options.state / "pid").write_text(str(os.getpid()))
    Run(options.state, Settings.read(options.settings), Tokenizer.from_file(str(options.vocabulary))).go()


if __name__ == "__main__":
    main()
