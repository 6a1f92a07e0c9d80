"""Makes and evaluates models in a newer transformers: a line of JSON for each question on standard input, one for each answer.

    {"do": "make", "class": "SmolLM3ForCausalLM", "config": {...}, "folder": ..., "seed": 1}
    {"do": "logits", "folder": ..., "rows": [[1, 2], ...]}                    in fp64
    {"do": "outputs", "folder": ..., "class": "ModernBertModel", "ids": [...], "mask": [...], "output": "last_hidden_state"}   of an encoder
    {"do": "greedy", "folder": ..., "row": [1, 2], "n": 64}                   with a cache
"""

import json
import sys

import numpy as np
import torch
import transformers


def make(question):
    hf_class = getattr(transformers, question["class"])
    model = hf_class(hf_class.config_class(**question["config"])).float().eval()
    rng = np.random.default_rng(question["seed"])
    stored_less_1 = model.config.model_type.startswith("gemma")
    for name, p in model.named_parameters():
        shape = tuple(p.shape)
        if p.ndim >= 2:
            value = rng.normal(0, 0.5 if "embed" in name else 1.2 / np.sqrt(shape[-1]), shape)
        elif name.endswith("bias"):
            value = rng.normal(0, 0.3, shape)
        else:
            value = (0 if stored_less_1 else 1) + rng.uniform(-0.3, 0.3, shape)
        p.data = torch.tensor(value, dtype=torch.float32)
    model.tie_weights()
    model.save_pretrained(question["folder"])
    return {}


def load(folder, dtype=torch.float64):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()


@torch.no_grad()
def logits(question):
    model = load(question["folder"])
    return {"logits": [model(torch.tensor([row])).logits[0].double().tolist() for row in question["rows"]]}


@torch.no_grad()
def outputs(question):
    # Eagerly, a window that sees padding alone gives no numbers.
    model = getattr(transformers, question["class"]).from_pretrained(question["folder"], dtype=torch.float64, attn_implementation="sdpa").eval()
    out = model(torch.tensor(question["ids"]), attention_mask=torch.tensor(question["mask"]))
    return {"outputs": out[question["output"]].double().tolist()}


@torch.no_grad()
def greedy(question):
    model = load(question["folder"])
    ids = model.generate(torch.tensor([question["row"]]), max_new_tokens=question["n"], min_new_tokens=question["n"], do_sample=False)
    return {"ids": ids[0].tolist()}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"make": make, "logits": logits, "outputs": outputs, "greedy": greedy}[asked["do"]](asked)), flush=True)
