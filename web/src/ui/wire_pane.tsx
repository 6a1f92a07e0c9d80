// What the server sees: who it is, the words and the ids of a reply side by side, and what is not protected.
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { App, State } from '../app.ts';
import { roomIn, thousands, type Room } from '../core/context.ts';
import type { GatewayStatus, Message } from '../core/types.ts';
import { countIds, wireStats, type WireStats } from '../core/wire.ts';
import { wideWindow } from '../platform.ts';
import { Icon, IconButton } from './controls.tsx';
import { Ledger, LedgerHead } from './ledger.tsx';

export function WirePane({ app, state }: { app: App; state: State }): JSX.Element {
  const [veiled, setVeiled] = useState(false);
  const reply = chosenReply(state);
  const record = reply ? state.wire.get(reply.id) : undefined;
  const vocab = state.status?.n_vocab ?? 0;
  const counts = useMemo(() => countIds(record?.prompt ?? [], record?.tokens ?? []), [record]);
  const older = state.wireChoice !== null && reply?.id !== lastReply(state)?.id;
  return (
    <aside class="wire" aria-label="What the server sees">
      <header class="wire-head">
        <h2>What the server sees</h2>
        {older && <button type="button" class="chip" onClick={() => app.set({ wireChoice: null })}>Latest reply</button>}
        <button type="button" class="chip" aria-pressed={veiled} disabled={!record} onClick={() => setVeiled(!veiled)}
                title="Hide the words, to see only what the server has">Veil the words</button>
        <IconButton icon={wideWindow.matches ? 'right' : 'close'} label="Close what the server sees" keys={wideWindow.matches ? 'Ctrl+.' : 'Esc'} onClick={() => app.togglePane(false)} />
      </header>
      {state.status && <Identity status={state.status} room={roomIn(state.current, state.status.n_context)} />}
      {record && reply
        ? <Ledger record={record} replyId={reply.id} streaming={reply.status === 'streaming'} vocab={vocab} counts={counts} veiled={veiled} />
        : <Ghost text={emptyText(state, reply)} />}
      {record && <Count stats={wireStats(counts)} sent={record.prompt.length} received={record.tokens.length} />}
      <Limits />
    </aside>
  );
}

const BADGES = {
  ready: { text: 'Model matches the key', icon: 'check', tone: 'good' },
  away: { text: 'Server is away', icon: 'server', tone: 'mild' },
  wrong: { text: 'Model does not match the key', icon: 'warn', tone: 'bad' },
} as const;

export function MatchBadge({ status, compact = false }: { status: GatewayStatus; compact?: boolean }): JSX.Element {
  const { text, icon, tone } = BADGES[status.server];
  return (
    <span class={`badge ${tone}`} title={compact ? text : undefined}>
      <Icon name={icon} />
      <span class={compact ? 'visually-hidden' : undefined}>{text}</span>
    </span>
  );
}

function Identity({ status, room }: { status: GatewayStatus; room: Room | null }): JSX.Element {
  return (
    <section class="identity" aria-label="Key and model">
      <MatchBadge status={status} />
      <dl>
        <div><dt>Key</dt><dd><code>{grouped(status.key_id)}</code></dd></div>
        <div><dt>Profile</dt><dd>{status.profile}</dd></div>
        <div class="long"><dt>Server</dt><dd>{status.upstream.kind} <code>{status.upstream.url.replace(/^https?:\/\//, '')}</code></dd></div>
        {room && <div><dt>Context</dt><dd>{thousands(room.used)} of {thousands(room.size)} tokens used</dd></div>}
        {status.n_vocab > 0 && <div><dt>Ids</dt><dd>{thousands(status.n_vocab)}, all moved</dd></div>}
      </dl>
    </section>
  );
}

function Count({ stats, sent, received }: { stats: WireStats; sent: number; received: number }): JSX.Element {
  return (
    <p class="wire-count">
      <b>{thousands(sent)}</b> sent <b>{thousands(received)}</b> received
      <span title="The same token always has the same id, so repeats can be counted by anyone who sees the ids">
        <b>{thousands(stats.distinct)}</b> distinct
        {stats.top && <>, one of them <b>{thousands(stats.top.count)}</b> times</>}
      </span>
    </p>
  );
}

function Ghost({ text }: { text: string }): JSX.Element {
  return (
    <div class="ghost">
      <LedgerHead />
      <div class="ghost-rows" aria-hidden="true">
        {[64, 82, 47, 73, 58, 36].map((width) => <div key={width}><i class={`w${width}`} /><i /></div>)}
      </div>
      <p>{text}</p>
    </div>
  );
}

function Limits(): JSX.Element {
  return (
    <section class="limits" id="limits" aria-labelledby="limits-title">
      <h3 id="limits-title"><Icon name="warn" />What is not protected</h3>
      <p>
        <strong>A host that also has the public base model is not kept out:</strong> it can recover the key and read
        everything. Someone who only reads the wire, logs or backups faces a secret substitution of ids, which
        statistics wear down as traffic grows.
      </p>
      <details>
        <summary><Icon name="chevron" />Who can learn what</summary>
        <table>
          <tbody>
            <tr><th scope="row">Reads the wire, logs or backups</th><td><b>Protected computationally.</b> A few hundred tokens under one key can be enough for statistics.</td></tr>
            <tr><th scope="row">Runs the model, does not know its base</th><td><b>Partly protected.</b> The weights are moved, too, but keep traces that an expert can search.</td></tr>
            <tr class="bad"><th scope="row">Runs the model and has its public base</th><td><b>Not protected.</b> Every exact scheme of this kind is broken.</td></tr>
            <tr class="bad"><th scope="row">Can have texts of its choice encrypted</th><td><b>Not protected.</b> The same token always has the same id.</td></tr>
          </tbody>
        </table>
        <p>Lengths, timing and repeats always show, and nothing proves that the server computed honestly.</p>
      </details>
    </section>
  );
}

function lastReply(state: State): Message | undefined {
  const { messages } = state.current;
  return messages.findLast((message) => message.role === 'assistant');
}

function chosenReply(state: State): Message | undefined {
  return state.current.messages.find((message) => message.id === state.wireChoice) ?? lastReply(state);
}

function emptyText(state: State, reply: Message | undefined): string {
  if (!reply) return 'Send a message, and the words that stay here appear beside the ids that leave.';
  if (reply.status === 'streaming') return 'Waiting for the first ids.';
  if (reply.error) return 'No ids were reported for this reply.';
  return state.wire.size === 0 || reply.status !== 'done'
    ? 'Words beside their ids are pieces of the key, so this page keeps them in memory only. Send or answer again to see them.'
    : 'No ids were kept for this reply: with their words they would be pieces of the key.';
}

function grouped(text: string): string {
  return text.replace(/(.{4})(?=.)/g, '$1\u2009');
}
