import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, decodeChunk, decodeModels, decodeStatus, errorFrom } from '../../src/core/chunks.ts';

test('a content chunk gives its text, ids and model', () => {
  const chunk = { model: 'm', choices: [{ delta: { content: 'Hi' }, finish_reason: null }], usage: null, isoveil: { tokens: [['Hi', 7]] } };
  assert.deepEqual(decodeChunk(JSON.stringify(chunk)), [
    { type: 'model', model: 'm' },
    { type: 'token_ids', pairs: [['Hi', 7]] },
    { type: 'text', text: 'Hi' },
  ]);
});

test('the first chunk gives the prompt, the last its reason, the extra one the usage', () => {
  assert.deepEqual(decodeChunk('{"choices":[{"delta":{"role":"assistant","content":""}}],"isoveil":{"prompt":[["a",1],["b",0]]}}'), [
    { type: 'prompt_ids', pairs: [['a', 1], ['b', 0]] },
  ]);
  assert.deepEqual(decodeChunk('{"choices":[{"delta":{},"finish_reason":"length"}]}'), [{ type: 'finish', reason: 'length' }]);
  assert.deepEqual(decodeChunk('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}'), [
    { type: 'usage', usage: { prompt_tokens: 3, completion_tokens: 9 } },
  ]);
  assert.deepEqual(decodeChunk('{"choices":[{"delta":{"reasoning_content":"hm"}}]}'), [{ type: 'reasoning', text: 'hm' }]);
});

test('an error in the stream is thrown with its code', () => {
  assert.throws(
    () => decodeChunk('{"error":{"message":"lost","type":"upstream_error","param":null,"code":"upstream_lost"}}'),
    (error) => error instanceof ApiError && error.message === 'lost' && error.code === 'upstream_lost',
  );
});

test('malformed chunks are an ApiError, whatever they hold', () => {
  for (const data of ['', '{', '[]', 'null', '7', '{"isoveil":{"tokens":3}}', '{"isoveil":{"tokens":[["a"]]}}',
                      '{"isoveil":{"tokens":[["a",-1]]}}', '{"isoveil":{"tokens":[["a",1.5]]}}', '{"isoveil":{"prompt":[[1,"a"]]}}']) {
    assert.throws(() => decodeChunk(data), (error) => error instanceof ApiError && error.code === 'malformed', data);
  }
});

test('chunks with nothing to say are empty, not wrong', () => {
  for (const data of ['{}', '{"choices":[]}', '{"choices":[null]}', '{"choices":{}}', '{"choices":[{"delta":null}]}',
                      '{"usage":{"prompt_tokens":-1,"completion_tokens":"9"}}', '{"isoveil":null}', '{"error":null}']) {
    assert.deepEqual(decodeChunk(data), [], data);
  }
});

test('errors of replies have their message, or name the status', () => {
  assert.equal(errorFrom({ error: { message: 'no', type: 't', param: null, code: null } }, 400).code, 't');
  assert.match(errorFrom(null, 502).message, /502/);
});

test('a status must at least say which key and whether the model matches', () => {
  const status = decodeStatus({ key_id: 'k', model_match: false, upstream: null });
  assert.deepEqual(status, { key_id: 'k', profile: '', model: '', server: 'wrong', upstream: { kind: '', url: '' }, n_vocab: 0, n_context: null, examples: [], version: '' });
  for (const value of [null, {}, { key_id: 'k' }, { key_id: 1, model_match: true }, { key_id: 'k', model_match: 'yes' }]) {
    assert.throws(() => decodeStatus(value), ApiError);
  }
});

test('a server that has not answered is away, and only one that does not match is wrong', () => {
  for (const server of ['away', 'unknown', undefined]) assert.equal(decodeStatus({ key_id: 'k', model_match: true, server }).server, 'away');
  assert.equal(decodeStatus({ key_id: 'k', model_match: true, server: 'ready' }).server, 'ready');
  assert.equal(decodeStatus({ key_id: 'k', model_match: false, server: 'ready' }).server, 'wrong');
});

test('models are the ids of the list', () => {
  assert.deepEqual(decodeModels({ data: [{ id: 'a' }, null, { id: 3 }, { id: '' }, { id: 'b' }] }), ['a', 'b']);
  assert.throws(() => decodeModels({}), ApiError);
});
