// The page's state and everything that can happen to it. The views read `state` and call the methods.
// State is replaced, never changed in place; listeners are told at most once a frame.
import { getModels, getStatus, hasApiKey, setApiKey, streamChat } from './api.ts';
import { ArchiveError, MAX_ARCHIVE_BYTES, mergeChats, readArchive, writeArchive } from './core/archive.ts';
import { ApiError } from './core/chunks.ts';
import { cutBefore, newConversation, requestMessages, settle, withMessage, withTurn } from './core/conversation.ts';
import { decodeFile, FileError, joinFiles, MAX_FILE_BYTES } from './core/files.ts';
import { failureOf } from './core/failures.ts';
import { DEFAULT_SETTINGS, loadSettings, saveSettings, type Settings } from './core/settings.ts';
import type { Conversation, GatewayStatus, Message, Params, TextFile, WireRecord } from './core/types.ts';
import { newId, roomyWindow, saveFile, wideWindow } from './platform.ts';
import { ReplyBuilder } from './reply.ts';
import type { Store } from './store.ts';

export type Dialog =
  | { readonly kind: 'settings' | 'help' | 'wipe' }
  | { readonly kind: 'key'; readonly refused: boolean }
  | { readonly kind: 'rename'; readonly chatId: string };

export interface Toast {
  readonly id: string;
  readonly text: string;
  readonly tone: 'plain' | 'error';
  readonly undo?: () => void;
}

export interface State {
  readonly chats: readonly Conversation[];
  readonly current: Conversation;  // a new one is in `chats` only once it has a message
  readonly models: readonly string[];
  readonly status: GatewayStatus | null;
  readonly statusError: string | null;
  readonly streaming: ReadonlySet<string>;              // ids of chats
  readonly wire: ReadonlyMap<string, WireRecord>;       // by id of the reply
  readonly wireChoice: string | null;                   // the reply the pane shows; null is the latest
  readonly settings: Settings;
  readonly drawer: 'none' | 'sidebar' | 'pane';         // what lies over the chat, where the window is narrow
  readonly dialog: Dialog | null;
  readonly editing: string | null;                      // id of the message being edited
  readonly toasts: readonly Toast[];
  readonly announcement: string;                        // for screen readers
  readonly durable: boolean;
}

const SAVE_EVERY_MS = 1500;
const TOAST_MS = 7000;
const STATUS_EVERY_MS = 60_000;
const STATUS_AGAIN_MS = 4_000;  // while something is not as it should be

export class App {
  state: State;
  private readonly listeners = new Set<() => void>();
  private readonly aborts = new Map<string, AbortController>();
  private frame = 0;
  private watching = 0;
  private readonly afterKey = new Map<string, () => void>();  // what was refused: by chat, or the connection's

  constructor(private readonly store: Store, chats: readonly Conversation[]) {
    const settings = loadSettings(localStorage);
    this.state = {
      chats, current: newConversation(newId(), Date.now(), '', settings.defaults), models: [], status: null,
      statusError: null, streaming: new Set(), wire: new Map(), wireChoice: null, settings, drawer: 'none',
      dialog: null, editing: null, toasts: [], announcement: '', durable: store.durable,
    };
    const last = [...chats].sort((a, b) => b.updated - a.updated)[0];
    if (last) this.state = { ...this.state, current: last };
    // A chat cut short by closing the page is stored as far as it got.
    addEventListener('pagehide', () => this.saveStreaming());
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    if (this.frame) return;
    const tell = (): void => {
      this.frame = 0;
      for (const listener of this.listeners) listener();
    };
    // Frames stop in a hidden tab; the answer goes on.
    this.frame = document.hidden ? window.setTimeout(tell, 100) : requestAnimationFrame(tell);
  }

  async connect(): Promise<void> {
    try {
      const [models, status] = await Promise.all([getModels(), getStatus()]);
      this.set({ models, status, statusError: null });
    } catch (error) {
      this.set({ statusError: error instanceof ApiError ? error.message : String(error) });
      if (error instanceof ApiError && error.status === 401) this.askKey('connection', () => void this.connect());
    }
    this.watch();
  }

