import type { Check, KeyKind, LegReview, PayoutLine } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset, MoneyText } from '../../kit/amount';
import { widestFraction } from '../../kit/decimal';
import { DeviceHash, PlainHash } from '../../kit/hash';
import { Facts, SectionHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { type Shape, Status, StatusIcon } from '../../kit/status';

/** Where a signature stands. */
export type Phase = 'ready' | 'asking' | 'stored' | 'cancelled' | 'stopped' | 'incident';

/** The amount at stake, and what a signature does with it, in words. */
export function Stake(props: { review: LegReview; armed: boolean }) {
  const { leg, batch } = props.review;
  const payees = new Set(props.review.lines.map((line) => line.recipient)).size;
  return (
    <div className="flex border border-ink bg-surface">
      {props.armed ? <div className="hatch-thin w-2 shrink-0" aria-hidden="true" /> : null}
      <div className="min-w-0 p-4">
        {leg.totals.map((total) => (
          <p key={total.asset.symbol} className="text-title font-semibold">
            <MoneyText money={total} strong />
          </p>
        ))}
        <p className="mt-1 text-ink2">
          {t('to')}{' '}
          <strong className="font-semibold text-ink">
            {t('{payees, plural, one {# payee} other {# payees}}', { payees })}
          </strong>{' '}
          {t('in 1 transaction.')}{' '}
          {t(
            'With {threshold, plural, one {# signature} other {# signatures}} anyone who holds them can send it; it stays valid until nonce {nonce} is used.',
            {
              threshold: leg.threshold,
              nonce: leg.nonce ?? '?',
            },
          )}
        </p>
        <span className="sr-only">{t('Batch {number}', { number: batch.number })}</span>
      </div>
    </div>
  );
}

function worst(checks: Check[]): Shape {
  if (checks.some((check) => check.level === 'BLOCK')) return 'failed';
  if (checks.some((check) => check.level === 'UNKNOWN')) return 'unknown';
  if (checks.some((check) => check.level === 'CHECK')) return 'check';
  return 'executed';
}

function Step(props: {
  shape: Shape;
  title: string;
  detail: string;
  turning?: boolean;
  now?: boolean;
  last?: boolean;
}) {
  return (
    <li
      className="relative flex gap-3 pb-3 last:pb-0"
      aria-current={props.now ? 'step' : undefined}
    >
      {props.last ? null : (
        <span aria-hidden="true" className="absolute top-6 bottom-0 left-[0.45rem] w-px bg-line2" />
      )}
      <span className="pt-1">
        <StatusIcon shape={props.shape} turning={props.turning ?? false} />
      </span>
      <span>
        <span className="block font-semibold">{props.title}</span>
        <span className="block text-small text-ink3">{props.detail}</span>
      </span>
    </li>
  );
}

/** The way of a signature, and where it is. */
export function Steps(props: {
  review: LegReview;
  phase: Phase;
  kind: KeyKind;
  waited: string;
  stored: number;
}) {
  const { review, phase } = props;
  const ledger = props.kind === 'LEDGER';
  const [rebuilt, ...others] = review.checks;
  const done = phase === 'stored';
  const asked: { shape: Shape; title: string; detail: string } =
    phase === 'asking'
      ? {
          shape: 'executing',
          title: t('Waiting for your confirmation'),
          detail: ledger
            ? t('In the system dialog, then on your Ledger, for {time}', { time: props.waited })
            : t('In the system dialog, for {time}', { time: props.waited }),
        }
      : phase === 'cancelled'
        ? { shape: 'rejected', title: t('You cancelled'), detail: t('Nothing was signed') }
        : phase === 'incident'
          ? { shape: 'incident', title: t('Stopped by an incident'), detail: t('Never retried') }
          : done
            ? {
                shape: 'executed',
                title: t('You confirmed'),
                detail: ledger
                  ? t('In the system dialog and on your Ledger')
                  : t('With your passphrase, in the system dialog'),
              }
            : {
                shape: 'pending',
                title: ledger
                  ? t('Your confirmation, here and on your Ledger')
                  : t('Your passphrase and confirmation'),
                detail: t('The system asks once more before anything is signed'),
              };
  return (
    <ol className="mt-2">
      {rebuilt ? (
        <Step
          shape={worst([rebuilt])}
          title={t('Rebuilt on this machine')}
          detail={rebuilt.detail}
        />
      ) : null}
      <Step
        shape={worst(others)}
        title={t('Checked')}
        detail={t('{good} of {all} checks in order, see beside', {
          good: others.filter((check) => check.level === 'OK' || check.level === 'NOTE').length,
          all: others.length,
        })}
      />
      <Step {...asked} now={phase === 'ready' || phase === 'asking'} turning={phase === 'asking'} />
      <Step
        shape={done ? 'executed' : 'draft'}
        title={t('Verify the signature')}
        detail={t('Recovered here over our own hash')}
      />
      <Step
        last
        shape={done ? 'signed' : 'draft'}
        title={
          done
            ? t('Stored, {stored} of {threshold}', {
                stored: props.stored,
                threshold: review.leg.threshold,
              })
            : t('Store it, {stored} of {threshold}', {
                stored: review.leg.signatures.length + 1,
                threshold: review.leg.threshold,
              })
        }
        detail={t('Readable only by those who may execute')}
      />
    </ol>
  );
}

/** The transaction in words. */
export function WhatItDoes(props: { review: LegReview; kind: KeyKind }) {
  const { leg, safe, signer } = props.review;
  return (
    <section>
      <SectionHead title={t('What it does')} />
      <Facts
        rows={[
          {
            name: t('From'),
            value: (
              <>
                <span className="block font-semibold">{safe.name}</span>
                <Address address={safe.address} two />
              </>
            ),
          },
          {
            name: t('Operation'),
            value: (
              <>
                {leg.operation === 1 ? (
                  <Status shape="check">{t('1, delegate call')}</Status>
                ) : (
                  <span>{t('{operation}, call', { operation: leg.operation })}</span>
                )}
                <span className="block">
                  {leg.targetName ?? t('Target is not a published contract')}
                </span>
                <Address address={leg.target} two />
              </>
            ),
          },
          { name: t('Inside'), value: leg.sentence },
          { name: t('Refund'), value: leg.refund },
          {
            name: t('Signer'),
            value: signer ? (
              <>
                <span className="block">
                  {props.kind === 'LEDGER' ? t('Ledger') : t('Software key on this machine')}
                </span>
                <Address address={signer} two />
              </>
            ) : (
              t('You hold no owner key')
            ),
          },
        ]}
      />
    </section>
  );
}

/** The hashes to compare, in the lines of the device. */
export function Hashes(props: { review: LegReview }) {
  const { hashes } = props.review.leg;
  if (!hashes) {
    return (
      <p className="text-ink3">
        {t('The hashes exist once the nonce is known: when signing opens.')}
      </p>
    );
  }
  return (
    <div className="grid gap-x-8 gap-y-4 border-b border-line pb-3 @lg:grid-cols-2 @3xl:grid-cols-[1fr_1fr_minmax(14rem,1fr)]">
      <section>
        <h2 className="mb-1.5 font-semibold">
          {t('Domain hash')}{' '}
          <span className="font-normal text-ink3">{t('this Safe on this chain')}</span>
        </h2>
        <DeviceHash hash={hashes.domainHash} />
      </section>
      <section>
        <h2 className="mb-1.5 font-semibold">
          {t('Message hash')} <span className="font-normal text-ink3">{t('this payment')}</span>
        </h2>
        <DeviceHash hash={hashes.messageHash} />
      </section>
      <section>
        <h2 className="mb-1.5 font-semibold">{t('Safe transaction hash')}</h2>
        <PlainHash hash={hashes.safeTxHash} />
        <p className="mt-1.5 text-small text-ink3">
          {t(
            'This is what is signed. All three are computed on this machine from the lines below; lines break as on a Ledger Nano.',
          )}
        </p>
      </section>
    </div>
  );
}

/** All lines of the leg; their total is the amount at the left. */
export function LegLines(props: { lines: PayoutLine[] }) {
  const slot = widestFraction(
    props.lines.map((line) => ({ amount: line.money.amount, decimals: line.money.asset.decimals })),
  );
  const mixed = new Set(props.lines.map((line) => line.money.asset.symbol)).size > 1;
  // Two columns only where every amount fits beside its address in half the width.
  const narrow = slot <= 13 && !mixed;
  return (
    <section>
      <SectionHead
        title={t('{lines, plural, one {The # line in this leg} other {The # lines in this leg}}', {
          lines: props.lines.length,
        })}
      >
        {t('All of them; the total is the amount at the left')}
      </SectionHead>
      <ol className={`border-t border-line2 ${narrow ? '@4xl:columns-2 @4xl:gap-6' : ''}`}>
        {props.lines.map((line) => (
          <li
            key={line.id}
            className="flex min-h-10 break-inside-avoid items-center gap-1.5 border-b border-line py-0.5"
          >
            <span className="w-4 shrink-0 text-right text-ink3">{line.line}</span>
            <span className="min-w-0 flex-1">
              <span className="block truncate font-medium">
                {line.payee ?? (
                  <span className="font-normal text-ink3">{t('Not in the address book')}</span>
                )}
              </span>
              <Address address={line.recipient} className="addr-tight text-cap" />
            </span>
            <Amount
              value={line.money.amount}
              decimals={line.money.asset.decimals}
              slot={slot}
              className={narrow ? 'text-small' : ''}
            />
            {mixed ? <Asset asset={line.money.asset} /> : null}
          </li>
        ))}
      </ol>
    </section>
  );
}
