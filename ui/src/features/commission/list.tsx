import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { Amount, Asset } from '../../kit/amount';
import { PageHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { count } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import { Grid } from '../../table/grid';
import { usePages } from '../../table/pages';
import { useSession } from '../session/session';
import { commissionColumns } from './columns';

/** Every commission, and what those that are shown come to. */
export function CommissionListScreen() {
  useScreen([{ label: t('Commissions'), to: '/commissions' }, { label: t('One by one') }]);
  const zone = useSession().program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => commissionColumns(zone), [zone]);
  const pages = usePages('commission_list', {
    name: 'commissions',
    label: t('Commissions'),
    whole: t('All commissions'),
    columns,
    presets: [
      { name: t('Held'), filters: [{ column: 'state', test: 'is', values: ['ACCRUED'] }] },
      { name: t('Payable'), filters: [{ column: 'state', test: 'is', values: ['PAYABLE'] }] },
      {
        name: t('Taken back'),
        filters: [{ column: 'kind', test: 'is', values: ['CLAW_BACK'] }],
      },
    ],
  });
  const { table } = pages;
  return (
    <>
      <PageHead
        title={t('Commissions one by one')}
        beside={<span className="text-ink3">{t('what each sale earned whom')}</span>}
        actions={<LinkButton to="/affiliates">{t('Affiliates')}</LinkButton>}
      />
      <TableBar
        table={table}
        count={t('{shown} of {all}', {
          shown: count(table.size.shown),
          all: count(table.size.all),
        })}
      />
      {pages.isPending ? <Waiting what={t('Reading commissions')} /> : null}
      {pages.error ? <Failure error={pages.error} onRetry={pages.refetch} /> : null}
      {pages.isPending || pages.error ? null : (
        <Grid
          table={table}
          keyOf={(row) => row.id}
          onOpen={(row) => void navigate({ to: '/commissions/$id', params: { id: row.id } })}
          totals={(pages.answer?.totals ?? []).map((total, index) => ({
            label: index === 0 ? t('What is shown') : '',
            cells: {
              money: (
                <Amount value={total.amount} decimals={total.asset.decimals} slot={6} cut={6} />
              ),
              asset: <Asset asset={total.asset} />,
            },
          }))}
          empty={
            <Notice shape="note" title={t('Nobody earned a commission yet')}>
              {t(
                'A settled sale of a user whom an affiliate referred earns one by the rule in force.',
              )}
            </Notice>
          }
          className="flex-1"
        />
      )}
    </>
  );
}
