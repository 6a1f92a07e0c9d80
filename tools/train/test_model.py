"""The model that is trained is the model that is shipped: our forward pass against transformers' own."""
from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from data import Encoder
from dialogues import Generator
from export import export
from grammar import HELD_OUT, QUESTIONS
from model import Llama, ModelSettings

FOLDER = Path(__file__).parents[2] / "models" / "front-desk"


def load_fp32(folder: Path):
    return AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()


@pytest.mark.parametrize("settings", [
    ModelSettings(layers=2), ModelSettings(width=96, heads=6, kv_heads=2, ffn=160, layers=3),
    ModelSettings(width=64, heads=2, kv_heads=2, ffn=96, layers=1, rope_theta=500.0)])
def test_logits_equal_those_of_transformers(settings: ModelSettings, tmp_path: Path) -> None:
    torch.manual_seed(1)
    shutil.copyfile(FOLDER / "tokenizer.json", tmp_path / "tokenizer.json")
    ours = Llama(settings)
    # Export rounds to bf16; compare what both sides read back.
    ours.load_state_dict({name: w.to(torch.bfloat16).float() for name, w in ours.state_dict().items()})
    export(ours.state_dict(), settings, tmp_path)
    ids = torch.randint(0, settings.vocab, (2, 200))
    with torch.no_grad():
        difference = (ours.logits(ids) - load_fp32(tmp_path)(ids).logits).abs().max()
    assert difference < 1e-4


def test_only_the_assistants_words_count() -> None:
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    encoder = Encoder(tokenizer)
    generator = Generator(3)
    for _ in range(50):
        dialogue = generator.dialogue()
        ids, counts = encoder.dialogue(dialogue)
        said = tokenizer.decode([i for i, counted in zip(ids, counts) if counted], skip_special_tokens=False)
        assert said == "".join(turn.answer + "<|eot_id|>" for turn in dialogue.turns)


def test_a_prompt_is_the_beginning_of_its_dialogue() -> None:
    encoder = Encoder(Tokenizer.from_file(str(FOLDER / "tokenizer.json")))
    generator = Generator(4)
    for _ in range(50):
        dialogue = generator.dialogue()
        ids, _ = encoder.dialogue(dialogue)
        prompt = encoder.prompt(dialogue.messages(len(dialogue.turns) - 1))
        assert ids[:len(prompt)] == prompt


def test_the_vocabulary_is_complete() -> None:
    raw = json.loads((FOLDER / "tokenizer.json").read_text())
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 4096 and raw["normalizer"] is None and raw["model"]["ignore_merges"]
    for text in ["naïve 你好 😀\n x  y ", "a\x00b", " \r\n\t'S"]:
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_no_held_out_phrasing_occurs_in_training() -> None:
    def every(template: str) -> set[str]:
        found = re.search(r"\(([^()]*)\)", template)
        if not found:
            return {re.sub(r"\W+$", "", template.lower())}
        before, after = template[:found.start()], template[found.end():]
        return set().union(*(every(before + one + after) for one in found[1].split("|")))

    for intent, phrasings in HELD_OUT.items():
        known = set().union(*map(every, QUESTIONS[intent]))
        assert not known & set().union(*map(every, phrasings)), intent


def test_both_sides_of_the_split_share_no_name() -> None:
    sides = []
    for held_out in (False, True):
        entities = Generator(5, held_out).entities
        kinds = entities.first, entities.last, entities.medicine
        sides.append({draw() for draw in kinds for _ in range(3000)})
    assert not sides[0] & sides[1]
