"""What a request may hold, and how a wrong value is named."""

import pytest

from gateway_process import CHAT, COMPLETE, RESPOND, ask, chat_body

WRONG = {
    CHAT: {
        "messages": [5, "x", {}, [], None, [5], [{}], [{"role": 5, "content": "x"}], [{"role": "user"}], [{"role": "user", "content": 5}],
                     [{"role": "user", "content": [5]}], [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
                     [{"role": "user", "content": [{"type": "text"}]}], [{"role": "assistant", "content": None}],
                     [{"role": "assistant", "tool_calls": 5}], [{"role": "assistant", "tool_calls": [5]}],
                     [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "a"}}]}],
                     [{"role": "tool", "content": "x", "tool_call_id": 5}], [{"role": "user", "content": "x", "name": 5}]],
        "temperature": ["hot", -1, 2.1, True, [], {}], "top_p": ["x", 1.1, -1], "min_p": ["x", 2, -1],
        "presence_penalty": ["x", 3, -3], "frequency_penalty": ["x", 3, -3], "repeat_penalty": ["x", 0, 11],
        "repetition_penalty": [-1, "x"], "top_k": ["x", -2, 1.5, 1 << 40], "seed": ["x", 1.5, 1 << 63, [], True],
        "ignore_eos": ["x", 1], "max_tokens": ["x", 0, -1, 1.5, 1e30, True], "max_completion_tokens": ["x", 0, -1],
        "n": ["x", 0, -1, 17, 1.5, 1 << 62], "stream": ["yes", 1, []], "stop": [5, {}, [5], ["x"] * 17, [["x"]]],
        "logit_bias": [5, [], "x", {"x": 1}, {"-1": 1}, {"5": "x"}, {"999999": 1}, {"99999999999999": 1}, {" 5": 1}, {"5": 1e300}],
        "logprobs": ["x", 1, []], "top_logprobs": ["x", -1, 21, 1.5, 3], "tools": [5, {}, [5], [{}], [{"type": "function"}],
            [{"type": "function", "function": {"name": 5}}], [{"type": "function", "function": {"name": "a", "description": 5}}],
            [{"type": "function", "function": {"name": "a", "parameters": 5}}], [{"type": "custom", "custom": {"name": "a"}}]],
        "tool_choice": [5, [], "sometimes", {}, {"type": "function"}, {"type": "function", "function": {"name": "none"}}],
        "parallel_tool_calls": ["x", 1], "response_format": [5, [], "json", {}, {"type": "xml"}, {"type": "json_schema"},
            {"type": "json_schema", "json_schema": {"schema": 5}}, {"type": "json_schema", "json_schema": {"schema": {"type": 5}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://evil.example/x"}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/nothing"}}}, {"type": "json_schema", "json_schema": {"schema": {"pattern": "("}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}},
            {"type": "json_schema", "json_schema": {"schema": {"$ref": "#/a", "a": {"anyOf": [{"not": {"$ref": "#"}}]}}}}],
        "reasoning_effort": [5, []], "chat_template_kwargs": [5, "x", []],
    },
    COMPLETE: {"prompt": [5, {}, [], None, [[]], ["a", 5], [1, "a"], [99999], [-1], [1.5], [[1], "a", [None]], [True], ["a"] * 65],
               "echo": ["x", 1], "logprobs": [True, "x", 21, -1], "max_tokens": [-1, "x"], "n": [0, 17], "temperature": ["x"], "stop": [5]},
    RESPOND: {"input": [5, {}, None, [5], [{"type": "message", "content": 5}], [{"type": "message", "role": 5, "content": "x"}],
                        [{"role": "user", "content": [{"type": "input_image"}]}], [{"type": "computer_call"}],
                        [{"type": "function_call", "name": 5, "arguments": "{}"}], [{"type": "function_call_output", "output": 5}], []],
              "instructions": [5, []], "max_output_tokens": [0, "x", -1], "temperature": [3, "x"], "stream": ["x"], "tools": [5, {}],
              "background": [5, True], "previous_response_id": ["resp_1"], "conversation": ["conv_1"], "prompt": [{"id": "x"}]},
    "/tokenize": {"content": [5, None, []], "add_special": [5], "parse_special": ["x"]},
    "/detokenize": {"tokens": [5, None, ["x"], [-1], [99999], [1.5]]},
}

GOOD = {CHAT: chat_body(), COMPLETE: {"prompt": "a", "max_tokens": 2}, RESPOND: {"input": "hello", "max_output_tokens": 2},
        "/tokenize": {"content": "a"}, "/detokenize": {"tokens": [1]}}


@pytest.mark.parametrize("path", WRONG)
def test_wrong_values_are_named(front, path):
    assert ask(front, path, GOOD[path]).status == 200
    for field, values in WRONG[path].items():
        for value in values:
            answer = ask(front, path, {**GOOD[path], field: value})
            assert answer.status == 400, (field, value, answer.body)
            error = answer.error
            # A parameter that contradicts another one may name either.
            names = {field, "messages" if path == RESPOND and field == "input" else field}
            assert any(error["param"].startswith(name) for name in names), (field, value, error)
            assert "evil.example" not in error["message"]


def test_stream_options(front):
    for wrong in (5, "x", {"include_usage": 1}):
        assert ask(front, CHAT, chat_body(stream=True, stream_options=wrong)).error["param"] in ("stream_options", "include_usage")
    assert ask(front, CHAT, chat_body(stream_options={"include_usage": True})).error["param"] == "stream_options"


def test_what_needs_text_on_the_server_is_refused_by_name(front):
    refused = {"grammar": 'root ::= "a"', "guided_json": {"type": "object"}, "guided_regex": "a+", "guided_grammar": "x",
               "guided_choice": ["a"], "json_schema": {"type": "object"}, "dry_multiplier": 0.8, "dry_sequence_breakers": ["\n"],
               "banned_strings": ["x"], "mirostat": 2, "best_of": 3, "suffix": "x", "audio": {"voice": "x"},
               "modalities": ["text", "audio"], "prediction": {"type": "content", "content": "x"}, "web_search_options": {},
               "functions": [{"name": "a"}], "function_call": {"name": "a"}}
    for path in (CHAT, COMPLETE):
        for name, value in refused.items():
            error = ask(front, path, {**GOOD[path], name: value}).error
            assert error["param"] == name and error["code"] == "unsupported", name
            assert ask(front, path, {**GOOD[path], name: None}).status == 200
    for name, value in {"modalities": ["text"], "best_of": 1, "suffix": "", "mirostat": 0, "dry_multiplier": 0}.items():
        assert ask(front, CHAT, {**chat_body(), name: value}).status == 200
    assert ask(front, "/v1/embeddings", {"input": "x"}).error["code"] == "unsupported"


def test_schemas_that_refer_to_themselves_further_down_are_good(front):
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}
    answer = ask(front, CHAT, chat_body(response_format={"type": "json_schema", "json_schema": {"name": "tree", "schema": tree}}))
    # The model of the tests writes no JSON; max_tokens cuts off what it writes.
    assert answer.status == 200 and answer.json["choices"][0]["finish_reason"] == "length"


def test_unknown_members_are_accepted(front):
    body = chat_body()
    plain = ask(front, CHAT, body).json["choices"]
    more = {"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "model": 5, "never_heard_of": [{"x": 1}], "": 0}
    assert ask(front, CHAT, {**body, **more}).json["choices"] == plain
