// The chats: search, open, rename, delete; export, import, erase.
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { App, State } from '../app.ts';
import { searchChats, type Found } from '../core/conversation.ts';
import { showKeys } from '../core/shortcuts.ts';
import { isMac, narrowWindow } from '../platform.ts';
import { Icon, IconButton, Keys } from './controls.tsx';

const DAY = 86_400_000;

export function Sidebar({ app, state }: { app: App; state: State }): JSX.Element {
  const [query, setQuery] = useState('');
  const found = useMemo(() => searchChats(state.chats, query), [state.chats, query]);
  const file = useRef<HTMLInputElement>(null);
  return (
    <nav class="sidebar" aria-label="Chats">
      <div class="brand">
        <Icon name="logo" /><span>Isoveil</span>
        {narrowWindow.matches && <IconButton icon="close" label="Close the chats" onClick={() => app.set({ drawer: 'none' })} />}
      </div>
      <button type="button" class="new-chat" onClick={() => { app.newChat(); document.getElementById('compose')?.focus(); }}>
        <Icon name="plus" />New chat
      </button>
      <div class="search">
        <Icon name="search" />
        <input id="search" type="search" placeholder="Search" aria-label="Search chats" value={query} autocomplete="off"
               onInput={(event) => setQuery(event.currentTarget.value)}
               onKeyDown={(event) => searchKey(event, () => setQuery(''))} />
        <Keys keys={showKeys('Mod+K', isMac)} />
      </div>
      <div class="chat-list" onKeyDown={stepInList}>
        {byDay(found).map(({ day, entries }) => (
          <section key={day} aria-label={day}>
            <h2 class="chat-day">{day}</h2>
            <ul>{entries.map((entry) => <ChatItem app={app} state={state} entry={entry} key={entry.chat.id} />)}</ul>
          </section>
        ))}
        {found.length === 0 && <p class="empty">{query ? 'No chat has these words.' : 'Chats stay in this browser, and appear here.'}</p>}
      </div>
      <div class="sidebar-foot">
        <button type="button" disabled={state.chats.length === 0} onClick={() => app.exportAll()}><Icon name="export" />Export</button>
        <button type="button" onClick={() => file.current?.click()}><Icon name="import" />Import</button>
        <button type="button" class="danger" onClick={() => app.set({ dialog: { kind: 'wipe' } })}><Icon name="trash" />Erase</button>
        <IconButton icon="keyboard" label="Keyboard shortcuts" keys="?" onClick={() => app.set({ dialog: { kind: 'help' } })} />
        <input ref={file} id="import-file" type="file" accept="application/json,.json" hidden aria-label="File of chats"
               onChange={(event) => {
                 const chosen = event.currentTarget.files?.[0];
                 event.currentTarget.value = '';
                 if (chosen) void app.importFile(chosen);
               }} />
      </div>
    </nav>
  );
}

interface ItemProps { app: App; state: State; entry: Found }

function ChatItem({ app, state, entry }: ItemProps): JSX.Element {
  const { chat, excerpt } = entry;
  const active = chat.id === state.current.id;
  return (
    <li class={`chat-item ${active ? 'active' : ''}`}>
      <button type="button" class="chat-open" title={chat.title} aria-current={active ? 'true' : undefined} onClick={() => app.openChat(chat.id)}>
        <span class="chat-title">{chat.title}</span>
        {excerpt && <span class="chat-excerpt">{excerpt}</span>}
      </button>
      {state.streaming.has(chat.id) && <span class="busy" role="img" aria-label="Answering" />}
      <span class="chat-actions">
        <IconButton icon="edit" label={`Rename “${chat.title}”`} onClick={() => app.set({ dialog: { kind: 'rename', chatId: chat.id } })} />
        <IconButton icon="trash" label={`Delete “${chat.title}”`} onClick={() => app.deleteChat(chat.id)} />
      </span>
    </li>
  );
}

function byDay(found: readonly Found[]): { day: string; entries: Found[] }[] {
  const days = new Map<string, Found[]>();
  for (const entry of found) {
    const day = dayOf(entry.chat.updated);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return [...days].map(([day, entries]) => ({ day, entries }));
}

function dayOf(time: number): string {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return 'Today';
  if (time >= midnight - DAY) return 'Yesterday';
  if (time >= midnight - 7 * DAY) return 'This week';
  return new Date(time).toLocaleDateString(undefined, { month: 'long', year: 'numeric' });
}

function searchKey(event: KeyboardEvent, clear: () => void): void {
  if (event.key === 'ArrowDown') document.querySelector<HTMLElement>('.chat-open')?.focus();
  else if (event.key === 'Enter') document.querySelector<HTMLElement>('.chat-open')?.click();
  else if (event.key === 'Escape' && (event.currentTarget as HTMLInputElement).value) clear();
  else return;
  event.preventDefault();
}

// Arrow keys walk the chats; Delete and F2 act on the one with the focus.
function stepInList(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (!target.matches('.chat-open')) return;
  const all = [...document.querySelectorAll<HTMLElement>('.chat-open')];
  const at = all.indexOf(target);
  const actions = target.parentElement!.querySelectorAll<HTMLElement>('.chat-actions button');
  if (event.key === 'ArrowDown') all[at + 1]?.focus();
  else if (event.key === 'ArrowUp') (all[at - 1] ?? document.getElementById('search'))?.focus();
  else if (event.key === 'F2') actions[0]?.click();
  else if (event.key === 'Delete') {
    actions[1]?.click();
    (all[at + 1] ?? all[at - 1] ?? document.getElementById('search'))?.focus();
  } else return;
  event.preventDefault();
}
