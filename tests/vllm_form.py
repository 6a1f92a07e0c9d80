"""Stock transformers behind the form of vLLM's server, for what it answers of encoders.

    with vllm_form(embed=lambda ids: vector) as (url, asked):
        ...
        asked                                      # the bodies of what came
"""

import contextlib
import http.server
import json
import threading

EMBED, CLASSIFY = "/v1/embeddings", "/classify"


@contextlib.contextmanager
def vllm_form(embed=None, classify=None, n_context=64):
    """Each is called with a list of ids and gives a list of numbers; what is missing is refused, as vLLM does it."""
    entries = {EMBED: embed and (lambda ids: {"object": "embedding", "embedding": [float(x) for x in embed(ids)]}),
               CLASSIFY: classify and (lambda ids: {"label": "LABEL_0", "probs": [float(x) for x in classify(ids)]})}
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def reply(self, body, status=200):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            known = self.path == "/v1/models"
            self.reply({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm", "max_model_len": n_context}]}, 200 if known else 404)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            entry = entries.get(self.path)
            if entry is None:
                return self.reply({"error": {"message": "The model does not support this API", "code": 400}}, 400)
            asked.append(body)
            data = [{"index": i, **entry(ids)} for i, ids in enumerate(body["input"])]
            self.reply({"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}})

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
