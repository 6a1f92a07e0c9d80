"""LangChain: chat models and a LangGraph agent."""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from langgraph.checkpoint.memory import InMemorySaver
import openai
from pydantic import BaseModel

from talk import DESK, MODEL, OBEDIENT, ORDER, TOO_LONG, checks, converse, done

COMMON = {"model": MODEL, "api_key": "none", "max_retries": 0, "temperature": 0}
desk, obedient = ChatOpenAI(base_url=DESK, max_tokens=64, **COMMON), ChatOpenAI(base_url=OBEDIENT, **COMMON)

def streamed(messages):
    pieces = list(desk.stream(messages, stream_usage=True))
    answer = sum(pieces[1:], pieces[0])
    assert len(pieces) > 5 and answer.usage_metadata["output_tokens"] > 0, answer
    return answer.text


converse("conversation", lambda messages: desk.invoke(messages).text)
converse("stream", streamed)

text = OpenAI(base_url=DESK, max_tokens=8, **COMMON).invoke("We are open")
assert text
checks.append("completion")


@tool
def get_time(zone: str) -> str:
    """Tells the time."""
    assert zone == "Europe/Rome"
    return "eight"


for model in (obedient, ChatOpenAI(base_url=OBEDIENT, use_responses_api=True, **COMMON)):
    agent = create_agent(model, [get_time], system_prompt="Be brief.", checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    turn = lambda text: agent.invoke({"messages": [HumanMessage(text)]}, thread)["messages"]
    assert [m.type for m in turn(ORDER)] == ["human", "ai", "tool", "ai"]
    assert turn("thanks")[-1].text == "I heard: thanks" and turn(ORDER)[-1].text == "The tool said: eight"
    seen = [message.text for message, _ in agent.stream({"messages": [HumanMessage(ORDER)]}, thread, stream_mode="messages")]
    assert "".join(seen).endswith("The tool said: eight"), seen
checks.append("agent")


class Visit(BaseModel):
    name: str
    day: str


for method, order in (("json_schema", 'say {"name": "Ada", "day": "Monday"}'), ("function_calling", 'call Visit {"name": "Ada", "day": "Monday"}')):
    assert obedient.with_structured_output(Visit, method=method).invoke(order) == Visit(name="Ada", day="Monday")
checks.append("structured output")

try:
    desk.invoke(TOO_LONG)
except openai.BadRequestError as error:
    assert error.code == "context_length_exceeded"
    assert type(error).__name__ == "OpenAIContextOverflowError", type(error)
    checks.append("too long")

done()
