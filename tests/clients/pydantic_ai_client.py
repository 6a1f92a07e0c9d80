"""pydantic-ai: agents with tools, dependencies and typed answers, over chat completions and responses."""

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
import openai

from talk import DESK, MODEL, OBEDIENT, ORDER, TOO_LONG, QUESTIONS, checks, done, said


def provider(url):
    return OpenAIProvider(openai_client=openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0))


def model(kind, url):
    return kind(MODEL, provider=provider(url), settings={"temperature": 0, "max_tokens": 400 if url == OBEDIENT else 64})


class Visit(BaseModel):
    name: str
    day: str


async def converse(kind, stream):
    agent, history, texts = Agent(model(kind, DESK)), [], []
    for question in QUESTIONS:
        if stream:
            async with agent.run_stream(question, message_history=history) as run:
                text = "".join([piece async for piece in run.stream_text(delta=True)])
                history = run.all_messages()
        else:
            run = await agent.run(question, message_history=history)
            text, history = run.output, run.all_messages()
            assert run.usage.output_tokens > 0
        texts += [question, text]
        said.append(list(texts))


async def use_tools(kind):
    agent = Agent(model(kind, OBEDIENT), instructions="Be brief.")
    asked = []

    @agent.tool_plain
    def get_time(zone: str) -> str:
        """Tells the time."""
        asked.append(zone)
        return "eight"

    first = await agent.run(ORDER)
    assert first.output == "The tool said: eight", first.output
    async with agent.run_stream("thanks", message_history=first.all_messages()) as second:
        assert await second.get_output() == "I heard: thanks"
    third = await agent.run(ORDER, message_history=second.all_messages())
    assert third.output == "The tool said: eight" and asked == ["Europe/Rome"] * 2


async def type_answers(kind):
    ada = '{"name": "Ada", "day": "Monday"}'
    for output, order in ((ToolOutput(Visit, name="visit"), f"call visit {ada}"), (NativeOutput(Visit), f"say {ada}"), (PromptedOutput(Visit), f"say {ada}")):
        run = await Agent(model(kind, OBEDIENT), output_type=output).run(order)
        assert run.output == Visit(name="Ada", day="Monday"), (output, run.output)


async def main():
    for kind in (OpenAIChatModel, OpenAIResponsesModel):
        for stream in (False, True):
            await converse(kind, stream)
        await use_tools(kind)
        await type_answers(kind)
        try:
            await Agent(model(kind, DESK)).run(TOO_LONG)
        except ModelHTTPError as error:
            assert error.status_code == 400 and error.body["code"] == "context_length_exceeded", error.body
            checks.append(kind.__name__)
    done()


asyncio.run(main())
