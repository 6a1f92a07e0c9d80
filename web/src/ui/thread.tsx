// The conversation. It follows the end of a streaming answer unless the person has scrolled away.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { App, State } from '../app.ts';
import { copyText } from '../platform.ts';
import { Icon } from './controls.tsx';
import { MessageView } from './message.tsx';

const NEAR_END = 60;  // pixels

export function Thread({ app, state }: { app: App; state: State }): JSX.Element {
  const { current } = state;
  const busy = state.streaming.has(current.id);
  const place = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);

  const toEnd = (): void => {
    const element = place.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  useEffect(() => {
    following.current = true;
    toEnd();
  }, [current.id, current.messages.length]);
  useLayoutEffect(() => {
    if (following.current) toEnd();
  }, [current.messages]);
  const onScroll = (): void => {
    const element = place.current!;
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
    following.current = near;
    setAway(!near);
  };
  return (
    <div class="thread-frame">
      <div class="thread" ref={place} onScroll={onScroll} onClick={copyCode} tabIndex={-1}>
        {current.messages.length === 0
          ? <Welcome app={app} examples={state.status?.examples ?? []} />
          : <div class="messages" role="log" aria-label="Conversation" aria-live="off" aria-busy={busy}>
              {current.messages.map((message, index) => (
                <MessageView app={app} message={message} key={message.id} last={index === current.messages.length - 1}
                             editing={state.editing === message.id} hasWire={state.wire.has(message.id)}
                             answers={message.role === 'user' ? current.messages[index + 1]?.id ?? null : null} />
              ))}
            </div>}
      </div>
      {away && <button type="button" class="to-end" onClick={() => { following.current = true; toEnd(); }}><Icon name="down" />Latest</button>}
    </div>
  );
}

function Welcome({ app, examples }: { app: App; examples: readonly string[] }): JSX.Element {
  return (
    <section class="welcome">
      <Icon name="logo" />
      <h2>Your words stay here.<br /><span>Only encrypted ids travel.</span></h2>
      <p>
        The server computes the answer on ids whose meaning it was never given. “What the server sees” shows,
        word for word, what reaches it and what comes back.
      </p>
      {examples.length > 0 && (
        <ul>
          {examples.map((text) => (
            <li key={text}><button type="button" onClick={() => app.send(text)}>{text}<Icon name="right" /></button></li>
          ))}
        </ul>
      )}
    </section>
  );
}

// The copy buttons inside of rendered answers are plain HTML, so one listener serves them all.
function copyCode(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>('[data-copy="code"]') : null;
  if (!button) return;
  const code = button.closest('.code')?.querySelector('code')?.textContent ?? '';
  void copyText(code).then((done) => {
    button.textContent = done ? 'Copied' : 'Not copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1600);
  });
}
