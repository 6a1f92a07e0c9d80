"""instructor: answers as objects, by a tool or by JSON, asked for again when they do not fit."""

import instructor
import openai
from pydantic import BaseModel, field_validator

from talk import DESK, MODEL, OBEDIENT, TOO_LONG, checks, converse, done


class Visit(BaseModel):
    name: str
    day: str

    @field_validator("day")
    @classmethod
    def is_open(cls, day):
        assert day != "Sunday", "we are closed on Sunday"
        return day


ADA = '{"name": "Ada", "day": "Monday"}'


def client(mode, url=OBEDIENT):
    return instructor.from_openai(openai.OpenAI(base_url=url, api_key="none", max_retries=0), mode=mode)


# Without a schema it is the official client.
plain = client(instructor.Mode.TOOLS, DESK)
converse("conversation", lambda messages: plain.chat.completions.create(
    model=MODEL, messages=messages, response_model=None, temperature=0, max_tokens=64).choices[0].message.content)

for mode, order in ((instructor.Mode.TOOLS, f"call Visit {ADA}"), (instructor.Mode.JSON, f"say {ADA}"), (instructor.Mode.JSON_SCHEMA, f"say {ADA}"),
                    (instructor.Mode.MD_JSON, f"say ```json\n{ADA}\n```")):
    ask = {"model": MODEL, "messages": [{"role": "user", "content": order}], "response_model": Visit, "max_retries": 1}
    visit, raw = client(mode).chat.completions.create_with_completion(**ask)
    assert visit.model_dump() == {"name": "Ada", "day": "Monday"}, (mode, visit)
    assert raw.usage.completion_tokens > 0
    checks.append(mode.name)

ask = {"model": MODEL, "messages": [{"role": "user", "content": f"call PartialVisit {ADA}"}], "max_retries": 1}
partial = list(client(instructor.Mode.TOOLS).chat.completions.create_partial(response_model=Visit, **ask))
assert partial[-1].model_dump() == {"name": "Ada", "day": "Monday"}
checks.append("partial stream")

# What the validator says goes back to the model as the result of its call; this model then repeats it, which is no call.
try:
    client(instructor.Mode.TOOLS).chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": 'call Visit {"name": "Ada", "day": "Sunday"}'}], response_model=Visit, max_retries=2)
except Exception as error:
    assert "answer_not_as_required" in str(error), error
    checks.append("asked again")

try:
    client(instructor.Mode.JSON, DESK).chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": TOO_LONG}], response_model=Visit, max_retries=1)
except Exception as error:
    assert "context_length_exceeded" in str(error), error
    checks.append("too long")

done()
