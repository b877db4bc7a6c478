import { useNavigate } from '@tanstack/react-router';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { CaretRightIcon } from '@phosphor-icons/react';
import { useBackend, useRead } from '../../backend/use';
import type { ApiError, Profile } from '../../contract/types';
import { asApiError } from '../../backend/backend';
import { Button } from '../../kit/button';
import { TextField } from '../../kit/field';
import { TextLink } from '../../kit/link';
import { Mark } from '../../kit/mark';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Notice, Waiting } from '../../kit/states';
import { StatusIcon } from '../../kit/status';
import { initials } from './session';

function ProfileRow(props: {
  profile: Profile;
  asking: boolean;
  busy: boolean;
  onChoose: () => void;
  onOpen: (password: string) => void;
}) {
  const { profile } = props;
  const [password, setPassword] = useState('');
  return (
    <li className="border-b border-line last:border-b-0">
      <button
        type="button"
        onClick={props.onChoose}
        aria-expanded={profile.needsPassword ? props.asking : undefined}
        className="flex min-h-13 w-full items-center gap-3 px-4 py-2 text-left hover:bg-sunk -outline-offset-2"
      >
        <span
          aria-hidden="true"
          className="flex size-8 shrink-0 items-center justify-center rounded-ctl border border-line2 bg-sunk text-small font-semibold text-ink2"
        >
          {initials(profile.person)}
        </span>
        <span className="min-w-0 flex-1">
          <span className="block font-semibold">{profile.person}</span>
          <span className="block text-small text-ink3">
            {profile.duty} <span className="font-mono">({profile.login})</span>
          </span>
        </span>
        {props.busy ? (
          <StatusIcon shape="executing" tone="muted" turning />
        ) : (
          <CaretRightIcon size="1rem" aria-hidden="true" className="text-ink3" />
        )}
      </button>
      {props.asking ? (
        <form
          className="flex flex-col gap-3 px-4 pb-4 pl-15"
          onSubmit={(event) => {
            event.preventDefault();
            props.onOpen(password);
            setPassword('');
          }}
        >
          <TextField
            label={t('Password of {login}', { login: profile.login })}
            type="password"
            autoComplete="off"
            value={password}
            onChange={setPassword}
            autoFocus
          />
          <div>
            <Button look="primary" type="submit" off={password ? null : t('Needs the password')}>
              {t('Log in as {person}', { person: profile.person })}
            </Button>
          </div>
        </form>
      ) : null}
    </li>
  );
}

/** The first screen: who is working. */
export function LoginScreen() {
  const profiles = useRead('session_profiles', null);
  const backend = useBackend();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<string | null>(null);
  const [opening, setOpening] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  // The password stays out of the query cache: the call is made here and nothing keeps it.
  const open = async (profile: Profile, password: string | null) => {
    if (opening) return;
    setOpening(profile.id);
    setError(null);
    try {
      const session = await backend.call('session_open', { profileId: profile.id, password });
      client.clear();
      client.setQueryData(['session_get', null], session);
      await navigate({ to: '/' });
    } catch (thrown) {
      setError(asApiError(thrown));
    } finally {
      setOpening(null);
    }
  };

  const demo = profiles.data?.demoPassphrase;
  return (
    <main className="h-full overflow-auto bg-canvas">
      <div className="mx-auto flex max-w-xl flex-col gap-5 px-6 py-[8vh]">
        <div className="flex items-center gap-3">
          <Mark />
          <div>
            <p className="font-semibold">Countersign</p>
            <p className="text-small text-ink3">{profiles.data?.database ?? ' '}</p>
          </div>
        </div>
        <h1 className="text-title font-semibold">{t('Who is working?')}</h1>
        {demo ? (
          <div className="border-l-3 border-warn bg-warn-soft">
            <Notice shape="note" title={t('This is a demo')}>
              <p>
                {t('People and money are made up. The passphrase of every key is')}{' '}
                <output
                  aria-label={t('Passphrase of the demo')}
                  className="block font-mono font-semibold text-ink select-all"
                >
                  {demo}
                </output>
              </p>
            </Notice>
          </div>
        ) : null}
        {error ? (
          <div className="bg-danger-soft p-3">
            <InlineFailure error={error} />
          </div>
        ) : null}
        <div className="border border-line2 bg-surface">
          {profiles.isPending ? <Waiting what={t('Reading who works here')} /> : null}
          {profiles.isError ? (
            <Failure error={profiles.error} onRetry={() => void profiles.refetch()} />
          ) : null}
          {profiles.data?.profiles.length === 0 ? (
            <Notice shape="note" title={t('Nobody is set up on this machine')}>
              {t(
                'An administrator of the database makes a login for you; then add it to the connection settings.',
              )}
            </Notice>
          ) : null}
          {profiles.data && profiles.data.profiles.length > 0 ? (
            <ul aria-label={t('People on this machine')}>
              {profiles.data.profiles.map((profile) => (
                <ProfileRow
                  key={profile.id}
                  profile={profile}
                  asking={asking === profile.id}
                  busy={opening === profile.id}
                  onChoose={() => {
                    setError(null);
                    if (profile.needsPassword) setAsking(asking === profile.id ? null : profile.id);
                    else void open(profile, null);
                  }}
                  onOpen={(password) => void open(profile, password)}
                />
              ))}
            </ul>
          ) : null}
        </div>
        <p className="text-small text-ink3">
          {t(
            'Each person works with their own database login. What one person prepared, others approve and sign.',
          )}{' '}
          <TextLink to="/file">{t('Verify a batch file without signing in')}</TextLink>
        </p>
      </div>
    </main>
  );
}
