#!/usr/bin/env python3
"""Writes the hostile inputs of the format readers: one failure mode a file, verdicts in index.json.

    python3 tests/vectors/format/make_vectors.py

Needs nothing but Python; bytes are put together by hand, so that no library mends them. The output is
committed, and the same on every run. A vector whose `error` is null must be accepted.
"""
import json
import shutil
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
INDEX = []


def emit(reader, name, data, error, code="format"):
    path = HERE / reader / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    entry = {"file": f"{reader}/{name}", "reader": reader, "error": error}
    if error is not None:
        entry["code"] = code
    INDEX.append(entry)


# --- GGUF -------------------------------------------------------------------------------------------------

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
T_F32, T_F16, T_Q4_0, T_Q8_0, T_Q4_K, T_Q4_0_4_4 = 0, 1, 2, 8, 12, 31


def u8(v): return struct.pack("<B", v)
def u32(v): return struct.pack("<I", v)
def u64(v): return struct.pack("<Q", v)


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return u64(len(raw)) + raw


def kv(key, kind, payload): return string(key) + u32(kind) + payload
def array(kind, count, payload): return u32(kind) + u64(count) + payload


def tensor(name, dims, kind, offset):
    return string(name) + u32(len(dims)) + b"".join(u64(d) for d in dims) + u32(kind) + u64(offset)


def gguf(keys=(), tensors=(), data=b"", version=3, n_tensors=None, n_keys=None, alignment=32, magic=b"GGUF"):
    head = magic + u32(version)
    head += u64(len(tensors) if n_tensors is None else n_tensors)
    head += u64(len(keys) if n_keys is None else n_keys)
    head += b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data


ARCH = kv("general.architecture", STRING, string("llama"))
ONE = tensor("a", [8], T_F32, 0)
DATA = bytes(range(32))


