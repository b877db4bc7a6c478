import { useState } from 'react';
import { useRead } from '../../backend/use';
import type { BatchDetail, Check, LegView, PersonStep } from '../../contract/types';
import { Address } from '../../kit/address';
import { MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { DeviceHash, PlainHash } from '../../kit/hash';
import { Facts, SectionHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { levelShape, levelWord, type Shape, State, Status, StatusIcon } from '../../kit/status';
import { countText, dateTime } from '../../kit/time';
import { Rejection } from '../rejection/asked';
import { stoppedLines } from './actions';
import { Apart } from './apart';

const STEP: Record<string, { shape: Shape; word: () => string }> = {
  PREPARED: { shape: 'note', word: () => t('Prepared') },
  APPROVED: { shape: 'executed', word: () => t('Approved') },
  NEEDED: { shape: 'pending', word: () => t('Needed') },
  REJECTED: { shape: 'rejected', word: () => t('Rejected') },
  SIGNED: { shape: 'signed', word: () => t('Signed') },
  SENT: { shape: 'executing', word: () => t('Sent') },
};

/** One entry per person and step: who signed four legs stands there once. */
export function mergeSteps(people: readonly PersonStep[]): PersonStep[] {
  const merged: PersonStep[] = [];
  for (const one of people) {
    const known = merged.find((other) => other.step === one.step && other.person === one.person);
    if (known) known.detail = `${known.detail}; ${one.detail}`;
    else merged.push({ ...one });
  }
  return merged;
}

function People(props: { people: PersonStep[]; zone: string }) {
  return (
    <ul>
      {mergeSteps(props.people).map((person, index) => {
        const step = STEP[person.step] ?? { shape: 'unknown' as const, word: () => person.step };
        return (
          <li
            key={`${person.step} ${person.person} ${index}`}
            className="grid grid-cols-[6rem_1fr] gap-2 border-b border-line py-1.5 last:border-b-0"
          >
            <Status shape={step.shape} className="self-start text-ink2">
              {step.word()}
            </Status>
            <span className="min-w-0">
              <span className="block font-medium">{person.person}</span>
              <span className="block text-small text-ink3">
                {person.at ? `${dateTime(person.at, props.zone)}, ${person.detail}` : person.detail}
              </span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** What was checked, and how it came out. */
export function Checks(props: { checks: Check[]; columns?: boolean }) {
  return (
    <ul className={props.columns ? '@4xl:columns-2 @4xl:gap-8' : ''}>
      {props.checks.map((check) => (
        <li
          key={check.label}
          className="flex min-h-7 break-inside-avoid items-start gap-2 border-b border-line py-1 last:border-b-0"
        >
          <span className="pt-0.5">
            <StatusIcon shape={levelShape(check.level)} />
          </span>
          <span className="sr-only">{levelWord(check.level)}: </span>
          <span className="shrink-0">{check.label}</span>
          <span
            className={`ml-auto min-w-0 text-right ${check.level === 'BLOCK' ? 'text-danger' : check.level === 'CHECK' || check.level === 'UNKNOWN' ? 'text-warn' : 'text-ink2'}`}
          >
            {check.detail}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** The operation of a leg in words, with the warning that a delegate call deserves. */
export function Operation(props: { leg: LegView }) {
  return props.leg.operation === 1 ? (
    <Status shape="check">{t('Delegate call')}</Status>
  ) : (
    <Status shape="note">{t('Plain call')}</Status>
  );
}

function Leg(props: {
  batch: BatchDetail;
  leg: LegView;
  canSign: boolean;
  owner: string | null;
  zone: string;
}) {
  const { leg, batch } = props;
  return (
    <li className="border-b border-line py-2 last:border-b-0">
      <div className="flex items-center justify-between gap-2">
        <span className="font-semibold">
          {t('Leg {leg}', { leg: leg.index })}{' '}
          {leg.nonce === null ? null : (
            <span className="font-normal text-ink3">
              {t('nonce {nonce}', { nonce: leg.nonce })}
            </span>
          )}
        </span>
        <Operation leg={leg} />
      </div>
      <p className="py-0.5 text-ink2">{leg.sentence}</p>
      <Address address={leg.target} two />
      <div className="mt-1.5 flex flex-wrap items-center justify-between gap-2">
        <State state={leg.state} />
        <span className="text-small text-ink3">
          {t('{given} of {needed} signatures', {
            given: leg.signatures.length,
            needed: leg.threshold,
          })}
        </span>
        {props.canSign ? (
          <LinkButton
            to="/batches/$id/sign/$leg"
            params={{ id: batch.summary.id, leg: String(leg.index) }}
          >
            {t('Sign leg {leg}…', { leg: leg.index })}
          </LinkButton>
        ) : null}
      </div>
      <Rejection batchId={batch.summary.id} leg={leg} owner={props.owner} zone={props.zone} />
      {leg.txHash ? (
        <p className="mt-1 text-small text-ink3">
          {leg.block === null
            ? t('Sent as')
            : t('In block {block} as', { block: countText(leg.block) })}{' '}
          <PlainHash hash={leg.txHash} />
          {leg.confirmations
            ? ` ${t('{given} of {needed} confirmations', { given: leg.confirmations[0], needed: leg.confirmations[1] })}`
            : null}
        </p>
      ) : null}
    </li>
  );
}

function LegFields(props: { leg: LegView; zone: string }) {
  const { leg } = props;
  return (
    <section className="border-t border-line2 pt-2">
      <SectionHead title={t('Leg {leg}', { leg: leg.index })} level={3}>
        <State state={leg.state} />
      </SectionHead>
      <Facts
        rows={[
          { name: t('Target'), value: <Address address={leg.target} /> },
          { name: t('Name'), value: leg.targetName ?? t('not a published contract') },
          {
            name: t('Operation'),
            value:
              leg.operation === 1
                ? t('1, delegate call')
                : t('{operation}, call', { operation: leg.operation }),
          },
          { name: t('Nonce'), value: leg.nonce ?? t('allocated when signing opens') },
          { name: t('Refund'), value: leg.refund },
          {
            name: t('Pays'),
            value: leg.totals.map((total) => (
              <div key={total.asset.symbol}>
                <MoneyText money={total} strong />
              </div>
            )),
          },
        ]}
      />
      {leg.hashes ? (
        <div className="grid gap-4 py-2 sm:grid-cols-2">
          <div>
            <p className="font-semibold">{t('Domain hash')}</p>
            <DeviceHash hash={leg.hashes.domainHash} />
          </div>
          <div>
            <p className="font-semibold">{t('Message hash')}</p>
            <DeviceHash hash={leg.hashes.messageHash} />
          </div>
          <div className="sm:col-span-2">
            <p className="font-semibold">{t('Safe transaction hash')}</p>
            <PlainHash hash={leg.hashes.safeTxHash} />
          </div>
        </div>
      ) : (
        <p className="py-2 text-ink3">
          {t('The hashes exist once the nonce is known: when signing opens.')}
        </p>
      )}
      {leg.signatures.length > 0 ? (
        <ul aria-label={t('Signatures of leg {leg}', { leg: leg.index })}>
          {leg.signatures.map((one) => (
            <li
              key={one.owner}
              className="flex flex-wrap items-center gap-x-3 border-t border-line py-1"
            >
              <Status shape="signed">{one.person}</Status>
              <Address address={one.owner} />
              <span className="text-small text-ink3">
                {one.keyKind === 'LEDGER' ? t('Ledger') : t('software key')},{' '}
                {dateTime(one.at, props.zone)}
              </span>
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function Fields(props: { batch: BatchDetail; zone: string; open: boolean; onClose: () => void }) {
  const { batch } = props;
  return (
    <Dialog title={t('Fields and hashes')} open={props.open} onClose={props.onClose} wide>
      <div
        className="flex max-h-[60vh] flex-col gap-3 overflow-auto"
        tabIndex={0}
        role="region"
        aria-label={t('Fields and hashes')}
      >
        <Facts
          rows={[
            {
              name: t('Safe'),
              value: `${batch.safe.name}, ${batch.safe.chain} (${batch.safe.chainId}), ${batch.safe.version}`,
            },
            { name: t('Address'), value: <Address address={batch.safe.address} /> },
            {
              name: t('Content'),
              value: batch.contentHash ? (
                <PlainHash hash={batch.contentHash} />
              ) : (
                t('has no hash before it is submitted')
              ),
            },
            ...(batch.file
              ? [
                  { name: t('File'), value: `${batch.file.name}, ${batch.file.period}` },
                  { name: t('SHA-256'), value: <PlainHash hash={batch.file.sha256} /> },
                ]
              : []),
          ]}
        />
        {batch.legs.map((leg) => (
          <LegFields key={leg.index} leg={leg} zone={props.zone} />
        ))}
      </div>
      <DialogFoot>
        <Button onPress={props.onClose}>{t('Close')}</Button>
      </DialogFoot>
    </Dialog>
  );
}

/** Lines shown in full before the rest is counted. */
const STOPPED_SHOWN = 4;

/** What stops lines, what it means, and what to do. */
function Stopped(props: { batch: BatchDetail }) {
  const stopped = stoppedLines(props.batch.lines);
  if (stopped.length === 0) return null;
  const more = stopped.length - STOPPED_SHOWN;
  return (
    <section>
      <SectionHead title={t('Stopped lines')}>{stopped.length}</SectionHead>
      <ul>
        {stopped.slice(0, STOPPED_SHOWN).map((line) => {
          const block = line.warnings.find((one) => one.level === 'BLOCK');
          return (
            <li key={line.id} className="border-b border-line py-1.5 last:border-b-0">
              <span className="flex gap-2">
                <span className="pt-0.5">
                  <StatusIcon shape={levelShape('BLOCK')} />
                </span>
                <span className="min-w-0">
                  <span className="block font-medium text-danger">
                    {t('Line {line}', { line: line.line })}
                    {block ? `: ${block.title}` : null}
                  </span>
                  {line.mark && !(block && line.mark.includes(block.title)) ? (
                    <span className="block">{line.mark}</span>
                  ) : null}
                  {block ? (
                    <>
                      <span className="block">{block.detail}</span>
                      <span className="block text-small text-ink3">{block.advice}</span>
                    </>
                  ) : null}
                </span>
              </span>
            </li>
          );
        })}
      </ul>
      {more > 0 ? <p className="text-small text-ink3">{t('and {more} more', { more })}</p> : null}
    </section>
  );
}

/** Signatures of the Safe that the chain may still take: bearer cheques until their nonces are used. */
function LiveSignatures(props: { safeId: string; zone: string }) {
  const query = useRead('safe_signatures', null, { fresh: 10_000 });
  const live = query.data?.filter((one) => one.safeId === props.safeId) ?? [];
  return (
    <section>
      <SectionHead title={t('Signatures that are out')} />
      {query.isError ? <p className="text-warn">{query.error.message}</p> : null}
      {query.data && live.length === 0 ? (
        <p className="text-ink3">{t('Nothing of this Safe is signed and not executed.')}</p>
      ) : null}
      <ul>
        {live.map((one) => (
          <li key={one.safeTxHash} className="border-b border-line py-1.5 last:border-b-0">
            <span className="flex items-center justify-between gap-2">
              <span className="font-medium">
                {t('Nonce {nonce}', { nonce: one.nonce })}{' '}
                <span className="font-normal text-ink3">
                  {one.isRejection
                    ? t('rejection of batch {batch}, leg {leg}', { batch: one.batch, leg: one.leg })
                    : t('batch {batch}, leg {leg}', { batch: one.batch, leg: one.leg })}
                </span>
              </span>
              <State state={one.state} />
            </span>
            {one.signers.map((signer) => (
              <span key={signer.owner} className="block text-small">
                <span className={signer.leftAt ? 'text-warn' : 'text-ink2'}>
                  {signer.leftAt
                    ? t('{person}, who left on {at}', {
                        person: signer.person,
                        at: dateTime(signer.leftAt, props.zone),
                      })
                    : signer.person}
                </span>{' '}
                <span className="text-ink3">{dateTime(signer.at, props.zone)}</span>
              </span>
            ))}
            <PlainHash hash={one.safeTxHash} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The column beside the lines: people, legs, checks. */
export function BatchSide(props: {
  batch: BatchDetail;
  zone: string;
  legsToSign: readonly number[];
  owner: string | null;
  onCancel: () => void;
}) {
  const { batch } = props;
  const [fields, setFields] = useState(false);
  const [given, needed] = batch.approvals;
  const cancel = batch.allowed.find((one) => one.name === 'CANCEL');
  return (
    <div className="flex flex-col gap-2 px-4 py-2">
      <Stopped batch={batch} />
      <section>
        <SectionHead title={t('Approvals')}>
          {t('{given} of {needed}', { given, needed })}
        </SectionHead>
        <p className="text-small text-ink3">{batch.policy}</p>
        <People people={batch.people} zone={props.zone} />
        {cancel?.enabled ? (
          <Button server look="quiet" className="-ml-1.5" onPress={props.onCancel}>
            {t('Cancel batch…')}
          </Button>
        ) : null}
      </section>
      <section>
        <SectionHead title={t('Legs')}>
          <Button look="quiet" onPress={() => setFields(true)}>
            {t('Fields and hashes')}
          </Button>
        </SectionHead>
        {batch.legs.length === 0 ? (
          <p className="text-ink3">{t('The plan is made when the batch is submitted.')}</p>
        ) : (
          <ul>
            {batch.legs.map((leg) => (
              <Leg
                key={leg.index}
                batch={batch}
                leg={leg}
                canSign={props.legsToSign.includes(leg.index)}
                owner={props.owner}
                zone={props.zone}
              />
            ))}
          </ul>
        )}
      </section>
      <section>
        <SectionHead title={t('Checks')} />
        {batch.checks.length === 0 ? (
          <p className="text-ink3">{t('Nothing is checked before the batch is submitted.')}</p>
        ) : (
          <Checks checks={batch.checks} />
        )}
      </section>
      <Apart batch={batch} />
      <LiveSignatures safeId={batch.safe.id} zone={props.zone} />
      <Fields batch={batch} zone={props.zone} open={fields} onClose={() => setFields(false)} />
    </div>
  );
}
