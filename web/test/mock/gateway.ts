// A gateway that speaks the contract of README.md with canned answers: for developing the page and for its
// tests. The last message chooses the answer: one that begins with "/name" has the script of that name.
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ANSWERS, DEFAULT_ANSWER, EXAMPLES } from './answers.ts';
import { MockTokenizer, N_VOCAB } from './tokenizer.ts';

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: Record<string, [name: string, type: string]> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/app.css': ['app.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

export interface MockOptions {
  apiKey?: string;
  refuseAfter?: Promise<void>;  // what requests with a wrong key wait for
  server?: 'ready' | 'away' | 'wrong';
  nContext?: number | null;
  examples?: string[];
  delayMs?: number;  // between tokens
  models?: string[];
}

export interface ChatBody {
  model: string;
  messages: { role: string; content: string }[];
  [name: string]: unknown;
}

export class MockGateway {
  readonly chats: { body: ChatBody; wire: string | undefined }[] = [];  // what was asked
  disconnects = 0;  // streams that the page ended
  options: MockOptions;
  private readonly tokenizer = new MockTokenizer();
  private readonly server: Server;

  constructor(options: MockOptions = {}) {
    this.options = options;
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Content-Security-Policy', CSP);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = FILES[path];
    if (file) {
      response.setHeader('Content-Type', file[1]);
      response.end(await readFile(new URL(`../../dist/${file[0]}`, import.meta.url)));
      return;
    }
    const { apiKey } = this.options;
    if (apiKey !== undefined && request.headers.authorization !== `Bearer ${apiKey}`) {
      await this.options.refuseAfter;
      sendError(response, 401, 'The API key is missing or wrong.', 'invalid_api_key');
    } else if (path === '/v1/models') {
      const models = this.options.models ?? ['qwen3-0.6b'];
      sendJson(response, 200, { object: 'list', data: models.map((id) => ({ id, object: 'model', created: 0, owned_by: 'isoveil' })) });
    } else if (path === '/isoveil/status') {
      sendJson(response, 200, this.status());
    } else if (path === '/v1/chat/completions' && request.method === 'POST') {
      await this.chat(request, response);
    } else {
      sendError(response, 404, `There is nothing at ${path}.`, 'not_found');
    }
  }

  private status(): unknown {
    return {
      key_id: 'k7f3a91c04be2d68', profile: 'exact', model: 'qwen3-0.6b', 
      model_match: this.options.server !== 'wrong', server: this.options.server ?? 'ready', chat: true,
      n_context: this.options.nContext === undefined ? 4096 : this.options.nContext, examples: this.options.examples ?? EXAMPLES,
      upstream: { kind: 'llama-server', url: 'http://127.0.0.1:8081' }, n_vocab: N_VOCAB, version: '0.1.0',
    };
  }

  private async chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await readBody(request)) as ChatBody;
    const wire = request.headers['x-isoveil-wire'];
    this.chats.push({ body, wire: typeof wire === 'string' ? wire : undefined });
    const said = body.messages[body.messages.length - 1]?.content ?? '';
    const script = /^\/(\w+)/.exec(said)?.[1] ?? '';
    if (script === 'refuse') {
      sendError(response, 400, 'The prompt has 9000 tokens, more than the 4096 that the model takes.', 'context_length_exceeded');
      return;
    }
    if (script === 'away') {
      sendError(response, 503, 'the model\'s server: http://127.0.0.1:8081: does not answer', 'upstream_unavailable');
      return;
    }
    let open = true;
    response.on('close', () => {
      if (open) this.disconnects += 1;
      open = false;
    });
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const delay = script === 'slow' ? 120 : (this.options.delayMs ?? 2);
    const prompt = this.tokenizer.pairs(render(body.messages));
    const head = { id: 'chatcmpl-mock', object: 'chat.completion.chunk', created: 0, model: body.model, usage: null };
    const send = (chunk: unknown): void => writeInPieces(response, `data: ${JSON.stringify(chunk)}\n\n`);
    const choice = (delta: unknown, finish: string | null = null): unknown[] => [{ index: 0, delta, finish_reason: finish, logprobs: null }];

    response.write(': ping\n\n');
    await sleep(delay * 8);
    send({ ...head, choices: choice({ role: 'assistant', content: '' }), ...(wire === '1' ? { isoveil: { prompt } } : {}) });
    const tokens = this.tokenizer.tokens(ANSWERS[script] ?? DEFAULT_ANSWER);
    let sent = 0;
    let reasoning = script === 'think' ? 24 : 0;
    for (const token of tokens) {
      if (!open) return;
      await sleep(delay);
      const text = reasoning-- > 0 ? { reasoning_content: token.text } : { content: token.text };
      const pairs = token.pieces.map((piece) => [piece, this.tokenizer.encrypt(piece)]);
      send({ ...head, choices: choice(text), ...(wire === '1' ? { isoveil: { tokens: pairs } } : {}) });
      sent += 1;
      if (script === 'break' && sent === 12) {
        send({ error: { message: 'The server went away in the middle of the answer.', type: 'upstream_error', param: null, code: 'upstream_lost' } });
        break;
      }
      if (script === 'vanish' && sent === 12) {
        open = false;
        response.destroy();
        return;
      }
      if (script === 'garbage' && sent === 6) response.write('data: {"choices": [\n\n');
    }
    if (script !== 'break' && script !== 'garbage') {
      send({ ...head, choices: choice({}, script === 'length' ? 'length' : 'stop') });
      send({ ...head, choices: [], usage: { prompt_tokens: prompt.length, completion_tokens: tokens.length, total_tokens: prompt.length + tokens.length } });
      response.write('data: [DONE]\n\n');
    }
    open = false;
    response.end();
  }
}

function render(messages: ChatBody['messages']): string {
  return `${messages.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join('')}<|im_start|>assistant\n`;
}

// Cuts events anywhere, also inside a code point, as a network does.
function writeInPieces(response: ServerResponse, text: string): void {
  const bytes = Buffer.from(text);
  const cut = (bytes.length * 7) % 13 === 0 ? bytes.length : Math.floor(bytes.length / 2);
  response.write(bytes.subarray(0, cut));
  if (cut < bytes.length) response.write(bytes.subarray(cut));
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

function sendError(response: ServerResponse, status: number, message: string, code: string): void {
  const type = status === 401 ? 'authentication_error' : 'invalid_request_error';
  sendJson(response, status, { error: { message, type, param: null, code } });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
