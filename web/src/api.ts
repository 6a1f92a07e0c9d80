// Every call that leaves the page. All go to the page's own origin; README.md has the contract as a table.
//
//   for await (const event of streamChat(request, signal)) { ... }
//
// Failures are ApiError; an abort through `signal` is the DOMException 'AbortError' of fetch.
// The API key is kept in sessionStorage only: it ends with the tab.
import { ApiError, decodeChunk, decodeModels, decodeStatus, errorFrom, type StreamEvent } from './core/chunks.ts';
import { readEvents } from './core/sse.ts';
import type { GatewayStatus, Params } from './core/types.ts';

const API_KEY = 'isoveil.api_key';

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[];
  readonly params: Params;
}

export function setApiKey(key: string): void {
  if (key) sessionStorage.setItem(API_KEY, key);
  else sessionStorage.removeItem(API_KEY);
}

export function hasApiKey(): boolean {
  return sessionStorage.getItem(API_KEY) !== null;
}

export async function getStatus(): Promise<GatewayStatus> {
  return decodeStatus(await getJson('/isoveil/status'));
}

export async function getModels(): Promise<string[]> {
  return decodeModels(await getJson('/v1/models'));
}

// Ends after "[DONE]". A stream that ends before its finish reason is an error: the answer is not whole.
export async function* streamChat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  const response = await call('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Isoveil-Wire': '1' },
    body: JSON.stringify(chatBody(request)),
    signal,
  });
  if (!response.body) throw new ApiError('The gateway sent an empty reply.', response.status, 'empty');
  let finished = false;
  for await (const data of told(readEvents(response.body))) {
    if (data.startsWith('[DONE]')) return;
    for (const event of decodeChunk(data)) {
      finished ||= event.type === 'finish';
      yield event;
    }
  }
  if (!finished) throw new ApiError('The connection ended before the answer did.', 0, 'stream_ended');
}

// Events until the end, or until the connection breaks, told as such.
async function* told(events: AsyncGenerator<string>): AsyncGenerator<string> {
  try {
    yield* events;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(`The connection broke: ${String(error)}`, 0, 'stream_ended');
  }
}

// Settings that are null are left out, so that the server's own defaults hold.
export function chatBody(request: ChatRequest): Record<string, unknown> {
  const { params } = request;
  const system = params.system.trim() ? [{ role: 'system', content: params.system }] : [];
  const body: Record<string, unknown> = {
    model: request.model,
    messages: [...system, ...request.messages],
    stream: true,
    stream_options: { include_usage: true },
  };
  for (const name of ['temperature', 'top_p', 'max_tokens', 'seed'] as const) {
    if (params[name] !== null) body[name] = params[name];
  }
  return body;
}

async function getJson(path: string): Promise<unknown> {
  const response = await call(path, {});
  return response.json().catch(() => {
    throw new ApiError(`The gateway's answer at ${path} is not JSON.`, response.status, 'malformed');
  });
}

async function call(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = sessionStorage.getItem(API_KEY);
  if (key) headers.set('Authorization', `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('The gateway cannot be reached. Is it still running?', 0, 'unreachable');
  }
  if (!response.ok) throw errorFrom(await response.json().catch(() => null), response.status);
  return response;
}
