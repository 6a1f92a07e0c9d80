// The whole page: chats | conversation | what the server sees, with dialogs and notes over them.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { App, State } from '../app.ts';
import type { Theme } from '../core/settings.ts';
import { matchShortcut, showKeys, type Action } from '../core/shortcuts.ts';
import { isMac, narrowWindow, wideWindow } from '../platform.ts';
import { Composer } from './composer.tsx';
import { Icon, IconButton } from './controls.tsx';
import { Dialogs } from './dialogs.tsx';
import { useAppState, useMedia } from './hooks.ts';
import { Sidebar } from './sidebar.tsx';
import { Thread } from './thread.tsx';
import { MatchBadge, WirePane } from './wire_pane.tsx';

const NEXT_THEME: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const THEME_ICON: Record<Theme, string> = { system: 'auto', light: 'sun', dark: 'moon' };

export function Shell({ app }: { app: App }): JSX.Element {
  const state = useAppState(app);
  const wide = useMedia(wideWindow);
  const narrow = useMedia(narrowWindow);
  useEffect(() => {
    document.documentElement.className = `theme-${state.settings.theme}`;
  }, [state.settings.theme]);
  useEffect(() => {
    document.title = state.current.messages.length > 0 ? `${state.current.title} · Isoveil` : 'Isoveil';
  }, [state.current]);
  useShortcuts(app);
  const focusBefore = useDrawerFocus(state.drawer);

  const paneOpen = wide ? state.settings.pane ?? true : state.drawer === 'pane';
  const folded = wide && !paneOpen;
  const sidebarOver = narrow && state.drawer === 'sidebar';
  const covered = (narrow || !wide) && state.drawer !== 'none';
  return (
    <div class={`shell ${paneOpen ? 'with-pane' : folded ? 'with-strip' : ''} drawer-${state.drawer}`} ref={focusBefore}>
      <a class="skip" href="#compose" onClick={(event) => { event.preventDefault(); focusOn('#compose'); }}>Skip to the text box</a>
      {(!narrow || sidebarOver) && <div class="shell-side" inert={state.drawer === 'pane' && !wide}><Sidebar app={app} state={state} /></div>}
      {covered && <div class="scrim" onClick={() => app.set({ drawer: 'none' })} />}
      <main class="shell-main" inert={covered}>
        <TopBar app={app} state={state} narrow={narrow} wide={wide} />
        <Notices state={state} app={app} />
        <Thread app={app} state={state} />
        <Composer app={app} state={state} />
      </main>
      {paneOpen && <div class="shell-pane"><WirePane app={app} state={state} /></div>}
      {folded && <PaneStrip app={app} state={state} />}
      <Dialogs app={app} state={state} />
      <div class="toasts">
        {state.toasts.map((toast) => (
          <div class={`toast ${toast.tone}`} role={toast.tone === 'error' ? 'alert' : 'status'} key={toast.id}>
            <span>{toast.text}</span>
            {toast.undo && <button type="button" onClick={() => { toast.undo!(); app.dismiss(toast.id); }}>Undo</button>}
            <IconButton icon="close" label="Dismiss" onClick={() => app.dismiss(toast.id)} />
          </div>
        ))}
      </div>
      <div class="visually-hidden" role="status" aria-live="polite">{state.announcement}</div>
    </div>
  );
}

interface BarProps { app: App; state: State; narrow: boolean; wide: boolean }

function TopBar({ app, state, narrow, wide }: BarProps): JSX.Element {
  const { current, models, settings, status } = state;
  const choices = [...new Set([...(current.model ? [current.model] : []), ...models])];
  const keys = (text: string): string => showKeys(text, isMac).join(isMac ? '' : '+');
  return (
    <header class="topbar">
      {narrow && <IconButton icon="menu" label="Chats" keys={keys('Mod+B')} onClick={() => app.set({ drawer: 'sidebar' })} />}
      <button type="button" class="topbar-title" disabled={current.messages.length === 0} title={`Rename “${current.title}”`}
              onClick={() => app.set({ dialog: { kind: 'rename', chatId: current.id } })}>
        <h1>{current.title}</h1>
      </button>
      {choices.length > 1
        ? <select class="model-select" aria-label="Model" value={current.model || models[0]}
                  onChange={(event) => app.setModel(event.currentTarget.value)}>
            {choices.map((name) => <option value={name}>{name}</option>)}
          </select>
        : <span class="model-name" title={choices[0] ?? status?.model}>{choices[0] ?? status?.model}</span>}
      <IconButton icon="sliders" label="Settings of this chat" keys={keys('Mod+,')} onClick={() => app.set({ dialog: { kind: 'settings' } })} />
      <IconButton icon={THEME_ICON[settings.theme]} label={`Theme: ${settings.theme}. Change`} class="theme-button"
                  onClick={() => app.setSettings({ theme: NEXT_THEME[settings.theme] })} />
      {!wide && (
        <button type="button" class="pane-toggle" title={`What the server sees (${keys('Mod+.')})`} onClick={() => app.togglePane()}>
          <Icon name="veil" /><span>What the server sees</span>
          {status && <MatchBadge status={status} compact />}
        </button>
      )}
    </header>
  );
}

