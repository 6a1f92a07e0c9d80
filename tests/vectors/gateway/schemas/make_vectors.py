"""Schemas, values, and whether the values follow them as the Python package jsonschema sees it: cases.json.

Run with the tests' Python: python make_vectors.py. Formats are left out: they are annotations there.
"""

import json
import pathlib
import random

import jsonschema

STRINGS = ["", "a", "ab", "abc", "日本語", "x-1", "2024-02-29", "😀"]
PATTERNS = ["^a", "b$", "^[a-z]+$", "-", "\\d", "^.{2}$", "\\u65e5"]
NAMES = ["a", "b", "ab", "x-1"]
NUMBERS = [-1, 0, 1, 2, 3, 0.5, 1.0, 2.5, 1e6]


def value(draw, depth=0):
    kind = draw.randrange(7 if depth < 3 else 5)
    if kind == 0:
        return draw.choice([None, True, False])
    if kind in (1, 2):
        return draw.choice(NUMBERS)
    if kind in (3, 4):
        return draw.choice(STRINGS)
    if kind == 5:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {name: value(draw, depth + 1) for name in draw.sample(NAMES, draw.randrange(4))}


def schema(draw, depth=0):
    if draw.random() < 0.08:
        return draw.choice([True, False]) if depth else True
    inner = lambda: schema(draw, depth + 1)
    types = ["null", "boolean", "object", "array", "number", "integer", "string"]
    makers = {
        "type": lambda: draw.choice(types) if draw.random() < 0.5 else draw.sample(types, 3),
        "enum": lambda: [value(draw, 2) for _ in range(4)], "const": lambda: value(draw, 2),
        "minimum": lambda: draw.choice(NUMBERS), "maximum": lambda: draw.choice(NUMBERS),
        "exclusiveMinimum": lambda: draw.choice(NUMBERS), "exclusiveMaximum": lambda: draw.choice(NUMBERS),
        "multipleOf": lambda: draw.choice([1, 2, 0.5]), "minLength": lambda: draw.randrange(4),
        "maxLength": lambda: draw.randrange(4), "pattern": lambda: draw.choice(PATTERNS),
        "minItems": lambda: draw.randrange(3), "maxItems": lambda: draw.randrange(4), "uniqueItems": lambda: True,
        "minProperties": lambda: draw.randrange(3), "maxProperties": lambda: draw.randrange(4),
        "required": lambda: draw.sample(NAMES, 2), "dependentRequired": lambda: {"a": ["b"]},
    }
    if depth < 3:
        makers |= {
            "items": inner, "prefixItems": lambda: [inner() for _ in range(2)], "contains": inner,
            "minContains": lambda: draw.randrange(3), "maxContains": lambda: draw.randrange(1, 3),
            "properties": lambda: {name: inner() for name in draw.sample(NAMES, 2)},
            "patternProperties": lambda: {draw.choice(PATTERNS): inner()}, "additionalProperties": inner,
            "propertyNames": inner, "dependentSchemas": lambda: {"a": inner()},
            "allOf": lambda: [inner(), inner()], "anyOf": lambda: [inner(), inner()], "oneOf": lambda: [inner(), inner()],
            "not": inner, "if": inner, "then": inner, "else": inner, "$ref": lambda: "#/$defs/shared",
        }
    return {name: makers[name]() for name in draw.sample(list(makers), draw.randrange(1, 4))}


def main():
    draw, cases, seen = random.Random(7), [], {True: 0, False: 0}
    while len(cases) < 600:
        made = schema(draw)
        if not isinstance(made, dict):
            continue
        # Without a way back: a schema that leads to itself is refused, not checked.
        made["$defs"] = {"shared": {"type": draw.choice(["string", "object"]), "minLength": 1}}
        checker = jsonschema.Draft202012Validator(made)
        for _ in range(3):
            one = value(draw)
            follows = checker.is_valid(one)
            if seen[follows] > seen[not follows] + 20:
                continue
            seen[follows] += 1
            cases.append({"schema": made, "value": one, "follows": follows})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    pathlib.Path(__file__).with_name("cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
