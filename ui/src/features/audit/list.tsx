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
import { auditColumns } from './columns';
import { TrailState } from './state';

function Trail() {
  const zone = useSession().program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => auditColumns(zone), [zone]);
  const pages = usePages('audit_list', {
    name: 'audit',
    label: t('Audit trail'),
    whole: t('Everything, newest first'),
    columns,
    aside: ['text', 'about'],
    presets: [
      { name: t('Approvals'), filters: [{ column: 'action', test: 'has', values: ['approved'] }] },
      {
        name: t('Two-person changes'),
        filters: [{ column: 'action', test: 'has', values: ['change.'] }],
      },
      {
        name: t('Signatures and sending'),
        filters: [{ column: 'action', test: 'has', values: ['leg.', 'rejection.', 'signatures.'] }],
      },
      {
        name: t('What left the house'),
        filters: [{ column: 'action', test: 'has', values: ['export.', 'carried'] }],
      },
    ],
  });
  const { table } = pages;
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all}', {
          shown: count(table.size.shown),
          all: count(table.size.all),
        })}
      />
      {pages.isPending ? <Waiting what={t('Reading the audit trail')} /> : null}
      {pages.error ? <Failure error={pages.error} onRetry={pages.refetch} /> : null}
      {pages.isPending || pages.error ? null : (
        <Grid
          table={table}
          keyOf={(row) => row.id}
          onOpen={(row) => void navigate({ to: '/audit/$id', params: { id: row.id } })}
          empty={
            <Notice shape="note" title={t('Nothing is on record yet')}>
              {t('Whatever people and machines do is written here in the same transaction.')}
            </Notice>
          }
          className="flex-1"
        />
      )}
    </>
  );
}

/** Who did what, when, and whether it is as it was sealed. */
export function AuditListScreen() {
  useScreen([{ label: t('Audit') }]);
  const may = useSession().permissions.includes('view_audit');
  return (
    <>
      <PageHead
        title={t('Audit')}
        beside={<span className="text-ink3">{t('who did what, sealed in a chain')}</span>}
      />
      {may ? (
        <>
          <TrailState />
          <Trail />
        </>
      ) : (
        <Notice shape="rejected" title={t('You may not read the audit trail')}>
          {t('It needs the permission "{permission}", which two people with manage_staff give.', {
            permission: 'view_audit',
          })}
        </Notice>
      )}
    </>
  );
}
