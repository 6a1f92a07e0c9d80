// The values the page works with. All are immutable: a change makes a new value.

// Sampling settings and system prompt of one chat. null leaves the choice to the server.
export interface Params {
  readonly system: string;
  readonly temperature: number | null;
  readonly top_p: number | null;
  readonly max_tokens: number | null;
  readonly seed: number | null;
}

export const DEFAULT_PARAMS: Params = { system: '', temperature: null, top_p: null, max_tokens: null, seed: null };

export interface ReplyStats {
  readonly prompt_tokens: number | null;
  readonly completion_tokens: number;
  readonly tokens_per_second: number | null;
  readonly first_token_ms: number | null;
}

export interface ReplyError {
  readonly message: string;
  readonly code: string | null;
}

// 'stopped' is a reply that the person (or a reload of the page) cut short.
export type MessageStatus = 'done' | 'streaming' | 'stopped' | 'error';

export interface TextFile {
  readonly name: string;
  readonly text: string;
}

export interface Message {
  readonly id: string;
  readonly role: 'user' | 'assistant';
  readonly content: string;
  readonly files?: readonly TextFile[];  // what a person attached
  readonly created: number;
  readonly status: MessageStatus;
  readonly reasoning?: string;
  readonly model?: string;
  readonly finish?: string;
  readonly error?: ReplyError;
  readonly stats?: ReplyStats;
}

export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly created: number;
  readonly updated: number;
  readonly model: string;
  readonly params: Params;
  readonly messages: readonly Message[];
}

// One token as text and as the id that crossed the wire.
export type WirePair = readonly [piece: string, id: number];

// What crossed the wire for one reply. Pairs are pieces of the key: they stay in memory, and are never
// stored or exported.
export interface WireRecord {
  readonly prompt: readonly WirePair[];
  readonly tokens: readonly WirePair[];
}

// 'wrong' is a server whose model does not belong to the key.
export type ServerState = 'ready' | 'away' | 'wrong';

export interface GatewayStatus {
  readonly key_id: string;
  readonly profile: string;
  readonly model: string;
  readonly server: ServerState;
  readonly upstream: { readonly kind: string; readonly url: string };
  readonly n_vocab: number;
  readonly n_context: number | null;  // null until a server has told it
  readonly examples: readonly string[];  // questions that the model's folder suggests
  readonly version: string;
}
