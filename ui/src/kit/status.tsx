/**
 * States by shape and word, always both. Outline means open, filled means final.
 * Every shape is drawn once, on a grid of 14 with a stroke of 1.4.
 */
import type { ReactElement, ReactNode } from 'react';
import type { Level } from '../contract/types';
import { t } from './say';

export type Shape =
  | 'draft'
  | 'pending'
  | 'approved'
  | 'executing'
  | 'executed'
  | 'signed'
  | 'partly'
  | 'unknown'
  | 'failed'
  | 'rejected'
  | 'returned'
  | 'held'
  | 'frozen'
  | 'check'
  | 'note'
  | 'differs'
  | 'missing'
  | 'incident';

export type Tone = 'ink' | 'muted' | 'accent' | 'ok' | 'warn' | 'danger';

const RING = <circle cx="7" cy="7" r="5.6" />;
const HOLE = 'var(--surface)';
const TICK = <path d="M4.4 7.2 6.3 9.1 9.8 5.2" />;

const DRAWN: Record<Shape, ReactElement> = {
  draft: <circle cx="7" cy="7" r="5.6" strokeDasharray="2.6 1.8" strokeLinecap="butt" />,
  pending: (
    <>
      {RING}
      <circle cx="7" cy="7" r="2.1" fill="currentColor" stroke="none" />
    </>
  ),
  approved: (
    <>
      {RING}
      {TICK}
    </>
  ),
  executing: (
    <>
      <path d="M3.2 4.2A5.2 5.2 0 1 1 2 8.6" />
      <path d="M2.6 1.6v3.2h3.2" />
    </>
  ),
  executed: (
    <>
      <circle cx="7" cy="7" r="6.3" fill="currentColor" stroke="none" />
      <path d="M4.3 7.2 6.3 9.2 9.9 5.1" stroke={HOLE} />
    </>
  ),
  signed: (
    <>
      {RING}
      <path d="M3.6 8.4c1-2.6 2-3.4 2.3-2.6.3.9-.6 2.6 0 2.8.6.1.9-1.5 1.5-1.5.5 0 .3 1 .9 1 .5 0 .9-.5 1.6-.7" />
    </>
  ),
  partly: (
    <>
      {RING}
      <path d="M7 1.4a5.6 5.6 0 0 1 0 11.2z" fill="currentColor" stroke="none" />
    </>
  ),
  unknown: (
    <>
      <path d="M7 .9 13.1 7 7 13.1.9 7z" strokeLinejoin="round" />
      <path d="M5.6 5.7c.1-.9.7-1.3 1.4-1.3.8 0 1.4.5 1.4 1.2 0 1-1.4 1-1.4 2.1" />
      <circle cx="7" cy="9.6" r=".8" fill="currentColor" stroke="none" />
    </>
  ),
  failed: (
    <>
      <rect x="1" y="1" width="12" height="12" rx="1.4" fill="currentColor" stroke="none" />
      <path d="m4.6 4.6 4.8 4.8M9.4 4.6 4.6 9.4" stroke={HOLE} />
    </>
  ),
  rejected: (
    <>
      {RING}
      <path d="m3.1 10.9 7.8-7.8" />
    </>
  ),
  returned: (
    <>
      {RING}
      <path d="M10 7H4.4M6.5 4.7 4.2 7l2.3 2.3" />
    </>
  ),
  held: (
    <>
      {RING}
      <path d="M7 3.8V7l2.2 1.5" />
    </>
  ),
  frozen: (
    <>
      <path d="M7 .8 12.4 3.9v6.2L7 13.2 1.6 10.1V3.9z" strokeLinejoin="round" />
      <path d="M5.6 5v4M8.4 5v4" />
    </>
  ),
  check: (
    <>
      <path d="M7 1.6 13.2 12.3H.8z" strokeLinejoin="round" />
      <path d="M7 5.4v3.2" />
      <circle cx="7" cy="10.4" r=".8" fill="currentColor" stroke="none" />
    </>
  ),
  note: (
    <>
      {RING}
      <path d="M7 6.4v3.6" />
      <circle cx="7" cy="4.3" r=".85" fill="currentColor" stroke="none" />
    </>
  ),
  differs: (
    <>
      <rect x="1" y="1" width="12" height="12" rx="1" />
      <path d="M4 5.5h6M4 8.5h6M8.6 3.6 5.4 10.4" />
    </>
  ),
  missing: (
    <>
      <path
        strokeLinecap="butt"
        d="M1 3.6V1h2.6M5.6 1h2.8M10.4 1H13v2.6M13 5.6v2.8M13 10.4V13h-2.6M8.4 13H5.6M3.6 13H1v-2.6M1 8.4V5.6"
      />
      <path d="M4.6 7h4.8" />
    </>
  ),
  incident: (
    <>
      <path d="M4.4.7h5.2l3.7 3.7v5.2l-3.7 3.7H4.4L.7 9.6V4.4z" fill="currentColor" stroke="none" />
      <path d="M7 3.6v4" stroke={HOLE} strokeWidth="1.7" />
      <circle cx="7" cy="10.1" r="1" fill={HOLE} stroke="none" />
    </>
  ),
};

const TONE: Record<Tone, string> = {
  ink: 'text-ink2',
  muted: 'text-ink3',
  accent: 'text-accent',
  ok: 'text-ok',
  warn: 'text-warn',
  danger: 'text-danger',
};

const SHAPE_TONE: Record<Shape, Tone> = {
  draft: 'muted',
  pending: 'accent',
  approved: 'muted',
  executing: 'accent',
  executed: 'ok',
  signed: 'accent',
  partly: 'accent',
  unknown: 'warn',
  failed: 'danger',
  rejected: 'muted',
  returned: 'muted',
  held: 'muted',
  frozen: 'accent',
  check: 'warn',
  note: 'muted',
  differs: 'warn',
  missing: 'warn',
  incident: 'danger',
};

