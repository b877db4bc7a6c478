/** How the key file is opened: a typed passphrase, or the one that this computer keeps. */
import { useDo } from '../../backend/use';
import type { SignWith } from '../../contract/types';
import { Button } from '../../kit/button';
import { TextField } from '../../kit/field';
import { t } from '../../kit/say';
import { InlineFailure } from '../../kit/states';
import { Status } from '../../kit/status';

/** What the person chose for their key file. */
export interface KeyFileChoice {
  passphrase: string;
  /** Have the computer keep it from now on. */
  keep: boolean;
  /** Type it although the computer keeps one. */
  type: boolean;
}

/** What crosses: the passphrase only where this computer does not keep it. */
export function keyFile(choice: KeyFileChoice, useKept: boolean): SignWith {
  return useKept
    ? { kind: 'SOFTWARE', passphrase: null, keep: false }
    : { kind: 'SOFTWARE', passphrase: choice.passphrase, keep: choice.keep };
}

export const NOTHING_TYPED: KeyFileChoice = { passphrase: '', keep: false, type: false };

/** The passphrase of the key file, or that this computer keeps it. */
export function KeyFile(props: {
  choice: KeyFileChoice;
  onChange: (choice: KeyFileChoice) => void;
  kept: boolean;
  locked: boolean;
  off: boolean;
  error: string | undefined;
}) {
  const { choice, onChange } = props;
  const forget = useDo('key_forget');
  if (props.kept && !choice.type) {
    return (
      <div>
        <span className="block font-semibold">{t('Passphrase of your key')}</span>
        <Status shape="note">{t('Kept in this computer’s key store')}</Status>
        {props.locked ? null : (
          <span className="-ml-1.5 flex flex-wrap">
            <Button look="quiet" onPress={() => onChange({ ...choice, type: true })}>
              {t('Type it')}
            </Button>
            <Button
              look="quiet"
              busy={forget.isPending ? t('Forgetting') : null}
              onPress={() => forget.mutate(null)}
            >
              {t('Forget it')}
            </Button>
          </span>
        )}
        {props.error ? <InlineFailure error={new Error(props.error)} /> : null}
        {forget.isError ? <InlineFailure error={forget.error} /> : null}
      </div>
    );
  }
  return (
    <div className="flex flex-col gap-1.5">
      <TextField
        label={t('Passphrase of your key')}
        type="password"
        autoComplete="off"
        value={choice.passphrase}
        onChange={(passphrase) => onChange({ ...choice, passphrase })}
        isReadOnly={props.locked}
        isDisabled={props.off}
        error={props.error}
      />
      <label className="flex min-h-6 items-center gap-2 text-small">
        <input
          type="checkbox"
          checked={choice.keep}
          disabled={props.locked || props.off}
          onChange={(event) => onChange({ ...choice, keep: event.target.checked })}
        />
        {t('Keep it in this computer’s key store')}
      </label>
    </div>
  );
}
