"""promptfoo: an evaluation of conversations at the desk, of calls of tools, of JSON, and of a prompt that is too long."""

import json
import os
import pathlib
import subprocess

from talk import DESK, MODEL, OBEDIENT, ORDER, QUESTIONS, TOO_LONG, checks, done, said

# Each turn is asked with those before it.
CONVERSATION = """[{% for turn in _conversation %}{"role": "user", "content": {{ turn.input | dump }}}, {"role": "assistant", "content": {{ turn.output | dump }}}, {% endfor %}
{"role": "user", "content": {{ question | dump }}}]"""
TOOL = {"type": "function", "function": {"name": "get_time", "description": "Tells the time", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}}


def provider(kind, url, **config):
    return [{"id": f"openai:{kind}:{MODEL}", "config": {"apiBaseUrl": url, "apiKey": "none", "temperature": 0, "max_tokens": 64, "max_output_tokens": 64, **config}}]


def evaluate(name, providers, tests, prompt="{{question}}"):
    """The results, in the order of the tests."""
    pathlib.Path(f"{name}.json").write_text(json.dumps({"prompts": [prompt], "providers": providers, "tests": tests}))
    told = subprocess.run([os.environ["PROGRAMS"] + "/promptfoo", "eval", "-c", f"{name}.json", "-o", f"{name}-out.json", "--no-cache", "-j", "1"],
                          capture_output=True, text=True, timeout=200, env={**os.environ, "PROMPTFOO_CONFIG_DIR": str(pathlib.Path("state").resolve())})
    assert pathlib.Path(f"{name}-out.json").is_file(), told.stdout[-2000:] + told.stderr[-2000:]
    return json.loads(pathlib.Path(f"{name}-out.json").read_text())["results"]["results"]


for kind in ("chat", "responses"):
    tests = [{"vars": {"question": question}, "metadata": {"conversationId": kind}} for question in QUESTIONS]
    texts = []
    for question, result in zip(QUESTIONS, evaluate(f"desk-{kind}", provider(kind, DESK), tests, CONVERSATION), strict=True):
        assert result["success"] and result["response"]["tokenUsage"]["completion"] > 0, result
        texts += [question, result["response"]["output"]]
        said.append(list(texts))
    checks.append(kind)

call = {"vars": {"question": ORDER}, "assert": [{"type": "is-valid-openai-tools-call"}, {"type": "contains", "value": "Europe/Rome"}]}
[result] = evaluate("tools", provider("chat", OBEDIENT, tools=[TOOL]), [call])
assert result["success"], result
checks.append("tools")

schema = {"type": "json_schema", "json_schema": {"name": "visit", "strict": True, "schema": {
    "type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"], "additionalProperties": False}}}
[result] = evaluate("json", provider("chat", OBEDIENT, response_format=schema),
                    [{"vars": {"question": 'say {"day": "Monday"}'}, "assert": [{"type": "is-json"}]}])
assert result["success"] and result["response"]["output"] == {"day": "Monday"}, result
checks.append("JSON")

[result] = evaluate("long", provider("chat", DESK), [{"vars": {"question": TOO_LONG}}])
assert not result["success"] and "context_length_exceeded" in json.dumps(result), result
checks.append("too long")

done()
