import { useState } from 'react';
import { useDo, useRead } from '../../backend/use';
import type { ChangeDetail, ChangeField } from '../../contract/types';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { TextField } from '../../kit/field';
import { PlainHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead, WithSide } from '../../kit/layout';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Notice, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';
import { useScreen } from '../../routes/screen';
import { REASON_LEAST, reasonShort } from '../freeze/dialog';
import { At } from '../session/at';
import { FieldValue } from './value';
import { changeLook, changeWord, fieldWord } from './words';

function WithdrawDialog(props: { detail: ChangeDetail; open: boolean; onClose: () => void }) {
  const { detail } = props;
  const [reason, setReason] = useState('');
  const withdraw = useDo('change_withdraw', { onDone: props.onClose });
  const act = detail.isMine ? t('Take it back') : t('Turn it down');
  return (
    <Dialog
      title={detail.isMine ? t('Take this proposal back') : t('Turn this proposal down')}
      open={props.open}
      onClose={props.onClose}
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (!reasonShort(reason))
            withdraw.mutate({ id: detail.change.id, reason: reason.trim() });
        }}
      >
        <p className="text-ink2">
          {t(
            'Nothing changes, and nobody can confirm it any more. If it is wanted after all, it is proposed again.',
          )}
        </p>
        <TextField
          label={t('Reason')}
          aside={t('for the others and the audit trail')}
          lines={3}
          value={reason}
          onChange={setReason}
          hint={reasonShort(reason) ?? ' '}
        />
        {withdraw.isError ? <InlineFailure error={withdraw.error} /> : null}
        <DialogFoot>
          <Button onPress={props.onClose}>{t('Leave it waiting')}</Button>
          <Button
            look="danger"
            type="submit"
            off={
              reasonShort(reason)
                ? t('Needs a reason of {least} characters', { least: REASON_LEAST })
                : null
            }
            busy={withdraw.isPending ? t('Withdrawing') : null}
          >
            {act}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

