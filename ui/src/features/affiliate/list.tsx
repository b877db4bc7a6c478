import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { PageHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { count } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import { Grid } from '../../table/grid';
import { usePages } from '../../table/pages';
import { affiliateColumns } from './columns';

/** Who refers users, and earns by what they buy. */
export function AffiliateListScreen() {
  useScreen([{ label: t('Affiliates') }]);
  const navigate = useNavigate();
  const columns = useMemo(() => affiliateColumns(), []);
  const pages = usePages('affiliate_list', {
    name: 'affiliates',
    label: t('Affiliates'),
    whole: t('All affiliates'),
    columns,
    aside: ['wallet'],
    presets: [
      {
        name: t('Who earns nothing'),
        filters: [{ column: 'active', test: 'is', values: ['NO'] }],
      },
    ],
  });
  const { table } = pages;
  return (
    <>
      <PageHead
        title={t('Affiliates')}
        beside={<span className="text-ink3">{t('who refers users, and on what terms')}</span>}
        actions={<LinkButton to="/commissions/all">{t('Commissions one by one')}</LinkButton>}
      />
      <TableBar
        table={table}
        count={t('{shown} of {all}', {
          shown: count(table.size.shown),
          all: count(table.size.all),
        })}
      />
      {pages.isPending ? <Waiting what={t('Reading affiliates')} /> : null}
      {pages.error ? <Failure error={pages.error} onRetry={pages.refetch} /> : null}
      {pages.isPending || pages.error ? null : (
        <Grid
          table={table}
          keyOf={(row) => row.id}
          rowRem={2.5}
          onOpen={(row) => void navigate({ to: '/affiliates/$id', params: { id: row.id } })}
          empty={
            <Notice shape="note" title={t('Nobody refers users yet')}>
              {t('Two people add an affiliate with its wallet and its referral code.')}
            </Notice>
          }
          className="flex-1"
        />
      )}
    </>
  );
}
