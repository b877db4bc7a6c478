import { useState } from 'react';
import { useRead } from '../../backend/use';
import type { PayeeDetail, PayeePayment, PayeeVersion } from '../../contract/types';
import { Address, differingGroups } from '../../kit/address';
import { MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { PlainHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead, WithSide } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { State, Status } from '../../kit/status';
import { count } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { At } from '../session/at';
import { payeeKind, payeeLook } from './columns';
import { ProposeDialog } from './propose';

const HEAD = 'border-b border-line2 bg-sunk text-left text-small text-ink3';

function Versions(props: { rows: PayeeVersion[] }) {
  return (
    <table className="w-full">
      <thead>
        <tr className={HEAD}>
          <th className="w-12 px-2 py-1 text-right font-medium">{t('No.')}</th>
          <th className="px-2 py-1 font-medium">{t('Address')}</th>
          <th className="px-2 py-1 font-medium">{t('Since')}</th>
          <th className="px-2 py-1 font-medium">{t('Two people')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('Payments')}</th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row, index) => {
          const before = props.rows[index + 1];
          const apart = before ? differingGroups(before.address, row.address) : [];
          return (
            <tr
              key={row.version}
              className={`border-b border-line align-top ${index === 0 ? '' : 'text-ink2'}`}
            >
              <td className="px-2 py-1.5 text-right">{row.version}</td>
              <td className="px-2 py-1.5">
                <Address address={row.address} two marked={apart.length < 10 ? apart : []} />
                {index === 0 ? null : (
                  <span className="block text-small text-ink3">{t('given up')}</span>
                )}
              </td>
              <td className="px-2 py-1.5">
                <At at={row.changedAt} />
                <span className="block text-small text-ink3">
                  {t('payable from')} <At at={row.payableFrom} />
                </span>
              </td>
              <td className="px-2 py-1.5">
                <TextLink to="/changes/$id" params={{ id: row.changeId }}>
                  {row.proposer && row.confirmer
                    ? t('{first} and {second}', { first: row.proposer, second: row.confirmer })
                    : t('Open the change')}
                </TextLink>
                <span className="block text-small" title={row.proof.detail}>
                  <Status shape={row.proof.isProven ? 'executed' : 'incident'}>
                    {row.proof.isProven ? t('verified') : t('not verified')}
                  </Status>
                </span>
              </td>
              <td className="px-2 py-1.5 text-right">{count(row.payments)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Paid(props: { rows: PayeePayment[] }) {
  // One vertical line for the points of all of them.
  const slot = Math.max(...props.rows.map((row) => row.money.asset.decimals));
  return (
    <table className="w-full">
      <thead>
        <tr className={HEAD}>
          <th className="px-2 py-1 font-medium">{t('Batch')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('Line')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('Amount')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('To address')}</th>
          <th className="px-2 py-1 font-medium">{t('State')}</th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row) => (
          <tr key={`${row.batchId} ${row.line}`} className="border-b border-line">
            <td className="px-2 py-1.5">
              <TextLink to="/batches/$id" params={{ id: row.batchId }}>
                {t('{number}: {title}', { number: row.batch, title: row.title })}
              </TextLink>
            </td>
            <td className="px-2 py-1.5 text-right">{row.line}</td>
            <td className="px-2 py-1.5 text-right">
              <MoneyText money={row.money} slot={slot} />
            </td>
            <td className="px-2 py-1.5 text-right">
              {t('No. {version}', { version: row.version })}
            </td>
            <td className="px-2 py-1.5">
              <State state={row.state} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Body(props: { detail: PayeeDetail }) {
  const { detail } = props;
  const { payee } = detail;
  return (
    <div className="flex flex-col gap-1 overflow-auto px-4 pb-4">
      {detail.sanctions.map((entry) => (
        <Notice
          key={entry}
          shape="failed"
          title={t('A sanctions list names this address')}
          className="px-0"
        >
          {entry}. {t('Nobody can be paid there, whoever approves it.')}
        </Notice>
      ))}
      {detail.lookAlikes.map((like) => (
        <Notice
          key={like.address}
          shape="check"
          title={t('Looks like an address of {name}', { name: like.name })}
          className="px-0"
        >
          <span className="grid grid-cols-[5rem_1fr] gap-y-1">
            <span className="text-ink3">{t('Theirs')}</span>
            <Address address={like.address} />
            <span className="text-ink3">{t('This one')}</span>
            <Address
              address={payee.address}
              marked={differingGroups(like.address, payee.address)}
            />
          </span>
        </Notice>
      ))}
      <SectionHead title={t('Addresses')} count={detail.versions.length}>
        {t('newest first; marked is what changed')}
      </SectionHead>
      <Versions rows={detail.versions} />
      <SectionHead title={t('Lines in batches')} count={detail.paid.length} />
      {detail.paid.length > 0 ? (
        <Paid rows={detail.paid} />
      ) : (
        <Notice shape="note" title={t('No batch has a line to this payee')} className="px-0">
          {t('A first payment is shown to every signer as one.')}
        </Notice>
      )}
    </div>
  );
}

function Side(props: { detail: PayeeDetail }) {
  const { payee, coolingHours } = props.detail;
  return (
    <div className="p-4">
      <SectionHead title={t('Paid at')} />
      <Address address={payee.address} two />
      <Facts
        rows={[
          { name: t('Kind'), value: payeeKind(payee.kind) },
          { name: t('Since'), value: <At at={payee.changedAt} /> },
          {
            name: t('Payable'),
            value:
              payee.state === 'COOLING' ? (
                <>
                  {t('from')} <At at={payee.payableFrom} />
                </>
              ) : payee.state === 'BLOCKED' ? (
                t('never')
              ) : (
                t('now')
              ),
          },
          {
            name: t('First paid'),
            value: payee.firstPaidAt ? <At at={payee.firstPaidAt} /> : t('never to this address'),
          },
          { name: t('Payments'), value: count(payee.payments) },
          { name: t('Id'), value: <PlainHash hash={payee.id} /> },
        ]}
        className="pt-2"
      />
      <p className="pt-3 text-small text-ink3">
        {t('A changed address cools down for {hours} hours in this program.', {
          hours: coolingHours,
        })}
      </p>
    </div>
  );
}

/** One payee: every address it had, who signed them, and what was paid there. */
export function PayeeScreen(props: { id: string }) {
  const query = useRead('payee_get', { id: props.id }, { every: 2_000 });
  const [proposing, setProposing] = useState(false);
  const detail = query.data;
  useScreen([{ label: t('Payees'), to: '/payees' }, { label: detail?.payee.name ?? t('Payee') }]);
  if (query.isError && !detail)
    return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!detail) return <Waiting what={t('Reading the payee')} />;
  const { payee } = detail;
  const look = payeeLook(payee.state);
  return (
    <>
      <PageHead
        title={payee.name}
        beside={
          <>
            <Status shape={look.shape}>{look.word}</Status>
            <span className="text-ink3">{payeeKind(payee.kind)}</span>
          </>
        }
        actions={
          <Button off={detail.changeOff} onPress={() => setProposing(true)}>
            {t('Propose another address…')}
          </Button>
        }
      />
      {payee.waiting ? (
        <p className="flex items-center justify-between gap-4 border-b border-line2 bg-accent-soft px-4 py-2">
          <Status shape="pending">{t('Another address waits for its second person.')}</Status>
          <TextLink to="/changes/$id" params={{ id: payee.waiting }}>
            {t('Open the change')}
          </TextLink>
        </p>
      ) : null}
      <WithSide label={t('Paid at')} side={<Side detail={detail} />}>
        <Body detail={detail} />
      </WithSide>
      <ProposeDialog
        of={{
          id: payee.id,
          name: payee.name,
          address: payee.address,
          coolingHours: detail.coolingHours,
        }}
        open={proposing}
        onClose={() => setProposing(false)}
      />
    </>
  );
}
