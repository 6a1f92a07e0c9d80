// Words and ids in rows: the left column is this computer, the right one the server, the seam between is
// the wire. Pointing at a word or an id, or walking with the arrow keys, lights every place of that id on
// both sides.
import type { JSX } from 'preact';
import { memo } from 'preact/compat';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { WirePair, WireRecord } from '../core/types.ts';
import { packRows, pieceKind, showId, showPiece, type Row, type RowLimits } from '../core/wire.ts';
import { Icon } from './controls.tsx';

const SHOWN_PROMPT_ROWS = 80;  // of a long prompt, until the rest is asked for
const NEAR_END = 40;

interface LedgerProps {
  record: WireRecord;
  replyId: string;
  streaming: boolean;
  vocab: number;
  counts: ReadonlyMap<number, number>;
  veiled: boolean;
}

interface Lit { readonly n: number; readonly piece: string; readonly id: number }

export function Ledger(props: LedgerProps): JSX.Element {
  const { record, replyId, streaming, vocab, counts, veiled } = props;
  const place = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [whole, setWhole] = useState(false);
  const [lit, setLit] = useState<Lit | null>(null);
  const limits = useRowLimits(place, vocab);
  const prompt = useMemo(() => packRows(record.prompt, limits), [record.prompt, limits]);
  const answer = useMemo(() => packRows(record.tokens, limits), [record.tokens, limits]);
  const hidden = whole ? 0 : Math.max(0, prompt.length - SHOWN_PROMPT_ROWS);
  const all = useMemo(() => [...record.prompt, ...record.tokens], [record]);

  useEffect(() => {
    following.current = true;
    setWhole(false);
    setLit(null);
  }, [replyId]);
  useLayoutEffect(() => {
    const element = place.current;
    if (element && following.current && streaming) element.scrollTop = element.scrollHeight;
  }, [record, streaming]);
  useLight(place, lit);

  const light = (event: Event): void => {
    const token = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-n]') : null;
    const n = Number(token?.dataset.n ?? -1);
    const pair = all[n];
    setLit(pair ? { n, piece: pair[0], id: pair[1] } : null);
  };
  const walk = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: limits.ids, ArrowUp: -limits.ids }[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const n = Math.min(Math.max((lit?.n ?? all.length) + step, 0), all.length - 1);
    const pair = all[n]!;
    setLit({ n, piece: pair[0], id: pair[1] });
    place.current?.querySelector(`[data-n="${n}"]`)?.scrollIntoView({ block: 'nearest' });
  };
  const onScroll = (): void => {
    const element = place.current!;
    following.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
  };
  const digits = `digits-${Math.min(showId(0, vocab).length, 7)}`;
  const rows = (list: readonly Row[], offset: number, kind: string): JSX.Element[] =>
    list.map((row) => <RowView key={`${replyId} ${kind} ${row.start} ${limits.ids}`} row={row} offset={offset} vocab={vocab} />);
  return (
    <div class={`ledger ${veiled ? 'veiled' : ''} ${digits}`}>
      <LedgerHead />
      <div class="ledger-rows" ref={place} tabIndex={0} role="group" onScroll={onScroll} onPointerOver={light}
           onPointerLeave={() => setLit(null)} onKeyDown={walk} onBlur={() => setLit(null)}
           aria-label="Words and ids. Use the arrow keys to go from token to token.">
        <Leg icon="right" here="Prompt" there={`${record.prompt.length} ids sent`} />
        {hidden > 0 && (
          <div class="ledger-more"><button type="button" class="chip" onClick={() => setWhole(true)}>Show {hidden} earlier rows</button></div>
        )}
        {rows(prompt.slice(hidden), 0, 'p')}
        <Leg icon="left" here="Answer" there={`${record.tokens.length} ids received`} live={streaming} />
        {rows(answer, record.prompt.length, 'a')}
        <div class="ledger-tail" />
      </div>
      <p class="readout" aria-live="polite">
        {lit
          ? <><q>{showPiece(lit.piece)}</q><Icon name={lit.n < record.prompt.length ? 'right' : 'left'} /><code>{showId(lit.id, vocab)}</code>
              <span>{times(counts.get(lit.id) ?? 0)}</span></>
          : <span>Point at a word to find its id.</span>}
      </p>
    </div>
  );
}

export function LedgerHead(): JSX.Element {
  return (
    <div class="ledger-head">
      <div><Icon name="laptop" /><span>This computer<small>has the words</small></span></div>
      <div><Icon name="server" /><span>The server<small>has only ids</small></span></div>
    </div>
  );
}

function Leg({ icon, here, there, live = false }: { icon: string; here: string; there: string; live?: boolean }): JSX.Element {
  return (
    <div class={`leg ${live ? 'live' : ''}`}>
      <div><h3>{here}</h3></div>
      <div><span>{there}</span></div>
      <span class="leg-arrow"><Icon name={icon} /></span>
    </div>
  );
}

interface RowProps { row: Row; offset: number; vocab: number }

const RowView = memo(function RowView({ row, offset, vocab }: RowProps): JSX.Element {
  const token = (pair: WirePair, index: number, content: string, kind: string): JSX.Element =>
    <span class={kind} data-id={pair[1]} data-n={offset + row.start + index} key={index}>{content}</span>;
  return (
    <div class="row">
      <div class="words">{row.pairs.map((pair, i) => token(pair, i, showPiece(pair[0]), `tok ${pieceKind(pair[0])}${i === 0 && pair[0].startsWith(' ') ? ' lead' : ''}`))}</div>
      <div class="ids">{row.pairs.map((pair, i) => token(pair, i, showId(pair[1], vocab), 'id'))}</div>
    </div>
  );
}, sameRow);

function sameRow(a: RowProps, b: RowProps): boolean {
  return a.row.start === b.row.start && a.row.pairs.length === b.row.pairs.length && a.offset === b.offset && a.vocab === b.vocab;
}

// How much fits into a row of each column.
function useRowLimits(place: { current: HTMLElement | null }, vocab: number): RowLimits {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = place.current!;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return useMemo(() => {
    const column = Math.max(width / 2 - 46, 90);
    const idWidth = showId(0, vocab).length * 7.3 + 9;
    return { ids: Math.max(2, Math.floor(column / idWidth)), characters: Math.max(12, Math.floor(column / 8.2)) };
  }, [width, vocab]);
}

// Classes are set on the elements directly: a ledger may have thousands of tokens.
function useLight(place: { current: HTMLElement | null }, lit: Lit | null): void {
  useEffect(() => {
    const found = lit ? [...(place.current?.querySelectorAll(`[data-id="${lit.id}"]`) ?? [])] : [];
    for (const element of found) {
      element.classList.add('lit');
      element.classList.toggle('here', element.getAttribute('data-n') === String(lit?.n));
    }
    return () => {
      for (const element of found) element.classList.remove('lit', 'here');
    };
  }, [lit]);
}

function times(count: number): string {
  return count === 1 ? 'once on this wire' : `${count} times on this wire`;
}
