import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useDo } from '../../backend/use';
import { Address, addressGroups, differingGroups } from '../../kit/address';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { TextField } from '../../kit/field';
import { t } from '../../kit/say';
import { InlineFailure } from '../../kit/states';

/** Whose address changes, and what it is now. */
export interface Changed {
  id: string;
  name: string;
  address: string;
  coolingHours: number;
}

function Form(props: { of: Changed | null; onClose: () => void }) {
  const { of } = props;
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [address, setAddress] = useState('');
  const propose = useDo('payee_propose', {
    onDone: ({ id }) => {
      props.onClose();
      void navigate({ to: '/changes/$id', params: { id } });
    },
  });
  const typed = address.trim();
  const groups = addressGroups(typed);
  const apart = of ? differingGroups(of.address, typed) : [];
  const missing =
    !of && name.trim() === ''
      ? t('Needs a name')
      : !groups
        ? t('Needs an address of 0x and 40 digits')
        : of && apart.length === 0
          ? t('It is the address of now')
          : null;
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (!missing)
          propose.mutate({ payeeId: of?.id ?? null, name: name.trim(), address: typed });
      }}
    >
      <p className="text-ink2">
        {of
          ? t(
              'Somebody else confirms it. Then it cools down for {hours} hours, and until that is over {name} is not paid at all.',
              { hours: of.coolingHours, name: of.name },
            )
          : t(
              'Somebody else confirms it. A first address can be paid at once, and signers are told that it is a first payment.',
            )}
      </p>
      {of ? null : (
        <TextField label={t('Name')} value={name} onChange={setName} maxLength={80} autoFocus />
      )}
      <TextField
        label={of ? t('New address') : t('Address')}
        aside={t('from the payee, over a channel that you trust')}
        value={address}
        onChange={setAddress}
        mono
        autoFocus={of !== null}
        hint={typed && !groups ? t('{length} of 42 characters', { length: typed.length }) : ' '}
      />
      {groups ? (
        <dl className="grid grid-cols-[6rem_1fr] gap-y-1 border border-line2 p-2">
          {of ? (
            <>
              <dt className="text-ink3">{t('Until now')}</dt>
              <dd>
                <Address address={of.address} two />
              </dd>
            </>
          ) : null}
          <dt className="text-ink3">{t('New')}</dt>
          <dd>
            <Address address={typed} two marked={apart.length < 10 ? apart : []} />
          </dd>
        </dl>
      ) : null}
      {propose.isError && propose.error.code !== 'CANCELLED' ? (
        <InlineFailure error={propose.error} />
      ) : null}
      <DialogFoot note={t('Your identity key signs the proposal.')}>
        <Button onPress={props.onClose}>{t('Leave it')}</Button>
        <Button
          look="primary"
          type="submit"
          off={missing}
          busy={propose.isPending ? t('Asking in a dialog of the system') : null}
        >
          {t('Propose…')}
        </Button>
      </DialogFoot>
    </form>
  );
}

/** Proposes a new payee, or another address of one. */
export function ProposeDialog(props: { of: Changed | null; open: boolean; onClose: () => void }) {
  return (
    <Dialog
      title={props.of ? t('Another address for {name}', { name: props.of.name }) : t('A new payee')}
      open={props.open}
      onClose={props.onClose}
    >
      <Form of={props.of} onClose={props.onClose} />
    </Dialog>
  );
}
