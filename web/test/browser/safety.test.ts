// Hostile answers, the policy itself, and use by keyboard, on a phone, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { MockGateway } from '../mock/gateway.ts';
import { launch, open, say, settled, violations } from './browser.ts';

const real = process.env.ISOVEIL_BASE_URL;
const mockOnly = { skip: real ? 'needs the canned answers of the mock' : false };

let browser: Browser;
let mock: MockGateway;
let url: string;

before(async () => {
  browser = await launch();
  mock = new MockGateway();
  url = real ?? (await mock.listen());
});
after(async () => {
  await browser.close();
  if (!real) await mock.close();
});

describe('a hostile answer', () => {
  test('does nothing: no script, no form, no request, no foreign element', mockOnly, async () => {
    const { page, context, foreign, requests, problems } = await open(browser, url);
    await say(page, '/xss');
    assert.match(await page.locator('.answer').innerText(), /The end of the attempts/);
    await page.waitForTimeout(300);
    const found = await page.evaluate(() => ({
      pwned: (globalThis as unknown as { pwned?: number }).pwned,
      elements: [...document.querySelectorAll('.answer :is(script, img, svg, iframe, form, style, object, embed, link, meta, input)')].map((element) => element.tagName),
      handlers: [...document.querySelectorAll('.answer *')].flatMap((element) => element.getAttributeNames().filter((name) => /^on|^style$/.test(name))),
      links: [...document.querySelectorAll<HTMLAnchorElement>('.answer a')].map((link) => [new URL(link.href).protocol, link.rel, link.target].join(' ')),
    }));
    assert.deepEqual(found.pwned, undefined);
    assert.deepEqual(found.elements, []);
    assert.deepEqual(found.handlers, []);
    assert.ok(found.links.length >= 2);
    for (const link of found.links) assert.equal(link, 'https: noopener noreferrer nofollow _blank');
    assert.deepEqual(foreign, []);
    assert.equal(requests.filter((request) => !/^(GET \/(app\.js|app\.css|icon\.svg|v1\/models|isoveil\/status|favicon\.ico)?|POST \/v1\/chat\/completions)$/.test(request)).length, 0);
    assert.deepEqual(await violations(page), [], 'the sanitiser, not the policy, stops it');
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('would be stopped by the policy, too', async () => {
    const { page, context, foreign } = await open(browser, url);
    const outcome = await page.evaluate(async () => {
      const outcomes: string[] = [];
      const note = (name: string, work: () => unknown): void => {
        try {
          work();
          outcomes.push(`${name} ran`);
        } catch {
          outcomes.push(`${name} refused`);
        }
      };
      // The policy does not hold for what the test itself sends, but for what that leaves behind.
      await new Promise<void>((resolve) => setTimeout(() => { note('eval', () => (0, eval)('1')); resolve(); }));
      note('innerHTML', () => { document.createElement('div').innerHTML = '<b>x</b>'; });
      const script = document.createElement('script');
      note('script text', () => { script.text = 'window.pwned = 1'; });
      const image = new Image();
      image.src = 'https://example.invalid/x.png';
      await fetch('https://example.invalid/').then(() => outcomes.push('fetch ran'), () => outcomes.push('fetch refused'));
      return outcomes;
    });
    assert.deepEqual(outcome, ['eval refused', 'innerHTML refused', 'script text refused', 'fetch refused']);
    const violated = await violations(page);
    assert.ok(violated.some((entry) => entry.startsWith('connect-src https://example.invalid')), String(violated));
    assert.ok(violated.some((entry) => entry.startsWith('img-src https://example.invalid')), String(violated));
    // The browser announces requests that the policy then blocks; none may have had an answer.
    assert.ok(foreign.every((entry) => entry.startsWith('https://example.invalid/')));
    await context.close();
  });

  test('the gateway sends the policy as a header, for every file', async () => {
    for (const path of ['/', '/app.js', '/app.css']) {
      const policy = (await fetch(new URL(path, url))).headers.get('content-security-policy') ?? '';
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
                          "font-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
        assert.ok(policy.includes(part), `${path}: ${part}`);
      }
    }
  });
});

describe('by keyboard alone', () => {
  test('a whole conversation, with the focus always visible and never lost', async () => {
    const { page, context, problems } = await open(browser, url);
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.id || document.activeElement?.className || document.activeElement?.tagName || '');
    await page.locator('#compose:focus').waitFor();
    await page.keyboard.type('first line');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('second line');
    await page.keyboard.press('Enter');
    await page.locator('.message.assistant').waitFor();
    await settled(page);
    assert.equal(await page.locator('.said').innerText(), 'first line\nsecond line');

    await page.keyboard.press('ArrowUp');
    await page.locator('.editor textarea:focus').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#compose:focus').waitFor();

    await page.keyboard.press('Alt+ArrowUp');
    assert.match(await focused(), /message assistant/);
    await page.keyboard.press('c');
    assert.ok((await page.evaluate(() => navigator.clipboard.readText())).length > 0);
    await page.keyboard.press('Alt+ArrowUp');
    await page.keyboard.press('e');
    await page.locator('.editor textarea:focus').fill('edited by keyboard');
    await page.keyboard.press('Enter');
    await settled(page);
    assert.deepEqual(await page.locator('.said').allInnerTexts(), ['edited by keyboard']);

    await page.keyboard.press('Control+/');
    await page.locator('dialog.help').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.locator('#compose:focus').waitFor();
    await page.keyboard.press('Control+.');
    await page.locator('.wire').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+.');
    await page.locator('.wire').waitFor();
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('Tab reaches every control, and each shows its focus', async () => {
    const { page, context } = await open(browser, url);
    await say(page, 'hello');
    const seen = new Set<string>();
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const element = document.activeElement!;
        if (element === document.body) return null;
        const shown = (place: Element): boolean => {
          const style = getComputedStyle(place);
          return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
        };
        // The text boxes show their focus by the border of their frame.
        const framed = element.matches('#compose, #search') && getComputedStyle(element.closest('.composer-box') ?? element).borderColor !== '';
        return { name: element.getAttribute('aria-label') ?? element.textContent ?? '', visible: shown(element) || framed };
      });
      if (!stop) continue;
      assert.ok(stop.visible, `no visible focus on "${stop.name}"`);
      assert.ok(stop.name.trim(), 'a control without a name');
      seen.add(stop.name.trim());
    }
    for (const name of ['New chat', 'Search chats', 'Export', 'Import', 'Erase', 'Settings of this chat', 'Message', 'Copy', 'Answer again']) {
      assert.ok(seen.has(name), `Tab does not reach "${name}": ${[...seen].join(', ')}`);
    }
    await context.close();
  });

  test('the arrow keys walk the ids', async () => {
    const { page, context } = await open(browser, url);
    await say(page, 'hello');
    await page.locator('.ledger-rows').focus();
    await page.keyboard.press('ArrowLeft');
    const last = await page.locator('.id').last().innerText();
    await page.locator('.readout code', { hasText: last }).waitFor();
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.locator('.id.here').count(), 1);
    await context.close();
  });
});

