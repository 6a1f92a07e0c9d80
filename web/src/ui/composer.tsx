// The text box: grows with its text, takes text files, sends on Enter, becomes a stop button while an answer streams.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { App, State } from '../app.ts';
import { roomIn, thousands } from '../core/context.ts';
import type { TextFile } from '../core/types.ts';
import { Icon, IconButton } from './controls.tsx';
import { Chips, useDrop } from './files.tsx';

interface Draft { readonly text: string; readonly files: readonly TextFile[] }

const EMPTY: Draft = { text: '', files: [] };

export function Composer({ app, state }: { app: App; state: State }): JSX.Element {
  // Each chat has its own draft, so that looking into another chat loses nothing.
  const drafts = useRef(new Map<string, Draft>());
  const [draft, setDraft] = useState(EMPTY);
  const chooser = useRef<HTMLInputElement>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  const { current } = state;
  const { text, files } = draft;
  const busy = state.streaming.has(current.id);
  const blank = !text.trim() && files.length === 0;

  useEffect(() => {
    setDraft(drafts.current.get(current.id) ?? EMPTY);
    if (matchMedia('(hover: hover)').matches && state.drawer === 'none') box.current?.focus();
  }, [current.id]);
  useEffect(() => fitHeight(box.current), [text]);

  const keep = (chatId: string, change: Partial<Draft>): void => {
    const next = { ...EMPTY, ...drafts.current.get(chatId), ...change };
    drafts.current.set(chatId, next);
    if (app.state.current.id === chatId) setDraft(next);
  };
  const attach = async (chosen: File[]): Promise<void> => {
    const here = drafts.current.get(current.id)?.files ?? [];
    keep(current.id, { files: await app.attach(here, chosen) });
    box.current?.focus();
  };
  const dropping = useDrop((chosen) => void attach(chosen));
  const send = (): void => {
    if (busy || blank) return;
    app.send(text, files);
    keep(current.id, EMPTY);
  };
  // What has text in it, too, is pasted as text.
  const onPaste = (event: ClipboardEvent): void => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length === 0 || event.clipboardData?.types.includes('text/plain')) return;
    event.preventDefault();
    void attach(pasted);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === 'ArrowUp' && text === '' && !event.altKey) {
      const last = [...current.messages].reverse().find((message) => message.role === 'user');
      if (!last) return;
      event.preventDefault();
      app.set({ editing: last.id });
    }
  };
  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <RoomNotice app={app} state={state} />
      <div class={`composer-box ${dropping ? 'dropping' : ''}`}>
        <Chips files={files} remove={(file) => keep(current.id, { files: files.filter((other) => other !== file) })} />
        <IconButton icon="clip" label="Attach text files" onClick={() => chooser.current?.click()} />
        <input ref={chooser} id="attach-files" type="file" multiple hidden aria-label="Text files" onChange={(event) => {
          const chosen = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = '';
          if (chosen.length > 0) void attach(chosen);
        }} />
        <textarea id="compose" ref={box} rows={1} value={text} placeholder="Write a message"
                  aria-label="Message" onInput={(event) => keep(current.id, { text: event.currentTarget.value })}
                  onKeyDown={onKeyDown} onPaste={onPaste} />
        {busy
          ? <button type="button" class="send stop" aria-label="Stop" title="Stop (Esc)" onClick={() => app.stop()}><Icon name="stop" /></button>
          : <button type="submit" class="send" aria-label="Send" title="Send (Enter)" disabled={blank}><Icon name="send" /></button>}
      </div>
      <p class="composer-note">
        Words are turned into encrypted ids on this computer. <button type="button" class="link" onClick={() => {
          app.togglePane(true);
          requestAnimationFrame(() => document.getElementById('limits')?.scrollIntoView({ block: 'nearest' }));
        }}>What is not protected</button>
      </p>
    </form>
  );
}

function RoomNotice({ app, state }: { app: App; state: State }): JSX.Element | null {
  const room = roomIn(state.current, state.status?.n_context ?? null);
  if (!room || room.state === 'roomy') return null;
  return (
    <p class={`room ${room.state}`} role="status">
      {room.state === 'full'
        ? <span>This chat is full: the model can read no more of it.</span>
        : <span>This chat is nearly full: about {thousands(room.left)} of {thousands(room.size)} tokens are left.</span>}
      <button type="button" class={room.state === 'full' ? 'primary' : 'quiet'} onClick={() => {
        app.newChat();
        document.getElementById('compose')?.focus();
      }}>New chat</button>
    </p>
  );
}

export function fitHeight(box: HTMLTextAreaElement | null): void {
  if (!box) return;
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
}
