"""What a token costs in real use: many streams, each of which gets one token at a time.

The gateway's processor time is the kernel's own count, in nanoseconds, of all its threads; it hardly depends on what
else the machine does. It is read while every stream runs: within the first tokens and within the last, so that
neither connecting nor the end counts, and a cost that grows with the answer shows.
"""

import asyncio
import contextlib
import json
import pathlib
import shutil
import statistics
import time

PROSE = ("The front desk opens at eight in the morning and closes at six, from Monday to Friday. On Saturday somebody answers the phone until "
         "noon, and the door on the left stands open. Please bring your card, and the letter of your doctor if there is one. ")
TOOL = {"type": "function", "function": {"name": "note", "description": "Takes a note", "parameters": {
    "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}}
# name: whether the template is one of a model with tools and thoughts, what the answer begins with, what is asked for besides
KINDS = {
    "plain": (False, "", {}),
    "tools declared": (True, "", {"tools": [TOOL], "chat_template_kwargs": {"enable_thinking": False}}),
    "a tool call": (True, '<tool_call>\n{"name": "note", "arguments": {"text": "',
                    {"tools": [TOOL], "chat_template_kwargs": {"enable_thinking": False}}),
    "a thought": (True, "<think>\n", {}),
}
MARGIN = 1 / 8  # of an answer, before the first and after the last tokens that are measured
WINDOW = 1 / 4


def cpu_seconds(pid):
    return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of the process, as clock_getcpuclockid gives it


def with_template(model, template, folder):
    """A copy of a model's folder with another chat template."""
    shutil.copytree(model, folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template.read_text()}))
    return folder


class Reader:
    """Streams that are read side by side; counts the events of all."""

    def __init__(self):
        self.events, self.reads = 0, 0

    async def stream(self, port, path, body):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        data = json.dumps(body).encode()
        writer.write(b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (path.encode(), len(data), data))
        head, last = await reader.readuntil(b"\r\n\r\n"), b""
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError((head + await reader.read())[-500:])
        while piece := await reader.read(1 << 16):
            if b'"error":' in piece:
                raise RuntimeError(piece[-500:])
            self.events += piece.count(b"data: ")
            self.reads += 1
            last = (last + piece)[-4096:]
        writer.close()
        if b'"stop":true' not in last and b"data: [DONE]" not in last:
            raise RuntimeError(b"the stream breaks off: " + last[-300:])


async def window(pid, reader, begin, end):
    """(events, seconds of the process, seconds) between two counts of events"""
    async def reached(n):
        while reader.events < n:
            await asyncio.sleep(0.002)
        return reader.events, cpu_seconds(pid), time.perf_counter()
    first, last = await reached(begin), await reached(end)
    return tuple(b - a for a, b in zip(first, last))


async def measure_once(pid, port, body, n_streams, n, idle):
    """{"first", "last": microseconds of the process for a token}"""
    reader, total = Reader(), n_streams * n
    places = {"first": MARGIN, "last": 1 - MARGIN - WINDOW}
    windows = [asyncio.create_task(window(pid, reader, total * at, total * (at + WINDOW))) for at in places.values()]
    await asyncio.gather(*(reader.stream(port, "/v1/chat/completions", body) for _ in range(n_streams)))
    if not all(w.done() for w in windows):
        raise RuntimeError(f"only {reader.events} events came of {total} tokens")
    result = {name: (cpu - idle * seconds) / events * 1e6 for name, (events, cpu, seconds) in zip(places, (w.result() for w in windows))}
    return result | {"events_per_read": reader.events / reader.reads, "events_per_token": reader.events / total}


def idle_share(pid, seconds=1.0):
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds


def cost(pid, port, body, n_streams, n, rounds):
    idle = idle_share(pid)
    runs = [asyncio.run(measure_once(pid, port, body, n_streams, n, idle)) for _ in range(rounds)]
    found = {name: [run[name] for run in runs] for name in runs[0]}
    return {"idle_share": idle, **{name: {"median": statistics.median(values), "least": min(values), "most": max(values)}
                                   for name, values in found.items()}}


async def seconds_of(port, path, body, n_streams):
    reader, begin = Reader(), time.perf_counter()
    await asyncio.gather(*(reader.stream(port, path, body) for _ in range(n_streams)))
    return time.perf_counter() - begin


@contextlib.contextmanager
def failing_with(text):
    try:
        yield
    except RuntimeError as error:
        raise SystemExit(f"error: {text}: {error}") from error
