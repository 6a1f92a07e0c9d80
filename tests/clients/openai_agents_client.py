"""OpenAI's Agents SDK: sessions, function tools, handoffs and typed answers, over responses and chat completions."""

import asyncio

from agents import (Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, SQLiteSession, function_tool, handoff,
                    set_tracing_disabled)
import openai
from pydantic import BaseModel

from talk import DESK, MODEL, OBEDIENT, ORDER, QUESTIONS, TOO_LONG, checks, done, said

set_tracing_disabled(True)


class Visit(BaseModel):
    name: str
    day: str


@function_tool
def get_time(zone: str) -> str:
    """Tells the time."""
    assert zone == "Europe/Rome"
    return "eight"


def agent(kind, url, **more):
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    settings = ModelSettings(temperature=0, include_usage=True, max_tokens=400 if url == OBEDIENT else 64)
    return Agent(name="Desk", model=kind(MODEL, client), model_settings=settings, **more)


async def run(asked, text, stream, **more):
    if not stream:
        return await Runner.run(asked, text, **more)
    result = Runner.run_streamed(asked, text, **more)
    events = [event.type async for event in result.stream_events()]
    assert "raw_response_event" in events
    return result


async def converse(kind, stream):
    desk, session, texts = agent(kind, DESK), SQLiteSession("desk"), []
    for question in QUESTIONS:
        answer = await run(desk, question, stream, session=session)
        assert answer.context_wrapper.usage.output_tokens > 0
        texts += [question, answer.final_output]
        said.append(list(texts))


async def use_tools(kind, stream):
    other = agent(kind, OBEDIENT, handoff_description="Knows the bills")
    other.name = "Bills"
    helper, session = agent(kind, OBEDIENT, instructions="Be brief.", tools=[get_time], handoffs=[handoff(other)]), SQLiteSession("tools")
    assert (await run(helper, ORDER, stream, session=session)).final_output == "The tool said: eight"
    assert (await run(helper, "thanks", stream, session=session)).final_output == "I heard: thanks"
    moved = await run(helper, "call transfer_to_bills {}", stream, session=session)
    assert moved.last_agent.name == "Bills" and moved.final_output.startswith("The tool said: "), moved.final_output
    assert (await run(moved.last_agent, "thanks", stream, session=session)).final_output == "I heard: thanks"


async def main():
    for kind in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
        for stream in (False, True):
            await converse(kind, stream)
            await use_tools(kind, stream)
        typed = await Runner.run(agent(kind, OBEDIENT, output_type=Visit), 'say {"name": "Ada", "day": "Monday"}')
        assert typed.final_output == Visit(name="Ada", day="Monday")
        try:
            await Runner.run(agent(kind, DESK), TOO_LONG)
        except openai.BadRequestError as error:
            assert error.code == "context_length_exceeded"
            checks.append(kind.__name__)
    done()


asyncio.run(main())
