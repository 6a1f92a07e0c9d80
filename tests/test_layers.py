"""The folders under isoveil/ are the layers: who may include whom, and that CMake links no more than that."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = sorted(path for path in (ROOT / "isoveil").rglob("*") if path.suffix in (".cc", ".h"))
# Lowest first, as CMake adds them.
LAYERS = re.search(r"foreach\(layer ([a-z ]+)\)", (ROOT / "CMakeLists.txt").read_text()).group(1).split()
# What a layer must not know, though it stands above it: the reason is what its readers rely on.
NEVER = {
    "gateway": {"transform", "graph", "arch", "reference", "hub"},  # what listens for days holds keys and reads no checkpoint
    "engine": {"key", "crypto", "tokenizer", "graph", "arch", "transform"},  # what talks to servers knows neither text nor keys
    "net": {"crypto"},  # knows no secret but the keys of servers that it is handed
    "reference": {"key", "graph", "arch", "transform"},  # what judges is given no key
    "graph": {"key", "crypto", "format"},  # symmetries are public, and no format's matter
    "arch": {"key", "crypto"},
    "tokenizer": {"key", "algebra", "graph", "arch"},  # text and plain ids
    "format": {"key", "crypto", "algebra"},
    "tensor": {"key", "crypto", "algebra"},
    "algebra": {"key", "crypto"},
}


def layer_of(path):
    return path.relative_to(ROOT / "isoveil").parts[0]


def includes(path):
    """The layers that a file includes, with the line."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#include "isoveil/([a-z]+)/', line)
        if found:
            yield found.group(1), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_every_folder_is_a_layer():
    assert {layer_of(path) for path in SOURCES} == set(LAYERS)


def is_test(path):
    return re.search(r"_(test|fuzzer)\.cc$|_for_test\.h$|^test_", path.name) is not None


def test_a_layer_includes_only_those_below_it():
    wrong = [where for path in SOURCES if not is_test(path) for other, where in includes(path)
             if LAYERS.index(other) > LAYERS.index(layer_of(path))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("layer", NEVER)
def test_a_layer_never_includes(layer):
    assert NEVER[layer] <= set(LAYERS)
    wrong = [where for path in SOURCES if layer_of(path) == layer and not is_test(path) for other, where in includes(path)
             if other in NEVER[layer]]
    assert not wrong, "\n".join(wrong)


def links(layer):
    """The layers that a layer's library links by name."""
    text = (ROOT / "isoveil" / layer / "CMakeLists.txt").read_text()
    library = re.search(r"isoveil_library\(" + layer + r"\b(.*?)\)\n", text, re.S)
    return re.findall(r"isoveil::([a-z]+)", library.group(1)) if library else []


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_links_what_it_includes_and_nothing_forbidden(layer):
    linked, todo = set(), [layer]
    while todo:
        for other in links(todo.pop()):
            if other not in linked:
                linked.add(other)
                todo.append(other)
    if not links(layer):
        return
    assert not linked & NEVER.get(layer, set())
    included = {other for path in SOURCES if layer_of(path) == layer and not is_test(path) for other, _ in includes(path)}
    assert included - {layer} <= linked


# Foreign JSON is read by base/strict_json.h: bounded in depth and size, equal keys refused. What is left to nlohmann:
PARSES = {
    "isoveil/gateway/answer_check.cc": 1,  # sorts the keys of a value that was read: its own dump
    "isoveil/gateway/refused_members.cc": 1,  # constants of that file
    "isoveil/tokenizer/chat_template.cc": 2,  # for llama.cpp its dump of a value that was read, and llama.cpp's of a message
    "isoveil/tokenizer/spelled_tokens.cc": 1,  # as llama.cpp reads it, so that nothing hides; its depth was checked before
    "isoveil/tokenizer/tokenize_tool.cc": 1,  # a program of the tests
}


def test_foreign_json_is_read_strictly():
    found = {}
    for path in SOURCES:
        n = len(re.findall(r"json\s*::\s*(parse|accept)\s*\(", path.read_text(), re.I))
        if n and not is_test(path):
            found[str(path.relative_to(ROOT))] = n
    assert found == PARSES
