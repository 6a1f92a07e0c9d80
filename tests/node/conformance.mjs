// OpenAI's official Node client before the gateway at BASE_URL. Prints what was checked and the bodies that came.
import assert from "node:assert/strict";
import OpenAI from "openai";

const exchanges = [];

async function recording(url, init) {
  const response = await fetch(url, init);
  if (response.ok && !init.signal?.aborted) {
    const copy = response.clone();
    pending.push(copy.text().then((text) => exchanges.push([new URL(url).pathname, text])).catch(() => {}));
  }
  return response;
}

const pending = [];
const checks = [];
const options = { baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 };
const client = new OpenAI({ ...options, fetch: recording });
const question = { model: "tiny", messages: [{ role: "user", content: "hello" }], temperature: 0, max_tokens: 24 };

const listed = [];
for await (const model of client.models.list()) listed.push(model.id);
assert.deepEqual(listed, ["tiny"]);
checks.push("models");

const whole = await client.chat.completions.create(question);
const text = whole.choices[0].message.content;
assert.equal(whole.usage.completion_tokens, 24);
assert.ok(text.length > 0);
checks.push("chat");

let streamed = "";
const reasons = [];
let usage;
for await (const chunk of await client.chat.completions.create({
  ...question,
  stream: true,
  stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta.content ?? "";
  if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
  usage = chunk.usage ?? usage;
}
assert.equal(streamed, text);
assert.deepEqual(reasons, ["length"]);
assert.equal(usage.completion_tokens, 24);
const helper = client.chat.completions.stream(question);
assert.equal((await helper.finalChatCompletion()).choices[0].message.content, text);
checks.push("stream");

const asked = { model: "tiny", input: "hello", temperature: 0, max_output_tokens: 24 };
const response = await client.responses.create(asked);
assert.equal(response.output_text, text);
checks.push("responses");

let delta = "";
let last;
for await (const event of await client.responses.create({ ...asked, stream: true })) {
  if (event.type === "response.output_text.delta") delta += event.delta;
  last = event.type;
}
assert.equal(delta, text);
assert.equal(last, "response.incomplete");
checks.push("responses stream");

await assert.rejects(client.chat.completions.create({ ...question, temperature: 9 }), (error) => {
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "temperature");
  assert.match(error.requestID, /^req_/);
  return true;
});
await assert.rejects(client.models.retrieve("large"), OpenAI.NotFoundError);
await assert.rejects(new OpenAI({ ...options, apiKey: "wrong" }).models.list(), OpenAI.AuthenticationError);
checks.push("errors");

const silent = new OpenAI(options);
const long = await silent.chat.completions.create({ ...question, max_tokens: 4000, ignore_eos: true, stream: true });
let seen = 0;
for await (const chunk of long) {
  seen += chunk.choices.length;
  if (seen > 5) break;
}
assert.ok(seen > 5);
await assert.rejects(
  silent.chat.completions.create({ ...question, max_tokens: 4000, ignore_eos: true }, { signal: AbortSignal.timeout(300) }),
  OpenAI.APIUserAbortError,
);
checks.push("abort");

await Promise.all(pending);
console.log(JSON.stringify({ checks, exchanges }));
