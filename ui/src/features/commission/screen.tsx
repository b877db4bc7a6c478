import { useRead } from '../../backend/use';
import { Button } from '../../kit/button';
import { PageHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { useServerOff } from '../../kit/server';
import { Failure, Waiting } from '../../kit/states';
import { useScreen } from '../../routes/screen';
import { useSession } from '../session/session';
import { PayableGrid } from './payable';

/** Commissions that can be paid now. */
export function CommissionScreen() {
  useScreen([{ label: t('Commissions') }]);
  const session = useSession();
  const payable = useRead('commission_payable', null, { every: 15_000 });
  const rows = payable.data ?? [];
  const serverOff = useServerOff();
  const off = !session.permissions.includes('create_batch')
    ? t('Needs the permission "create_batch"')
    : rows.length === 0
      ? t('Nothing is payable')
      : serverOff;
  return (
    <>
      <PageHead
        title={t('Commissions')}
        beside={
          <span className="text-ink3">{t('payable now, netted per affiliate and asset')}</span>
        }
        actions={
          <>
            <LinkButton to="/commissions/all">{t('One by one')}</LinkButton>
            {off ? (
              <Button look="primary" off={off}>
                {t('Make a batch…')}
              </Button>
            ) : (
              <LinkButton look="primary" to="/batches/new/commissions">
                {t('Make a batch…')}
              </LinkButton>
            )}
          </>
        }
      />
      {payable.isPending ? <Waiting what={t('Reading payable commissions')} /> : null}
      {payable.isError && !payable.data ? (
        <Failure error={payable.error} onRetry={() => void payable.refetch()} />
      ) : null}
      {payable.data ? <PayableGrid rows={rows} /> : null}
    </>
  );
}
