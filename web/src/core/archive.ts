// The file of all chats: written by export, checked field by field on import.
//
//   {"format": "isoveil-chats", "version": 1, "exported_at": "...", "defaults": {...}, "conversations": [...]}
//
// It holds text only. Encrypted ids are never in it: with their words they would be pieces of the key.
import type { Conversation, Message, MessageStatus, Params, ReplyError, ReplyStats, TextFile } from './types.ts';

export const ARCHIVE_FORMAT = 'isoveil-chats';
export const ARCHIVE_VERSION = 1;
export const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;

export interface Archive {
  readonly defaults: Params;
  readonly conversations: readonly Conversation[];
}

// Says which field is wrong: "conversations[3].messages[0].role: expected ...".
export class ArchiveError extends Error {}

export function writeArchive(archive: Archive, now: Date): string {
  const { defaults, conversations } = archive;
  const head = { format: ARCHIVE_FORMAT, version: ARCHIVE_VERSION, exported_at: now.toISOString() };
  return `${JSON.stringify({ ...head, defaults, conversations }, null, 1)}\n`;
}

export function readArchive(text: string): Archive {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ArchiveError('The file is not JSON.');
  }
  const root = object(value, 'file');
  if (root.format !== ARCHIVE_FORMAT) fail('format', `expected "${ARCHIVE_FORMAT}": is this a file of chats?`);
  if (root.version !== ARCHIVE_VERSION) {
    fail('version', `expected ${ARCHIVE_VERSION}, found ${JSON.stringify(root.version)}: written by another version`);
  }
  const conversations = array(root.conversations, 'conversations').map((entry, i) =>
    conversation(entry, `conversations[${i}]`),
  );
  const ids = new Set(conversations.map((chat) => chat.id));
  if (ids.size !== conversations.length) fail('conversations', 'two chats have the same id');
  return { defaults: params(root.defaults, 'defaults'), conversations };
}

export interface Merge {
  readonly changed: readonly Conversation[];  // to be stored
  readonly added: number;
  readonly updated: number;
  readonly kept: number;  // already here, and not older
}

// Chats already here stay unless the file has a newer state of them: an import loses nothing.
export function mergeChats(here: readonly Conversation[], incoming: readonly Conversation[]): Merge {
  const known = new Map(here.map((chat) => [chat.id, chat]));
  const fresh = incoming.filter((chat) => !known.has(chat.id));
  const newer = incoming.filter((chat) => (known.get(chat.id)?.updated ?? Infinity) < chat.updated);
  return {
    changed: [...fresh, ...newer],
    added: fresh.length,
    updated: newer.length,
    kept: incoming.length - fresh.length - newer.length,
  };
}

export function params(value: unknown, at: string): Params {
  const source = object(value, at);
  return {
    system: text(source.system, `${at}.system`),
    temperature: numberIn(source.temperature, `${at}.temperature`, 0, 2),
    top_p: numberIn(source.top_p, `${at}.top_p`, 0, 1),
    max_tokens: integerIn(source.max_tokens, `${at}.max_tokens`, 1, 1_000_000),
    seed: integerIn(source.seed, `${at}.seed`, 0, Number.MAX_SAFE_INTEGER),
  };
}

function conversation(value: unknown, at: string): Conversation {
  const source = object(value, at);
  return {
    id: identifier(source.id, `${at}.id`),
    title: text(source.title, `${at}.title`),
    created: time(source.created, `${at}.created`),
    updated: time(source.updated, `${at}.updated`),
    model: text(source.model, `${at}.model`),
    params: params(source.params, `${at}.params`),
    messages: array(source.messages, `${at}.messages`).map((entry, i) => message(entry, `${at}.messages[${i}]`)),
  };
}

function message(value: unknown, at: string): Message {
  const source = object(value, at);
  return {
    id: identifier(source.id, `${at}.id`),
    role: oneOf(source.role, `${at}.role`, ['user', 'assistant'] as const),
    content: text(source.content, `${at}.content`),
    created: time(source.created, `${at}.created`),
    status: settled(oneOf(source.status, `${at}.status`, ['done', 'streaming', 'stopped', 'error'] as const)),
    ...optional('files', source.files, (field) => array(field, `${at}.files`).map((entry, i) => file(entry, `${at}.files[${i}]`))),
    ...optional('reasoning', source.reasoning, (field) => text(field, `${at}.reasoning`)),
    ...optional('model', source.model, (field) => text(field, `${at}.model`)),
    ...optional('finish', source.finish, (field) => text(field, `${at}.finish`)),
    ...optional('error', source.error, (field) => replyError(field, `${at}.error`)),
    ...optional('stats', source.stats, (field) => stats(field, `${at}.stats`)),
  };
}

function file(value: unknown, at: string): TextFile {
  const source = object(value, at);
  return { name: text(source.name, `${at}.name`), text: text(source.text, `${at}.text`) };
}

function settled(status: MessageStatus): MessageStatus {
  return status === 'streaming' ? 'stopped' : status;
}

function replyError(value: unknown, at: string): ReplyError {
  const source = object(value, at);
  return {
    message: text(source.message, `${at}.message`),
    code: source.code === null ? null : text(source.code, `${at}.code`),
  };
}

function stats(value: unknown, at: string): ReplyStats {
  const source = object(value, at);
  return {
    prompt_tokens: integerIn(source.prompt_tokens, `${at}.prompt_tokens`, 0, Number.MAX_SAFE_INTEGER),
    completion_tokens:
      integerIn(source.completion_tokens, `${at}.completion_tokens`, 0, Number.MAX_SAFE_INTEGER) ?? 0,
    tokens_per_second: numberIn(source.tokens_per_second, `${at}.tokens_per_second`, 0, Number.MAX_VALUE),
    first_token_ms: numberIn(source.first_token_ms, `${at}.first_token_ms`, 0, Number.MAX_VALUE),
  };
}

function fail(at: string, problem: string): never {
  throw new ArchiveError(`${at}: ${problem}`);
}

function found(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : value === undefined ? 'nothing' : `a ${typeof value}`;
}

function object(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return fail(at, `expected an object, found ${found(value)}`);
}

function array(value: unknown, at: string): unknown[] {
  return Array.isArray(value) ? value : fail(at, `expected a list, found ${found(value)}`);
}

function text(value: unknown, at: string): string {
  return typeof value === 'string' ? value : fail(at, `expected a string, found ${found(value)}`);
}

function identifier(value: unknown, at: string): string {
  const id = text(value, at);
  return /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : fail(at, 'expected 1 to 64 letters, digits, "-" or "_"');
}

function time(value: unknown, at: string): number {
  return integerIn(value, at, 0, 8.64e15) ?? fail(at, 'expected a time in milliseconds, found null');
}

function numberIn(value: unknown, at: string, least: number, most: number): number | null {
  if (value === null) return null;
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    return fail(at, `expected a number from ${least} to ${most} or null, found ${found(value)}`);
  }
  return value;
}

function integerIn(value: unknown, at: string, least: number, most: number): number | null {
  const number = numberIn(value, at, least, most);
  return number === null || Number.isSafeInteger(number) ? number : fail(at, 'expected a whole number');
}

function oneOf<T extends string>(value: unknown, at: string, names: readonly T[]): T {
  const name = names.find((candidate) => candidate === value);
  return name ?? fail(at, `expected one of ${names.join(', ')}`);
}

function optional<K extends string, T>(key: K, value: unknown, read: (field: unknown) => T): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: read(value) } as { [P in K]?: T });
}
