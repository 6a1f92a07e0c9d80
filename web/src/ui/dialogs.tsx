// The dialogs: settings of a chat, rename, erase, API key, keyboard help. Each is a native modal <dialog>,
// which keeps the focus inside and gives it back.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { count, type App, type State } from '../app.ts';
import { ArchiveError, params as checkParams } from '../core/archive.ts';
import { COMPOSER_KEYS, SHORTCUTS, showKeys } from '../core/shortcuts.ts';
import type { Params } from '../core/types.ts';
import { isMac } from '../platform.ts';
import { Field, Icon, IconButton, Keys } from './controls.tsx';

export function Dialogs({ app, state }: { app: App; state: State }): JSX.Element | null {
  const { dialog } = state;
  const close = (): void => app.set({ dialog: null });
  switch (dialog?.kind) {
    case 'settings': return <SettingsDialog app={app} state={state} close={close} key={state.current.id} />;
    case 'rename': return <RenameDialog app={app} state={state} chatId={dialog.chatId} close={close} key={dialog.chatId} />;
    case 'wipe': return <WipeDialog app={app} state={state} close={close} />;
    case 'key': return <KeyDialog app={app} close={close} refused={dialog.refused} />;
    case 'help': return <HelpDialog close={close} />;
    default: return null;
  }
}

interface ModalProps { title: string; close: () => void; onSubmit?: () => void; children: ComponentChildren; class?: string }

function Modal({ title, close, onSubmit, children, class: name = '' }: ModalProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current!;
    const before = document.activeElement;
    element.showModal();
    element.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      element.close();
      if (before instanceof HTMLElement && before.isConnected && before !== document.body) before.focus();
      else document.getElementById('compose')?.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} class={name} aria-label={title} onCancel={(event) => { event.preventDefault(); close(); }}
            onClick={(event) => { if (event.target === dialog.current) close(); }}>
      <form onSubmit={(event) => { event.preventDefault(); onSubmit?.(); }}>
        <header><h2>{title}</h2><IconButton icon="close" label="Close" keys="Esc" onClick={close} /></header>
        {children}
      </form>
    </dialog>
  );
}

interface DialogProps { app: App; state: State; close: () => void }

const NUMBERS = [
  { name: 'temperature', label: 'Temperature', hint: '0 always takes the likeliest token', step: '0.05', placeholder: 'server default' },
  { name: 'top_p', label: 'Top p', hint: 'share of likely tokens to draw from', step: '0.01', placeholder: 'server default' },
  { name: 'max_tokens', label: 'Longest answer', hint: 'in tokens', step: '1', placeholder: 'server default' },
  { name: 'seed', label: 'Seed', hint: 'repeats a draw under the same key', step: '1', placeholder: 'random' },
] as const;

function SettingsDialog({ app, state, close }: DialogProps): JSX.Element {
  const { params } = state.current;
  const [system, setSystem] = useState(params.system);
  const [numbers, setNumbers] = useState(() => NUMBERS.map(({ name }) => (params[name] === null ? '' : String(params[name]))));
  const [asDefault, setAsDefault] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const save = (): void => {
    const entries = NUMBERS.map(({ name }, i) => [name, numbers[i]!.trim() === '' ? null : Number(numbers[i])] as const);
    try {
      const checked: Params = checkParams({ system, ...Object.fromEntries(entries) }, 'settings');
      app.setParams(checked, asDefault);
      close();
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      const field = NUMBERS.find(({ name }) => error.message.includes(`.${name}:`));
      setProblem(`${field?.label ?? 'Settings'}: ${error.message.split(': ').slice(1).join(': ')}`);
    }
  };
  return (
    <Modal title="Settings of this chat" close={close} onSubmit={save}>
      <Field label="System prompt" hint="Encrypted like everything else, and sent with every message.">
        <textarea data-first rows={5} value={system} onInput={(event) => setSystem(event.currentTarget.value)}
                  placeholder="How the model should behave in this chat" />
      </Field>
      <div class="field-grid">
        {NUMBERS.map(({ name, label, hint, step, placeholder }, i) => (
          <Field label={label} hint={hint}>
            <input type="number" name={name} step={step} min="0" inputMode="decimal" placeholder={placeholder} value={numbers[i]}
                   onInput={(event) => setNumbers(numbers.map((old, j) => (j === i ? event.currentTarget.value : old)))} />
          </Field>
        ))}
      </div>
      <label class="check"><input type="checkbox" checked={asDefault} onChange={(event) => setAsDefault(event.currentTarget.checked)} />Use for new chats, too</label>
      {problem && <p class="problem" role="alert"><Icon name="warn" />{problem}</p>}
      <footer><button type="button" class="quiet" onClick={close}>Cancel</button><button type="submit" class="primary">Save</button></footer>
    </Modal>
  );
}