function Fields(props: { fields: ChangeField[]; waits: boolean }) {
  const replaces = props.fields.some((field) => field.was !== null);
  return (
    <table className="w-full">
      <thead>
        <tr className="border-b border-line2 bg-sunk text-left text-small text-ink3">
          <th className="w-44 px-2 py-1 font-medium">{t('Field')}</th>
          {replaces ? <th className="px-2 py-1 font-medium">{t('Until now')}</th> : null}
          <th className="px-2 py-1 font-medium">
            {props.waits ? t('After the confirmation') : t('As it was signed')}
          </th>
        </tr>
      </thead>
      <tbody>
        {props.fields.map((field) => (
          <tr key={field.name} className="border-b border-line align-top">
            <td className="px-2 py-1.5 text-ink3">{fieldWord(field.name)}</td>
            {replaces ? (
              <td className="px-2 py-1.5">
                {field.was === null ? null : (
                  <FieldValue value={field.was} beside={field.value} two />
                )}
              </td>
            ) : null}
            <td className="px-2 py-1.5 font-medium">
              <FieldValue value={field.value} beside={field.was} two={replaces} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Body(props: { detail: ChangeDetail }) {
  const { detail } = props;
  const waits = detail.change.state === 'WAITING';
  return (
    <div className="flex flex-col gap-1 overflow-auto px-4 pb-4">
      {detail.warnings.map((warning) => (
        <Notice key={warning} shape="check" title={t('Look before you sign')} className="px-0">
          {warning}
        </Notice>
      ))}
      {detail.reason ? (
        <Notice
          shape="rejected"
          title={t('Withdrawn by {person}', { person: detail.change.decider ?? '' })}
          className="px-0"
        >
          {detail.reason}
        </Notice>
      ) : null}
      <SectionHead title={t('What it says')} />
      <Fields fields={detail.fields} waits={waits} />
      <SectionHead title={t('The text that is signed')} level={3}>
        {t('letter for letter')}
      </SectionHead>
      <pre className="overflow-auto border border-line bg-sunk p-2 font-mono text-small whitespace-pre-wrap break-all">
        {detail.payload}
      </pre>
      <p className="text-small text-ink3">
        {t('SHA-256 of kind and text')} <PlainHash hash={detail.contentHash} />
      </p>
    </div>
  );
}

function Side(props: { detail: ChangeDetail }) {
  const { change, proof, permission } = props.detail;
  return (
    <div className="p-4">
      <SectionHead title={t('Two people')} />
      <Facts
        rows={[
          {
            name: t('First'),
            value: (
              <>
                <strong className="font-semibold">{change.proposer}</strong>
                <span className="block text-small">
                  {t('proposed')} <At at={change.proposedAt} />
                </span>
              </>
            ),
          },
          {
            name: t('Second'),
            value:
              change.decider && change.decidedAt ? (
                <>
                  <strong className="font-semibold">{change.decider}</strong>
                  <span className="block text-small">
                    {change.state === 'CONFIRMED' ? t('confirmed') : t('withdrew')}{' '}
                    <At at={change.decidedAt} />
                  </span>
                </>
              ) : (
                <span className="text-ink2">
                  {t('Anybody else with the permission "{permission}"', { permission })}
                </span>
              ),
          },
        ]}
      />
      {proof ? (
        <>
          <SectionHead title={t('Signatures')} />
          <Status shape={proof.isProven ? 'executed' : 'incident'}>
            {proof.isProven ? t('Verified on this machine') : t('Not verified')}
          </Status>
          <p className="pt-1 pl-5.5 text-small text-ink2">{proof.detail}</p>
        </>
      ) : null}
      <Facts
        rows={[
          { name: t('About'), value: change.isOfHouse ? t('the whole house') : t('this program') },
          { name: t('Needs'), value: <code className="font-mono text-small">{permission}</code> },
          { name: t('Id'), value: <PlainHash hash={change.id} /> },
        ]}
        className="pt-4"
      />
    </div>
  );
}

/** One change: what it says against what is in force, who proposed it, and the second person's part. */
export function ChangeScreen(props: { id: string }) {
  const query = useRead('change_get', { id: props.id }, { every: 2_000 });
  const confirm = useDo('change_confirm');
  const [withdrawing, setWithdrawing] = useState(false);
  const detail = query.data;
  const title = detail ? detail.change.subject || changeWord(detail.change.kind) : t('Change');
  useScreen([{ label: t('Changes'), to: '/changes' }, { label: title }]);
  if (query.isError && !detail)
    return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!detail) return <Waiting what={t('Reading the change')} />;
  const look = changeLook(detail.change.state);
  const waits = detail.change.state === 'WAITING';
  return (
    <>
      <PageHead
        title={title}
        beside={
          <>
            <Status shape={look.shape}>{look.word}</Status>
            <span className="text-ink3">{changeWord(detail.change.kind)}</span>
          </>
        }
        below={
          confirm.isError && confirm.error.code !== 'CANCELLED' ? (
            <InlineFailure error={confirm.error} />
          ) : null
        }
        actions={
          waits ? (
            <>
              <Button off={detail.withdrawOff} onPress={() => setWithdrawing(true)}>
                {detail.isMine ? t('Take it back…') : t('Turn it down…')}
              </Button>
              <Button
                look="primary"
                off={detail.confirmOff}
                busy={confirm.isPending ? t('Asking in a dialog of the system') : null}
                onPress={() =>
                  confirm.mutate({
                    changes: [{ id: detail.change.id, contentHash: detail.contentHash }],
                  })
                }
              >
                {t('Confirm…')}
              </Button>
            </>
          ) : null
        }
      />
      <WithSide label={t('Two people')} side={<Side detail={detail} />}>
        <Body detail={detail} />
      </WithSide>
      <WithdrawDialog detail={detail} open={withdrawing} onClose={() => setWithdrawing(false)} />
    </>
  );
}
