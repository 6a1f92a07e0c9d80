import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomIn, thousands } from '../../src/core/context.ts';
import { newConversation } from '../../src/core/conversation.ts';
import type { Conversation, Message, ReplyStats } from '../../src/core/types.ts';

const stats = (prompt: number | null, completion: number): ReplyStats =>
  ({ prompt_tokens: prompt, completion_tokens: completion, tokens_per_second: null, first_token_ms: null });

function chat(...answers: (ReplyStats | undefined)[]): Conversation {
  const messages = answers.map((entry, i): Message =>
    ({ id: `${i}`, role: 'assistant', content: '', created: 0, status: entry ? 'done' : 'error', ...(entry ? { stats: entry } : {}) }));
  return { ...newConversation('c', 0, 'm'), messages };
}

test('room is the context less what the last usage said', () => {
  assert.deepEqual(roomIn(chat(stats(10, 5), stats(600, 200)), 4096), { used: 800, size: 4096, left: 3296, state: 'roomy' });
  assert.equal(roomIn(chat(stats(700, 110)), 1000)?.state, 'nearly');
  assert.equal(roomIn(chat(stats(700, 99)), 1000)?.state, 'roomy');
  assert.equal(roomIn(chat(stats(700, 284)), 1000)?.state, 'nearly');
  assert.equal(roomIn(chat(stats(700, 285)), 1000)?.state, 'full');
  assert.deepEqual(roomIn(chat(stats(900, 285)), 1000), { used: 1185, size: 1000, left: 0, state: 'full' });
});

test('what is not known is not guessed, and an answer that failed does not empty a chat', () => {
  assert.equal(roomIn(chat(stats(10, 5)), null), null);
  assert.equal(roomIn(chat(), 4096), null);
  assert.equal(roomIn(chat(stats(null, 5)), 4096), null);
  assert.equal(roomIn(chat(stats(900, 95), undefined), 1000)?.state, 'full');
});

test('numbers are grouped', () => {
  assert.deepEqual([0, 999, 4096, 1234567].map(thousands), ['0', '999', '4\u2009096', '1\u2009234\u2009567']);
});
