"""What each client's script has in common.

DESK is a gateway before a real llama-server with the encrypted model that ships; OBEDIENT one before a server that does what the last
message says (tests/scripted_model.py). `done` prints what test_clients.py looks at: the names of what was checked, and what was said
at the desk, which is held against the gateway's own answers.
"""

import json
import os

DESK, OBEDIENT, MODEL = os.environ["DESK"] + "/v1", os.environ["OBEDIENT"] + "/v1", os.environ.get("MODEL", "tiny")
QUESTIONS = ["When do you open on Saturday?", "How much does a visit cost?", "Thank you, goodbye."]
ORDER = 'call get_time {"zone": "Europe/Rome"}'
TOO_LONG = "word " * 2000
checks, said = [], []


def converse(name, answer):
    """Three turns at the desk; `answer` gets the messages so far and gives the text of the next one."""
    messages = []
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer(messages)})
        said.append([m["content"] for m in messages])
    checks.append(name)


def done():
    print(json.dumps({"checks": checks, "said": said}))
