#!/usr/bin/env python3
"""Writes the fixtures: small valid files made by the formats' own libraries.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 safetensors==0.8.0 numpy
    venv/bin/python tests/vectors/format/make_fixtures.py

The output is committed and kept: readers must read these files for ever. fixture/expected.safetensors holds
the fp32 value of every tensor of types.gguf, decoded by gguf-py, which shares no code with ggml.
"""
import json
import shutil
from pathlib import Path

import gguf
import gguf.gguf_writer
import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf.quants import dequantize, quantize
from safetensors import TensorSpec, serialize

HERE = Path(__file__).resolve().parent / "fixture"
RNG = np.random.default_rng(20130525)

PLAIN = {Q.F32: np.float32, Q.F16: np.float16, Q.F64: np.float64,
         Q.I8: np.int8, Q.I16: np.int16, Q.I32: np.int32, Q.I64: np.int64}
BLOCKS = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q2_K, Q.Q3_K, Q.Q4_K, Q.Q5_K, Q.Q6_K, Q.IQ2_XXS, Q.IQ2_XS,
          Q.IQ2_S, Q.IQ3_XXS, Q.IQ3_S, Q.IQ1_S, Q.IQ1_M, Q.IQ4_NL, Q.IQ4_XS, Q.TQ1_0, Q.TQ2_0, Q.MXFP4]


def random_block(kind):
    """Random bytes that decode to moderate numbers; scales of NaN and infinity are drawn again."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    while True:
        raw = RNG.integers(0, 256, size, dtype=np.uint8).reshape(1, size)
        with np.errstate(all="ignore"):
            values = dequantize(raw, kind)
        if np.isfinite(values).all() and 1e-4 < np.abs(values).max() < 1e4:
            return raw, values.astype(np.float32)


def add_all_types(writer):
    expected = {}
    for kind, dtype in PLAIN.items():
        values = (RNG.standard_normal((2, 3)) * 40).astype(dtype)
        writer.add_tensor(kind.name.lower(), values)
        expected[kind.name.lower()] = values.astype(np.float32)
    bf16 = quantize((RNG.standard_normal((2, 3)) * 40).astype(np.float32), Q.BF16)
    writer.add_tensor("bf16", bf16, raw_dtype=Q.BF16)
    expected["bf16"] = dequantize(bf16, Q.BF16)
    for kind in BLOCKS:
        rows = [random_block(kind) for _ in range(2 if gguf.GGML_QUANT_SIZES[kind][0] == 32 else 1)]
        writer.add_tensor(kind.name.lower(), np.concatenate([raw for raw, _ in rows]), raw_dtype=kind)
        expected[kind.name.lower()] = np.concatenate([values for _, values in rows])
    return expected


def add_all_values(writer):
    writer.add_uint8("v.uint8", 255)
    writer.add_int8("v.int8", -128)
    writer.add_uint16("v.uint16", 65535)
    writer.add_int16("v.int16", -32768)
    writer.add_uint32("v.uint32", 2**32 - 1)
    writer.add_int32("v.int32", -2**31)
    writer.add_float32("v.float32", 0.1)
    writer.add_bool("v.bool", True)
    writer.add_string("v.string", "na\u00efve \U0001f511")
    writer.add_uint64("v.uint64", 2**64 - 1)
    writer.add_int64("v.int64", -2**63)
    writer.add_float64("v.float64", 0.1)
    writer.add_array("a.int32", [1, -2, 3])
    writer.add_array("a.float32", [0.5, -1.5])
    writer.add_array("a.bool", [True, False, True])
    writer.add_array("a.string", ["a", "", "\u010d"])


def write_gguf(path, fill, **options):
    writer = gguf.GGUFWriter(path, "llama", **options)
    result = fill(writer)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return result


def small(writer):
    writer.add_uint32("llama.block_count", 1)
    writer.add_tensor("token_embd.weight", np.arange(12, dtype=np.float32).reshape(3, 4))
    writer.add_tensor("output_norm.weight", np.ones(4, dtype=np.float32))
    writer.add_tensor("output.weight", np.arange(12, dtype=np.float16).reshape(3, 4))


def aligned(writer):
    writer.add_custom_alignment(128)
    small(writer)


def write_safetensors(path, tensors, metadata=None):
    buffers = {name: np.frombuffer(data, dtype=np.uint8) for name, (_, _, data) in tensors.items()}
    entries = {name: TensorSpec(dtype=kind, shape=shape, data_ptr=buffers[name].ctypes.data, data_len=len(data))
               for name, (kind, shape, data) in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(serialize(entries, metadata)))


def raw(kind, *shape):
    size = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2, "int16": 2}.get(kind, 1)
    data = RNG.integers(0, 2 if kind == "bool" else 256, size * int(np.prod(shape)), dtype=np.uint8)
    return kind, shape, data.tobytes()


def write_hf(config):
    kinds = ["float64", "int64", "float32", "int32", "float16", "bfloat16", "int16", "int8", "uint8", "bool"]
    single = HERE / "hf_single"
    write_safetensors(single / "model.safetensors",
                      {f"w.{kind}": raw(kind, 2, 3) for kind in kinds} | {"scalar": raw("float32"),
                                                                          "none": ("float32", (0, 4), b"")},
                      {"format": "pt"})
    (single / "config.json").write_text(config)
    (single / "generation_config.json").write_text('{\n  "eos_token_id": [\n    2,\n    7\n  ]\n}\n')

    sharded = HERE / "hf_sharded"
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    shards = [{"model.embed_tokens.weight": raw("bfloat16", 5, 4), "model.norm.weight": raw("bfloat16", 4)},
              {"lm_head.weight": raw("float32", 5, 4)}]
    for name, tensors in zip(names, shards):
        write_safetensors(sharded / name, tensors, {"format": "pt"})
    weight_map = {tensor: name for name, tensors in zip(names, shards) for tensor in tensors}
    total = sum(len(t[2]) for tensors in shards for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    (sharded / "config.json").write_text(config)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)
    write_gguf(HERE / "values.gguf", add_all_values)
    expected = write_gguf(HERE / "types.gguf", add_all_types)
    write_safetensors(HERE / "expected.safetensors",
                      {name: ("float32", v.shape, np.ascontiguousarray(v).tobytes()) for name, v in expected.items()})
    write_gguf(HERE / "small_v3.gguf", small)
    gguf.gguf_writer.GGUF_VERSION = 2
    write_gguf(HERE / "small_v2.gguf", small)
    gguf.gguf_writer.GGUF_VERSION = 3
    write_gguf(HERE / "aligned_128.gguf", aligned)
    write_gguf(HERE / "big_endian.gguf", small, endianess=gguf.GGUFEndian.BIG)
    write_gguf(HERE / "split.gguf", small, split_max_tensors=2)
    write_hf('{\n  "architectures": [\n    "LlamaForCausalLM"\n  ],\n  "model_type": "llama",\n  "vocab_size": 5\n}\n')


if __name__ == "__main__":
    main()