  // A server that comes back, or a gateway restarted with another key, is noticed without a reload.
  private watch(): void {
    clearTimeout(this.watching);
    const { status, statusError } = this.state;
    const well = statusError === null && status?.server === 'ready';
    this.watching = window.setTimeout(() => {
      if (document.hidden || this.state.dialog !== null) this.watch();
      else void this.connect();
    }, well ? STATUS_EVERY_MS : STATUS_AGAIN_MS);
  }

  // --- chats

  newChat(): void {
    const { settings, current, models } = this.state;
    const model = current.model && models.includes(current.model) ? current.model : '';
    this.show(newConversation(newId(), Date.now(), model, settings.defaults));
  }

  openChat(id: string): void {
    const chat = this.state.chats.find((candidate) => candidate.id === id);
    if (chat) this.show(chat);
  }

  renameChat(id: string, title: string): void {
    const chat = this.chat(id);
    if (chat && title.trim()) this.keep({ ...chat, title: title.trim() });
  }

  setParams(params: Params, asDefault: boolean): void {
    this.keep({ ...this.state.current, params });
    if (asDefault) this.setSettings({ defaults: params });
  }

  setModel(model: string): void {
    this.keep({ ...this.state.current, model });
  }

  deleteChat(id: string): void {
    const chat = this.chat(id);
    if (!chat) return;
    this.stop(id);
    const undone = settle(this.chat(id) ?? chat);
    this.set({ chats: this.state.chats.filter((other) => other.id !== id) });
    if (this.state.current.id === id) this.newChat();
    this.stored(this.store.remove(id));
    this.toast(`Deleted “${chat.title}”.`, () => {
      this.keep(undone);
      this.openChat(id);
    });
  }

  // --- talking

  send(text: string, files: readonly TextFile[] = []): void {
    if ((!text.trim() && files.length === 0) || this.state.streaming.has(this.state.current.id)) return;
    this.start(this.state.current, text, files);
  }

  // The message with this id and all after it give way to `text`, with the same files, and its answer.
  resend(messageId: string, text: string): void {
    const { current } = this.state;
    const before = this.settled(current.id) ?? current;
    const old = before.messages.find((message) => message.id === messageId);
    if (!old || (!text.trim() && !old.files)) return;
    this.set({ editing: null });
    this.replaceFrom(before, { ...old, content: text });
  }

  // Answers anew what the reply with this id answered, in whichever chat it stands.
  regenerate(replyId: string): void {
    const chat = this.state.chats.find(({ messages }) => messages.some((message) => message.id === replyId));
    if (!chat) return;
    const before = this.settled(chat.id) ?? chat;
    const index = before.messages.findIndex((message) => message.id === replyId);
    const user = before.messages[index - 1];
    if (user?.role === 'user') this.replaceFrom(before, user);
  }

  // All of the files, or none and why.
  async attach(here: readonly TextFile[], chosen: readonly File[]): Promise<readonly TextFile[]> {
    try {
      const added: TextFile[] = [];
      for (const file of chosen) added.push(decodeFile(file.name, new Uint8Array(await file.slice(0, MAX_FILE_BYTES + 1).arrayBuffer())));
      return joinFiles(here, added);
    } catch (error) {
      const problem = error instanceof FileError ? error.message : 'The file cannot be read: is it a folder?';
      this.toast(`Nothing was attached. ${problem}`, undefined, 'error');
      return here;
    }
  }

  stop(chatId: string = this.state.current.id): void {
    this.aborts.get(chatId)?.abort();
    this.aborts.delete(chatId);
    const chat = this.chat(chatId);
    if (chat) this.keep(settle(chat));
    this.setStreaming(chatId, false);
  }

  // --- the file of all chats, and their end

  exportAll(): void {
    const { chats, settings } = this.state;
    const now = new Date();
    const archive = { defaults: settings.defaults, conversations: chats.map(settle) };
    saveFile(`isoveil-chats-${now.toISOString().slice(0, 10)}.json`, writeArchive(archive, now));
    this.toast(`Exported ${count(chats.length, 'chat')}.`);
  }

