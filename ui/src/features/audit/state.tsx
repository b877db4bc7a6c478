import { useRead } from '../../backend/use';
import type { AuditChain, AuditState } from '../../contract/types';
import { Button } from '../../kit/button';
import { ShortHash } from '../../kit/hash';
import { t } from '../../kit/say';
import { Failure, Notice } from '../../kit/states';
import { Status } from '../../kit/status';
import { countText } from '../../kit/time';
import { At } from '../session/at';

/** How long a verification is good for: it reads everything. */
const FRESH_MS = 300_000;

function Chain(props: { chain: AuditChain }) {
  const { chain } = props;
  const whose = chain.isOfHouse ? t('The house') : t('This program');
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2">
      <Status shape={chain.broken ? 'incident' : chain.sealedAt ? 'executed' : 'pending'}>
        <strong className="font-semibold">{whose}</strong>{' '}
        {chain.broken
          ? t('breaks after entry {seq}', { seq: countText(chain.sealedTo) })
          : chain.sealedAt
            ? t('verified and sealed up to entry {seq}', { seq: countText(chain.sealedTo) })
            : t('nothing is sealed yet')}
      </Status>
      {chain.sealedAt ? (
        <span className="text-small text-ink3">
          <At at={chain.sealedAt} /> {chain.seal ? <ShortHash hash={chain.seal} /> : null}
        </span>
      ) : null}
    </span>
  );
}

export function TrailSaid(props: { state: AuditState; busy: boolean; onAgain: () => void }) {
  const { state } = props;
  const breaks = state.chains.flatMap((chain) => (chain.broken ? [chain.broken] : []));
  return (
    <>
      {[...breaks, ...(state.alarm ? [state.alarm] : [])].map((what) => (
        <div key={what} className="border-b border-danger bg-danger-soft">
          <Notice
            role="alert"
            shape="incident"
            title={t('The audit trail is not as it was sealed')}
          >
            {what}
          </Notice>
        </div>
      ))}
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1 border-b border-line2 px-4 py-2">
        <div className="flex flex-wrap items-center gap-x-6 gap-y-1">
          {state.chains.map((chain) => (
            <Chain key={String(chain.isOfHouse)} chain={chain} />
          ))}
          {state.unsealed > 0 ? (
            <span className="text-small text-ink3">
              {t('{count} not sealed yet', { count: state.unsealed })}
            </span>
          ) : null}
          {state.notCompared ? (
            <Status shape="check" className="text-small">
              {t('Not compared with the database: {why}', { why: state.notCompared })}
            </Status>
          ) : null}
        </div>
        <span className="flex items-center gap-2 text-small text-ink3">
          {t('on this machine,')} <At at={state.at} />
          <Button busy={props.busy ? t('Verifying') : null} onPress={props.onAgain}>
            {t('Verify again')}
          </Button>
        </span>
      </div>
    </>
  );
}

/** Whether the trail is as it was sealed: every entry recomputed on this machine. */
export function TrailState() {
  const query = useRead('audit_verify', null, { fresh: FRESH_MS });
  if (query.data)
    return (
      <TrailSaid state={query.data} busy={query.isFetching} onAgain={() => void query.refetch()} />
    );
  if (query.isError)
    return (
      <div className="border-b border-line2">
        <Failure
          error={query.error}
          title={t('The trail was not verified')}
          onRetry={() => void query.refetch()}
        />
      </div>
    );
  return (
    <p role="status" className="border-b border-line2 px-4 py-2 text-ink3">
      <Status shape="executing" tone="muted" turning>
        {t('Verifying every sealed entry on this machine')}
      </Status>
    </p>
  );
}
