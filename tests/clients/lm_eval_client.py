"""lm-eval: tasks of our own, answers that are generated and multiple choice by log probabilities of echoed prompts.

CHOICES is a completions URL that can echo with log probabilities; without it the refusal is looked at.
"""

import json
import os
import pathlib

from lm_eval import simple_evaluate

from talk import DESK, MODEL, checks, done

TOKENIZER = str(pathlib.Path(__file__).resolve().parents[2] / "models/front-desk")
ROWS = [{"question": "When do you open on Saturday?", "answer": "On Saturday we are open from 9:00 to 13:00.",
         "choices": ["On Saturday we are open from 9:00 to 13:00.", "On Saturday we are the refill of a lion."], "right": 0},
        {"question": "How much does a visit cost?", "answer": "A visit costs 60 dollars.",
         "choices": ["A visit costs umbrella.", "A visit costs 60 dollars."], "right": 1}]
pathlib.Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
DATA = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(pathlib.Path("rows.jsonl").resolve())}}, "test_split": "test",
        "doc_to_text": "{{question}}", "metadata": {"version": 1}}
ANSWERS = {**DATA, "task": "desk_answers", "output_type": "generate_until", "doc_to_target": "{{answer}}",
           "generation_kwargs": {"until": ["\n"], "max_gen_toks": 64, "temperature": 0.0},
           "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]}
CHOICES = {**DATA, "task": "desk_choices", "output_type": "multiple_choice", "doc_to_choice": "{{choices}}", "doc_to_target": "right",
           "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]}


def evaluate(kind, url, task, **more):
    arguments = {"model": MODEL, "base_url": url, "tokenizer": TOKENIZER, "num_concurrent": 1, "max_retries": 1, "max_length": 512, "eos_string": "<|eot_id|>"}
    return simple_evaluate(model=kind, model_args={**arguments, **more.pop("arguments", {})}, tasks=[task], bootstrap_iters=0, **more)


found = evaluate("local-chat-completions", f"{DESK}/chat/completions", ANSWERS, apply_chat_template=True)
assert found["results"]["desk_answers"]["exact_match,none"] == 1.0, found["samples"]
checks.append("chat answers")

# Token ids of a rendered chat, so that control tokens are control tokens.
found = evaluate("local-completions", f"{DESK}/completions", ANSWERS, apply_chat_template=True, arguments={"tokenized_requests": True})
assert found["results"]["desk_answers"]["exact_match,none"] == 1.0, found["samples"]
checks.append("completions")

url = os.environ.get("CHOICES")
if url:
    found = evaluate("local-completions", f"{url}/v1/completions", CHOICES, apply_chat_template=True)
    assert found["results"]["desk_choices"]["acc,none"] == 1.0, found["samples"]
    checks.append("multiple choice")
    print(json.dumps([sample["filtered_resps"] for sample in found["samples"]["desk_choices"]]))
else:
    try:
        evaluate("local-completions", f"{DESK}/completions", CHOICES, apply_chat_template=True)
    except Exception as error:
        assert "400" in repr(error) or "does not tell" in repr(error), repr(error)
        checks.append("multiple choice refused")

done()