  async importFile(file: File): Promise<void> {
    try {
      if (file.size > MAX_ARCHIVE_BYTES) throw new ArchiveError('The file is larger than 64 MiB.');
      const archive = readArchive(await file.text());
      const merge = mergeChats(this.state.chats, archive.conversations);
      await this.store.put(merge.changed);
      const changed = new Set(merge.changed.map((chat) => chat.id));
      this.set({ chats: [...this.state.chats.filter((chat) => !changed.has(chat.id)), ...merge.changed] });
      if (changed.has(this.state.current.id)) this.openChat(this.state.current.id);
      const kept = merge.kept > 0 ? ` ${count(merge.kept, 'chat')} already here stayed as they were.` : '';
      const newer = merge.updated > 0 ? `, brought ${merge.updated} up to date` : '';
      this.toast(`Imported ${count(merge.added, 'chat')}${newer}.${kept}`);
    } catch (error) {
      this.toast(`Nothing was imported. ${error instanceof Error ? error.message : ''}`, undefined, 'error');
    }
  }

  // Chats, settings, key, ids in memory: all that this page keeps.
  async wipe(): Promise<void> {
    for (const id of [...this.aborts.keys()]) this.stop(id);
    const fresh = newConversation(newId(), Date.now(), '');
    // First the state, so that a reply just stopped finds no chat to store itself in.
    this.set({ chats: [], current: fresh, wire: new Map(), wireChoice: null, settings: DEFAULT_SETTINGS,
               toasts: [], dialog: null, editing: null, announcement: 'Everything was erased.' });
    await this.store.wipe();
    localStorage.clear();
    sessionStorage.clear();
    this.toast('Everything was erased from this browser.');
  }

  // Another tab has written: its chats replace ours, except those that stream here.
  async reload(): Promise<void> {
    const loaded = await this.store.load();
    const { streaming, chats, current } = this.state;
    const mine = chats.filter((chat) => streaming.has(chat.id));
    const merged = [...loaded.filter((chat) => !streaming.has(chat.id)), ...mine];
    this.set({ chats: merged, current: merged.find((chat) => chat.id === current.id) ?? current });
  }

  // --- the page itself

  setSettings(change: Partial<Settings>): void {
    const settings = { ...this.state.settings, ...change };
    saveSettings(localStorage, settings);
    this.set({ settings });
  }

  // On a wide window the pane stands beside the chat; elsewhere it lies over it.
  togglePane(open?: boolean): void {
    if (wideWindow.matches) this.setSettings({ pane: open ?? !(this.state.settings.pane ?? true) });
    else this.set({ drawer: (open ?? this.state.drawer !== 'pane') ? 'pane' : 'none' });
  }

  // The first answer has been seen beside its ids: from now on the chat has the room, unless the pane is in use.
  private foldPane(): void {
    if (this.state.settings.pane !== null || roomyWindow.matches || !wideWindow.matches) return;
    if (!document.querySelector('.shell-pane:is(:hover, :focus-within)')) this.setSettings({ pane: false });
  }

  showWire(replyId: string | null): void {
    this.set({ wireChoice: replyId });
    this.togglePane(true);
  }

  submitKey(key: string): void {
    setApiKey(key.trim());
    const refused = [...this.afterKey.values()];
    this.afterKey.clear();
    this.set({ dialog: null });
    for (const retry of refused) retry();
  }

  toast(text: string, undo?: () => void, tone: Toast['tone'] = 'plain'): void {
    const toast: Toast = { id: newId(), text, tone, ...(undo ? { undo } : {}) };
    this.set({ toasts: [...this.state.toasts.slice(-2), toast] });
    setTimeout(() => this.dismiss(toast.id), TOAST_MS);
  }

  dismiss(id: string): void {
    this.set({ toasts: this.state.toasts.filter((toast) => toast.id !== id) });
  }

  // --- inside

  // Whatever had words and goes can be brought back.
  private replaceFrom(before: Conversation, user: Message): void {
    const [answer, ...later] = before.messages.slice(before.messages.findIndex((message) => message.id === user.id) + 1);
    this.start(cutBefore(before, user.id), user.content, user.files);
    if (later.length > 0) this.offerUndo(before, 'Later messages were dropped.');
    else if (answer?.content) this.offerUndo(before, 'The former answer was dropped.');
  }

  private start(chat: Conversation, text: string, files: readonly TextFile[] = []): void {
    this.stop(chat.id);
    this.afterKey.delete(chat.id);  // what was refused there is not asked any more
    const now = Date.now();
    const attached = files.length > 0 ? { files } : {};
    const user: Message = { id: newId(), role: 'user', content: text, ...attached, created: now, status: 'done' };
    const reply: Message = { id: newId(), role: 'assistant', content: '', created: now, status: 'streaming' };
    const begun = withTurn(chat, user, reply);
    this.set({ wireChoice: null, announcement: 'Sent.' });
    this.keep(begun);
    void this.stream(begun, reply);
  }

