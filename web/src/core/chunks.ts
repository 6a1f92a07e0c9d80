// Decodes the chunks of /v1/chat/completions, with the gateway's "isoveil" member, into stream events.
// Everything is checked: a malformed chunk is an ApiError, never an exception of another kind.
import type { GatewayStatus, ServerState, WirePair } from './types.ts';

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

export type StreamEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'prompt_ids'; readonly pairs: readonly WirePair[] }
  | { readonly type: 'token_ids'; readonly pairs: readonly WirePair[] }
  | { readonly type: 'model'; readonly model: string }
  | { readonly type: 'finish'; readonly reason: string }
  | { readonly type: 'usage'; readonly usage: Usage };

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export function decodeChunk(data: string): StreamEvent[] {
  const chunk = parseObject(data);
  if (chunk.error !== undefined && chunk.error !== null) throw errorFrom(chunk, 200);
  const events: StreamEvent[] = [];
  if (typeof chunk.model === 'string' && chunk.model) events.push({ type: 'model', model: chunk.model });

  const wire = asObject(chunk.isoveil);
  if (wire?.prompt !== undefined) events.push({ type: 'prompt_ids', pairs: decodePairs(wire.prompt) });
  if (wire?.tokens !== undefined) events.push({ type: 'token_ids', pairs: decodePairs(wire.tokens) });

  const choice = Array.isArray(chunk.choices) ? asObject(chunk.choices[0]) : null;
  const delta = asObject(choice?.delta);
  if (typeof delta?.reasoning_content === 'string' && delta.reasoning_content) {
    events.push({ type: 'reasoning', text: delta.reasoning_content });
  }
  if (typeof delta?.content === 'string' && delta.content) events.push({ type: 'text', text: delta.content });
  if (typeof choice?.finish_reason === 'string') events.push({ type: 'finish', reason: choice.finish_reason });

  const usage = asObject(chunk.usage);
  if (usage && isCount(usage.prompt_tokens) && isCount(usage.completion_tokens)) {
    const { prompt_tokens, completion_tokens } = usage;
    events.push({ type: 'usage', usage: { prompt_tokens, completion_tokens } });
  }
  return events;
}

// The error object of a reply, or a plain description of the status where there is none.
export function errorFrom(body: unknown, status: number): ApiError {
  const error = asObject(asObject(body)?.error);
  const message = typeof error?.message === 'string' ? error.message : `The gateway answered with status ${status}.`;
  const code = typeof error?.code === 'string' ? error.code : typeof error?.type === 'string' ? error.type : null;
  return new ApiError(message, status, code);
}

export function decodeStatus(value: unknown): GatewayStatus {
  const object = asObject(value);
  const upstream = asObject(object?.upstream);
  const text = (field: unknown): string => (typeof field === 'string' ? field : '');
  if (!object || typeof object.key_id !== 'string' || typeof object.model_match !== 'boolean') {
    throw new ApiError('The gateway sent a status that the page cannot read.', 200, 'malformed');
  }
  return {
    key_id: object.key_id,
    profile: text(object.profile),
    model: text(object.model),
    server: serverState(object.model_match, object.server),
    upstream: { kind: text(upstream?.kind), url: text(upstream?.url) },
    n_vocab: isCount(object.n_vocab) ? object.n_vocab : 0,
    n_context: isCount(object.n_context) && object.n_context > 0 ? object.n_context : null,
    examples: Array.isArray(object.examples) ? object.examples.filter((entry) => typeof entry === 'string') : [],
    version: text(object.version),
  };
}

// A server that has not been asked yet is as good as away.
function serverState(match: boolean, server: unknown): ServerState {
  if (!match) return 'wrong';
  return server === 'ready' ? 'ready' : 'away';
}

export function decodeModels(value: unknown): string[] {
  const data = asObject(value)?.data;
  if (!Array.isArray(data)) throw new ApiError('The gateway sent no list of models.', 200, 'malformed');
  return data.map((entry) => asObject(entry)?.id).filter((id): id is string => typeof id === 'string' && id !== '');
}

function decodePairs(value: unknown): WirePair[] {
  if (!Array.isArray(value)) throw malformed('the wire view is not a list');
  return value.map((entry: unknown) => {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !isCount(entry[1])) {
      throw malformed('a pair of the wire view is not [text, id]');
    }
    return [entry[0], entry[1]];
  });
}

function parseObject(data: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    throw malformed('it is not JSON');
  }
  const object = asObject(value);
  if (!object) throw malformed('it is not an object');
  return object;
}

function malformed(problem: string): ApiError {
  return new ApiError(`The gateway sent a chunk that the page cannot read: ${problem}.`, 200, 'malformed');
}

function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
