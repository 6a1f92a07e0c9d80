// One message, with what can be done to it.
import type { JSX } from 'preact';
import { memo } from 'preact/compat';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { App } from '../app.ts';
import { withFiles } from '../core/files.ts';
import { failureOf } from '../core/failures.ts';
import { renderBlocks } from '../core/markdown.ts';
import type { Message, ReplyError } from '../core/types.ts';
import { sanitize } from '../sanitize.ts';
import { fitHeight } from './composer.tsx';
import { Icon, IconButton } from './controls.tsx';
import { SentFiles } from './files.tsx';
import { useCopy } from './hooks.ts';

interface MessageProps {
  app: App;
  message: Message;
  last: boolean;
  editing: boolean;
  hasWire: boolean;
  answers: string | null;  // the reply to a message of the person
}

export const MessageView = memo(function MessageView(props: MessageProps): JSX.Element {
  const { app, message, last, editing } = props;
  const [copied, copy] = useCopy();
  const user = message.role === 'user';
  const streaming = message.status === 'streaming';
  const nothing = message.error !== undefined && !message.content && !message.reasoning;
  const wireOf = user ? props.answers : message.id;
  return (
    <article class={`message ${message.role} ${last ? 'last' : ''}`} data-message={message.id} tabIndex={-1}
             aria-label={user ? 'You' : 'Answer'} aria-busy={streaming}>
      {editing
        ? <Editor app={app} message={message} />
        : user
          ? <>{message.files && <SentFiles files={message.files} />}{message.content && <div class="said">{message.content}</div>}</>
          : !nothing && <Answer message={message} />}
      {message.error && <FailureView app={app} message={message} error={message.error} />}
      {!editing && !streaming && !nothing && (
        <footer class="message-foot">
          {!user && <Figures message={message} />}
          <span class="message-actions">
            {user && <IconButton icon="edit" label="Edit and send again" keys="E" action="edit" onClick={() => app.set({ editing: message.id })} />}
            <IconButton icon={copied ? 'check' : 'copy'} label={copied ? 'Copied' : 'Copy'} keys="C" action="copy" onClick={() => copy(message.content || withFiles('', message.files))} />
            {!user && <IconButton icon="again" label="Answer again" keys="R" action="regenerate" onClick={() => app.regenerate(message.id)} />}
            {wireOf && props.hasWire && <IconButton icon="veil" label="What crossed the wire" keys="W" action="wire" onClick={() => app.showWire(wireOf)} />}
          </span>
        </footer>
      )}
    </article>
  );
});

function FailureView({ app, message, error }: { app: App; message: Message; error: ReplyError }): JSX.Element {
  const { text, again } = failureOf(error);
  return (
    <div class="message-error" role="alert">
      <Icon name="warn" />
      <div>
        <p>{text}</p>
        <details>
          <summary>Details<Icon name="chevron" /></summary>
          <p>{error.message}{error.code && <code>{error.code}</code>}</p>
        </details>
      </div>
      {again === 'retry' && <button type="button" data-action="regenerate" onClick={() => app.regenerate(message.id)}>Try again</button>}
      {again === 'new_chat' && <button type="button" onClick={() => app.newChat()}>New chat</button>}
    </div>
  );
}

function Answer({ message }: { message: Message }): JSX.Element {
  const streaming = message.status === 'streaming';
  const thinking = streaming && !message.content;
  const waiting = thinking && !message.reasoning;
  return (
    <div class="answer">
      {message.reasoning && (
        <details class="reasoning" open={thinking}>
          <summary><Icon name="chevron" />{thinking ? 'Thinking' : 'Thoughts'}</summary>
          <Markdown text={message.reasoning} streaming={thinking} />
        </details>
      )}
      {waiting && <div class="waiting" role="status"><span class="visually-hidden">Waiting for the first word</span><i /><i /><i /></div>}
      <Markdown text={message.content} streaming={streaming} />
    </div>
  );
}

// Blocks whose HTML is unchanged keep their elements: selection and focus survive while the answer grows.
function Markdown({ text, streaming = false }: { text: string; streaming?: boolean }): JSX.Element {
  const cache = useRef(new Map<string, string>());
  const blocks = useMemo(() => renderBlocks(text, streaming).map((html) => {
    const clean = cache.current.get(html) ?? sanitize(html);
    // Every state of a growing block passes through here once; only finished answers need to be kept whole.
    if (cache.current.size > 200) cache.current.clear();
    cache.current.set(html, clean);
    return clean;
  }), [text, streaming]);
  return (
    <div class={`markdown ${streaming && text ? 'growing' : ''}`}>
      {blocks.map((html, index) => <div class="block" key={index} dangerouslySetInnerHTML={{ __html: html }} />)}
    </div>
  );
}

function Figures({ message }: { message: Message }): JSX.Element {
  const { stats } = message;
  const parts = [
    message.model,
    stats && `${stats.completion_tokens} tokens`,
    stats?.tokens_per_second != null && `${stats.tokens_per_second.toFixed(1)} tokens/s`,
    stats?.first_token_ms != null && `first after ${seconds(stats.first_token_ms)}`,
    message.status === 'stopped' && 'stopped',
    message.finish === 'length' && 'cut at the token limit',
    message.finish === 'content_filter' && 'cut by a filter',
  ].filter((part): part is string => typeof part === 'string');
  return <span class="figures">{parts.map((part) => <span>{part}</span>)}</span>;
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function Editor({ app, message }: { app: App; message: Message }): JSX.Element {
  const [text, setText] = useState(message.content);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  }, []);
  useEffect(() => fitHeight(box.current), [text]);
  const close = (): void => {
    app.set({ editing: null });
    document.getElementById('compose')?.focus();
  };
  const send = (): void => {
    app.resend(message.id, text);
    document.getElementById('compose')?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <form class="editor" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea ref={box} value={text} rows={2} aria-label="Edit the message" onInput={(event) => setText(event.currentTarget.value)}
                onKeyDown={onKeyDown} />
      <div class="editor-foot">
        <button type="button" class="quiet" onClick={close}>Cancel</button>
        <button type="submit" class="primary" disabled={!text.trim() && !message.files}>Send again</button>
      </div>
    </form>
  );
}
