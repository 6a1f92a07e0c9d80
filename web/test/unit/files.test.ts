import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArchive, writeArchive } from '../../src/core/archive.ts';
import { newConversation, requestMessages, searchChats, withTurn } from '../../src/core/conversation.ts';
import { decodeFile, FileError, joinFiles, MAX_FILE_BYTES, MAX_FILES, showSize, withFiles } from '../../src/core/files.ts';
import { DEFAULT_PARAMS, type Message } from '../../src/core/types.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('what is no text is refused by its name', () => {
  for (const [content, reason] of [
    [Uint8Array.of(0x68, 0xff, 0x69), /“photo.png” is no text in UTF-8/],
    [Uint8Array.of(0xc3), /no text in UTF-8/],
    [Uint8Array.of(0xed, 0xa0, 0x80), /no text in UTF-8/],
    [bytes('a\0b'), /“photo.png” is no text: it holds zero bytes/],
    [bytes(' \n'), /“photo.png” is empty/],
    [new Uint8Array(MAX_FILE_BYTES + 1).fill(97), /“photo.png” is larger than 1 MiB/],
  ] as const) {
    assert.throws(() => decodeFile('photo.png', content), (error) => error instanceof FileError && reason.test(error.message));
  }
  assert.equal(decodeFile('a.txt', new Uint8Array(MAX_FILE_BYTES).fill(97)).text.length, MAX_FILE_BYTES);
  assert.deepEqual(decodeFile('grüezi.txt', bytes('\uFEFFÄ👋\r\n')), { name: 'grüezi.txt', text: 'Ä👋\r\n' });
});

test('a name is one short line that shows as it is', () => {
  assert.equal(decodeFile('a\nFile “b”:\u202Etxt.exe', bytes('x')).name, 'a File b : txt.exe');
  assert.equal(decodeFile('\n', bytes('x')).name, 'file');
  assert.equal([...decodeFile('👋'.repeat(500), bytes('x')).name].length, 121);
});

test('a message takes so many files and no more', () => {
  const file = decodeFile('a', bytes('x'));
  const full = Array.from({ length: MAX_FILES }, () => file);
  assert.equal(joinFiles(full.slice(1), [file]).length, MAX_FILES);
  assert.throws(() => joinFiles(full, [file]), /takes 10 files/);
  const large = { name: 'l', text: 'é'.repeat(MAX_FILE_BYTES / 2) };
  assert.equal(joinFiles([large], [large]).length, 2);
  assert.throws(() => joinFiles([large, large], [file]), /2 MiB together/);
  assert.deepEqual([0, 1023, 1024, 200_000, 1024 * 1024 * 1.5].map(showSize), ['0 bytes', '1023 bytes', '1 KiB', '195 KiB', '1.5 MiB']);
});

test('files are sent as text under their names, and none can end its own fence', () => {
  assert.equal(withFiles('Why?'), 'Why?');
  assert.equal(withFiles('Why?', [{ name: 'a.txt', text: 'one\n' }, { name: 'b.md', text: '```\ncode\n```' }]),
               'File “a.txt”:\n```\none\n```\n\nFile “b.md”:\n````\n```\ncode\n```\n````\n\nWhy?');
  assert.equal(withFiles('', [{ name: 'a', text: 'x' }]), 'File “a”:\n```\nx\n```');
});

test('they belong to their message: in the request, the title, a search and the file of all chats', () => {
  const user: Message = { id: 'u', role: 'user', content: '', created: 1, status: 'done', files: [{ name: 'minutes.txt', text: 'agreed' }] };
  const reply: Message = { id: 'a', role: 'assistant', content: '', created: 1, status: 'done' };
  const chat = withTurn(newConversation('c', 1, 'm'), user, reply);
  assert.equal(chat.title, 'minutes.txt');
  assert.deepEqual(requestMessages(chat, 'a'), [{ role: 'user', content: 'File “minutes.txt”:\n```\nagreed\n```' }]);
  assert.equal(searchChats([{ ...chat, title: 'x' }], 'MINUTES agreed').length, 1);
  const text = writeArchive({ defaults: DEFAULT_PARAMS, conversations: [chat] }, new Date(0));
  assert.deepEqual(readArchive(text).conversations, [chat]);
  assert.throws(() => readArchive(text.replace('"agreed"', '3')), /messages\[0\]\.files\[0\]\.text: expected a string/);
});
