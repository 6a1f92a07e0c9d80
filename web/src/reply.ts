// Collects the events of one streamed answer: its text, its pairs of words and ids, its speed.
import type { StreamEvent, Usage } from './core/chunks.ts';
import type { Message, ReplyStats, WirePair, WireRecord } from './core/types.ts';

export class ReplyBuilder {
  private text = '';
  private reasoning = '';
  private model: string | undefined;
  private finish: string | undefined;
  private usage: Usage | null = null;
  private prompt: readonly WirePair[] = [];
  private tokens: WirePair[] = [];
  private pieces = 0;
  private first: number | null = null;
  private last: number | null = null;

  constructor(
    private readonly empty: Message,
    private readonly started: number,
  ) {}

  // `now` is in milliseconds, of the same clock as `started`.
  add(event: StreamEvent, now: number): void {
    switch (event.type) {
      case 'text': this.text += event.text; this.piece(now); break;
      case 'reasoning': this.reasoning += event.text; this.piece(now); break;
      case 'prompt_ids': this.prompt = event.pairs; break;
      case 'token_ids': this.tokens.push(...event.pairs); break;
      case 'model': this.model = event.model; break;
      case 'finish': this.finish = event.reason; break;
      case 'usage': this.usage = event.usage; break;
    }
  }

  message(change: Pick<Message, 'status'> & Partial<Pick<Message, 'error'>>): Message {
    return {
      ...this.empty,
      content: this.text,
      ...(this.reasoning ? { reasoning: this.reasoning } : {}),
      ...(this.model ? { model: this.model } : {}),
      ...(this.finish ? { finish: this.finish } : {}),
      ...(change.status === 'streaming' || this.pieces === 0 ? {} : { stats: this.stats() }),
      ...change,
    };
  }

  wire(): WireRecord {
    return { prompt: this.prompt, tokens: this.tokens.slice() };
  }

  // The speed is that between the first and the last piece: waiting for the first is a figure of its own. Pieces that
  // a network delivers at once tell nothing about it.
  private stats(): ReplyStats {
    const tokens = this.usage?.completion_tokens ?? (this.tokens.length || this.pieces);
    const seconds = this.first === null || this.last === null ? 0 : (this.last - this.first) / 1000;
    return {
      prompt_tokens: this.usage?.prompt_tokens ?? (this.prompt.length || null),
      completion_tokens: tokens,
      tokens_per_second: seconds >= 0.05 && tokens > 1 ? (tokens - 1) / seconds : null,
      first_token_ms: this.first === null ? null : this.first - this.started,
    };
  }

  private piece(now: number): void {
    this.pieces += 1;
    this.first ??= now;
    this.last = now;
  }
}
