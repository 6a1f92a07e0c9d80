// What can be done with a conversation, as functions from one to the next.
import { withFiles } from './files.ts';
import { DEFAULT_PARAMS, type Conversation, type Message, type Params } from './types.ts';

const TITLE_LENGTH = 48;
export const UNTITLED = 'New chat';

export function newConversation(id: string, now: number, model: string, params: Params = DEFAULT_PARAMS): Conversation {
  return { id, title: UNTITLED, created: now, updated: now, model, params, messages: [] };
}

// Adds what the person said and an empty reply to fill.
export function withTurn(chat: Conversation, user: Message, reply: Message): Conversation {
  const title = chat.messages.length === 0 && chat.title === UNTITLED ? titleOf(user.content || (user.files?.[0]?.name ?? '')) : chat.title;
  return { ...chat, title, updated: user.created, messages: [...chat.messages, user, reply] };
}

export function withMessage(chat: Conversation, message: Message, now: number): Conversation {
  const messages = chat.messages.map((old) => (old.id === message.id ? message : old));
  return { ...chat, updated: now, messages };
}

// Everything before the message with this id; the whole where there is none.
export function cutBefore(chat: Conversation, messageId: string): Conversation {
  const index = chat.messages.findIndex((message) => message.id === messageId);
  return index < 0 ? chat : { ...chat, messages: chat.messages.slice(0, index) };
}

// What is sent for the reply with this id: the turns before it. Replies that failed before their first
// word are left out, with nothing to say.
export function requestMessages(chat: Conversation, replyId: string): { role: 'user' | 'assistant'; content: string }[] {
  return cutBefore(chat, replyId)
    .messages.filter((message) => message.role === 'user' || message.content !== '')
    .map(({ role, content, files }) => ({ role, content: withFiles(content, files) }));
}

// A reply that was streaming when the page went away cannot go on.
export function settle(chat: Conversation): Conversation {
  if (!chat.messages.some((message) => message.status === 'streaming')) return chat;
  const messages = chat.messages.map((message) =>
    message.status === 'streaming' ? { ...message, status: 'stopped' as const } : message,
  );
  return { ...chat, messages };
}

export function titleOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  if (line === '') return UNTITLED;
  const characters = [...line];
  if (characters.length <= TITLE_LENGTH) return line;
  const cut = characters.slice(0, TITLE_LENGTH).join('');
  const space = cut.lastIndexOf(' ');
  return `${space > TITLE_LENGTH / 2 ? cut.slice(0, space) : cut}…`;
}

export interface Found {
  readonly chat: Conversation;
  readonly excerpt: string | null;  // where in a message the words stand; null where the title holds them
}

// Chats that hold every word of the query, in title or messages, newest first.
export function searchChats(chats: readonly Conversation[], query: string): Found[] {
  const words = fold(query).split(/\s+/).filter(Boolean);
  const sorted = [...chats].sort((a, b) => b.updated - a.updated);
  if (words.length === 0) return sorted.map((chat) => ({ chat, excerpt: null }));
  return sorted.flatMap((chat) => {
    const title = fold(chat.title);
    if (words.every((word) => title.includes(word))) return [{ chat, excerpt: null }];
    const texts = chat.messages.map((message) => fold(withFiles(message.content, message.files)));
    if (!words.every((word) => title.includes(word) || texts.some((text) => text.includes(word)))) return [];
    return [{ chat, excerpt: excerptOf(chat, words) }];
  });
}

function excerptOf(chat: Conversation, words: readonly string[]): string | null {
  for (const message of chat.messages) {
    const at = fold(message.content).indexOf(words.find((word) => fold(message.content).includes(word)) ?? '\0');
    if (at < 0) continue;
    const from = Math.max(0, at - 24);
    const text = message.content.slice(from, at + 60).replace(/\s+/g, ' ').trim();
    return `${from > 0 ? '…' : ''}${text}`;
  }
  return null;
}

// Case and accents do not matter in a search. Lengths are kept, so that positions fit the original.
function fold(text: string): string {
  return [...text]
    .map((character) => {
      const plain = character.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
      return plain.length === character.length ? plain : character;
    })
    .join('');
}
