// The page in a real browser, against the mock gateway or, with ISOVEIL_BASE_URL, a real one. A test that
// needs a canned answer or the mock's record of requests runs against the mock only.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { MockGateway } from '../mock/gateway.ts';
import { attachTo, lastAnswer, launch, newChat, open, say, settled, violations, type View, type Watched } from './browser.ts';

const real = process.env.ISOVEIL_BASE_URL;
const mockOnly = { skip: real ? 'needs the canned answers of the mock' : false };
const realOnly = { skip: real ? false : 'compares the page with the API of a real gateway' };
const LONG = real ? 'Count from 1 to 300 in words, one number a line.' : '/slow please';

let browser: Browser;
let mock: MockGateway;
let url: string;
let watched: Watched;
let page: Page;

before(async () => { browser = await launch(); });
after(() => browser.close());

beforeEach(async () => {
  mock = new MockGateway();
  url = real ?? (await mock.listen());
  await start();
});

// Whatever a test does: nothing leaves the origin, nothing violates the policy, nothing fails unseen.
afterEach(async () => {
  const violated = await violations(page);
  await watched.context.close();
  if (!real) await mock.close();
  assert.deepEqual(watched.foreign, []);
  assert.deepEqual(violated, []);
  assert.deepEqual(watched.problems, []);
});

async function start(view: View = {}): Promise<void> {
  if (watched) await watched.context.close();
  watched = await open(browser, url, view);
  page = watched.page;
}

const userTexts = (): Promise<string[]> => page.locator('.said').allInnerTexts();
const answers = (): Promise<number> => page.locator('.message.assistant').count();
const titles = (): Promise<string[]> => page.locator('.chat-title').allInnerTexts();

