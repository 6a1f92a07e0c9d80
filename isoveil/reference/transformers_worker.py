# Logits of a Hugging Face folder by transformers in fp32, for transformers_evaluator.h. Frames on standard input, which is
# a socket: eight bytes of length, then JSON; each answer is JSON, or "L" and the logits' bytes.
import sys
sys.path[:] = [folder for folder in sys.path if folder]
import json
import os
import socket
import struct

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
parent = socket.socket(fileno=os.dup(0))
stream = parent.makefile("rb")


def read_frame():
    head = stream.read(8)
    if len(head) < 8:
        sys.exit(0)
    return json.loads(stream.read(struct.unpack("<Q", head)[0]))


def write_frame(answer):
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    parent.sendall(struct.pack("<Q", len(data)))
    parent.sendall(data)


class Model:
    def load(self, request):
        import torch
        import transformers
        self.torch = torch
        self.token_by_token = request["token_by_token"]
        torch.set_num_threads(request["n_threads"])
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            request["folder"], torch_dtype=torch.float32, attn_implementation="eager", use_safetensors=True,
            local_files_only=True, trust_remote_code=False).eval()
        return {"engine": f"transformers {transformers.__version__}, torch {torch.__version__}",
                "n_vocab": self.model.get_output_embeddings().weight.shape[0]}

    def forward(self, ids, cache):
        ids = self.torch.tensor([ids], dtype=self.torch.long)
        return self.model(ids, past_key_values=cache, use_cache=self.token_by_token)

    def logits(self, request):
        parts = [[i] for i in request["ids"]] if self.token_by_token else [request["ids"]]
        rows, cache = [], None
        with self.torch.no_grad():
            for part in parts:
                answer = self.forward(part, cache)
                cache = answer.past_key_values if self.token_by_token else None
                rows.append(answer.logits[0].float())
        return b"L" + self.torch.cat(rows).contiguous().numpy().astype("<f4").tobytes()


model = Model()
while True:
    request = read_frame()
    try:
        write_frame(model.load(request) if "folder" in request else model.logits(request))
    except Exception as error:
        write_frame({"error": f"{type(error).__name__}: {error}"})
