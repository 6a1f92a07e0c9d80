// Chromium for the browser tests, with a record of everything that must not happen: requests to another
// origin, violations of the content security policy, errors in the console.
//
// ISOVEIL_BASE_URL names a real gateway to test instead of the mock; ISOVEIL_CHROMIUM another browser.
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

const real = process.env.ISOVEIL_BASE_URL !== undefined;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync'];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.ISOVEIL_CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS });
}

export interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly foreign: string[];     // requests to another origin
  readonly requests: string[];    // "METHOD path" of all others
  readonly problems: string[];    // violations of the policy, errors
}

export interface View {
  width?: number;
  height?: number;
  colorScheme?: 'light' | 'dark';
  touch?: boolean;
}

export async function open(browser: Browser, baseUrl: string, view: View = {}): Promise<Watched> {
  const { width = 1440, height = 900, colorScheme = 'light', touch = false } = view;
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme, hasTouch: touch, acceptDownloads: true, reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const watched: Watched = { page: await context.newPage(), context, foreign: [], requests: [], problems: [] };
  context.setDefaultTimeout(real ? 60_000 : 8_000);
  const origin = new URL(baseUrl).origin;
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol === 'blob:' || url.protocol === 'data:') return;
    if (url.origin === origin) watched.requests.push(`${request.method()} ${url.pathname}`);
    else watched.foreign.push(request.url());
  });
  watched.page.on('pageerror', (error) => watched.problems.push(`error: ${error.message}`));
  watched.page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) watched.problems.push(message.text());
  });
  // The loader of these tests names inner functions by a helper, which functions sent to the page need, too.
  await context.addInitScript({ content: 'globalThis.__name = (value) => value;' });
  await context.addInitScript(() => {
    const log: string[] = [];
    (globalThis as unknown as { violations: string[] }).violations = log;
    document.addEventListener('securitypolicyviolation', (event) => log.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await watched.page.goto(baseUrl);
  await watched.page.locator('#compose').waitFor();
  return watched;
}

export function violations(page: Page): Promise<string[]> {
  return page.evaluate(() => (globalThis as unknown as { violations: string[] }).violations);
}

export async function newChat(page: Page): Promise<void> {
  await page.keyboard.press('Control+Shift+O');
  await page.locator('.message').first().waitFor({ state: 'detached' });
}

// Sends a message with the keyboard and waits until its answer is complete.
export async function say(page: Page, text: string): Promise<void> {
  await page.locator('dialog').waitFor({ state: 'detached' });
  const before = await page.locator('.message.assistant').count();
  await page.locator('#compose').fill(text);
  await page.locator('#compose').press('Enter');
  await page.locator('.message.assistant').nth(before).waitFor();
  await settled(page);
}

export function attachTo(page: Page, files: Record<string, string | Buffer>): Promise<void> {
  return page.locator('#attach-files').setInputFiles(Object.entries(files).map(([name, text]) =>
    ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) })));
}

export async function settled(page: Page): Promise<void> {
  await page.locator('.send:not(.stop)').waitFor({ timeout: 60_000 });
}

export function lastAnswer(page: Page): Promise<string> {
  return page.locator('.message.assistant').last().locator('.answer').innerText();
}
