import type { LegView, RejectionState } from '../../contract/types';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { type Shape, Status } from '../../kit/status';
import { dateTime } from '../../kit/time';

/** How far a rejection is, in a word. */
export function rejectionWord(state: RejectionState): { shape: Shape; word: string } {
  switch (state) {
    case 'ASKED':
      return { shape: 'pending', word: t('Rejection asked for') };
    case 'SIGNED':
      return { shape: 'signed', word: t('Rejection signed') };
    case 'EXECUTED':
      return { shape: 'rejected', word: t('Rejected on chain') };
    case 'OVERTAKEN':
      return { shape: 'note', word: t('Rejection came too late') };
  }
}

/** The rejection of a leg: who asked, why, who signed, and the way to sign it. */
export function Rejection(props: {
  batchId: string;
  leg: LegView;
  owner: string | null;
  zone: string;
}) {
  const { leg, owner } = props;
  const { rejection } = leg;
  if (!rejection) return null;
  const { shape, word } = rejectionWord(rejection.state);
  const open = rejection.state === 'ASKED' || rejection.state === 'SIGNED';
  const mine = rejection.signatures.some((one) => one.owner.toLowerCase() === owner?.toLowerCase());
  return (
    <div className="mt-1.5 border-l-2 border-line2 pl-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Status shape={shape}>{word}</Status>
        <span className="text-small text-ink3">
          {t('{given} of {needed} signatures', {
            given: rejection.signatures.length,
            needed: rejection.threshold,
          })}
        </span>
        {open && owner && !mine ? (
          <LinkButton
            to="/batches/$id/reject/$leg"
            params={{ id: props.batchId, leg: String(leg.index) }}
          >
            {t('Sign the rejection…')}
          </LinkButton>
        ) : null}
      </div>
      <p className="text-ink2">{rejection.reason}</p>
      <p className="text-small text-ink3">
        {rejection.askedBy}, {dateTime(rejection.askedAt, props.zone)}
        {rejection.signatures.length > 0
          ? `; ${t('signed by {people}', { people: rejection.signatures.map((one) => one.person).join(', ') })}`
          : null}
      </p>
    </div>
  );
}
