import { valibotResolver } from '@hookform/resolvers/valibot';
import { useNavigate } from '@tanstack/react-router';
import { Controller, useForm } from 'react-hook-form';
import * as v from 'valibot';
import { useDo, useRead } from '../../backend/use';
import { Button } from '../../kit/button';
import { Choice, TextField } from '../../kit/field';
import { PageHead, WithSide } from '../../kit/layout';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Waiting } from '../../kit/states';
import { useScreen } from '../../routes/screen';
import { PayableGrid } from '../commission/payable';
import { useSession } from '../session/session';
import { safeOptions } from './from-file';

const FromCommissions = v.object({
  safeId: v.pipe(v.string(), v.minLength(1, 'Choose the Safe that pays')),
  title: v.pipe(
    v.string(),
    v.trim(),
    v.minLength(1, 'Give it a title, so that others find it'),
    v.maxLength(120, 'At most 120 characters'),
  ),
});

function MakeForm(props: { rows: number }) {
  const session = useSession();
  const navigate = useNavigate();
  const safes = useRead('safe_list', null);
  const { control, handleSubmit } = useForm({
    resolver: valibotResolver(FromCommissions),
    defaultValues: { safeId: '', title: '' },
  });
  const make = useDo('batch_from_commissions', {
    onDone: ({ id }) => void navigate({ to: '/batches/$id', params: { id } }),
  });
  const off = !session.permissions.includes('create_batch')
    ? t('Needs the permission "create_batch"')
    : props.rows === 0
      ? t('Nothing is payable')
      : null;
  return (
    <form
      className="flex flex-col gap-4 p-4"
      onSubmit={(event) => void handleSubmit((values) => make.mutate(values))(event)}
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
      {make.isError ? <InlineFailure error={make.error} /> : null}
      <div>
        <Button
          server
          look="primary"
          type="submit"
          off={off}
          busy={make.isPending ? t('Making the batch') : null}
        >
          {t('{rows, plural, one {Make a batch of # payment} other {Make a batch of # payments}}', {
            rows: props.rows,
          })}
        </Button>
      </div>
      <p className="text-small text-ink3">
        {t(
          'What is payable when the core makes the batch goes into it, each commission at most once. It starts as a draft.',
        )}
      </p>
    </form>
  );
}

/** Everything payable becomes one batch. */
export function NewFromCommissionsScreen() {
  useScreen([{ label: t('Batches'), to: '/batches' }, { label: t('From commissions') }]);
  const payable = useRead('commission_payable', null);
  return (
    <>
      <PageHead
        title={t('New batch from commissions')}
        below={t('Netted per affiliate and asset; each commission is in at most one live batch')}
      />
      {payable.isPending ? <Waiting what={t('Reading payable commissions')} /> : null}
      {payable.isError && !payable.data ? (
        <Failure error={payable.error} onRetry={() => void payable.refetch()} />
      ) : null}
      {payable.data ? (
        <WithSide table label={t('Make the batch')} side={<MakeForm rows={payable.data.length} />}>
          <PayableGrid rows={payable.data} />
        </WithSide>
      ) : null}
    </>
  );
}