function PaneStrip({ app, state }: { app: App; state: State }): JSX.Element {
  return (
    <aside class="shell-strip" aria-label="What the server sees">
      <button type="button" title={`What the server sees (${showKeys('Mod+.', isMac).join(isMac ? '' : '+')})`} onClick={() => app.togglePane(true)}>
        <Icon name="veil" /><span>What the server sees</span>
        {state.status && <MatchBadge status={state.status} compact />}
      </button>
    </aside>
  );
}

function Notices({ app, state }: { app: App; state: State }): JSX.Element | null {
  if (state.statusError) {
    return (
      <div class="notice danger" role="alert">
        <Icon name="warn" /><span>{state.statusError}</span>
        <button type="button" onClick={() => void app.connect()}>Try again</button>
      </div>
    );
  }
  if (state.status?.server === 'wrong') {
    return (
      <div class="notice danger" role="alert">
        <Icon name="warn" />
        <span>The model on the server does not belong to this key. Answers would be gibberish, so the gateway refuses to send. Start it with the matching key or model.</span>
      </div>
    );
  }
  if (state.status?.server === 'away') {
    return <div class="notice mild" role="status"><Icon name="server" /><span>The server is away. This page notices when it is back.</span></div>;
  }
  if (!state.durable) {
    return <div class="notice" role="status"><Icon name="warn" /><span>This browser window stores nothing: chats end with the page. Export to keep them.</span></div>;
  }
  return null;
}

// A drawer takes the focus when it opens, and gives it back when it closes.
function useDrawerFocus(drawer: State['drawer']): { current: HTMLDivElement | null } {
  const shell = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);
  // Noted while rendering: what lies under an open drawer becomes inert, and loses the focus with that.
  if (drawer !== 'none') before.current ??= document.activeElement;
  useEffect(() => {
    if (drawer === 'none') {
      if (before.current instanceof HTMLElement && before.current.isConnected) before.current.focus();
      before.current = null;
      return;
    }
    const place = shell.current?.querySelector(drawer === 'pane' ? '.shell-pane' : '.shell-side');
    place?.querySelector<HTMLElement>('button, input')?.focus();
  }, [drawer]);
  return shell;
}

function useShortcuts(app: App): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return;
      const target = event.target instanceof Element ? event.target : document.body;
      const typing = target.matches('input, textarea, select');
      const message = target.closest<HTMLElement>('[data-message]');
      const action = matchShortcut(event, typing, message !== null && target === message);
      if (action && perform(app, action, message)) event.preventDefault();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [app]);
}

function perform(app: App, action: Action, message: HTMLElement | null): boolean {
  const { state } = app;
  switch (action) {
    case 'new': app.newChat(); focusOn('#compose'); return true;
    case 'search':
      if (narrowWindow.matches) app.set({ drawer: 'sidebar' });
      focusOn('#search');
      return true;
    case 'settings': case 'help': app.set({ dialog: { kind: action } }); return true;
    case 'pane': app.togglePane(); return true;
    case 'sidebar':
      if (narrowWindow.matches) app.set({ drawer: state.drawer === 'sidebar' ? 'none' : 'sidebar' });
      else focusOn('.chat-list button');
      return true;
    case 'compose': focusOn('#compose'); return true;
    case 'stop': return stopOrClose(app);
    case 'previous': case 'next': return stepMessage(action === 'next' ? 1 : -1);
    case 'edit': case 'copy': case 'regenerate': case 'wire':
      return press(message, action);
  }
}

function stopOrClose(app: App): boolean {
  const { state } = app;
  if (state.drawer !== 'none') app.set({ drawer: 'none' });
  else if (state.streaming.has(state.current.id)) app.stop();
  else return false;
  return true;
}

function stepMessage(step: 1 | -1): boolean {
  const messages = [...document.querySelectorAll<HTMLElement>('[data-message]')];
  const at = messages.findIndex((message) => message.contains(document.activeElement));
  const next = at < 0 ? (step < 0 ? messages.length - 1 : messages.length) : at + step;
  const target = messages[next] ?? (next >= messages.length ? document.querySelector<HTMLElement>('#compose') : null);
  target?.focus();
  target?.scrollIntoView({ block: 'nearest' });
  return true;
}

function press(message: HTMLElement | null, action: string): boolean {
  const button = message?.querySelector<HTMLButtonElement>(`[data-action="${action}"]`);
  button?.click();
  return button !== null && button !== undefined;
}

// What just appears has no element yet; then the focus waits until it is drawn.
function focusOn(selector: string): void {
  const element = document.querySelector<HTMLElement>(selector);
  if (element) element.focus();
  else requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector<HTMLElement>(selector)?.focus()));
}
