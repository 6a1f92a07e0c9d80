// A whole conversation with a tool by each Node client before the gateway at BASE_URL, whose model does what the last message says.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool, jsonSchema } from "ai";
import OpenAI from "openai";

globalThis.AI_SDK_LOG_WARNINGS = false;
const { BASE_URL, API_KEY } = process.env;
const schema = { type: "object", properties: { zone: { type: "string" } }, required: ["zone"], additionalProperties: false };
const about = { name: "get_time", description: "Tells the time" };
const order = 'call get_time {"zone": "Europe/Rome"}';
const openai = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 });
const checks = [];

{
  const asked = [];
  const runner = openai.chat.completions.runTools({
    model: "tiny",
    stream: true,
    messages: [{ role: "user", content: order }],
    tools: [{ type: "function", function: { ...about, parameters: schema, parse: JSON.parse, function: (given) => (asked.push(given), "eight") } }],
  });
  assert.equal(await runner.finalContent(), "The tool said: eight");
  assert.deepEqual(asked, [{ zone: "Europe/Rome" }]);
  const messages = [...runner.messages, { role: "user", content: "thanks" }];
  const last = await openai.chat.completions.create({ model: "tiny", messages });
  assert.equal(last.choices[0].message.content, "I heard: thanks");
  checks.push("chat completions");
}

{
  const tools = [{ type: "function", ...about, parameters: schema, strict: true }];
  const input = [{ role: "user", content: order }];
  const first = await openai.responses.create({ model: "tiny", input, tools, store: false });
  assert.equal(first.output[0].name, "get_time");
  input.push(...first.output, { type: "function_call_output", call_id: first.output[0].call_id, output: "eight" });
  const stream = openai.responses.stream({ model: "tiny", input, tools, store: false });
  const second = await stream.finalResponse();
  assert.equal(second.output_text, "The tool said: eight");
  checks.push("responses");
}

{
  const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
  const ask = { model: "tiny", max_tokens: 400, tools: [{ ...about, input_schema: schema }] };
  const messages = [{ role: "user", content: order }];
  const first = await client.messages.stream({ ...ask, messages }).finalMessage();
  assert.deepEqual(first.content[0].input, { zone: "Europe/Rome" });
  const result = { type: "tool_result", tool_use_id: first.content[0].id, content: "eight" };
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: [result] });
  const second = await client.messages.create({ ...ask, messages });
  assert.equal(second.content[0].text, "The tool said: eight");
  checks.push("messages");
}

const provider = createOpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY });
const asked = [];
const tools = {
  get_time: tool({ description: about.description, inputSchema: jsonSchema(schema), execute: (given) => (asked.push(given.zone), "eight") }),
};
const steps = { tools, stopWhen: stepCountIs(4), maxRetries: 0 };
for (const model of [provider("tiny"), provider.chat("tiny")]) {
  const messages = [{ role: "user", content: order }];
  const first = await generateText({ model, ...steps, messages });
  assert.equal(first.text, "The tool said: eight");
  assert.equal(first.steps.length, 2);
  messages.push(...first.response.messages, { role: "user", content: "thanks" });
  assert.equal((await generateText({ model, ...steps, messages })).text, "I heard: thanks");
}
checks.push("vercel");

for (const model of [provider("tiny"), provider.chat("tiny")]) {
  const messages = [{ role: "user", content: order }];
  const first = streamText({ model, ...steps, messages });
  assert.equal(await first.text, "The tool said: eight");
  messages.push(...(await first.response).messages, { role: "user", content: "thanks" });
  const second = streamText({ model, ...steps, messages });
  assert.equal(await second.text, "I heard: thanks");
  assert.equal(await second.finishReason, "stop");
}
assert.deepEqual(asked, Array(4).fill("Europe/Rome"));
checks.push("vercel stream");

for (const model of [provider("tiny"), provider.chat("tiny")]) {
  const { output } = await generateText({ model, maxRetries: 0, prompt: 'say {"zone": "UTC"}', output: Output.object({ schema: jsonSchema(schema) }) });
  assert.deepEqual(output, { zone: "UTC" });
}
checks.push("vercel object");

// The conversation that the test looks for in the last prompt.
const input = [
  { role: "user", content: order },
  { type: "function_call", call_id: "call_1", name: "get_time", arguments: '{"zone": "Europe/Rome"}' },
  { type: "function_call_output", call_id: "call_1", output: "eight" },
  { role: "assistant", content: "The tool said: eight" },
  { role: "user", content: "thanks" },
];
await openai.responses.create({ model: "tiny", input });
console.log(JSON.stringify({ checks }));
