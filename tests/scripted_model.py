"""A gateway before a server that says what a test wants, for what no small model does by itself: tools, thoughts, ends of every kind.

The key, the encrypted ids and the chat template (Qwen 3's, with tools and thoughts) are real; only the choice of the next ids is not.
Without a script of a test's own the server obeys the last message:

    say TEXT            it says TEXT: all that follows, or all before a line "over."
    call NAME {JSON}    it calls the tool
    anything else       it says "I heard: " and the message; of a tool's result "The tool said: " and the result
"""

import contextlib
import json
import re
import shutil

from fake_llama import FakeLlama
from gateway_process import gateway

ORDER = re.compile(r"^(?:say (?P<said>.*?)(?:\nover\.(?:\n.*)?)?|call (?P<name>\S+) (?P<arguments>\{.*\})\s*)\Z", re.MULTILINE | re.DOTALL)
RESULT = re.compile(r"<tool_response>\n(.*)\n</tool_response>", re.DOTALL)


def obey(prompt):
    """What is said to a conversation, as the template has written it."""
    message = prompt.rsplit("<|im_start|>user\n", 1)[1].split("<|im_end|>", 1)[0]
    result = RESULT.search(message)
    if result:
        return "The tool said: " + result[1]
    order = ORDER.search(message)
    if order is None:
        return "I heard: " + message
    if order["name"]:
        return '<tool_call>\n{"name": "%s", "arguments": %s}\n</tool_call>' % (order["name"], order["arguments"])
    return order["said"]


class ScriptedModel:
    """`say(text, ends)` makes a script of the fake server; `prompts` are what it was asked, decrypted."""

    def __init__(self, blind, permutation):
        self.blind, self.permutation, self.prompts = blind, permutation, []
        self.plain_of = {wire: plain for plain, wire in enumerate(permutation)}
        self.end = blind.tokenizer.token_to_id("<|im_end|>")

    def say(self, text, ends=True):
        def script(peer):
            ids = self.blind.ids(text)[:peer.n - ends] + [self.end] * ends
            peer.head()
            for plain in ids:
                peer.token(self.permutation[plain])
            if not ends and len(ids) < peer.n:
                return  # the connection breaks
            peer.end(tokens_predicted=len(ids))
        return script

    def obey(self, peer):
        prompt = self.blind.tokenizer.decode([self.plain_of[wire] for wire in peer.body["prompt"]], skip_special_tokens=False)
        self.prompts.append(prompt)
        self.say(obey(prompt))(peer)


@contextlib.contextmanager
def scripted_model(runner, blind, llama, folder, context=4096):
    """The gateway, with `fake` and the `model` behind it."""
    shutil.copytree(blind.source, folder / "model")
    for name, change in (("tokenizer_config.json", {"chat_template": (llama.parent / "models/templates/Qwen-Qwen3-0.6B.jinja").read_text()}),
                         ("config.json", {"max_position_embeddings": context})):
        path = folder / "model" / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (folder / "model/chat_template.jinja").unlink(missing_ok=True)
    runner.encrypt(folder / "model", folder / "out", "--to", "gguf")
    model = ScriptedModel(blind, runner.permutation(folder / "out", blind.n_vocab))
    with FakeLlama(blind.n_vocab, n_context=context) as fake, \
            gateway(runner, folder / "out/client", [fake.url], folder / "log", "--upstream-kind", "llama-server", "--name", "tiny") as served:
        served.fake, served.model, fake.script = fake, model, model.obey
        yield served
