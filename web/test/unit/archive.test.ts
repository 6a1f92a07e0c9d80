import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARCHIVE_FORMAT, ArchiveError, mergeChats, readArchive, writeArchive } from '../../src/core/archive.ts';
import { DEFAULT_PARAMS, type Conversation, type Message } from '../../src/core/types.ts';

const USER: Message = { id: 'u1', role: 'user', content: 'hi 👋', created: 1, status: 'done' };
const REPLY: Message = {
  id: 'a1', role: 'assistant', content: 'hello', created: 2, status: 'error', reasoning: 'hm', model: 'm', finish: 'stop',
  error: { message: 'lost', code: null },
  stats: { prompt_tokens: null, completion_tokens: 3, tokens_per_second: 1.5, first_token_ms: 10 },
};
const CHAT: Conversation = {
  id: 'c1', title: 'A chat', created: 1, updated: 2, model: 'm',
  params: { system: 's', temperature: 0.5, top_p: null, max_tokens: 5, seed: 0 }, messages: [USER, REPLY],
};
const NOW = new Date('2026-01-02T03:04:05Z');

test('what is written reads back the same', () => {
  const archive = { defaults: DEFAULT_PARAMS, conversations: [CHAT] };
  assert.deepEqual(readArchive(writeArchive(archive, NOW)), archive);
});

test('a reply that was streaming reads back as stopped', () => {
  const chat = { ...CHAT, messages: [USER, { ...REPLY, status: 'streaming' as const }] };
  const read = readArchive(writeArchive({ defaults: DEFAULT_PARAMS, conversations: [chat] }, NOW));
  assert.equal(read.conversations[0]?.messages[1]?.status, 'stopped');
});

test('fields that the format does not know are dropped', () => {
  const file = JSON.parse(writeArchive({ defaults: DEFAULT_PARAMS, conversations: [CHAT] }, NOW));
  file.conversations[0].messages[0].isoveil = [['hi', 7]];
  file.conversations[0].__proto__x = 1;
  assert.deepEqual(readArchive(JSON.stringify(file)).conversations, [CHAT]);
});

// Each breaks one field of a good file; the error must name it.
const BROKEN: [path: string, value: unknown][] = [
  ['format', 'other'], ['version', 2], ['version', '1'], ['conversations', {}], ['defaults', null],
  ['conversations[0].id', '<img>'], ['conversations[0].id', ''], ['conversations[0].title', 7],
  ['conversations[0].created', 'now'], ['conversations[0].updated', -1], ['conversations[0].updated', 1.5],
  ['conversations[0].params.temperature', 3], ['conversations[0].params.temperature', '1'], ['conversations[0].params.top_p', -0.1],
  ['conversations[0].params.max_tokens', 0], ['conversations[0].params.seed', 1.5], ['conversations[0].params.system', null],
  ['conversations[0].messages', null], ['conversations[0].messages[0].role', 'system'],
  ['conversations[0].messages[0].status', 'ok'], ['conversations[0].messages[0].content', ['x']],
  ['conversations[0].messages[1].stats', 3], ['conversations[0].messages[1].error.message', 1],
];

test('a wrong field is refused by name', () => {
  for (const [path, value] of BROKEN) {
    const file = JSON.parse(writeArchive({ defaults: DEFAULT_PARAMS, conversations: [CHAT] }, NOW));
    const steps = path.split(/[.[\]]+/).filter(Boolean);
    const last = steps.pop()!;
    const place = steps.reduce((node, step) => node[step], file);
    place[last] = value;
    assert.throws(() => readArchive(JSON.stringify(file)), (error) => error instanceof ArchiveError && error.message.startsWith(path), path);
  }
});

test('what is no archive at all is refused', () => {
  for (const text of ['', 'x', '[]', 'null', '{}', `{"format":"${ARCHIVE_FORMAT}"}`]) {
    assert.throws(() => readArchive(text), ArchiveError, text);
  }
  const twice = writeArchive({ defaults: DEFAULT_PARAMS, conversations: [CHAT, CHAT] }, NOW);
  assert.throws(() => readArchive(twice), /same id/);
});

test('an import adds what is new, renews what is older, and leaves the rest', () => {
  const at = (id: string, updated: number): Conversation => ({ ...CHAT, id, updated });
  const merge = mergeChats([at('a', 5), at('b', 5), at('c', 5)], [at('a', 4), at('b', 6), at('c', 5), at('d', 1)]);
  assert.deepEqual(merge.changed.map(({ id, updated }) => [id, updated]), [['d', 1], ['b', 6]]);
  assert.deepEqual([merge.added, merge.updated, merge.kept], [1, 1, 2]);
});