/** The shape alone; only where its word stands beside it. */
export function StatusIcon(props: { shape: Shape; tone?: Tone; size?: number; turning?: boolean }) {
  const tone = props.tone ?? SHAPE_TONE[props.shape];
  const size = `${(props.size ?? 14) / 16}rem`;
  return (
    <svg
      viewBox="0 0 14 14"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      aria-hidden="true"
      className={`shrink-0 ${TONE[tone]} ${props.turning ? 'turning' : ''}`}
      data-shape={props.shape}
    >
      {DRAWN[props.shape]}
    </svg>
  );
}

/** Shape and word. Words of warning and danger take the colour, others stay ink. */
export function Status(props: {
  shape: Shape;
  tone?: Tone;
  turning?: boolean;
  className?: string;
  children: ReactNode;
}) {
  const tone = props.tone ?? SHAPE_TONE[props.shape];
  const word = tone === 'warn' || tone === 'danger' ? TONE[tone] : '';
  return (
    <span className={`inline-flex items-center gap-2 ${word} ${props.className ?? ''}`}>
      <StatusIcon shape={props.shape} tone={tone} turning={props.turning ?? false} />
      <span>{props.children}</span>
    </span>
  );
}

/** How a state of the state table is drawn and called. */
export interface StateLook {
  shape: Shape;
  word: string;
  tone?: Tone;
}

/** The look of any state on the wire; one that is not known shows as it came, marked unknown. */
export function stateLook(state: string): StateLook {
  const known: Record<string, StateLook> = {
    DRAFT: { shape: 'draft', word: t('Draft') },
    PENDING_APPROVAL: { shape: 'pending', word: t('Pending approval') },
    APPROVED: { shape: 'approved', word: t('Approved') },
    EXECUTING: { shape: 'executing', word: t('Executing') },
    EXECUTED: { shape: 'executed', word: t('Executed') },
    PARTIALLY_EXECUTED: { shape: 'partly', word: t('Partly executed') },
    FAILED: { shape: 'failed', word: t('Failed') },
    REJECTED: { shape: 'rejected', word: t('Rejected') },
    CANCELLED: { shape: 'rejected', word: t('Cancelled') },
    PENDING: { shape: 'pending', word: t('Pending'), tone: 'muted' },
    QUEUED: { shape: 'approved', word: t('Queued') },
    PROCESSING: { shape: 'executing', word: t('Processing') },
    SENT: { shape: 'executing', word: t('Sent') },
    SETTLED: { shape: 'executed', word: t('Settled') },
    UNKNOWN: { shape: 'unknown', word: t('Unknown') },
    RETURNED: { shape: 'returned', word: t('Returned') },
    PROPOSED: { shape: 'pending', word: t('Proposed'), tone: 'muted' },
    SIGNED: { shape: 'signed', word: t('Signed') },
    SUBMITTED: { shape: 'executing', word: t('Sent') },
    MINED: { shape: 'executing', word: t('Mined') },
    CONFIRMED: { shape: 'executed', word: t('Confirmed') },
    REPLACED: { shape: 'rejected', word: t('Replaced') },
    LOCKED: { shape: 'executing', word: t('In work') },
    COMPLETED: { shape: 'executed', word: t('Completed') },
    DEAD: { shape: 'failed', word: t('Dead') },
    ACCRUED: { shape: 'held', word: t('Held') },
    PAYABLE: { shape: 'approved', word: t('Payable') },
    PAID: { shape: 'executed', word: t('Paid') },
    CLAWED_BACK: { shape: 'returned', word: t('Taken back') },
    REVERSED: { shape: 'returned', word: t('Reversed') },
    OPEN: { shape: 'check', word: t('Open') },
    RESOLVED: { shape: 'approved', word: t('Resolved') },
    ACCEPTED: { shape: 'approved', word: t('Accepted') },
    WRITTEN_OFF: { shape: 'rejected', word: t('Written off') },
  };
  return known[state] ?? { shape: 'unknown', word: state };
}

/** A state of the state table by shape and word. */
export function State(props: { state: string; className?: string }) {
  const look = stateLook(props.state);
  return (
    <Status
      shape={look.shape}
      {...(look.tone ? { tone: look.tone } : {})}
      className={props.className ?? ''}
    >
      {look.word}
    </Status>
  );
}

const LEVEL: Record<Level, Shape> = {
  OK: 'executed',
  NOTE: 'note',
  CHECK: 'check',
  BLOCK: 'failed',
  UNKNOWN: 'unknown',
};

/** Shape of a check's outcome. */
export function levelShape(level: Level): Shape {
  return LEVEL[level];
}

/** What the shape of a check says, for those who do not see it. */
export function levelWord(level: Level): string {
  const words: Record<Level, string> = {
    OK: t('in order'),
    NOTE: t('note'),
    CHECK: t('to check'),
    BLOCK: t('blocks'),
    UNKNOWN: t('not known'),
  };
  return words[level];
}

/** The shape of a kind of discrepancy, or of what matched. */
export function kindShape(kind: string): Shape {
  const known: Record<string, Shape> = {
    matched: 'executed',
    amount_mismatch: 'differs',
    recipient_mismatch: 'differs',
    asset_mismatch: 'differs',
    duplicate: 'incident',
    duplicate_payment: 'incident',
    paid_twice: 'incident',
    timing: 'held',
  };
  if (known[kind]) return known[kind];
  if (kind.startsWith('missing') || kind.startsWith('not_') || kind.endsWith('_missing'))
    return 'missing';
  if (kind.endsWith('mismatch')) return 'differs';
  return 'check';
}
