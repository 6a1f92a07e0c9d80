// Starts the page: opens the store, shows the chats, asks the gateway who it is.
import { render } from 'preact';
import { App } from './app.ts';
import { openStore } from './store.ts';
import { Shell } from './ui/shell.tsx';

const STATUS_EVERY_MS = 60_000;

async function start(): Promise<void> {
  let app: App | null = null;
  const store = await openStore(() => void app?.reload());
  app = new App(store, await store.load());
  const root = document.getElementById('app')!;
  root.replaceChildren();
  render(<Shell app={app} />, root);
  void app.connect();
  // A gateway that was restarted, perhaps with another key, is noticed without a reload.
  setInterval(() => !document.hidden && app.state.dialog === null && void app.connect(), STATUS_EVERY_MS);
}

void start();
