// Server-sent events, as the OpenAI API uses them: the data of each event, as a string.
// Bytes may be cut anywhere, also inside a code point. Comments (": ping") and other fields are skipped.
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      yield* parser.push(done ? decoder.decode() : decoder.decode(value, { stream: true }));
      if (done) return;
    }
  } finally {
    // Tells the gateway that nobody reads any more, so that it can stop the model.
    await reader.cancel().catch(() => undefined);
  }
}

export class EventParser {
  private rest = '';
  private data: string[] = [];

  // Returns the data of every event that `text` completes. An event without its blank line is not complete.
  push(text: string): string[] {
    const events: string[] = [];
    this.rest += text;
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (!end) return events;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      if (line === '' && this.data.length > 0) {
        events.push(this.data.join('\n'));
        this.data = [];
      } else if (line.startsWith('data:')) {
        this.data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
      }
    }
  }
}
