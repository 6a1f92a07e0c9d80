"""Writes vectors.json, partitions.json and the dense cases of mixings.json: the derivation of docs/keys.md in plain Python, sharing no
code with Isoveil. The other files here are kept as they are: what they pin must never change.

    python3 tests/vectors/key/make_vectors.py
"""

import hashlib
import json
import math
import pathlib
import struct


def chacha20_block(key: bytes, counter: int) -> bytes:
    """RFC 8439, section 2.3, with a nonce of zeros."""
    state = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key)) + [counter, 0, 0, 0]
    x = list(state)

    def quarter(a, b, c, d):
        for p, q, r, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = (x[p] + x[q]) & 0xFFFFFFFF
            v = x[r] ^ x[p]
            x[r] = ((v << shift) | (v >> (32 - shift))) & 0xFFFFFFFF

    for _ in range(10):
        quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15)
        quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, state)))


class Stream:
    def __init__(self, root: bytes, identity: bytes, label: bytes):
        message = b"isoveil-stream-1" + identity + struct.pack("<Q", len(label)) + label
        self.key = hashlib.blake2b(message, key=root, digest_size=32).digest()
        self.words, self.counter, self.spare = [], 0, None

    def next(self) -> int:
        if not self.words:
            self.words = list(struct.unpack("<8Q", chacha20_block(self.key, self.counter)))
            self.counter += 1
        return self.words.pop(0)

    def uniform(self, n: int) -> int:
        while True:
            word = self.next()
            if word >= 2**64 % n:
                return word % n

    def unit(self) -> float:
        return (self.next() >> 11) * 2.0**-53

    def normal(self) -> float:
        if self.spare is not None:
            value, self.spare = self.spare, None
            return value
        radius = math.sqrt(-2 * math.log(1 - self.unit()))
        angle = 2 * math.pi * self.unit()
        self.spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def haar(self, n: int) -> list:
        """Rows: the orthonormal basis of Gaussian rows, each with a positive component along its own row."""
        rows = [[self.normal() for _ in range(n)] for _ in range(n)]
        basis = []
        for row in rows:
            for _ in range(3):
                for u in basis:
                    dot = math.fsum(a * b for a, b in zip(row, u))
                    row = [a - dot * b for a, b in zip(row, u)]
            norm = math.sqrt(math.fsum(a * a for a in row))
            basis.append([a / norm for a in row])
        return basis

    def dense_image(self, n: int) -> list:
        """Q1 diag(s) Q2 (1, 2, ..., n)"""
        q1, q2 = self.haar(n), self.haar(n)
        s = [0.5 * 4.0 ** self.unit() for _ in range(n)]
        y = [scale * math.fsum(a * (i + 1) for i, a in enumerate(row)) for scale, row in zip(s, q2)]
        return [math.fsum(a * b for a, b in zip(row, y)) for row in q1]

    def runs(self, n: int, g: int) -> list:
        return [e * g + i for e in self.permutation(n // g) for i in range(g)]

    def partitioned(self, n: int, g: int, partitions: list) -> list:
        """Section 3, with partitions {"ends": [...], "blocks_move": bool}."""
        if len(partitions) == 1 and partitions[0]["blocks_move"]:
            ends = partitions[0]["ends"]
            lengths = {b - a for a, b in zip([0] + ends, ends)}
            if len(lengths) == 1 and min(lengths) % g == 0:
                block = min(lengths)
                return [start * block + i for start in self.permutation(n // block) for i in self.runs(block, g)]
        source, begin = list(range(n)), 0
        for end in sorted({end for p in partitions for end in p["ends"]}):
            first = -(-begin // g) * g
            count = max(0, end - first) // g * g
            source[first:first + count] = [first + i for i in self.runs(count, g)]
            begin = end
        return source

    def permutation(self, n: int) -> list:
        p = list(range(n))
        for i in range(n, 1, -1):
            j = self.uniform(i)
            p[i - 1], p[j] = p[j], p[i - 1]
        return p


def vector(seed: int, label: str, n: int) -> dict:
    root = hashlib.sha256(b"root %d" % seed).digest()
    identity = hashlib.sha256(b"identity %d" % seed).digest()
    new = lambda: Stream(root, identity, label.encode())
    words, uniform, permuted, monomial = new(), new(), new(), new()
    monomial.permutation(n)
    signs = [1.0 if monomial.uniform(2) == 0 else -1.0 for _ in range(n)]
    return {
        "root": root.hex(),
        "key_id": hashlib.blake2b(b"isoveil-key-id-1", key=root, digest_size=32).hexdigest()[:16],
        "identity": identity.hex(),
        "label": label,
        "words": [words.next() for _ in range(20)],
        "uniform_below_1000003": [uniform.uniform(1000003) for _ in range(20)],
        "permutation": permuted.permutation(n),
        "monomial_scale": [s * 2.0 ** (monomial.uniform(5) - 2) for s in signs],
    }


vectors = [vector(1, "vocab", 50), vector(2, "residual", 64), vector(3, "layer.12.vo", 7), vector(4, "layer.0.heads", 300)]
pathlib.Path(__file__).with_name("vectors.json").write_text(json.dumps(vectors, indent=1) + "\n")



def partition_case(seed: int, n: int, g: int, *partitions: dict) -> dict:
    root, identity = hashlib.sha256(b"root %d" % seed).digest(), hashlib.sha256(b"identity %d" % seed).digest()
    label = f"partition {seed}"
    source = Stream(root, identity, label.encode()).partitioned(n, g, list(partitions))
    return {"root": root.hex(), "identity": identity.hex(), "label": label, "n": n, "granularity": g, "partitions": partitions,
            "source": source}


uniform = lambda n, block, move: {"ends": list(range(block, n + 1, block)), "blocks_move": move}
cases = [partition_case(1, 40, 1, uniform(40, 10, True)), partition_case(2, 40, 1, uniform(40, 10, False)),
         partition_case(3, 60, 5, uniform(60, 15, True)), partition_case(4, 60, 4, uniform(60, 10, True)),
         partition_case(5, 60, 1, uniform(60, 20, True), {"ends": [32, 60], "blocks_move": False}),
         partition_case(6, 24, 1, {"ends": [1, 2, 24], "blocks_move": True})]
lines = ",\n".join(json.dumps(case) for case in cases)
pathlib.Path(__file__).with_name("partitions.json").write_text(f"[\n{lines}\n]\n")

mixings_path = pathlib.Path(__file__).with_name("mixings.json")
mixings = json.loads(mixings_path.read_text())
for case in mixings:
    if case["label"].startswith("general"):
        stream = Stream(bytes.fromhex(case["root"]), bytes.fromhex(case["identity"]), case["label"].encode())
        case["image_of_1_to_dim"] = stream.dense_image(case["dim"])
mixings_path.write_text(json.dumps(mixings, indent=1) + "\n")
