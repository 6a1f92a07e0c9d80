import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutBefore, newConversation, requestMessages, searchChats, settle, titleOf, UNTITLED, withTurn } from '../../src/core/conversation.ts';
import type { Conversation, Message } from '../../src/core/types.ts';

function message(id: string, role: Message['role'], content: string, status: Message['status'] = 'done'): Message {
  return { id, role, content, created: 5, status };
}

function chat(id: string, title: string, ...contents: string[]): Conversation {
  const messages = contents.map((content, i) => message(`${id}${i}`, i % 2 ? 'assistant' : 'user', content));
  return { ...newConversation(id, 0, 'm'), title, updated: Number(id), messages };
}

test('the first message names the chat; later ones and a chosen name do not', () => {
  const fresh = newConversation('c', 1, 'm');
  const begun = withTurn(fresh, message('u', 'user', 'What  is\na permutation?'), message('a', 'assistant', '', 'streaming'));
  assert.equal(begun.title, 'What is a permutation?');
  assert.equal(withTurn(begun, message('u2', 'user', 'And now?'), message('a2', 'assistant', '')).title, begun.title);
  assert.equal(withTurn({ ...fresh, title: 'Mine' }, message('u', 'user', 'x'), message('a', 'assistant', '')).title, 'Mine');
});

test('titles are one short line, cut between words and never inside a character', () => {
  assert.equal(titleOf('   \n '), UNTITLED);
  assert.equal(titleOf('👨‍👩‍👧'.repeat(30)).endsWith('…'), true);
  assert.ok(!titleOf('👋'.repeat(60)).includes('\uFFFD'));
  const long = titleOf('one two three four five six seven eight nine ten eleven twelve');
  assert.equal(long, 'one two three four five six seven eight nine…');
});

test('a request holds the turns before the reply, without empty ones', () => {
  const talk: Conversation = {
    ...newConversation('c', 1, 'm'),
    messages: [message('1', 'user', 'a'), message('2', 'assistant', '', 'error'), message('3', 'user', 'b'),
               message('4', 'assistant', 'c'), message('5', 'user', 'd'), message('6', 'assistant', 'late')],
  };
  assert.deepEqual(requestMessages(talk, '6').map(({ content }) => content), ['a', 'b', 'c', 'd']);
  assert.deepEqual(cutBefore(talk, '3').messages.map(({ id }) => id), ['1', '2']);
  assert.equal(cutBefore(talk, 'none'), talk);
});

test('settling stops what streams and leaves the rest as the same value', () => {
  const still = chat('1', 't', 'a', 'b');
  assert.equal(settle(still), still);
  const running = { ...still, messages: [message('1', 'user', 'a'), message('2', 'assistant', 'half', 'streaming')] };
  assert.deepEqual(settle(running).messages.map(({ status }) => status), ['done', 'stopped']);
});

test('search finds all words, anywhere, without case and accents, newest first', () => {
  const chats = [chat('1', 'Recipes', 'How is Zürcher Geschnetzeltes made?'), chat('3', 'Trip to Zurich'), chat('2', 'Other', 'nothing')];
  assert.deepEqual(searchChats(chats, '').map((found) => found.chat.id), ['3', '2', '1']);
  assert.deepEqual(searchChats(chats, 'ZURC').map((found) => found.chat.id), ['1'], '"zurc" is in Zürcher only');
  assert.deepEqual(searchChats(chats, 'zur').map((found) => [found.chat.id, found.excerpt]), [
    ['3', null], ['1', 'How is Zürcher Geschnetzeltes made?'],
  ]);
  assert.deepEqual(searchChats(chats, 'recipes made').map((found) => found.chat.id), ['1']);
  assert.deepEqual(searchChats(chats, 'recipes trip'), []);
});
