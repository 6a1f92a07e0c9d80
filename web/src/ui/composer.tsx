// The text box: grows with its text, sends on Enter, becomes a stop button while an answer streams.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { App, State } from '../app.ts';
import { roomIn, thousands } from '../core/context.ts';
import { Icon } from './controls.tsx';

export function Composer({ app, state }: { app: App; state: State }): JSX.Element {
  // Each chat has its own draft, so that looking into another chat loses nothing.
  const drafts = useRef(new Map<string, string>());
  const [text, setText] = useState('');
  const box = useRef<HTMLTextAreaElement>(null);
  const { current } = state;
  const busy = state.streaming.has(current.id);

  useEffect(() => {
    setText(drafts.current.get(current.id) ?? '');
    if (matchMedia('(hover: hover)').matches && state.drawer === 'none') box.current?.focus();
  }, [current.id]);
  useEffect(() => fitHeight(box.current), [text]);

  const write = (value: string): void => {
    drafts.current.set(current.id, value);
    setText(value);
  };
  const send = (): void => {
    if (busy || !text.trim()) return;
    app.send(text);
    write('');
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
      <div class="composer-box">
        <textarea id="compose" ref={box} rows={1} value={text} placeholder="Write a message"
                  aria-label="Message" onInput={(event) => write(event.currentTarget.value)} onKeyDown={onKeyDown} />
        {busy
          ? <button type="button" class="send stop" aria-label="Stop" title="Stop (Esc)" onClick={() => app.stop()}><Icon name="stop" /></button>
          : <button type="submit" class="send" aria-label="Send" title="Send (Enter)" disabled={!text.trim()}><Icon name="send" /></button>}
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
