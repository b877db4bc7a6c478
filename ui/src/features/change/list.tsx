import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { PageHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { count } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import { Grid } from '../../table/grid';
import { usePages } from '../../table/pages';
import { useSession } from '../session/session';
import { changeColumns } from './columns';

/** What two people change together: what waits first. */
export function ChangeListScreen() {
  useScreen([{ label: t('Changes') }]);
  const zone = useSession().program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => changeColumns(zone), [zone]);
  const pages = usePages('change_list', {
    name: 'changes',
    label: t('Changes'),
    whole: t('What waits first'),
    columns,
    aside: ['text'],
    presets: [
      { name: t('Waiting'), filters: [{ column: 'state', test: 'is', values: ['WAITING'] }] },
      {
        name: t('Payees and affiliates'),
        filters: [
          {
            column: 'kind',
            test: 'is',
            values: ['payee.add', 'payee.address', 'affiliate.add', 'affiliate.set'],
          },
        ],
      },
      {
        name: t('People and keys'),
        filters: [
          {
            column: 'kind',
            test: 'is',
            values: [
              'staff.add',
              'staff.revoke',
              'identity_key.add',
              'grant.add',
              'grant.revoke',
              'machine.add',
              'machine.revoke',
            ],
          },
        ],
      },
    ],
  });
  const { table } = pages;
  return (
    <>
      <PageHead
        title={t('Changes')}
        beside={
          <span className="text-ink3">{t('proposed by one person, confirmed by another')}</span>
        }
      />
      <TableBar
        table={table}
        count={t('{shown} of {all}', {
          shown: count(table.size.shown),
          all: count(table.size.all),
        })}
      />
      {pages.isPending ? <Waiting what={t('Reading changes')} /> : null}
      {pages.error ? <Failure error={pages.error} onRetry={pages.refetch} /> : null}
      {pages.isPending || pages.error ? null : (
        <Grid
          table={table}
          keyOf={(row) => row.id}
          rowRem={2.5}
          onOpen={(row) => void navigate({ to: '/changes/$id', params: { id: row.id } })}
          empty={
            <Notice shape="note" title={t('Nobody changed anything yet')}>
              {t(
                'Payees, policies, rules, assets, Safes and people change only when one person proposes it and another confirms it.',
              )}
            </Notice>
          }
          className="flex-1"
        />
      )}
    </>
  );
}
