// Starts the page: opens the store, shows the chats, asks the gateway who it is.
import { render } from 'preact';
import { App } from './app.ts';
import { openStore } from './store.ts';
import { Shell } from './ui/shell.tsx';

async function start(): Promise<void> {
  let app: App | null = null;
  const store = await openStore(() => void app?.reload());
  app = new App(store, await store.load());
  const root = document.getElementById('app')!;
  root.replaceChildren();
  render(<Shell app={app} />, root);
  void app.connect();
}

void start();
