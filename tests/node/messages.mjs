// Anthropic's official Node client before the gateway at BASE_URL. Prints what was checked and what was said.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const options = { baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 };
const client = new Anthropic(options);
const question = { model: "tiny", messages: [{ role: "user", content: "hello" }], temperature: 0, max_tokens: 24 };
const checks = [];

const whole = await client.messages.create(question);
const text = whole.content[0].text;
assert.equal(whole.stop_reason, "max_tokens");
assert.equal(whole.usage.output_tokens, 24);
checks.push("message");

const stream = client.messages.stream(question);
let streamed = "";
stream.on("text", (piece) => (streamed += piece));
const final = await stream.finalMessage();
assert.equal(streamed, text);
assert.deepEqual(final.content, whole.content);
assert.equal(final.stop_reason, "max_tokens");
assert.equal(final.usage.output_tokens, 24);
checks.push("stream");

const counted = await client.messages.countTokens({ model: "tiny", messages: question.messages });
assert.equal(counted.input_tokens, whole.usage.input_tokens + whole.usage.cache_read_input_tokens);
checks.push("count");

const turn = await client.messages.create({
  ...question,
  messages: [...question.messages, { role: "assistant", content: whole.content }, { role: "user", content: "more" }],
});
assert.ok(turn.usage.input_tokens + turn.usage.cache_read_input_tokens > counted.input_tokens + 20);
checks.push("second turn");

await assert.rejects(client.messages.create({ ...question, temperature: 9 }), (error) => {
  assert.ok(error instanceof Anthropic.BadRequestError);
  assert.equal(error.error.error.type, "invalid_request_error");
  assert.match(error.error.error.message, /temperature/);
  assert.match(error.requestID, /^req_/);
  return true;
});
await assert.rejects(new Anthropic({ ...options, apiKey: "wrong" }).messages.create(question), Anthropic.AuthenticationError);
checks.push("errors");

const long = await client.messages.create({ ...question, max_tokens: 4000, stream: true });
for await (const event of long) {
  if (event.type === "content_block_delta") break;
}
checks.push("abort");

console.log(JSON.stringify({ checks, text }));
