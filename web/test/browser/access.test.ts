// What everybody must be able to use: the rules of axe-core in every state of the page, room for the chat, targets for
// fingers, no words that are cut.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { MockGateway } from '../mock/gateway.ts';
import { attachTo, launch, open, say, type View } from './browser.ts';

const real = process.env.ISOVEIL_BASE_URL;
const mockOnly = { skip: real ? 'needs the canned answers of the mock' : false };
const PHONE: View = { width: 375, height: 740, touch: true };
const DESK: View = { width: 1280, height: 800 };

let browser: Browser;
let mock: MockGateway;
let url: string;
let axe: string;

before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  browser = await launch();
  mock = new MockGateway();
  url = real ?? (await mock.listen());
});
beforeEach(() => { mock.options = {}; });
after(async () => {
  await browser.close();
  if (!real) await mock.close();
});

interface State {
  readonly name: string;
  readonly phone?: true;  // on phones only
  readonly desk?: true;   // beside the chat only
  readonly reach: (page: Page) => Promise<void>;
}

async function closed(page: Page): Promise<void> {
  await page.keyboard.press('Escape');
  await page.locator('dialog, .scrim').waitFor({ state: 'detached' });
}

async function opened(page: Page, keys: string): Promise<void> {
  await closed(page);
  await page.keyboard.press(keys);
  await page.locator('dialog').waitFor();
}

// Each goes on from the one before.
const STATES: readonly State[] = [
  { name: 'empty', reach: async () => undefined },
  { name: 'chat', reach: (page) => say(page, '/code') },
  { name: 'thoughts', reach: (page) => say(page, '/think') },
  { name: 'formulas', reach: (page) => say(page, '/math') },
  { name: 'attached', reach: async (page) => {
    await attachTo(page, { 'notes of a very long meeting that went on until nobody could remember how it began.txt': 'one', 'b.md': 'two' });
    await page.locator('.composer .file').nth(1).waitFor();
  } },
  { name: 'with files', reach: async (page) => {
    await say(page, 'what is in them?');
    await page.locator('.message .file summary').last().click();
    await page.locator('.file pre').waitFor();
  } },
  { name: 'failed', reach: async (page) => {
    await say(page, '/away');
    await page.locator('.message-error summary').click();
  } },
  { name: 'folded', desk: true, reach: (page) => page.locator('.shell-strip').waitFor() },
  { name: 'pane', reach: async (page) => {
    await page.locator('.pane-toggle, .shell-strip button').click();
    await page.locator('.limits summary').click();
    await page.locator('.message-error', { hasText: 'cannot be reached' }).waitFor();
  } },
  { name: 'chats', phone: true, reach: async (page) => {
    await closed(page);
    await page.getByRole('button', { name: 'Chats', exact: true }).click();
    await page.locator('.sidebar').waitFor();
  } },
  { name: 'settings', reach: (page) => opened(page, 'Control+,') },
  { name: 'help', reach: (page) => opened(page, 'Control+/') },
  { name: 'rename', reach: async (page) => {
    await closed(page);
    await page.locator('.topbar-title').click();
    await page.locator('dialog').waitFor();
  } },
  { name: 'key', reach: async (page) => {
    mock.options = { apiKey: 'secret-key' };
    await page.reload();
    await page.locator('dialog').waitFor();
  } },
  { name: 'full', reach: async (page) => {
    mock.options = { nContext: 64 };
    await page.reload();
    await page.locator('.room.full').waitFor();
  } },
  { name: 'wrong', reach: async (page) => {
    mock.options = { server: 'wrong' };
    await page.reload();
    await page.locator('.notice.danger').waitFor();
  } },
];

async function walk(view: View, check: (page: Page, name: string) => Promise<void>): Promise<void> {
  const { page, context } = await open(browser, url, view);
  const phone = view.width === PHONE.width;
  await page.locator('.welcome li').first().waitFor();
  for (const { name, reach, ...only } of STATES) {
    if (phone ? only.desk : only.phone) continue;
    await reach(page);
    await check(page, name);
  }
  await context.close();
}

