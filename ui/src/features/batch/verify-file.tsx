/** A batch file, rebuilt and verified on this machine; needs neither a database nor somebody signed in. */
import type { ReactNode } from 'react';
import { useDo } from '../../backend/use';
import type { BatchFileLeg, BatchFileView } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset, MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { widestFraction } from '../../kit/decimal';
import { DeviceHash, PlainHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead } from '../../kit/layout';
import { Qr } from '../../kit/qr';
import { t } from '../../kit/say';
import { Failure, Notice } from '../../kit/states';
import { Status } from '../../kit/status';
import { useScreen } from '../../routes/screen';

function names(people: readonly string[]): string {
  return people.length === 0
    ? t('nobody')
    : new Intl.ListFormat('en', { type: 'conjunction' }).format(people);
}

function Leg(props: { leg: BatchFileLeg }) {
  const { leg } = props;
  const slot = widestFraction(
    leg.lines.map((line) => ({ amount: line.money.amount, decimals: line.money.asset.decimals })),
  );
  return (
    <section className="border-t border-line2 pt-2">
      <SectionHead title={t('Leg {leg}, nonce {nonce}', { leg: leg.index, nonce: leg.nonce })}>
        <span className="flex flex-wrap gap-x-4 text-ink">
          {leg.totals.map((total) => (
            <MoneyText key={total.asset.symbol} money={total} strong />
          ))}
        </span>
      </SectionHead>
      <div className="flex flex-wrap gap-x-8 gap-y-4 pb-3">
        <Qr
          rows={leg.code.rows}
          label={t('Hashes of leg {leg} as a QR code', { leg: leg.index })}
        />
        <div className="grid flex-1 content-start gap-x-8 gap-y-4 @3xl:grid-cols-2">
          <div>
            <h3 className="font-semibold">{t('Domain hash')}</h3>
            <DeviceHash hash={leg.hashes.domainHash} />
          </div>
          <div>
            <h3 className="font-semibold">{t('Message hash')}</h3>
            <DeviceHash hash={leg.hashes.messageHash} />
          </div>
          <div className="@3xl:col-span-2">
            <h3 className="font-semibold">{t('Safe transaction hash')}</h3>
            <PlainHash hash={leg.hashes.safeTxHash} />
            <p className="text-small text-ink3">
              {t(
                'Whoever wrote the file names the nonce: compare this hash with a colleague’s screen before you sign.',
              )}
            </p>
          </div>
        </div>
      </div>
      <ol
        className="border-t border-line2"
        aria-label={t('Lines of leg {leg}', { leg: leg.index })}
      >
        {leg.lines.map((line) => (
          <li
            key={line.line}
            className="flex min-h-8 flex-wrap items-center gap-x-3 border-b border-line py-0.5"
          >
            <span className="w-8 shrink-0 text-right text-ink3">{line.line}</span>
            <span className="min-w-0 flex-1">
              <Address address={line.recipient} className="text-cap" />
              <span className="ml-3 text-small text-ink3">{line.reference}</span>
            </span>
            <Amount value={line.money.amount} decimals={line.money.asset.decimals} slot={slot} />
            <Asset asset={line.money.asset} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Verified(props: { view: BatchFileView }) {
  const { view } = props;
  return (
    <div className="flex flex-col gap-3 p-4">
      <div role="status">
        <Status shape="executed">
          {t('Lines, Safe, people and who wrote the file are verified from the pinned keys.')}
        </Status>
      </div>
      <Facts
        className="max-w-3xl"
        rows={[
          {
            name: t('Batch'),
            value: t('{number} of {program}, “{title}”, as the file names them', {
              number: view.number,
              program: view.program,
              title: view.title,
            }),
          },
          {
            name: t('Safe'),
            value: (
              <>
                <Address address={view.safe} />
                <span className="block text-ink3">
                  {t('on chain {chain}', { chain: view.chainId })}
                </span>
              </>
            ),
          },
          { name: t('Content'), value: <PlainHash hash={view.contentHash} /> },
          { name: t('Submitted'), value: t('by {people}', { people: names(view.submittedBy) }) },
          { name: t('Approved'), value: t('by {people}', { people: names(view.approvedBy) }) },
        ]}
      />
      {view.legs.map((leg) => (
        <Leg key={leg.index} leg={leg} />
      ))}
    </div>
  );
}

/** Chooses a batch file in the system's dialog and shows what this machine makes of it. */
export function VerifyFileScreen(props: { back?: ReactNode }) {
  const verify = useDo('batch_verify');
  useScreen([{ label: t('Batches'), to: '/batches' }, { label: t('Verify a file') }]);
  const failed = verify.isError && verify.error.code !== 'CANCELLED';
  return (
    <div className="@container flex min-h-0 flex-1 flex-col overflow-auto">
      <PageHead
        title={t('Verify a batch file')}
        below={verify.data ? <span className="font-mono">{verify.data.fileName}</span> : null}
        actions={
          <>
            {props.back}
            <Button
              look={verify.data ? 'default' : 'primary'}
              busy={verify.isPending ? t('Waiting for the file') : null}
              onPress={() => verify.mutate(null)}
            >
              {verify.data ? t('Choose another file…') : t('Choose a batch file…')}
            </Button>
          </>
        }
      />
      {failed ? (
        <Failure error={verify.error} title={t('This file is not to be signed')} />
      ) : verify.data && !verify.isPending ? (
        <Verified view={verify.data} />
      ) : (
        <Notice shape="note" title={t('Nothing in the file is believed')}>
          {t(
            'This machine rebuilds every Safe transaction from the lines and checks every person from the two identity keys that it pinned. It asks neither a database nor a network.',
          )}
        </Notice>
      )}
    </div>
  );
}
