import { valibotResolver } from '@hookform/resolvers/valibot';
import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { Controller, useForm } from 'react-hook-form';
import * as v from 'valibot';
import { useDo, useRead } from '../../backend/use';
import type { FileError, FilePreview, Money, PreviewLine, SafeView } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { Button } from '../../kit/button';
import { widestFraction } from '../../kit/decimal';
import { Choice, TextField } from '../../kit/field';
import { ShortHash } from '../../kit/hash';
import { PageHead, SectionHead, WithSide } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Notice } from '../../kit/states';
import { stateLook } from '../../kit/status';
import { useScreen } from '../../routes/screen';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { useTableState } from '../../table/state';
import { useSession } from '../session/session';

/** Choices of a Safe, with where it is. */
export function safeOptions(safes: readonly SafeView[] | undefined) {
  return (safes ?? []).map((safe) => ({
    id: safe.id,
    label: safe.name,
    detail: t('{chain}, {threshold} of {owners}', {
      chain: safe.chain,
      threshold: safe.threshold,
      owners: safe.owners.length,
    }),
  }));
}

type KeyedError = FileError & { key: string };

const errorColumns: () => Column<KeyedError>[] = () => [
  {
    id: 'line',
    head: t('Line'),
    track: '5rem',
    end: true,
    cell: (error) => error.fileLine,
    compare: (a, b) => a.fileLine - b.fileLine,
    text: (error) => String(error.fileLine),
  },
  {
    id: 'field',
    head: t('Column'),
    track: '10rem',
    cell: (error) => <span className="font-mono text-small">{error.field ?? ''}</span>,
    text: (error) => error.field ?? '',
  },
  {
    id: 'message',
    head: t('What is wrong'),
    track: 'minmax(20rem, 1fr)',
    cell: (error) => error.message,
    text: (error) => error.message,
  },
];

/** Every bad line of a file; while there is one, nothing is made of it. */
export function FileErrors(props: { preview: FilePreview }) {
  const { preview } = props;
  const rows = useMemo<KeyedError[]>(
    () => preview.errors.map((error, index) => ({ ...error, key: `${error.fileLine} ${index}` })),
    [preview.errors],
  );
  const first = preview.errors[0]?.fileLine ?? 0;
  const columns = useMemo(errorColumns, []);
  const table = useTableState({
    name: 'file errors',
    label: t('Errors in {file}', { file: preview.fileName }),
    rows,
    columns,
  });
  const lines = new Set(preview.errors.map((error) => error.fileLine)).size;
  return (
    <>
      <Notice
        role="alert"
        shape="failed"
        title={t(
          '{lines, plural, one {Line {first} cannot be read} other {# lines cannot be read, the first is line {first}}}',
          { lines, first },
        )}
      >
        {t('Nothing is saved. Mend the file and choose it again.')} {t('File')}{' '}
        <span className="font-mono">{preview.fileName}</span>.
      </Notice>
      <Grid table={table} keyOf={(error) => error.key} className="flex-1 border-t border-line2" />
    </>
  );
}

function previewColumns(slot: number): Column<PreviewLine>[] {
  return [
    {
      id: 'line',
      head: t('Line'),
      track: '4rem',
      end: true,
      cell: (line) => <span className="text-ink3">{line.line}</span>,
      text: (line) => String(line.line),
    },
    {
      id: 'payee',
      head: t('Payee, reference, address'),
      track: 'minmax(22.5rem, 1fr)',
      cell: (line) => (
        <span className="min-w-0">
          {line.payee || line.reference ? (
            <span className="flex items-baseline gap-2">
              <span className="truncate font-medium">{line.payee}</span>
              <span className="truncate text-small text-ink3">{line.reference}</span>
            </span>
          ) : null}
          <Address address={line.recipient} />
        </span>
      ),
      text: (line) => [line.payee, line.reference, line.recipient].filter(Boolean).join(' '),
    },
    {
      id: 'amount',
      head: t('Amount'),
      track: 'max-content',
      end: true,
      cell: (line) => (
        <Amount value={line.money.amount} decimals={line.money.asset.decimals} slot={slot} />
      ),
      text: (line) => line.money.amount,
    },
    {
      id: 'asset',
      head: t('Asset'),
      track: '5rem',
      cell: (line) => <Asset asset={line.money.asset} />,
      text: (line) => line.money.asset.symbol,
    },
  ];
}