  private async stream(chat: Conversation, reply: Message): Promise<void> {
    const abort = new AbortController();
    this.aborts.set(chat.id, abort);
    this.setStreaming(chat.id, true);
    const builder = new ReplyBuilder(reply, performance.now());
    let saved = performance.now();
    let end: Message | null = null;
    try {
      const model = chat.model || this.state.models[0] || this.state.status?.model || '';
      const request = { model, messages: requestMessages(chat, reply.id), params: chat.params };
      for await (const event of streamChat(request, abort.signal)) {
        // A stopped reply stays as it was when the person stopped it.
        if (abort.signal.aborted) return;
        builder.add(event, performance.now());
        if (event.type === 'prompt_ids' || event.type === 'token_ids') this.setWire(reply.id, builder.wire());
        const due = performance.now() - saved > SAVE_EVERY_MS;
        if (due) saved = performance.now();
        this.update(chat.id, builder.message({ status: 'streaming' }), due);
      }
      end = builder.message({ status: 'done' });
      this.foldPane();
    } catch (error) {
      if (abort.signal.aborted) return;
      const { message, code } = error instanceof ApiError ? error : new ApiError(String(error), 0);
      end = builder.message({ status: 'error', error: { message, code } });
      if (error instanceof ApiError && error.status === 401) this.askKey(chat.id, () => this.regenerate(reply.id));
      else void this.connect();  // the failure may be the server's: say so, and notice its return
    } finally {
      if (abort.signal.aborted) this.finishStopped(chat.id, builder);
    }
    this.aborts.delete(chat.id);
    this.setStreaming(chat.id, false);
    this.update(chat.id, end, true);
    this.set({ announcement: end.error ? failureOf(end.error).text : 'The answer is complete.' });
  }

  // The figures of a stopped reply, unless it has been deleted or replaced meanwhile.
  private finishStopped(chatId: string, builder: ReplyBuilder): void {
    this.update(chatId, builder.message({ status: 'stopped' }), true);
    this.set({ announcement: 'Stopped.' });
  }

  private update(chatId: string, message: Message, save: boolean): void {
    const chat = this.chat(chatId);
    if (!chat?.messages.some((old) => old.id === message.id)) return;
    this.keep(withMessage(chat, message, Date.now()), save);
  }

  private keep(chat: Conversation, save = true): void {
    const { chats, current } = this.state;
    const known = chats.some((other) => other.id === chat.id);
    const listed = known || chat.messages.length > 0;
    this.set({
      chats: known ? chats.map((other) => (other.id === chat.id ? chat : other)) : listed ? [...chats, chat] : chats,
      current: current.id === chat.id ? chat : current,
    });
    if (save && listed) this.stored(this.store.put([chat]));
  }

  private chat(id: string): Conversation | undefined {
    return this.state.chats.find((chat) => chat.id === id);
  }

  private settled(chatId: string): Conversation | undefined {
    this.stop(chatId);
    return this.chat(chatId);
  }

  private show(chat: Conversation): void {
    this.set({ current: chat, wireChoice: null, drawer: 'none', editing: null });
  }

  private setStreaming(chatId: string, on: boolean): void {
    if (this.state.streaming.has(chatId) === on) return;
    const streaming = new Set(this.state.streaming);
    if (on) streaming.add(chatId);
    else streaming.delete(chatId);
    this.set({ streaming });
  }

  private setWire(replyId: string, record: WireRecord): void {
    this.set({ wire: new Map(this.state.wire).set(replyId, record) });
  }

  private offerUndo(before: Conversation, text: string): void {
    this.toast(text, () => {
      this.stop(before.id);
      this.keep({ ...before, updated: Date.now() });
    });
  }

  private askKey(refused: string, retry: () => void): void {
    this.afterKey.set(refused, retry);
    this.set({ dialog: { kind: 'key', refused: hasApiKey() } });
  }

  private saveStreaming(): void {
    const running = this.state.chats.filter((chat) => this.state.streaming.has(chat.id));
    if (running.length > 0) this.stored(this.store.put(running));
  }

  private stored(write: Promise<void>): void {
    write.catch(() => this.toast('This browser refused to store the chat: is its storage full?', undefined, 'error'));
  }
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