describe('talking', () => {
  test('the questions of the model\'s folder are offered, and answered', async () => {
    const { examples } = await (await fetch(`${url}/isoveil/status`)).json() as { examples: string[] };
    assert.ok(examples.length > 0);
    await page.locator('.welcome li').first().waitFor();
    assert.deepEqual(await page.locator('.welcome li').allInnerTexts(), examples);
    for (const example of examples) {
      await page.locator('.welcome li button', { hasText: example }).click();
      await page.locator('.message.assistant').waitFor();
      await settled(page);
      assert.deepEqual(await userTexts(), [example]);
      assert.doesNotMatch(await lastAnswer(page), /only help with|cannot help|sorry/i);
      await newChat(page);
    }
  });

  test('without questions none are offered', mockOnly, async () => {
    mock.options = { examples: [] };
    await page.reload();
    await page.locator('.badge.good').waitFor();
    assert.equal(await page.locator('.welcome ul').count(), 0);
  });

  test('an answer streams in, with its model and speed', async () => {
    await say(page, 'What is a permutation?');
    assert.deepEqual(await userTexts(), ['What is a permutation?']);
    assert.ok((await lastAnswer(page)).length > 0);
    assert.match(await page.locator('.figures').innerText(), /tokens[\s\S]*(tokens\/s|first after)/);
    assert.deepEqual(await titles(), ['What is a permutation?']);
  });

  test('markdown is rendered and code can be copied', mockOnly, async () => {
    await say(page, '/code');
    assert.equal(await page.locator('.answer table tr').count(), 3);
    await page.locator('[data-copy]').click();
    await page.locator('[data-copy]', { hasText: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /^def is_palindrome\(text: str\) -> bool:\n {4}"""True/);
  });

  test('formulas are drawn by the browser itself, and dollars in prose are not', mockOnly, async () => {
    await say(page, '/math');
    assert.equal(await page.locator('.answer math').count(), 7);
    assert.match(await page.locator('.answer p').first().innerText(), /not \$5 and not \$6:/);
    const [over, under] = await Promise.all(['mfrac > :first-child', 'mfrac > :last-child'].map((part) => page.locator(`.answer .math ${part}`).first().boundingBox()));
    assert.ok(over && under && over.y + over.height <= under.y + 1, 'a fraction stands over its line');
    assert.equal(await page.locator('.answer [style], .answer [mathcolor], .answer annotation').count(), 0);
  });

  test('characters cut into bytes and pieces arrive whole', mockOnly, async () => {
    await say(page, '/emoji');
    const text = await lastAnswer(page);
    assert.match(text, /👨‍👩‍👧 waves 👋 in Zürich, says “grüezi” and こんにちは/u);
    assert.doesNotMatch(text, /\uFFFD/);
  });

  test('stop keeps what has come and ends the request', mockOnly, async () => {
    await page.locator('#compose').fill(LONG);
    await page.keyboard.press('Enter');
    await page.locator('.answer .block').first().waitFor();
    await page.locator('.send.stop').click();
    await settled(page);
    const text = await lastAnswer(page);
    await page.waitForTimeout(500);
    assert.equal(await lastAnswer(page), text);
    assert.ok(text.length > 0);
    assert.match(await page.locator('.figures').innerText(), /stopped/);
    assert.equal(mock.disconnects, 1);
  });

  test('an edited message replaces itself and all after it, and can be brought back', async () => {
    await say(page, 'first question');
    await say(page, 'second question');
    await page.locator('.message.user').first().hover();
    await page.locator('.message.user').first().getByRole('button', { name: 'Edit' }).click();
    await page.locator('.editor textarea:focus').fill('a better question');
    await page.getByRole('button', { name: 'Send again', exact: true }).click();
    await settled(page);
    assert.deepEqual(await userTexts(), ['a better question']);
    assert.equal(await answers(), 1);
    if (!real) assert.deepEqual(mock.chats.at(-1)?.body.messages, [{ role: 'user', content: 'a better question' }]);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.said', { hasText: 'second question' }).waitFor();
    assert.deepEqual(await userTexts(), ['first question', 'second question']);
  });

  test('an answer can be had again', async () => {
    await say(page, 'the question');
    await page.locator('.message.assistant').getByRole('button', { name: 'Answer again' }).click();
    await settled(page);
    assert.deepEqual(await userTexts(), ['the question']);
    assert.equal(await answers(), 1);
    if (!real) assert.deepEqual(mock.chats.map(({ body }) => body.messages), [[{ role: 'user', content: 'the question' }], [{ role: 'user', content: 'the question' }]]);
  });

  test('greedy answers are those of the API, word for word', realOnly, async () => {
    await page.keyboard.press('Control+,');
    await page.getByLabel('Temperature').fill('0');
    await page.getByRole('button', { name: 'Save' }).click();
    const messages: { role: string; content: string }[] = [];
    for (const question of ['Hello, I would like to see a dentist.', 'Friday at 10:30 would be best.', 'My name is Anna Smith.']) {
      await say(page, question);
      messages.push({ role: 'user', content: question });
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messages, temperature: 0 }) });
      const { choices } = await response.json() as { choices: { message: { role: string; content: string } }[] };
      assert.equal((await lastAnswer(page)).trim(), choices[0]!.message.content.trim());
      messages.push({ role: 'assistant', content: choices[0]!.message.content });
    }
  });

  test('settings are sent, checked, and kept with the chat', mockOnly, async () => {
    await page.keyboard.press('Control+,');
    await page.getByLabel('System prompt').fill('Be brief.');
    await page.getByLabel('Temperature').fill('9');
    await page.getByLabel('Seed').fill('42');
    await page.getByLabel('Longest answer').fill('64');
    await page.getByRole('button', { name: 'Save' }).click();
    assert.match(await page.locator('.problem').innerText(), /Temperature: expected a number from 0 to 2/);
    await page.getByLabel('Temperature').fill('0.5');
    await page.getByRole('button', { name: 'Save' }).click();
    await say(page, 'hello');
    const { body, wire } = mock.chats[0]!;
    assert.equal(wire, '1');
    assert.deepEqual(body.messages, [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'hello' }]);
    assert.deepEqual([body.temperature, body.seed, body.max_tokens, body.stream], [0.5, 42, 64, true]);
    assert.ok(!('top_p' in body));
    await page.reload();
    await say(page, 'again');
    assert.equal(mock.chats[1]?.body.seed, 42);
  });
});

describe('text files', () => {
  const chips = (): Promise<string[]> => page.locator('.composer .file-name').allInnerTexts();
  // As a browser hands them over; the clipboard of a test takes no files.
  const hand = (type: 'drop' | 'paste', name: string, text: string): Promise<void> => page.locator('#compose').evaluate((box, [event, file, content]) => {
    const data = new DataTransfer();
    data.items.add(new File([content!], file!));
    box.dispatchEvent(event === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
                                       : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  }, [type, name, text]);

  test('are chosen, dropped or pasted, taken away again, and sent with their names', async () => {
    await attachTo(page, { 'notes.txt': 'alpha\n' });
    await page.locator('.composer .file', { hasText: 'notes.txt' }).waitFor();
    await hand('drop', 'dropped.md', '# beta');
    await page.locator('.composer .file', { hasText: 'dropped.md' }).waitFor();
    await hand('paste', 'pasted.csv', 'a,b');
    await page.locator('.composer .file', { hasText: 'pasted.csv' }).waitFor();
    await page.getByRole('button', { name: 'Remove “pasted.csv”' }).click();
    await page.locator('.composer .file', { hasText: 'pasted.csv' }).waitFor({ state: 'detached' });
    assert.deepEqual(await chips(), ['notes.txt', 'dropped.md']);
    await say(page, 'What is in them?');
    assert.deepEqual(await chips(), []);
    if (!real) {
      assert.deepEqual(mock.chats.at(-1)?.body.messages, [{ role: 'user', content:
        'File “notes.txt”:\n```\nalpha\n```\n\nFile “dropped.md”:\n```\n# beta\n```\n\nWhat is in them?' }]);
    }
    assert.deepEqual(await page.locator('.message .file-name').allInnerTexts(), ['notes.txt', 'dropped.md']);
    await page.locator('.message .file summary').first().click();
    assert.equal(await page.locator('.message .file pre').innerText(), 'alpha\n');
    await page.reload();
    await page.locator('.message .file').first().waitFor();
    assert.deepEqual(await userTexts(), ['What is in them?']);
    await page.locator('.message.assistant').getByRole('button', { name: 'Answer again' }).click();
    await settled(page);
    if (!real) assert.deepEqual(mock.chats.at(-1)?.body.messages, mock.chats.at(-2)?.body.messages);
  });

  test('what is no text, or too much, is refused by name and changes nothing', async () => {
    await attachTo(page, { 'good.txt': 'x' });
    await page.locator('.composer .file').waitFor();
    for (const [name, content, reason] of [
      ['photo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47]), /“photo.png” is no text in UTF-8/],
      ['program.bin', Buffer.from('a\0b'), /“program.bin” is no text: it holds zero bytes/],
      ['huge.log', Buffer.alloc(1024 * 1024 + 1, 97), /“huge.log” is larger than 1 MiB/],
    ] as const) {
      await attachTo(page, { 'other.txt': 'y', [name]: content });
      assert.match(await page.locator('.toast.error', { hasText: name }).innerText(), reason);
      assert.deepEqual(await chips(), ['good.txt']);
    }
  });

  test('stay with their chat while it is only a draft, and go alone if nothing is said', mockOnly, async () => {
    await say(page, 'first chat');
    await attachTo(page, { 'mine.txt': 'x' });
    await page.locator('.composer .file').waitFor();
    await newChat(page);
    await page.locator('.composer .file').waitFor({ state: 'detached' });
    await page.locator('.chat-open', { hasText: 'first chat' }).click();
    await page.locator('.composer .file', { hasText: 'mine.txt' }).waitFor();
    await page.locator('.send').click();
    await page.locator('.message .file').waitFor();
    await settled(page);
    assert.equal(mock.chats.at(-1)?.body.messages.at(-1)?.content, 'File “mine.txt”:\n```\nx\n```');
  });
});

describe('failures', () => {
  for (const [script, sentence, details] of [
    ['break', /^The answer failed\./, /The server went away[\s\S]*upstream_lost/],
    ['vanish', /connection ended|cannot be reached/, /connection ended|cannot be reached|network/i],
    ['garbage', /cannot be read/, /cannot read: it is not JSON/],
    ['refuse', /longer than the model can read/, /9000 tokens[\s\S]*context_length_exceeded/],
  ] as const) {
    test(`"${script}" is told in a sentence, with the rest behind it, and the next message works`, mockOnly, async () => {
      await say(page, `/${script}`);
      const failure = page.locator('.message-error');
      assert.match(await failure.innerText(), sentence);
      assert.doesNotMatch(await failure.innerText(), /[a-z]_[a-z]/);
      await failure.getByText('Details').click();
      assert.match(await failure.innerText(), details);
      await say(page, 'and now?');
      assert.match(await lastAnswer(page), /permutation/);
    });
  }

  test('"Try again" asks the same question, and a chat that is too long leads to a new one', mockOnly, async () => {
    await say(page, '/break');
    const asked = mock.chats.length;
    await page.locator('.message-error').getByRole('button', { name: 'Try again' }).click();
    await page.waitForFunction((n) => document.querySelectorAll('.message-error').length === n, 1);
    assert.equal(mock.chats.length, asked + 1);
    assert.deepEqual(mock.chats.at(-1)?.body.messages, mock.chats.at(-2)?.body.messages);
    await say(page, '/refuse');
    await page.locator('.message-error').last().getByRole('button', { name: 'New chat' }).click();
    await page.locator('.welcome').waitFor();
    assert.equal(await page.locator('.message').count(), 0);
  });

  test('"Try again" in the middle of a chat can be undone', mockOnly, async () => {
    await say(page, '/away at once');
    await say(page, 'a later question');
    await page.locator('.message-error').getByRole('button', { name: 'Try again' }).click();
    await settled(page);
    assert.deepEqual(await userTexts(), ['/away at once']);
    await page.locator('.toast', { hasText: 'Later messages were dropped' }).getByRole('button', { name: 'Undo' }).click();
    await page.locator('.said', { hasText: 'a later question' }).waitFor();
  });

  test('a former answer can be had back after an edit of its question', async () => {
    await say(page, 'the question');
    const answer = await lastAnswer(page);
    await page.locator('.message.user').hover();
    await page.locator('.message.user').getByRole('button', { name: 'Edit' }).click();
    await page.locator('.editor textarea:focus').fill('/emoji');
    await page.keyboard.press('Enter');
    await settled(page);
    await page.locator('.toast', { hasText: 'former answer' }).getByRole('button', { name: 'Undo' }).click();
    await page.locator('.said', { hasText: 'the question' }).waitFor();
    assert.equal(await lastAnswer(page), answer);
  });

  test('a chat that fills the context says so in time, and then leads to a new one', mockOnly, async () => {
    await say(page, 'first');
    const used = Number(/Context\s*(\d+) of 4\u2009096 tokens used/.exec(await page.locator('.identity').innerText())?.[1]);
    assert.ok(used > 100);
    assert.equal(await page.locator('.room').count(), 0);
    mock.options = { nContext: used + 20 };
    await page.reload();
    await page.locator('.room.nearly', { hasText: `nearly full: about 20 of ${used + 20} tokens are left` }).waitFor();
    mock.options = { nContext: used + 3 };
    await page.reload();
    await page.locator('.room.full').getByRole('button', { name: 'New chat' }).click();
    await page.locator('.welcome').waitFor();
    assert.equal(await page.locator('.room').count(), 0);
    await page.locator('#compose:focus').waitFor();
  });

  test('a gateway that asks for a key gets it, and the tab keeps it', mockOnly, async () => {
    mock.options = { apiKey: 'secret-key' };
    await page.reload();
    await page.getByLabel('API key', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('refused the last key').waitFor();
    await page.getByLabel('API key', { exact: true }).fill('secret-key');
    await page.keyboard.press('Enter');
    await page.locator('.badge.good').first().waitFor();
    await say(page, 'hello');
    assert.equal(mock.chats.length, 1);
    await page.reload();
    await say(page, 'still here');
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, Object.values(sessionStorage)]));
    assert.match(stored, /^\[\{[^}]*\}[^\]]*\["secret-key"\]\]$/);
    assert.doesNotMatch(stored.split('},[')[0]!, /secret-key/);
  });

  test('what was refused for want of a key is asked again in its own chat, whichever is open', mockOnly, async () => {
    let refuse = (): void => undefined;
    mock.options = { apiKey: 'secret-key', refuseAfter: new Promise((resolve) => { refuse = resolve; }) };
    for (const text of ['asked first', 'asked second']) {
      await page.locator('#compose').fill(text);
      await page.keyboard.press('Enter');
      await page.locator('.said', { hasText: text }).waitFor();
      await newChat(page);
    }
    refuse();
    await page.waitForFunction(() => document.querySelectorAll('.chat-item .busy').length === 0);
    await page.getByLabel('API key', { exact: true }).fill('secret-key');
    await page.keyboard.press('Enter');
    for (const text of ['asked first', 'asked second']) {
      await page.locator('.chat-open', { hasText: text }).click();
      await page.locator('.said', { hasText: text }).waitFor();
      await page.locator('.message.assistant .figures').waitFor();
      assert.match(await lastAnswer(page), /permutation/);
    }
    assert.deepEqual(mock.chats.map(({ body }) => body.messages.map(({ content }) => content)).sort(), [['asked first'], ['asked second']]);
  });

  test('a model that does not match the key is told at once', mockOnly, async () => {
    mock.options = { server: 'wrong' };
    await page.reload();
    await page.getByRole('alert').filter({ hasText: 'does not belong to this key' }).waitFor();
    await page.locator('.badge.bad').waitFor();
    mock.options = {};
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.locator('.badge.good').waitFor();
  });

  test('a server that is away is no wrong model, and its return is noticed', mockOnly, async () => {
    mock.options = { server: 'away' };
    await page.reload();
    await page.locator('.notice.mild', { hasText: 'away' }).waitFor();
    assert.equal(await page.getByText('does not belong to this key').count(), 0);
    mock.options = {};
    await page.locator('.notice').waitFor({ state: 'detached' });
    await page.locator('.badge.good').waitFor();
  });

  test('a gateway that is gone is told, and found again', mockOnly, async () => {
    const { port } = new URL(url);
    await mock.close();
    await say(page, 'anybody there?');
    await page.locator('.notice.danger', { hasText: 'cannot be reached' }).waitFor();
    mock = new MockGateway();
    await mock.listen(Number(port));
    await page.locator('.notice').getByRole('button', { name: 'Try again' }).click();
    await page.locator('.notice').waitFor({ state: 'detached' });
  });
});

describe('what the server sees', () => {
  test('every word stands beside its id, for prompt and answer', async () => {
    await say(page, 'What is a permutation?');
    const words = await page.locator('.tok').allInnerTexts();
    const ids = await page.locator('.id').allInnerTexts();
    assert.equal(words.length, ids.length);
    assert.ok(words.length > 10);
    assert.ok(ids.every((id) => /^\d+$/.test(id)));
    assert.match(words.join(''), /What is a permutation\?/);
    assert.match(await page.locator('.wire-count').innerText(), /\d+\s*sent\s*\d+\s*received/);
    assert.match(await page.locator('.identity').innerText(), /Key[\s\S]*Profile/);
    assert.match(await page.locator('.limits').innerText(), /public base model is not kept out/);
  });

  test('pointing at a word lights its id, wherever it occurs', mockOnly, async () => {
    await say(page, 'tell me');
    await page.locator('.tok', { hasText: 'coat' }).first().hover();
    const lit = await page.locator('.id.lit').allInnerTexts();
    assert.equal(lit.length, await page.locator('.tok.lit').count());
    assert.ok(lit.length > 1);
    assert.equal(new Set(lit).size, 1);
    assert.match(await page.locator('.readout').innerText(), new RegExp(`coat[\\s\\S]*${lit[0]}[\\s\\S]*${lit.length} times`));
  });

  test('it shows tokens while they arrive', mockOnly, async () => {
    await page.locator('#compose').fill('/slow');
    await page.keyboard.press('Enter');
    await page.locator('.leg.live').waitFor();
    const early = await page.locator('.id').count();
    await page.waitForFunction((count) => document.querySelectorAll('.id').length > count + 3, early);
    await page.keyboard.press('Escape');
    await settled(page);
  });

  test('pairs of words and ids are never stored', async () => {
    await say(page, 'remember nothing');
    const ids = await page.locator('.id').allInnerTexts();
    assert.ok(ids.length > 0);
    await page.reload();
    await page.locator('.ghost', { hasText: 'in memory only' }).waitFor();
    const stored = await page.evaluate(async () => {
      const db = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('isoveil');
        request.onsuccess = () => resolve(request.result);
      });
      const all = db.transaction('conversations').objectStore('conversations').getAll();
      await new Promise((resolve) => { all.onsuccess = resolve; });
      db.close();
      return JSON.stringify([all.result, { ...localStorage }, { ...sessionStorage }]);
    });
    assert.match(stored, /remember nothing/);
    assert.doesNotMatch(stored, /isoveil"|"wire"|"pairs"|"tokens":/);
  });
});

describe('chats', () => {
  test('they survive a reload, and can be searched, renamed and deleted', async () => {
    await say(page, 'about apples');
    await newChat(page);
    await say(page, 'about bridges');
    await page.reload();
    await page.locator('.chat-title').first().waitFor();
    assert.deepEqual((await titles()).sort(), ['about apples', 'about bridges']);
    assert.deepEqual(await userTexts(), ['about bridges']);

    await page.keyboard.press('Control+K');
    await page.keyboard.type('APPLES');
    await page.waitForFunction(() => document.querySelectorAll('.chat-title').length === 1);
    await page.keyboard.press('Enter');
    await page.locator('.said', { hasText: 'about apples' }).waitFor();
    await page.locator('#search').fill('');

    await page.locator('.topbar-title').click();
    await page.getByLabel('Name', { exact: true }).fill('Fruit <b>');
    await page.keyboard.press('Enter');
    await page.locator('.chat-title', { hasText: 'Fruit <b>' }).waitFor();

    await page.locator('.chat-item', { hasText: 'Fruit' }).hover();
    await page.getByRole('button', { name: /Delete “Fruit/ }).click();
    await page.locator('.chat-title', { hasText: 'Fruit' }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.said', { hasText: 'about apples' }).waitFor();
    await page.reload();
    await page.locator('.chat-title', { hasText: 'Fruit <b>' }).waitFor();
  });

  test('a reload in the middle of an answer keeps what has come', mockOnly, async () => {
    await page.locator('#compose').fill('/slow');
    await page.keyboard.press('Enter');
    await page.locator('.answer', { hasText: 'takes its time' }).waitFor();
    await page.waitForTimeout(2000);
    await page.reload();
    await page.locator('.answer', { hasText: 'takes its time' }).waitFor();
    assert.match(await page.locator('.figures').innerText(), /stopped/);
  });

  test('what is exported can be imported elsewhere, and a broken file changes nothing', async () => {
    await say(page, 'keep this one');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()]);
    const file = await readFile(await download.path(), 'utf8');
    assert.match(download.suggestedFilename(), /^isoveil-chats-\d{4}-\d\d-\d\d\.json$/);
    const answer = await lastAnswer(page);

    await start();
    assert.deepEqual(await titles(), []);
    const put = (text: string): Promise<void> =>
      page.locator('#import-file').setInputFiles({ name: 'chats.json', mimeType: 'application/json', buffer: Buffer.from(text) });
    await put(file.replace('"role": "user"', '"role": "root"'));
    await page.locator('.toast.error', { hasText: 'conversations[0].messages[0].role' }).waitFor();
    assert.deepEqual(await titles(), []);
    await put(file);
    await page.locator('.chat-open', { hasText: 'keep this one' }).click();
    await page.locator('.said', { hasText: 'keep this one' }).waitFor();
    assert.equal(await lastAnswer(page), answer);
    await put(file);
    await page.locator('.toast', { hasText: '1 chat already here stayed' }).waitFor();
    assert.equal((await titles()).length, 1);
  });

  test('erasing asks first, and then leaves nothing', async () => {
    await say(page, 'to be erased');
    await page.getByRole('button', { name: 'Erase', exact: true }).click();
    await page.locator('dialog :focus', { hasText: 'Cancel' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('dialog').waitFor({ state: 'detached' });
    assert.deepEqual(await titles(), ['to be erased']);
    await page.getByRole('button', { name: 'Erase', exact: true }).click();
    await page.getByRole('button', { name: 'Erase everything' }).click();
    await page.locator('.welcome').waitFor();
    await page.locator('.toast', { hasText: 'erased' }).waitFor();
    await page.reload();
    await page.locator('.welcome').waitFor();
    assert.deepEqual(await titles(), []);
    assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
  });

  test('another tab sees the change', async () => {
    const other = await watched.context.newPage();
    await other.goto(url);
    await other.locator('.welcome').waitFor();
    await say(page, 'from the first tab');
    await other.locator('.chat-title', { hasText: 'from the first tab' }).waitFor();
    await other.close();
  });
});
