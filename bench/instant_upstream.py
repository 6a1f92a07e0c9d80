"""A llama-server that thinks of nothing: whole answers made beforehand, or one token at a time, each sent by itself.

It costs as little as Python allows, so that what stands before it can be measured.
"""

import asyncio
import functools
import json
import multiprocessing


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(data):
    return chunk(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


def token(n_vocab, i, n_probs, ids=None):
    token_id = ids[i] if ids and i < len(ids) else (37 * i + 5) % n_vocab
    likely = [{"id": (token_id + j) % n_vocab, "logprob": -0.1 - j} for j in range(n_probs)]
    return {"content": "", "tokens": [token_id], "stop": False,
            **({"completion_probabilities": [{**likely[0], "top_logprobs": likely}]} if n_probs else {})}


@functools.cache
def answer(n_vocab, n, n_probs=0):
    """HTTP's bytes of a whole stream of n tokens"""
    end = {"tokens": [], "stop": True, "stop_type": "limit", "tokens_evaluated": 8, "tokens_predicted": n}
    return b"".join([HEAD, *(event(token(n_vocab, i, n_probs)) for i in range(n)), event(end), b"0\r\n\r\n"])


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def plain(body):
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


async def serve(n_vocab, drip, ids, report):
    @functools.cache
    def pieces(n):
        """HTTP's bytes of a stream of n tokens, token by token"""
        end = {"tokens": [], "stop": True, "stop_type": "limit", "tokens_evaluated": 8, "tokens_predicted": n}
        return [HEAD, *(event(token(n_vocab, i, 0, ids)) for i in range(n)), event(end) + b"0\r\n\r\n"]

    async def peer(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
                body = await reader.readexactly(length)
                if head.startswith("get /v1/models"):
                    writer.write(plain({"data": [{"id": "x", "owned_by": "llamacpp", "meta": {"n_vocab": n_vocab, "n_ctx": 32768, "n_embd": 8}}]}))
                elif head.startswith("get"):
                    writer.write(plain({"status": "ok", "total_slots": 1024, "build_info": "instant"}))
                elif not head.startswith("post /completion "):
                    writer.write(plain({"error": {"code": 501, "message": "no"}}).replace(b"200 OK", b"501 Not Implemented", 1))
                else:
                    request = json.loads(body)
                    n = request["n_predict"]
                    if drip and n > 8 and len(request["prompt"]) not in (1, 24):  # not the test sequence of the gateway
                        await drop_by_drop(writer, n)
                    else:
                        writer.write(answer(n_vocab, n, request.get("n_probs", 0)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def drop_by_drop(writer, n):
        next_time = asyncio.get_running_loop().time()
        for piece in pieces(n):
            writer.write(piece)
            await writer.drain()
            next_time += drip
            await asyncio.sleep(next_time - asyncio.get_running_loop().time())

    server = await asyncio.start_server(peer, "127.0.0.1", 0, backlog=1024)
    report.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run(n_vocab, drip, ids, report):
    try:
        asyncio.run(serve(n_vocab, drip, ids, report))
    except KeyboardInterrupt:
        pass


class InstantUpstream:
    """In a process of its own. `drip`: seconds between the tokens of answers longer than eight, which are `ids` if given."""

    def __init__(self, n_vocab, drip=0, ids=None):
        here, there = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=run, args=(n_vocab, drip, ids, there), daemon=True)
        self.process.start()
        self.port = here.recv()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.join()