def gguf_vectors():
    def bad(name, data, error, code="format"):
        emit("gguf", name + ".gguf", data, error, code)

    good = gguf([ARCH], [ONE], DATA)
    emit("gguf", "good_v3.gguf", good, None)
    emit("gguf", "good_v2.gguf", gguf([ARCH], [ONE], DATA, version=2), None)
    emit("gguf", "good_empty.gguf", gguf(), None)
    emit("gguf", "good_alignment_1.gguf",
         gguf([kv("general.alignment", U32, u32(1))], [tensor("a", [1], 24, 0), tensor("b", [32], T_Q4_0, 1)],
              bytes(19), alignment=1), None)
    emit("gguf", "good_vocabulary_bytes.gguf",
         gguf([kv("tokenizer.ggml.tokens", ARRAY, array(STRING, 3, string(b"\xff\xfe") + string(b"") + string(b"\0")))]),
         None)
    emit("gguf", "good_gap_between_tensors.gguf",
         gguf([], [tensor("a", [8], T_F32, 0), tensor("b", [8], T_F32, 64)], bytes(96)), None)

    # The beginning.
    bad("empty", b"", "expected the magic GGUF (4 bytes), found the end of the file")
    bad("magic", gguf(magic=b"GGJT"), "expected the magic GGUF, found 0x544a4747")
    bad("version_1", gguf(version=1), "expected version 2 or 3, found 1", "unsupported")
    bad("version_4", gguf(version=4), "expected version 2 or 3, found 4", "unsupported")
    bad("big_endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "found a big-endian one", "unsupported")
    bad("lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
        "Git LFS pointer")
    bad("truncated_version", good[:6], "expected a version (4 bytes), found the end")
    bad("truncated_counts", good[:12], "expected the number of tensors (8 bytes), found the end")
    bad("truncated_key", gguf([ARCH])[:40], "a key has 20 bytes, but 8 are left")
    bad("truncated_value_type", good[:53], "expected a value type (4 bytes), found the end")
    bad("truncated_string", good[:67], "a string has 5 bytes, but 3 are left")
    bad("truncated_tensor_name", good[:70], "expected a tensor name (8 bytes), found the end")
    bad("truncated_dims", good[:85], "expected a dimension (8 bytes), found the end")
    bad("tensor_count_beyond_file", good[:48], "the number of tensors is 1, which cannot fit in the 32 bytes")
    bad("truncated_data", good[:-1], "needs 32 bytes at offset 0 of the data, which has 31")
    bad("no_data", gguf([ARCH], [ONE]), "needs 32 bytes at offset 0 of the data, which has 0")

    # Counts. CVE-2024-21802 and its group: bounded by what is left, before anything is allocated.
    bad("huge_tensor_count", gguf([ARCH], [ONE], DATA, n_tensors=2**64 - 1),
        "the number of tensors is 18446744073709551615, which cannot fit")
    bad("huge_key_count", gguf([ARCH], [ONE], DATA, n_keys=2**60), "the number of keys is 1152921504606846976")
    bad("key_count_wraps", gguf([ARCH], [ONE], DATA, n_keys=2**64 // 14 + 1), "which cannot fit")
    bad("huge_key_length", gguf([u64(2**64 - 1) + b"k"], [], bytes(64)), "a key has 18446744073709551615 bytes")
    bad("huge_string_length", gguf([kv("k", STRING, u64(2**63) + b"x")], [], bytes(64)),
        "a string has 9223372036854775808 bytes")
    bad("huge_array_u8", gguf([kv("k", ARRAY, array(U8, 2**62, b""))], [], bytes(64)), "an array length is")
    bad("huge_array_u64", gguf([kv("k", ARRAY, array(U64, 2**61, bytes(64)))]), "an array length is")
    bad("huge_array_string", gguf([kv("k", ARRAY, array(STRING, 2**61, bytes(64)))]), "an array length is")
    bad("array_one_too_long", gguf([kv("k", ARRAY, array(U32, 3, bytes(8)))], alignment=1), "an array length is 3")
    bad("array_string_runs_out", gguf([kv("k", ARRAY, array(STRING, 2, string("ab") + u64(9)))], alignment=1),
        "an array element has 9 bytes, but 0 are left")
    bad("fewer_keys_than_said", gguf([ARCH], [], bytes(28), n_keys=2), "is not clean UTF-8")
    bad("more_tensors_than_said", gguf([], [ONE, tensor("b", [8], T_F32, 32)], bytes(64), n_tensors=3), "tensor name")

    # Values.
    bad("value_type_13", gguf([kv("k", 13, bytes(32))]), "expected a value type of 0 to 12, found 13")
    bad("value_type_max", gguf([kv("k", 2**32 - 1, bytes(32))]), "found 4294967295")
    bad("array_type_13", gguf([kv("k", ARRAY, array(13, 1, bytes(32)))]), "expected an array type of 0 to 12, found 13")
    bad("array_in_array", gguf([kv("k", ARRAY, array(ARRAY, 1, array(U8, 1, u8(1))))]), "arrays of arrays")
    bad("bool_2", gguf([kv("k", BOOL, u8(2))], [], bytes(32)), "expected a bool of 0 or 1, found 2")
    bad("bool_in_array_255", gguf([kv("k", ARRAY, array(BOOL, 2, b"\x01\xff"))], [], bytes(32)), "found 255")

    # Keys and names.
    bad("duplicate_key", gguf([ARCH, ARCH]), "key 'general.architecture' occurs twice")
    bad("empty_key", gguf([kv("", U8, u8(0))], [], bytes(32)), "key '' is not clean UTF-8")
    bad("key_bad_utf8", gguf([kv(b"a\xc3(", U8, u8(0))], [], bytes(32)), r"key 'a\xc3(' is not clean UTF-8")
    bad("key_nul", gguf([kv(b"a\0b", U8, u8(0))], [], bytes(32)), r"key 'a\x00b' is not clean UTF-8")
    bad("duplicate_tensor", gguf([], [ONE, tensor("a", [8], T_F32, 32)], bytes(64)), "tensor 'a' occurs twice")
    bad("empty_tensor_name", gguf([], [tensor("", [8], T_F32, 0)], bytes(64)), "tensor name '' is not clean UTF-8")
    for name, raw in {"overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "above_10ffff": b"\xf4\x90\x80\x80",
                      "cut": b"a\xe2\x82", "escape": b"\x1b[2J", "newline": b"a\nb", "c1_control": b"\xc2\x9b"}.items():
        bad("tensor_name_" + name, gguf([], [tensor(raw, [8], T_F32, 0)], bytes(64)), "is not clean UTF-8")
    bad("tensor_name_long", gguf([], [tensor("x" * 4097, [8], T_F32, 0)], bytes(64)), "of at most 4096 bytes")

    # Shapes and types.
    bad("dims_0", gguf([], [tensor("a", [], T_F32, 0)], bytes(64)), "expected 1 to 4 dimensions, found 0")
    bad("dims_5", gguf([], [tensor("a", [1, 1, 1, 1, 1], T_F32, 0)], bytes(64)), "expected 1 to 4 dimensions, found 5")
    bad("dims_max", gguf([], [string("a") + u32(2**32 - 1) + bytes(64)]), "found 4294967295")
    bad("dim_zero", gguf([], [tensor("a", [8, 0], T_F32, 0)], bytes(64)), "tensor 'a': dimension 1 is 0")
    bad("dims_overflow", gguf([], [tensor("a", [2**32, 2**32], T_F32, 0)], bytes(64)), "overflows")
    bad("dims_overflow_to_small", gguf([], [tensor("a", [2**33, 2**31, 4], T_F32, 0)], bytes(64)), "overflows")
    bad("bytes_overflow", gguf([], [tensor("a", [2**62], T_F32, 0)], bytes(64)), "overflows")
    bad("negative_dim", gguf([], [tensor("a", [2**64 - 8], T_F32, 0)], bytes(64)), "overflows")
    bad("broken_block", gguf([], [tensor("a", [33], T_Q8_0, 0)], bytes(64)),
        "shape [33] of Q8_0 overflows or breaks its blocks")
    bad("broken_block_k", gguf([], [tensor("a", [128, 2], T_Q4_K, 0)], bytes(256)), "shape [2, 128] of Q4_K")
    bad("type_removed", gguf([], [tensor("a", [32], T_Q4_0_4_4, 0)], bytes(64)), "ggml type 31 is not known",
        "unsupported")
    bad("type_internal_q8_1", gguf([], [tensor("a", [32], 9, 0)], bytes(64)), "ggml type 9 is not known", "unsupported")
    bad("type_unknown", gguf([], [tensor("a", [32], 4242, 0)], bytes(64)), "ggml type 4242 is not known", "unsupported")
    bad("type_negative", gguf([], [tensor("a", [32], 2**32 - 1, 0)], bytes(64)), "ggml type 4294967295", "unsupported")

    # Where the data lies. CVE-2026-7482: a tensor that claims more than the file has.
    bad("tensor_beyond_file", gguf([], [tensor("a", [1024], T_F32, 0)], bytes(64)), "needs 4096 bytes at offset 0")
    bad("offset_beyond_file", gguf([], [tensor("a", [8], T_F32, 2**40)], bytes(64)), "needs 32 bytes at offset")
    bad("offset_wraps", gguf([], [tensor("a", [8], T_F32, 2**64 - 32)], bytes(64)), "needs 32 bytes at offset")
    bad("offset_unaligned", gguf([], [tensor("a", [8], T_F32, 4)], bytes(64)),
        "expected an offset that is a multiple of 32, found 4")
    bad("overlap", gguf([], [tensor("a", [16], T_F32, 0), tensor("b", [8], T_F32, 32)], bytes(64)),
        "overlaps tensor 'a'")
    bad("overlap_same", gguf([], [ONE, tensor("b", [8], T_F32, 0)], bytes(64)), "overlaps tensor")
    bad("overlap_inside", gguf([], [tensor("a", [64], T_F32, 0), tensor("b", [8], T_F32, 64),
                                    tensor("c", [8], T_F32, 128)], bytes(256)), "overlaps tensor")

    # Alignment. llama.cpp #24997: without an upper bound; #26318: padding that wraps.
    for value in (0, 3, 65537, 131072, 2**31):
        bad(f"alignment_{value}", gguf([kv("general.alignment", U32, u32(value))], [ONE], bytes(64)),
            f"expected a power of two up to 65536, found {value}")
    bad("alignment_max", gguf([kv("general.alignment", U64, u64(2**63))], [ONE], bytes(64)), "expected a power of two")
    bad("alignment_negative", gguf([kv("general.alignment", I32, struct.pack("<i", -32))], [ONE], bytes(64)),
        "expected a non-negative integer, found int32 -32")
    bad("alignment_string", gguf([kv("general.alignment", STRING, string("32"))], [ONE], bytes(64)),
        "expected a non-negative integer, found string")


# --- safetensors ------------------------------------------------------------------------------------------

def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode()
    return u64(len(text) if length is None else length) + text + data


def entry(name="a", dtype="F32", shape=(2,), begin=0, end=8):
    return json.dumps({name: {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}})[1:-1]


def safetensors_vectors():
    def bad(name, data, error, code="format"):
        emit("safetensors", name + ".safetensors", data, error, code)

    def header(*entries): return "{" + ",".join(entries) + "}"

    def field(text): return '{"a":{' + text + '}}'

    a, data = entry(), bytes(8)
    emit("safetensors", "good.safetensors", safetensors(header(a), data), None)
    emit("safetensors", "good_padded.safetensors", safetensors(header(a) + " " * 5, data), None)
    emit("safetensors", "good_no_tensors.safetensors", safetensors("{}"), None)
    emit("safetensors", "good_scalar.safetensors", safetensors(header(entry(shape=(), end=4)), bytes(4)), None)
    emit("safetensors", "good_empty_tensor.safetensors",
         safetensors(header(entry("z", shape=(0, 4), end=0), a), data), None)
    emit("safetensors", "good_out_of_order.safetensors",
         safetensors(header(entry("b", begin=8, end=16), a), bytes(16)), None)
    emit("safetensors", "good_metadata.safetensors",
         safetensors(header('"__metadata__":{"format":"pt","note":"\\u00e4\\n"}', a), data), None)

    # Length and JSON.
    bad("empty", b"", "expected a header length, found a file of 0 bytes")
    bad("seven_bytes", bytes(7), "found a file of 7 bytes")
    bad("lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
        "Git LFS pointer")
    bad("header_zero", safetensors(""), "expected a JSON object at once")
    bad("header_beyond_file", safetensors(header(a), data, length=1000), "a header of 1000 bytes does not fit")
    bad("header_one_beyond", safetensors("{}", length=3), "a header of 3 bytes does not fit")
    bad("header_over_cap", safetensors("{}", length=100_000_001), "expected a header of at most 100000000 bytes")
    bad("header_length_max", safetensors("{}", length=2**64 - 1), "expected a header of at most 100000000 bytes")
    bad("header_length_wraps", safetensors("{}", length=2**64 - 8), "expected a header of at most 100000000 bytes")
    bad("header_cut", safetensors(header(a)[:-1], data), "is no well-formed JSON")
    bad("header_leading_space", safetensors(" " + header(a), data), "expected a JSON object at once")
    bad("header_bom", safetensors("\ufeff" + header(a), data), "expected a JSON object at once")
    bad("header_array", safetensors("[]"), "expected a JSON object at once")
    bad("header_nul_padding", safetensors(header(a) + "\0\0", data), "is no well-formed JSON")
    bad("header_second_object", safetensors(header(a) + "{}", data), "is no well-formed JSON")
    bad("header_comment", safetensors("{/**/" + a + "}", data), "is no well-formed JSON")
    bad("header_trailing_comma", safetensors("{" + a + ",}", data), "is no well-formed JSON")
    bad("header_bad_utf8", safetensors(b'{"\xff":1}', data), "is no well-formed JSON")
    bad("deep_nesting", safetensors('{"a":' + "[" * 2000), "expected an object, found a list")
    bad("deep_nesting_in_shape", safetensors(field('"shape":' + "[" * 2000)), "found a list")

    # Names.
    bad("duplicate_tensor", safetensors(header(a, a), data), "tensor 'a': occurs twice")
    bad("duplicate_escaped", safetensors(header(a, entry().replace('"a"', '"\\u0061"')), data), "tensor 'a': occurs twice")
    bad("duplicate_field", safetensors(field('"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]'), data),
        "field 'dtype' occurs twice")
    emit("safetensors", "good_metadata_null.safetensors", safetensors(header('"__metadata__":null', entry()), data), None)
    bad("metadata_null_twice", safetensors('{"__metadata__":null,"__metadata__":{}}'), "occurs twice")
    bad("duplicate_metadata", safetensors('{"__metadata__":{},"__metadata__":{}}'), "occurs twice")
    bad("duplicate_metadata_key", safetensors('{"__metadata__":{"k":"1","k":"2"}}'), "__metadata__ 'k': occurs twice")
    bad("empty_name", safetensors(header(entry("")), data), "the name is not clean UTF-8")
    bad("name_escape", safetensors(header(entry("a\x1b[2J")), data), "the name is not clean UTF-8")
    bad("name_lone_surrogate", safetensors('{"\\ud800":' + entry()[5:] + "}", data), "is no well-formed JSON")
    bad("name_long", safetensors(header(entry("x" * 4097)), data), "of 1 to 4096 bytes")

    # Fields.
    bad("entry_number", safetensors('{"a":1}'), "expected an object, found 1")
    bad("entry_null", safetensors('{"a":null}'), "expected an object, found null")
    bad("metadata_list", safetensors('{"__metadata__":[]}'), "expected an object, found a list")
    bad("metadata_number", safetensors('{"__metadata__":{"k":1}}'), "expected strings by name, found 1")
    bad("metadata_object", safetensors('{"__metadata__":{"k":{}}}'), "expected strings by name, found an object")
    bad("no_dtype", safetensors(field('"shape":[2],"data_offsets":[0,8]'), data), "field 'dtype' is missing")
    bad("no_shape", safetensors(field('"dtype":"F32","data_offsets":[0,8]'), data), "field 'shape' is missing")
    bad("no_offsets", safetensors(field('"dtype":"F32","shape":[2]'), data), "field 'data_offsets' is missing")
    bad("unknown_field", safetensors(field('"x":1,"dtype":"F32","shape":[2],"data_offsets":[0,8]'), data),
        "expected the fields dtype, shape and data_offsets, found 'x'")
    bad("dtype_unknown", safetensors(header(entry(dtype="F8_E5M2", end=2)), bytes(2)),
        "safetensors type 'F8_E5M2' is not known", "unsupported")
    bad("dtype_lower_case", safetensors(header(entry(dtype="f32")), data), "type 'f32' is not known", "unsupported")
    bad("dtype_block", safetensors(header(entry(dtype="Q8_0")), data), "type 'Q8_0' is not known", "unsupported")
    bad("dtype_number", safetensors(field('"dtype":0'), data), "expected a string in field 'dtype', found 0")
    bad("shape_string", safetensors(field('"shape":"2"'), data), "expected a list in field 'shape', found a string")
    bad("shape_negative", safetensors(field('"shape":[-2]'), data), "expected non-negative integers in field 'shape', found -2")
    bad("shape_fraction", safetensors(field('"shape":[2.0]'), data), "found a fraction")
    bad("shape_too_large", safetensors(field('"shape":[18446744073709551616]'), data), "found a fraction or a number out of range")
    bad("shape_exponent", safetensors(field('"shape":[1e999]'), data), "is no well-formed JSON")
    bad("shape_nested", safetensors(field('"shape":[[2]]'), data), "found a list")
    bad("shape_9_dims", safetensors(header(entry(shape=[1] * 9, end=4)), bytes(4)), "expected at most 8 dimensions")
    bad("shape_overflow", safetensors(header(entry(shape=(2**32, 2**32), end=8)), data), "of F32 overflows")
    bad("shape_bytes_overflow", safetensors(header(entry(shape=(2**62,), end=0)), b""), "of F32 overflows")
    bad("offsets_one", safetensors(field('"dtype":"F32","shape":[2],"data_offsets":[8]'), data), "found [8]")
    bad("offsets_three", safetensors(field('"dtype":"F32","shape":[2],"data_offsets":[0,8,8]'), data), "expected 2 numbers")
    bad("offsets_reversed", safetensors(header(entry(begin=8, end=0)), data), "found [8, 0]")
    bad("offsets_reversed_wraps", safetensors(header(entry(begin=2**64 - 1, end=7)), data), "expected data_offsets")
    bad("size_too_small", safetensors(header(entry(end=4)), bytes(4)), "expected data_offsets that span 8 bytes")
    bad("size_too_large", safetensors(header(entry(end=12)), bytes(12)), "expected data_offsets that span 8 bytes")

    # Cover.
    bad("hole_at_start", safetensors(header(entry(begin=8, end=16)), bytes(16)), "expected data at offset 0, found 8: tensors leave a hole")
    bad("hole_between", safetensors(header(a, entry("b", begin=16, end=24)), bytes(24)), "tensors leave a hole")
    bad("overlap", safetensors(header(a, entry("b", begin=4, end=12)), bytes(12)), "tensors overlap")
    bad("overlap_same", safetensors(header(a, entry("b")), data), "tensors overlap")
    bad("trailing_bytes", safetensors(header(a), bytes(9)), "tensors need 8 bytes of data, the file has 9")
    bad("truncated_data", safetensors(header(a), bytes(7)), "tensors need 8 bytes of data, the file has 7")
    bad("no_tensors_but_data", safetensors("{}", bytes(8)), "tensors need 0 bytes of data, the file has 8")
    bad("end_near_max", safetensors(header(entry(dtype="U8", shape=(2**64 - 1,), end=2**64 - 1)), data),
        "tensors need 18446744073709551615 bytes")


# --- the index of a sharded folder ------------------------------------------------------------------------

def hf_index_vectors():
    def bad(name, data, error, code="format"):
        raw = data if isinstance(data, bytes) else data.encode()
        emit("hf_index", name + ".json", raw, error, code)

    def one(file): return json.dumps({"weight_map": {"a": file}})

    emit("hf_index", "good.json", b'{"metadata":{"total_size":8},"weight_map":{"a":"m-1.safetensors"}}', None)
    emit("hf_index", "good_float_size.json", b'{"metadata":{"total_size":8.0},"weight_map":{"a":"m.safetensors"}}', None)
    # No engine reads the size, and merged models carry wrong ones.
    for name, size in (("negative", "-1"), ("string", '"8"'), ("huge", "1e300"), ("fraction", "8.5"), ("null", "null"), ("list", "[]")):
        emit("hf_index", f"good_size_{name}.json", f'{{"metadata":{{"total_size":{size}}},"weight_map":{{"a":"x.safetensors"}}}}'.encode(), None)
    emit("hf_index", "good_no_size.json", b'{"weight_map":{"a":"m.safetensors","b":"m.safetensors"}}', None)
    bad("empty", "", "is no well-formed JSON")
    bad("list", "[]", "expected an object in field 'weight_map'")
    bad("no_map", '{"metadata":{}}', "expected an object in field 'weight_map'")
    bad("map_list", '{"weight_map":[]}', "expected an object in field 'weight_map'")
    bad("map_empty", '{"weight_map":{}}', "names no tensors")
    bad("duplicate_tensor", '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', "key 'a' occurs twice")
    bad("duplicate_map", '{"weight_map":{},"weight_map":{"a":"x.safetensors"}}', "key 'weight_map' occurs twice")
    bad("shard_number", '{"weight_map":{"a":1}}', "tensor 'a': expected a file name")
    bad("shard_parent", one("../x.safetensors"), "is no safetensors file of this folder")
    bad("shard_absolute", one("/etc/x.safetensors"), "is no safetensors file of this folder")
    bad("shard_subfolder", one("sub/x.safetensors"), "is no safetensors file of this folder")
    bad("shard_backslash", one("..\\x.safetensors"), "is no safetensors file of this folder")
    bad("shard_nul", one("x\0.safetensors"), "is no safetensors file of this folder")
    bad("shard_dots", one(".."), "is no safetensors file of this folder")
    bad("shard_pickle", one("pytorch_model.bin"), "is no safetensors file of this folder")
    bad("shard_long", one("x" * 256 + ".safetensors"), "is no safetensors file of this folder")
    bad("tensor_control", json.dumps({"weight_map": {"\x07": "x.safetensors"}}), "the name is not clean UTF-8")
    bad("number_out_of_range", '{"x":1e999}', "a number is out of range")
    bad("deep", "[" * 65 + "]" * 65, "is nested deeper than 64")
    bad("very_deep", "[" * 5000, "is nested deeper than 64")
    bad("bad_utf8", b'{"weight_map":{"\xff":"x.safetensors"}}', "is no well-formed JSON")
    bad("byte_order_mark", '\ufeff{"weight_map":{"a":"x.safetensors"}}', "found a byte order mark")
    bad("trailing", '{"weight_map":{"a":"x.safetensors"}} x', "is no well-formed JSON")
    bad("trailing_after_nul", '{"weight_map":{"a":"x.safetensors"}}\0x', "offset 37: is no well-formed JSON")


# --- whole folders ----------------------------------------------------------------------------------------

def folder_vectors():
    def folder(name, files, error, code="format", path=""):
        for file, content in files.items():
            target = HERE / "folder" / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        item = {"file": f"folder/{name}" + (f"/{path}" if path else ""), "reader": "folder", "error": error}
        if error is not None:
            item["code"] = code
        INDEX.append(item)

    def model(*names):
        return safetensors("{" + ",".join(entry(n, begin=8 * i, end=8 * i + 8) for i, n in enumerate(names)) + "}",
                           bytes(8 * len(names)))

    def index(weight_map, size=None):
        metadata = {} if size is None else {"total_size": size}
        return json.dumps({"metadata": metadata, "weight_map": weight_map})

    config = '{"model_type":"llama"}'
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    both = index({"a": one, "b": two}, 16)
    name = "model.safetensors.index.json"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n"

    folder("good_single", {"config.json": config, "model.safetensors": model("a"), "tokenizer.json": "{}"}, None)
    folder("good_named_file", {"config.json": config, "weights.safetensors": model("a")}, None, path="weights.safetensors")
    folder("good_sharded", {"config.json": config, name: both, one: model("a"), two: model("b")}, None)
    folder("good_shard_of_set", {"config.json": config, name: both, one: model("a"), two: model("b")}, None, path=two)
    folder("good_gguf_beside_config", {"config.json": config, "m.gguf": gguf([ARCH], [ONE], DATA)}, None)
    folder("good_gguf_of_name", {"dance-of-love.gguf": gguf([ARCH], [ONE], DATA)}, None)
    folder("good_gguf_other_extension", {"blob": gguf([ARCH], [ONE], DATA)}, None, path="blob")

    folder("nothing", {"README.md": "x"}, "holds neither a config.json nor a GGUF file", "unsupported")
    folder("config_only", {"config.json": config}, "holds neither model.safetensors nor", "not_found")
    folder("pickle", {"config.json": config, "pytorch_model.bin": b"PK"}, "holds 'pytorch_model.bin', a pickle", "unsupported")
    folder("adapter", {"config.json": config, "adapter_model.safetensors": model("a")}, "holds a LoRA adapter and no model", "unsupported")
    folder("adapter_alone", {"adapter_config.json": '{"base_model_name_or_path":"meta-llama/Llama-2-7b-hf"}', "adapter_model.safetensors": model("a")},
           "holds a LoRA adapter for 'meta-llama/Llama-2-7b-hf' and no model", "unsupported")
    folder("other_safetensors", {"config.json": config, "weights.safetensors": model("a")}, "holds 'weights.safetensors', but neither", "not_found")
    for method, said in (("gptq", "GPTQ"), ("awq", "AWQ"), ("bitsandbytes", "bitsandbytes"), ("fbgemm_fp8", "FP8"), ("compressed-tensors", "compressed-tensors"),
                         ("modelopt", "ModelOpt"), ("mxfp4", "MXFP4"), ("hqq", "'hqq'")):
        folder(f"quantised_{method}", {"config.json": json.dumps({"model_type": "llama", "quantization_config": {"quant_method": method}}), "model.safetensors": model("a")},
               f"the weights are quantised with {said}", "unsupported")
    folder("quantised_bitsandbytes_old", {"config.json": '{"quantization_config":{"load_in_4bit":true}}', "model.safetensors": model("a")},
           "the weights are quantised with bitsandbytes", "unsupported")
    folder("quantised_gptq_old", {"config.json": config, "quantize_config.json": "{}", "model.safetensors": model("a")}, "the weights are quantised with GPTQ", "unsupported")
    folder("good_quantization_null", {"config.json": '{"model_type":"llama","quantization_config":null}', "model.safetensors": model("a")}, None)
    folder("config_malformed", {"config.json": "{", "model.safetensors": model("a")}, "config.json: offset 2: is no well-formed JSON")
    folder("config_duplicate", {"config.json": '{"vocab_size":1,"vocab_size":2}', "model.safetensors": model("a")}, "key 'vocab_size' occurs twice")
    folder("config_list", {"config.json": "[]", "model.safetensors": model("a")}, "expected a JSON object")
    folder("generation_malformed", {"config.json": config, "generation_config.json": "", "model.safetensors": model("a")}, "generation_config.json")
    folder("lfs_single", {"config.json": config, "model.safetensors": pointer}, "Git LFS pointer")
    folder("lfs_shard", {"config.json": config, name: both, one: model("a"), two: pointer}, "Git LFS pointer")
    folder("lfs_index", {"config.json": config, name: pointer}, "Git LFS pointer")
    folder("single_and_index", {"config.json": config, "model.safetensors": model("a"), name: both}, "holds both model.safetensors and")
    folder("shard_missing", {"config.json": config, name: both, one: model("a")}, f"{two}: is named by {name} and missing", "not_found")
    folder("shard_truncated", {"config.json": config, name: both, one: model("a"), two: model("b")[:-1]}, "tensors need 8 bytes")
    folder("tensor_in_other_shard", {"config.json": config, name: index({"a": two, "b": one}), one: model("a"), two: model("b")}, "holds tensor 'a', which it does not", "mismatch")
    folder("tensor_not_mapped", {"config.json": config, name: both, one: model("a", "c"), two: model("b")}, f"does not name tensor 'c' of '{one}'", "mismatch")
    folder("tensor_in_two_shards", {"config.json": config, name: both, one: model("a"), two: model("b", "a")}, f"does not name tensor 'a' of '{two}'", "mismatch")
    folder("good_total_size_wrong", {"config.json": config, name: index({"a": one, "b": two}, 17), one: model("a"), two: model("b")}, None)
    folder("two_gguf", {"a.gguf": gguf(), "b.gguf": gguf()}, "holds 2 GGUF models, such as 'a.gguf' and 'b.gguf'", "invalid_argument")
    folder("safetensors_alone", {"model.safetensors": model("a")}, "has no config.json beside it", "unsupported", path="model.safetensors")
    folder("other_file", {"model.onnx": b"\x08\x07\x12\x07"}, r"is neither GGUF nor safetensors: it begins with '\x08\x07", "unsupported", path="model.onnx")
    folder("lfs_gguf", {"m.gguf": pointer}, "Git LFS pointer")
    folder("absent", {}, "there is no such file or folder", "not_found")

    def shard(number, count, total, names):
        keys = [kv("split.no", U16, struct.pack("<H", number)), kv("split.count", U16, struct.pack("<H", count)),
                kv("split.tensors.count", I32, struct.pack("<i", total))]
        return gguf(keys, [tensor(n, [8], T_F32, 32 * i) for i, n in enumerate(names)], bytes(32 * len(names)))

    g1, g2 = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
    folder("good_split", {g1: shard(0, 2, 2, "a"), g2: shard(1, 2, 2, "b")}, None)
    folder("split_missing", {g1: shard(0, 2, 2, "a")}, f"{g2}: is missing: shard 2 of 2", "not_found")
    folder("split_later_given", {g1: shard(0, 2, 2, "a"), g2: shard(1, 2, 2, "b")}, "is a later shard", "invalid_argument", path=g2)
    folder("split_renamed", {"x.gguf": shard(0, 2, 2, "a")}, "expected a name like 'NAME-00001-of-00002.gguf'")
    folder("split_count_of_name", {"m-00001-of-00003.gguf": shard(0, 2, 2, "a")}, "is a shard of 2; expected a name like")
    folder("split_swapped", {g1: shard(1, 2, 2, "a"), g2: shard(0, 2, 2, "b")}, f"{g1}: key 'split.no': expected 0, found 1")
    folder("split_other_set", {g1: shard(0, 2, 2, "a"), g2: shard(1, 3, 2, "b")}, f"{g2}: key 'split.count': expected 2, found 3")
    folder("split_no_number", {g1: shard(0, 2, 2, "a"), g2: gguf()}, f"{g2}: key 'split.no': is missing", "not_found")
    folder("split_total_wrong", {g1: shard(0, 2, 3, "a"), g2: shard(1, 2, 3, "b")}, "expected 3 tensors in all shards, found 2")
    folder("split_duplicate", {g1: shard(0, 2, 2, "a"), g2: shard(1, 2, 2, "a")}, f"{g2}: tensor 'a': is in two shards")
    folder("split_count_zero", {g1: shard(0, 0, 1, "a")}, "expected 1 to 65535, found 0")
    folder("split_count_huge", {g1: gguf([kv("split.count", U64, u64(2**60))])}, "expected 1 to 65535, found 1152921504606846976")


def main():
    for reader in ("gguf", "safetensors", "hf_index", "folder"):
        shutil.rmtree(HERE / reader, ignore_errors=True)
    gguf_vectors()
    safetensors_vectors()
    hf_index_vectors()
    folder_vectors()
    lines = ",\n".join("  " + json.dumps(item) for item in INDEX)
    (HERE / "index.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(INDEX)} vectors")


if __name__ == "__main__":
    main()