function Preview(props: { preview: FilePreview }) {
  const { preview } = props;
  const slot = widestFraction(
    [...preview.lines.map((line) => line.money), ...preview.totals].map((money: Money) => ({
      amount: money.amount,
      decimals: money.asset.decimals,
    })),
  );
  const columns = useMemo(() => previewColumns(slot), [slot]);
  const table = useTableState({
    name: 'file lines',
    label: t('Lines of {file}', { file: preview.fileName }),
    rows: preview.lines,
    columns,
  });
  return (
    <Grid
      table={table}
      keyOf={(line) => String(line.line)}
      rowRem={preview.lines.some((line) => line.payee || line.reference) ? 2.5 : 2}
      totals={preview.totals.map((total, index) => ({
        label:
          index === 0
            ? t('{lines, plural, one {# line} other {# lines}}', { lines: preview.lines.length })
            : '',
        cells: {
          amount: <Amount value={total.amount} decimals={total.asset.decimals} slot={slot} />,
          asset: <Asset asset={total.asset} />,
        },
      }))}
      className="flex-1"
    />
  );
}

const Import = v.object({
  safeId: v.pipe(v.string(), v.minLength(1, 'Choose the Safe that pays')),
  title: v.pipe(
    v.string(),
    v.trim(),
    v.minLength(1, 'Give it a title, so that others find it'),
    v.maxLength(120, 'At most 120 characters'),
  ),
  period: v.pipe(v.string(), v.trim(), v.minLength(1, 'Name the period that the file pays')),
});

/** The dates in a file's name, as a first guess at its period. */
export function periodOf(fileName: string): string {
  const dates = fileName.match(/\d{4}-\d{2}-\d{2}/g) ?? [];
  return dates.length > 1 ? `${dates[0]} to ${dates[1]}` : (dates[0] ?? '');
}

function ImportForm(props: { preview: FilePreview; onChoose: () => void }) {
  const { preview } = props;
  const navigate = useNavigate();
  const safes = useRead('safe_list', null);
  const { control, handleSubmit, formState } = useForm({
    resolver: valibotResolver(Import),
    defaultValues: { safeId: '', title: '', period: periodOf(preview.fileName) },
  });
  const make = useDo('batch_import', {
    onDone: ({ id }) => void navigate({ to: '/batches/$id', params: { id } }),
  });
  const lines = preview.lines.length;
  return (
    <form
      className="flex flex-col gap-4 p-4"
      onSubmit={(event) =>
        void handleSubmit((values) => make.mutate({ token: preview.token, ...values }))(event)
      }
    >
      <h2 className="text-section font-semibold">{t('Make the batch')}</h2>
      <Controller
        control={control}
        name="safeId"
        render={({ field, fieldState }) => (
          <Choice
            label={t('Safe that pays')}
            value={field.value || null}
            onChange={field.onChange}
            placeholder={t('Choose')}
            options={safeOptions(safes.data)}
            error={fieldState.error?.message}
          />
        )}
      />
      <Controller
        control={control}
        name="title"
        render={({ field, fieldState }) => (
          <TextField
            label={t('Title')}
            value={field.value}
            onChange={field.onChange}
            onBlur={field.onBlur}
            error={fieldState.error?.message}
          />
        )}
      />
      <Controller
        control={control}
        name="period"
        render={({ field, fieldState }) => (
          <TextField
            label={t('Period')}
            value={field.value}
            onChange={field.onChange}
            onBlur={field.onBlur}
            hint={t(
              'For example 2023-02-07 to 2023-02-14. The same file can be paid once per period.',
            )}
            error={fieldState.error?.message}
          />
        )}
      />
      {make.isError ? <InlineFailure error={make.error} /> : null}
      <div>
        <Button
          server
          look="primary"
          type="submit"
          off={
            preview.already
              ? t('This file is already batch {number}', { number: preview.already.number })
              : null
          }
          busy={make.isPending || formState.isSubmitting ? t('Making the batch') : null}
        >
          {t('{lines, plural, one {Make a batch of # line} other {Make a batch of # lines}}', {
            lines,
          })}
        </Button>
      </div>
      <p className="text-small text-ink3">
        {t(
          'It starts as a draft. Nothing is held or paid before it is submitted and two others agree.',
        )}
      </p>
    </form>
  );
}