async function brokenRules(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: run } = globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
    const { violations } = await run.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
  });
}

describe('the rules of axe-core', () => {
  for (const [place, view] of [['a desk', DESK], ['a phone', PHONE]] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`hold on ${place}, ${colorScheme}, in every state`, mockOnly, async () => {
        const broken: string[] = [];
        await walk({ ...view, colorScheme }, async (page, name) => {
          broken.push(...(await brokenRules(page)).map((rule) => `${name}: ${rule}`));
        });
        assert.deepEqual(broken, []);
      });
    }
  }

  test('find what is wrong', async () => {
    const { page, context } = await open(browser, url, DESK);
    await page.evaluate(() => document.body.append(document.createElement('button')));
    assert.match((await brokenRules(page)).join(), /button-name/);
    await context.close();
  });
});

describe('room', () => {
  test('the pane folds to a strip after the first answer, can be opened again, and is remembered', mockOnly, async () => {
    const { page, context } = await open(browser, url, DESK);
    const share = (selector: string): Promise<number> => page.locator(selector).evaluate((element) => element.getBoundingClientRect().width / innerWidth);
    assert.ok(await share('.shell-pane') <= 0.3);
    assert.ok(await share('.shell-main') > 0.5);
    await page.mouse.move(600, 300);
    await say(page, 'hello');
    await page.locator('.shell-strip').waitFor();
    assert.equal(await page.locator('.shell-strip').evaluate((element) => element.getBoundingClientRect().width), 48);
    assert.ok(await share('.shell-main') > 0.7);
    await page.reload();
    await page.locator('.shell-strip button').click();
    await page.locator('.wire').waitFor();
    await say(page, 'again');
    await page.reload();
    await page.locator('.wire').waitFor();
    assert.ok(await share('.shell-main') > 0.5);
    await context.close();
  });

  test('where there is room for both the pane stays', mockOnly, async () => {
    const { page, context } = await open(browser, url, { width: 1600, height: 900 });
    await say(page, 'hello');
    assert.equal(await page.locator('.wire').count(), 1);
    await context.close();
  });
});

describe('on a phone', () => {
  test('whatever can be pressed has 44 pixels', mockOnly, async () => {
    const small: string[] = [];
    await walk(PHONE, async (page, name) => {
      const found = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('button, summary, select, input, textarea')]
        .filter((element) => element.checkVisibility({ checkOpacity: true }) && !element.closest('[inert]') && getComputedStyle(element).clipPath === 'none')
        .map((element) => ({ element, box: (element.closest('.check') ?? element).getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.height < 43.5 || box.width < 43.5))
        .map(({ element, box }) => `${element.className || element.tagName} "${element.textContent?.slice(0, 20)}" ${box.width}x${box.height}`));
      small.push(...found.map((entry) => `${name}: ${entry}`));
    });
    assert.deepEqual(small, []);
  });
});

describe('words', () => {
  for (const view of [DESK, PHONE, { width: 1180, height: 700 }]) {
    test(`are cut nowhere but in titles, which have their whole in a tooltip: ${view.width} pixels`, mockOnly, async () => {
      const cut: string[] = [];
      await walk(view, async (page, name) => {
        const found = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('body *')]
          .filter((element) => element.checkVisibility() && !element.closest('.visually-hidden, svg, .skip, textarea, input') && element.textContent?.trim())
          .filter((element) => getComputedStyle(element).overflowX === 'hidden' && element.scrollWidth > element.clientWidth + 1)
          .filter((element) => !element.closest('[title]')?.getAttribute('title')?.includes(element.textContent!.trim()))
          .map((element) => `${element.className || element.tagName} "${element.textContent?.slice(0, 60)}"`));
        cut.push(...found.map((entry) => `${name}: ${entry}`));
      });
      assert.deepEqual(cut, []);
    });
  }
});
