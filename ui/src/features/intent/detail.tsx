import { useState } from 'react';
import { useDo, useRead } from '../../backend/use';
import type { CommissionView, IntentDetail, SettlementView } from '../../contract/types';
import { MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { TextField } from '../../kit/field';
import { PlainHash, ShortHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead, WithSide } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Notice, Waiting } from '../../kit/states';
import { State } from '../../kit/status';
import { useScreen } from '../../routes/screen';
import { REASON_LEAST, reasonShort } from '../freeze/dialog';
import { commissionWord, percent } from '../commission/words';
import { At } from '../session/at';
import { kindWord } from './columns';

function ReviveDialog(props: { detail: IntentDetail; open: boolean; onClose: () => void }) {
  const { intent } = props.detail;
  const [reason, setReason] = useState('');
  const revive = useDo('intent_revive', { onDone: props.onClose });
  return (
    <Dialog
      title={t('Send {key} through again', { key: intent.key })}
      open={props.open}
      onClose={props.onClose}
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (!reasonShort(reason)) revive.mutate({ ids: [intent.id], reason: reason.trim() });
        }}
      >
        <p className="text-ink2">
          {t(
            'A worker tries it from the beginning, with the same body and under the same key: it cannot take effect twice. What made it fail has to be mended first.',
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
        {revive.isError ? <InlineFailure error={revive.error} /> : null}
        <DialogFoot>
          <Button onPress={props.onClose}>{t('Leave it dead')}</Button>
          <Button
            server
            look="primary"
            type="submit"
            off={
              reasonShort(reason)
                ? t('Needs a reason of {least} characters', { least: REASON_LEAST })
                : null
            }
            busy={revive.isPending ? t('Reviving') : null}
          >
            {t('Send it through again')}
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

function Settlement(props: { settlement: SettlementView }) {
  const { settlement } = props;
  return (
    <Facts
      rows={[
        { name: t('State'), value: <State state={settlement.state} /> },
        { name: t('Amount'), value: <MoneyText money={settlement.money} strong /> },
        { name: t('Rail'), value: settlement.rail },
        { name: t('Happened'), value: <At at={settlement.occurredAt} /> },
        ...(settlement.confirmedAt
          ? [{ name: t('Confirmed'), value: <At at={settlement.confirmedAt} /> }]
          : []),
        ...(settlement.txHash
          ? [{ name: t('Chain'), value: <ShortHash hash={settlement.txHash} /> }]
          : []),
      ]}
    />
  );
}

function Commissions(props: { rows: CommissionView[] }) {
  return (
    <table className="w-full">
      <thead>
        <tr className="border-b border-line2 bg-sunk text-left text-small font-medium text-ink3">
          <th className="px-2 py-1 font-medium">{t('Commission')}</th>
          <th className="px-2 py-1 font-medium">{t('Affiliate')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('Amount')}</th>
          <th className="px-2 py-1 font-medium">{t('State')}</th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row) => (
          <tr key={row.id} className="border-b border-line">
            <td className="px-2 py-1.5">
              <TextLink to="/commissions/$id" params={{ id: row.id }}>
                {t('{kind}, {percent} %', {
                  kind: commissionWord(row.kind),
                  percent: percent(row.rate),
                })}
              </TextLink>
            </td>
            <td className="px-2 py-1.5">{row.affiliate}</td>
            <td className="px-2 py-1.5 text-right">
              <MoneyText money={row.money} slot={row.money.asset.decimals} />
            </td>
            <td className="px-2 py-1.5">
              <State state={row.state} />
              {row.batchId ? (
                <TextLink
                  to="/batches/$id"
                  params={{ id: row.batchId }}
                  className="block pl-5.5 text-small text-accent"
                >
                  {t('Open its batch')}
                </TextLink>
              ) : (
                <span className="block pl-5.5 text-small text-ink3">
                  {t('from')} <At at={row.payableFrom} />
                </span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Effects(props: { detail: IntentDetail }) {
  const { detail } = props;
  const none = !detail.settlement && detail.commissions.length === 0;
  return (
    <div className="flex flex-col gap-1 overflow-auto px-4 pb-4">
      <SectionHead title={t('What came of it')} />
      {none ? (
        <Notice
          shape={detail.intent.state === 'COMPLETED' ? 'note' : 'pending'}
          title={
            detail.intent.state === 'COMPLETED'
              ? t('It moved no money')
              : t('Nothing came of it yet')
          }
          className="px-0"
        >
          {detail.intent.error ?? t('Its effects are written together with its completion.')}
        </Notice>
      ) : null}
      {detail.settlement ? <Settlement settlement={detail.settlement} /> : null}
      {detail.commissions.length > 0 ? (
        <>
          <SectionHead title={t('Commissions')} count={detail.commissions.length} level={3} />
          <Commissions rows={detail.commissions} />
        </>
      ) : null}
      {detail.transfers.length > 0 ? (
        <>
          <SectionHead title={t('Ledger entries')} count={detail.transfers.length} level={3} />
          <Facts
            rows={detail.transfers.map((one) => ({
              name: <MoneyText money={one.money} />,
              value: (
                <span className="font-mono text-small">
                  {t('{debit} to {credit}', { debit: one.debit, credit: one.credit })}
                </span>
              ),
            }))}
            wide
          />
        </>
      ) : null}
      <SectionHead title={t('As the platform wrote it')} level={3} />
      <pre className="overflow-auto border border-line bg-sunk p-2 font-mono text-small">
        {detail.payload}
      </pre>
      <p className="text-small text-ink3">
        {t('Fingerprint')} <PlainHash hash={detail.fingerprint} />
      </p>
    </div>
  );
}

function Timeline(props: { detail: IntentDetail }) {
  const { detail } = props;
  return (
    <div className="p-4">
      <SectionHead title={t('Timeline')} />
      <ol className="flex flex-col">
        {detail.timeline.map((event, index) => (
          <li key={index} className="border-b border-line py-1.5 last:border-b-0">
            <span className="flex justify-between gap-2">
              <strong className="font-semibold">{event.what}</strong>
              <span className="text-small">
                <At at={event.at} />
              </span>
            </span>
            {event.detail ? (
              <span className="block text-small text-ink2">{event.detail}</span>
            ) : null}
          </li>
        ))}
      </ol>
      {detail.nextAttemptAt ? (
        <p className="pt-2 text-small text-ink2">
          {t('Tried again')} <At at={detail.nextAttemptAt} />
        </p>
      ) : null}
      <Facts
        rows={[
          { name: t('Kind'), value: kindWord(detail.intent.kind) },
          ...(detail.user ? [{ name: t('User'), value: detail.user }] : []),
          { name: t('Attempts'), value: detail.intent.attempts },
          {
            name: t('Key'),
            value: <span className="font-mono text-small break-all">{detail.intent.key}</span>,
          },
          { name: t('Id'), value: <PlainHash hash={detail.intent.id} /> },
        ]}
        className="pt-4"
      />
    </div>
  );
}

/** One intent: what was asked, what was tried, what came of it. */
export function IntentScreen(props: { id: string }) {
  const query = useRead('intent_get', { id: props.id }, { every: 2_000 });
  const [reviving, setReviving] = useState(false);
  const detail = query.data;
  useScreen([
    { label: t('Intents'), to: '/intents' },
    { label: detail?.intent.key ?? t('Intent') },
  ]);
  if (query.isError && !detail)
    return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!detail) return <Waiting what={t('Reading the intent')} />;
  const { intent } = detail;
  return (
    <>
      <PageHead
        title={kindWord(intent.kind)}
        beside={
          <>
            <span className="font-mono">{intent.key}</span>
            <State state={intent.state} />
          </>
        }
        actions={
          intent.state === 'DEAD' ? (
            <Button server off={detail.reviveOff} onPress={() => setReviving(true)}>
              {t('Send through again…')}
            </Button>
          ) : null
        }
      />
      <WithSide label={t('Timeline')} side={<Timeline detail={detail} />}>
        <Effects detail={detail} />
      </WithSide>
      <ReviveDialog detail={detail} open={reviving} onClose={() => setReviving(false)} />
    </>
  );
}
