import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { Button } from '../../kit/button';
import { PageHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { count } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import { Grid } from '../../table/grid';
import { usePages } from '../../table/pages';
import { useSession } from '../session/session';
import { payeeColumns } from './columns';
import { BookFiles } from './file';
import { ProposeDialog } from './propose';

/** The payee book. */
export function PayeeListScreen(props: { proposing: boolean; onPropose: (open: boolean) => void }) {
  useScreen([{ label: t('Payees') }]);
  const session = useSession();
  const zone = session.program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => payeeColumns(zone), [zone]);
  const pages = usePages('payee_list', {
    name: 'payees',
    label: t('Payees'),
    whole: t('The whole book'),
    columns,
    aside: ['address', 'version', 'changedAt'],
    presets: [
      { name: t('Cooling down'), filters: [{ column: 'state', test: 'is', values: ['COOLING'] }] },
      { name: t('Blocked'), filters: [{ column: 'state', test: 'is', values: ['BLOCKED'] }] },
      {
        name: t('Never paid there'),
        filters: [{ column: 'payments', test: 'atMost', values: ['0'] }],
      },
      {
        name: t('With a change that waits'),
        filters: [{ column: 'waiting', test: 'is', values: ['YES'] }],
      },
    ],
  });
  const { table } = pages;
  const off = session.permissions.includes('manage_payees')
    ? null
    : t('Needs the permission "{permission}"', { permission: 'manage_payees' });
  return (
    <>
      <PageHead
        title={t('Payees')}
        beside={<span className="text-ink3">{t('who is paid, and where')}</span>}
        actions={
          <>
            <BookFiles
              importOff={off}
              exportOff={
                session.permissions.includes('export')
                  ? null
                  : t('Needs the permission "{permission}"', { permission: 'export' })
              }
            />
            <Button look="primary" off={off} onPress={() => props.onPropose(true)}>
              {t('New payee…')}
            </Button>
          </>
        }
      />
      <TableBar
        table={table}
        count={t('{shown} of {all}', {
          shown: count(table.size.shown),
          all: count(table.size.all),
        })}
      />
      {pages.isPending ? <Waiting what={t('Reading the payee book')} /> : null}
      {pages.error ? <Failure error={pages.error} onRetry={pages.refetch} /> : null}
      {pages.isPending || pages.error ? null : (
        <Grid
          table={table}
          keyOf={(row) => row.id}
          rowRem={2.5}
          onOpen={(row) => void navigate({ to: '/payees/$id', params: { id: row.id } })}
          empty={
            <Notice shape="note" title={t('Nobody is in the book yet')}>
              {t(
                'Affiliates come into it with their registered wallet. Whoever is paid from files is proposed by one person and confirmed by another.',
              )}
            </Notice>
          }
          className="flex-1"
        />
      )}
      <ProposeDialog
        of={null}
        open={props.proposing && !off}
        onClose={() => props.onPropose(false)}
      />
    </>
  );
}