describe('looks', () => {
  test('the theme follows the system, and can be chosen', async () => {
    const { page, context } = await open(browser, url, { colorScheme: 'dark' });
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    const settle = (was: string): Promise<unknown> => page.waitForFunction((color) => getComputedStyle(document.body).backgroundColor !== color, was);
    await settle(dark);
    const light = await ground();
    await page.locator('.theme-button').click();
    await page.locator('html.theme-light').waitFor();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.waitForTimeout(500);
    assert.equal(await ground(), light);
    await page.locator('.theme-button').click();
    await page.locator('html.theme-dark').waitFor();
    await settle(light);
    assert.equal(await ground(), dark);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.reload();
    await page.locator('html.theme-dark').waitFor();
    assert.equal(await ground(), dark);
    await context.close();
  });

  test('text has enough contrast in both themes', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, context } = await open(browser, url, { colorScheme });
      await say(page, 'hello');
      const weak = await page.evaluate(() => {
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
        const rgb = (color: string, under: number[]): number[] => {
          canvas.fillStyle = `rgb(${under.join(' ')})`;
          canvas.fillRect(0, 0, 1, 1);
          canvas.fillStyle = color;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const luminance = (color: number[]): number => color
          .map((value) => value / 255)
          .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
          .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i]!, 0);
        const probe = document.body.appendChild(document.createElement('i'));
        probe.style.background = 'var(--night)';
        const night = getComputedStyle(probe).backgroundColor;
        const background = (element: Element): number[] => {
          const chain: Element[] = [];
          for (let at: Element | null = element; at; at = at.parentElement) chain.unshift(at);
          return chain.reduce((under, at) => rgb(at.matches('.ids, .ledger-head > :last-child, .leg > :nth-child(2)') ? night : getComputedStyle(at).backgroundColor, under), [255, 255, 255]);
        };
        return [...document.querySelectorAll('button, p, h1, h2, h3, dt, dd, small, .tok, .id, .said, .figures span, .leg span')]
          .filter((element) => element.textContent?.trim() && element.checkVisibility() && !(element as HTMLButtonElement).disabled)
          .flatMap((element) => {
            const under = background(element);
            const [a, b] = [luminance(rgb(getComputedStyle(element).color, under)), luminance(under)];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            return ratio < 4.5 ? [`${element.className || element.tagName} "${element.textContent?.slice(0, 20)}" ${ratio.toFixed(2)}`] : [];
          });
      });
      assert.deepEqual([...new Set(weak)], [], colorScheme);
      await context.close();
    }
  });

  test('at 360 pixels everything is there, in drawers, and nothing overflows', async () => {
    const { page, context, problems } = await open(browser, url, { width: 360, height: 740, touch: true });
    const overflow = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await say(page, real ? 'Write a table and a line of code.' : '/code');
    assert.ok(await overflow() <= 0);
    assert.equal(await page.locator('.wire').count(), 0);
    await page.locator('.pane-toggle').click();
    await page.locator('.wire .id').first().waitFor();
    assert.ok(await overflow() <= 0);
    const words = await page.locator('.tok').allInnerTexts();
    assert.equal(words.length, await page.locator('.id').count());
    assert.ok(await page.locator('.shell-main').evaluate((main) => (main as HTMLElement).inert));
    await page.keyboard.press('Escape');
    await page.locator('.wire').waitFor({ state: 'detached' });
    assert.equal(await page.locator(':focus').getAttribute('class'), 'pane-toggle');
    await page.getByRole('button', { name: 'Chats', exact: true }).click();
    await page.locator('.sidebar .chat-open').first().click();
    await page.locator('.sidebar').waitFor({ state: 'detached' });
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('on a phone the way out of a failure stands below its sentence, large enough for a finger', mockOnly, async () => {
    const { page, context } = await open(browser, url, { width: 360, height: 740, touch: true });
    await say(page, '/away');
    const failure = page.locator('.message-error');
    const [button, sentence] = await Promise.all([failure.getByRole('button').boundingBox(), failure.locator('p').first().boundingBox()]);
    assert.ok(button && sentence && button.y >= sentence.y + sentence.height && button.height >= 44, JSON.stringify({ button, sentence }));
    assert.ok(sentence.width > 200, 'the sentence keeps its width');
    await context.close();
  });

  test('motion stops where the system asks for it', async () => {
    const { page, context } = await open(browser, url);
    await say(page, 'hello');
    const longest = await page.evaluate(() => Math.max(...[...document.querySelectorAll('*')].map((element) => parseFloat(getComputedStyle(element).animationDuration) || 0)));
    assert.equal(longest, 0);
    await context.close();
  });
});