function RenameDialog({ app, state, chatId, close }: DialogProps & { chatId: string }): JSX.Element {
  const [title, setTitle] = useState(state.chats.find((chat) => chat.id === chatId)?.title ?? '');
  const save = (): void => {
    app.renameChat(chatId, title);
    close();
  };
  return (
    <Modal title="Rename the chat" close={close} onSubmit={save}>
      <Field label="Name"><input data-first type="text" maxLength={200} value={title} onInput={(event) => setTitle(event.currentTarget.value)}
                                onFocus={(event) => event.currentTarget.select()} /></Field>
      <footer><button type="button" class="quiet" onClick={close}>Cancel</button><button type="submit" class="primary" disabled={!title.trim()}>Rename</button></footer>
    </Modal>
  );
}

function WipeDialog({ app, state, close }: DialogProps): JSX.Element {
  return (
    <Modal title="Erase everything?" close={close}>
      <p>{state.chats.length > 0 ? `${count(state.chats.length, 'chat')}, settings` : 'Settings'} and the API key will be erased from this browser. This cannot be undone.</p>
      <p class="soft">Nothing on the server or in your key file changes.</p>
      <footer>
        {state.chats.length > 0 && <button type="button" class="quiet lead" onClick={() => app.exportAll()}><Icon name="export" />Export first</button>}
        <button type="button" class="quiet" data-first onClick={close}>Cancel</button>
        <button type="button" class="danger" onClick={() => void app.wipe()}>Erase everything</button>
      </footer>
    </Modal>
  );
}

function KeyDialog({ app, close, refused }: { app: App; close: () => void; refused: boolean }): JSX.Element {
  const [key, setKey] = useState('');
  return (
    <Modal title="This gateway asks for an API key" close={close} onSubmit={() => key.trim() && app.submitKey(key)}>
      <p>It is the key that the gateway was started with, not the encryption key. It is kept until this tab is closed.</p>
      {refused && <p class="problem" role="alert"><Icon name="warn" />The gateway refused the last key.</p>}
      <Field label="API key"><input data-first type="password" autocomplete="off" value={key} onInput={(event) => setKey(event.currentTarget.value)} /></Field>
      <footer><button type="button" class="quiet" onClick={close}>Cancel</button><button type="submit" class="primary" disabled={!key.trim()}>Use this key</button></footer>
    </Modal>
  );
}

const SCOPES = [
  { scope: 'anywhere', title: 'Anywhere' },
  { scope: 'message', title: 'On a message' },
  { scope: 'page', title: 'When not typing' },
] as const;

function HelpDialog({ close }: { close: () => void }): JSX.Element {
  const list = (entries: readonly { keys: string; label: string }[]): JSX.Element => (
    <dl class="shortcuts">
      {entries.map(({ keys, label }) => <div><dt>{label}</dt><dd><Keys keys={showKeys(keys, isMac)} /></dd></div>)}
    </dl>
  );
  return (
    <Modal title="Keyboard shortcuts" close={close} class="help">
      {SCOPES.map(({ scope, title }) => (
        <section><h3>{title}</h3>{list(SHORTCUTS.filter((shortcut) => shortcut.scope === scope))}</section>
      ))}
      <section><h3>In the text box</h3>{list(COMPOSER_KEYS)}</section>
      <section><h3>In the list of chats</h3>{list([{ keys: 'ArrowDown', label: 'Next chat' }, { keys: 'F2', label: 'Rename' }, { keys: 'Delete', label: 'Delete' }])}</section>
    </Modal>
  );
}
