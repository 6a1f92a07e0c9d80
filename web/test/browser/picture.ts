// Takes the picture of README.md before a real gateway: ISOVEIL_BASE_URL=URL tsx test/browser/picture.ts FILE
import { launch, open, say } from './browser.ts';

const url = process.env.ISOVEIL_BASE_URL;
const file = process.argv[2];
if (!url || !file) throw new Error('ISOVEIL_BASE_URL=URL tsx test/browser/picture.ts FILE');
const browser = await launch();
const { page } = await open(browser, url, { width: 1440, height: 820, colorScheme: 'light' });
await page.goto(url);
await say(page, 'Hello, I would like to see a dentist.');
await say(page, 'My name is Maria Kowalski, and Friday at 10:30 would be best.');
await say(page, 'When do you open on Saturday?');
await page.mouse.move(0, 0);
await page.screenshot({ path: file });
await browser.close();
