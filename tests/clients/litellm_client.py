"""LiteLLM: the library that proxies and agents call models with."""

import asyncio
import json

import litellm

from talk import DESK, MODEL, OBEDIENT, ORDER, TOO_LONG, checks, converse, done

ASK = {"model": f"openai/{MODEL}", "api_key": "none", "temperature": 0, "max_retries": 0}
TOOLS = [{"type": "function", "function": {"name": "get_time", "description": "Tells the time", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}}]


def streamed(messages):
    chunks = list(litellm.completion(messages=messages, api_base=DESK, max_tokens=64, stream=True, stream_options={"include_usage": True}, **ASK))
    whole = litellm.stream_chunk_builder(chunks, messages=messages)
    assert len(chunks) > 5 and whole.usage.completion_tokens > 0
    return whole.choices[0].message.content


converse("conversation", lambda messages: litellm.completion(messages=messages, api_base=DESK, max_tokens=64, **ASK).choices[0].message.content)
converse("stream", streamed)
converse("async", lambda messages: asyncio.run(litellm.acompletion(messages=messages, api_base=DESK, max_tokens=64, **ASK)).choices[0].message.content)
answer = litellm.responses(input="When do you open on Saturday?", api_base=DESK, max_output_tokens=64, **{k: v for k, v in ASK.items() if k != "max_retries"})
assert answer.output[0].content[0].text and answer.usage.output_tokens > 0
assert litellm.text_completion(prompt="We are open", api_base=DESK, max_tokens=8, **ASK).choices[0].text
checks.append("responses and completions")

for stream in (False, True):
    messages = [{"role": "user", "content": ORDER}]

    def turn():
        answer = litellm.completion(messages=messages, api_base=OBEDIENT, tools=TOOLS, stream=stream, **ASK)
        if stream:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        messages.append(answer.choices[0].message.model_dump())
        return answer.choices[0]

    called = turn()
    [call] = called.message.tool_calls
    assert called.finish_reason == "tool_calls" and json.loads(call.function.arguments) == {"zone": "Europe/Rome"}
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "eight"})
    assert turn().message.content == "The tool said: eight"
    messages.append({"role": "user", "content": "thanks"})
    assert turn().message.content == "I heard: thanks"
checks.append("tools")

try:
    litellm.completion(messages=[{"role": "user", "content": TOO_LONG}], api_base=DESK, **ASK)
except litellm.ContextWindowExceededError:
    checks.append("too long")
try:
    litellm.completion(messages=[{"role": "user", "content": "hello"}], api_base=DESK, **{**ASK, "temperature": 9})
except litellm.BadRequestError as error:
    assert "temperature" in str(error)
    checks.append("bad request")

done()
