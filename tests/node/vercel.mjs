// The Vercel AI SDK with its default settings before the gateway at BASE_URL: from the second turn on it sends references instead of
// what the model said. Prints what was checked.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";

globalThis.AI_SDK_LOG_WARNINGS = false;
const sent = [];
const provider = createOpenAI({
  baseURL: process.env.BASE_URL,
  apiKey: process.env.API_KEY,
  fetch: (url, options) => (sent.push(options.body), fetch(url, options)),
});
const ask = { model: provider("tiny"), temperature: 0, maxOutputTokens: 24, maxRetries: 0 };
const checks = [];

const messages = [{ role: "user", content: "hello" }];
const first = await generateText({ ...ask, messages });
assert.ok(first.text.length > 0);
messages.push(...first.response.messages, { role: "user", content: "and?" });
const second = await generateText({ ...ask, messages });
assert.ok(sent[1].includes('"item_reference"'));
const spelled = [{ role: "user", content: "hello" }, { role: "assistant", content: first.text }, { role: "user", content: "and?" }];
assert.equal(second.text, (await generateText({ ...ask, messages: spelled })).text);
checks.push("second turn");

messages.push(...second.response.messages, { role: "user", content: "more" });
const stream = streamText({ ...ask, messages });
let text = "";
for await (const piece of stream.textStream) text += piece;
assert.equal(text, (await generateText({ ...ask, messages })).text);
assert.equal(await stream.finishReason, "length");
assert.equal((await stream.usage).outputTokens, 24);
checks.push("third turn as a stream");

console.log(JSON.stringify({ checks }));
