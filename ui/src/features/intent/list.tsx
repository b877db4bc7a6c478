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
import { intentColumns } from './columns';

/** Everything that platforms asked for, newest first. */
export function IntentListScreen() {
  useScreen([{ label: t('Intents') }]);
  const zone = useSession().program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => intentColumns(zone), [zone]);
  const pages = usePages('intent_list', {
    name: 'intents',
    label: t('Intents'),
    whole: t('All intents'),
    columns,
    aside: ['error'],
    presets: [
      {
        name: t('Waiting'),
        filters: [{ column: 'state', test: 'is', values: ['PENDING', 'LOCKED'] }],
      },
      {
        name: t('Failed or dead'),
        filters: [{ column: 'state', test: 'is', values: ['FAILED', 'DEAD'] }],
      },
    ],
  });
  const { table } = pages;
  return (
    <>
      <PageHead
        title={t('Intents')}
        beside={<span className="text-ink3">{t('what platforms asked for, each once')}</span>}
      />
      <TableBar
        table={table}
        count={t('{shown} of {all}', {
          shown: count(table.size.shown),
          all: count(table.size.all),
        })}
      />
      {pages.isPending ? <Waiting what={t('Reading intents')} /> : null}
      {pages.error ? <Failure error={pages.error} onRetry={pages.refetch} /> : null}
      {pages.isPending || pages.error ? null : (
        <Grid
          table={table}
          keyOf={(row) => row.id}
          rowRem={2.5}
          onOpen={(row) => void navigate({ to: '/intents/$id', params: { id: row.id } })}
          empty={
            <Notice shape="note" title={t('No platform wrote anything yet')}>
              {t(
                'A platform writes registrations, claims and sales with a login of its own; each is settled once.',
              )}
            </Notice>
          }
          className="flex-1"
        />
      )}
    </>
  );
}
