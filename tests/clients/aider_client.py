"""aider: three turns over a file in a git repository, in two of its edit formats; its prompt is too long for the desk's model."""

import io
import pathlib
import subprocess
from contextlib import redirect_stdout

from aider.coders import Coder
from aider.io import InputOutput
from aider.models import Model

from talk import DESK, MODEL, OBEDIENT, checks, done

file = pathlib.Path("note.txt")
file.write_text("one\n")
subprocess.run(["git", "init", "-q"], check=True)
subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "first"], check=True)


def coder(url, edit_format, stream):
    model = Model(f"openai/{MODEL}")
    model.extra_params = {"api_base": url, "api_key": "none"}
    model.weak_model = model
    return Coder.create(main_model=model, edit_format=edit_format, fnames=[str(file)], io=InputOutput(yes=True, pretty=False, fancy_input=False),
                        stream=stream, auto_commits=False, suggest_shell_commands=False, map_tokens=0)


SEARCH = "note.txt\n```\n<<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE\n```"
said = io.StringIO()
with redirect_stdout(said):
    for stream in (False, True):
        whole = coder(OBEDIENT, "whole", stream)
        assert whole.run("What is in the note?\nsay A number.\nover.") == "A number."
        whole.run("say note.txt\n```\ntwo\n```\nover.")
        assert file.read_text() == "two\n", file.read_text()
        assert whole.total_tokens_received > 0
        blocks = coder(OBEDIENT, "diff", stream)
        blocks.run(f"say {SEARCH.format('two', 'three')}\nover.")
        blocks.run(f"say {SEARCH.format('three', 'one')}\nover.")
        assert file.read_text() == "one\n", file.read_text()
        checks.append("stream" if stream else "edits")
    refused = io.StringIO()
    desk = coder(DESK, "whole", False)
    desk.io.tool_error = lambda message="", *_, **__: refused.write(str(message))
    desk.run("hello")
assert "context" in refused.getvalue().lower() and "limit" in refused.getvalue().lower(), refused.getvalue()
checks.append("too long")

done()