function Already(props: { preview: FilePreview }) {
  const { already } = props.preview;
  if (!already) return null;
  return (
    <div className="border-b border-line2 bg-warn-soft">
      <Notice
        shape="check"
        title={t('This very file is already batch {number}', { number: already.number })}
        actions={
          <LinkButton to="/batches/$id" params={{ id: already.batchId }}>
            {t('Open batch {number}', { number: already.number })}
          </LinkButton>
        }
      >
        {t(
          'It is in the state "{state}", for the period {period}. Importing it again would pay twice, so the core refuses it.',
          {
            state: stateLook(already.state).word,
            period: already.period,
          },
        )}
      </Notice>
    </div>
  );
}

/** A payout file becomes a batch: chosen, read, shown, and only then made. */
export function NewFromFileScreen() {
  useScreen([{ label: t('Batches'), to: '/batches' }, { label: t('From a file') }]);
  const session = useSession();
  const choose = useDo('batch_choose_file');
  const preview = choose.data ?? null;
  const off = session.permissions.includes('create_batch')
    ? null
    : t('Needs the permission "create_batch"');
  const button = (
    <Button
      server
      look={preview ? 'default' : 'primary'}
      off={off}
      busy={choose.isPending ? t('Waiting for the file') : null}
      onPress={() => choose.mutate(null)}
    >
      {preview ? t('Choose another file…') : t('Choose a file…')}
    </Button>
  );
  const bad = preview !== null && preview.errors.length > 0;
  return (
    <>
      <PageHead
        title={t('New batch from a file')}
        below={
          preview ? (
            <>
              <span className="font-mono">{preview.fileName}</span>
              <span>
                {t('SHA-256')} <ShortHash hash={preview.sha256} />
              </span>
            </>
          ) : (
            t('CSV with a header: token_type, token_address, receiver, amount')
          )
        }
        actions={preview ? button : null}
      />
      {choose.isError ? (
        <Failure error={choose.error} title={t('The file could not be read')} />
      ) : null}
      {preview ? <Already preview={preview} /> : null}
      {!preview && !choose.isError ? (
        <Notice shape="draft" title={t('No file is chosen')} actions={button}>
          {choose.isSuccess ? `${t('You closed the file dialog; nothing was read.')} ` : null}
          {t(
            'Every line is checked before anything is saved: the address and its checksum, the asset, and the amount to the last digit. One bad line stops the whole file.',
          )}
        </Notice>
      ) : null}
      {bad && preview ? <FileErrors preview={preview} /> : null}
      {preview && !bad ? (
        <WithSide
          table
          label={t('Make the batch')}
          side={
            <ImportForm
              key={preview.token}
              preview={preview}
              onChoose={() => choose.mutate(null)}
            />
          }
        >
          <div className="px-4">
            <SectionHead title={t('What the file pays')} count={preview.lines.length} />
          </div>
          <Preview preview={preview} />
        </WithSide>
      ) : null}
    </>
  );
}
