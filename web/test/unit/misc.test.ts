import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatBody } from '../../src/api.ts';
import { DEFAULT_SETTINGS, loadSettings, saveSettings } from '../../src/core/settings.ts';
import { matchShortcut, SHORTCUTS, showKeys, type KeyPress } from '../../src/core/shortcuts.ts';
import { DEFAULT_PARAMS, type Message } from '../../src/core/types.ts';
import { ReplyBuilder } from '../../src/reply.ts';

const EMPTY: Message = { id: 'a', role: 'assistant', content: '', created: 0, status: 'streaming' };

test('a request names only what is set', () => {
  const plain = chatBody({ model: 'm', messages: [{ role: 'user', content: 'x' }], params: DEFAULT_PARAMS });
  assert.deepEqual(Object.keys(plain), ['model', 'messages', 'stream', 'stream_options']);
  const full = chatBody({ model: 'm', messages: [], params: { system: 'be brief', temperature: 0, top_p: 1, max_tokens: 5, seed: 0 } });
  assert.deepEqual(full.messages, [{ role: 'system', content: 'be brief' }]);
  assert.deepEqual([full.temperature, full.top_p, full.max_tokens, full.seed], [0, 1, 5, 0]);
});

test('speed counts from the first piece to the last, and waiting is its own figure', () => {
  const builder = new ReplyBuilder(EMPTY, 1000);
  builder.add({ type: 'prompt_ids', pairs: [['p', 1], ['q', 2]] }, 1100);
  for (let i = 0; i < 5; i += 1) builder.add({ type: 'text', text: `${i}` }, 1500 + i * 500);
  builder.add({ type: 'usage', usage: { prompt_tokens: 2, completion_tokens: 5 } }, 9000);
  builder.add({ type: 'finish', reason: 'stop' }, 9000);
  const message = builder.message({ status: 'done' });
  assert.equal(message.content, '01234');
  assert.deepEqual(message.stats, { prompt_tokens: 2, completion_tokens: 5, tokens_per_second: 2, first_token_ms: 500 });
  assert.equal(message.finish, 'stop');
});

test('without usage the tokens of the wire are counted, and an empty reply has no figures', () => {
  const builder = new ReplyBuilder(EMPTY, 0);
  assert.equal(builder.message({ status: 'stopped' }).stats, undefined);
  builder.add({ type: 'token_ids', pairs: [['\uFFFD', 1], ['\uFFFD', 2]] }, 5);
  builder.add({ type: 'text', text: '👋' }, 5);
  assert.deepEqual(builder.message({ status: 'stopped' }).stats, { prompt_tokens: null, completion_tokens: 2, tokens_per_second: null, first_token_ms: 5 });
});

test('a record once given does not change', () => {
  const builder = new ReplyBuilder(EMPTY, 0);
  builder.add({ type: 'token_ids', pairs: [['a', 1]] }, 1);
  const before = builder.wire();
  builder.add({ type: 'token_ids', pairs: [['b', 2]] }, 2);
  assert.equal(before.tokens.length, 1);
  assert.equal(builder.wire().tokens.length, 2);
});

const press = (key: string, held: Partial<KeyPress> = {}): KeyPress =>
  ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });

test('shortcuts act where they should and nowhere else', () => {
  assert.equal(matchShortcut(press('k', { ctrlKey: true }), true, false), 'search');
  assert.equal(matchShortcut(press('k', { metaKey: true }), true, false), 'search');
  assert.equal(matchShortcut(press('k'), false, false), null);
  assert.equal(matchShortcut(press('O', { ctrlKey: true, shiftKey: true }), true, false), 'new');
  assert.equal(matchShortcut(press('o', { ctrlKey: true }), true, false), null);
  assert.equal(matchShortcut(press('?', { shiftKey: true }), false, false), 'help');
  assert.equal(matchShortcut(press('?', { shiftKey: true }), true, false), null);
  assert.equal(matchShortcut(press('e'), false, true), 'edit');
  assert.equal(matchShortcut(press('e'), true, true), null);
  assert.equal(matchShortcut(press('e'), false, false), null);
  assert.equal(matchShortcut(press('c', { ctrlKey: true }), false, true), null, 'copying a selection stays the browser’s');
  assert.equal(matchShortcut(press('ArrowUp', { altKey: true }), true, false), 'previous');
});

test('no two shortcuts share their keys', () => {
  assert.equal(new Set(SHORTCUTS.map(({ keys }) => keys)).size, SHORTCUTS.length);
  assert.deepEqual(showKeys('Mod+Shift+O', true), ['⌘', '⇧', 'O']);
});

test('settings survive the storage, and a broken storage gives the defaults', () => {
  const values = new Map<string, string>();
  const storage = { getItem: (key: string) => values.get(key) ?? null, setItem: (key: string, value: string) => void values.set(key, value) };
  assert.deepEqual(loadSettings(storage), DEFAULT_SETTINGS);
  const changed = { theme: 'dark' as const, pane: false, defaults: { ...DEFAULT_PARAMS, seed: 4 } };
  saveSettings(storage, changed);
  assert.deepEqual(loadSettings(storage), changed);
  saveSettings(storage, DEFAULT_SETTINGS);
  assert.equal(loadSettings(storage).pane, null, 'what was not chosen stays so');
  for (const text of ['{', 'null', '3', '{"defaults":{"seed":"x"}}', '{"theme":"pink","pane":1}']) {
    values.set('isoveil.settings', text);
    assert.deepEqual(loadSettings(storage), DEFAULT_SETTINGS, text);
  }
});
