// How much of the model's context a chat has taken, by what the last answer's usage said.
//
//   const room = roomIn(chat, status.n_context);
//   if (room?.state === 'full') offer a new chat
import type { Conversation } from './types.ts';

const NEARLY_FULL = 0.2;    // of the context is left
const SHORTEST_TURN = 16;   // tokens: less holds no question with its marks, let alone an answer

export interface Room {
  readonly used: number;
  readonly size: number;
  readonly left: number;
  readonly state: 'roomy' | 'nearly' | 'full';
}

// Null where the context's size or what was used is not known. An answer that failed or was never begun says nothing,
// and the one before it still holds.
export function roomIn(chat: Conversation, size: number | null): Room | null {
  const stats = chat.messages.findLast((message) => message.stats?.prompt_tokens != null)?.stats;
  if (size === null || !stats) return null;
  const used = (stats.prompt_tokens ?? 0) + stats.completion_tokens;
  const left = Math.max(0, size - used);
  return { used, size, left, state: left < SHORTEST_TURN ? 'full' : left < size * NEARLY_FULL ? 'nearly' : 'roomy' };
}

// Digits in groups of three, by a thin space.
export function thousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '\u2009');
}
