/** Nothing, waiting, failure: each says what it means and what to do. */
import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { asApiError } from '../backend/backend';
import { Button } from './button';
import { t } from './say';
import { type Shape, StatusIcon } from './status';
import { span } from './time';

/** A state of a whole region: shape, one heading, one sentence, and what to do. */
export function Notice(props: {
  shape: Shape;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  role?: 'alert' | 'status';
  className?: string;
}) {
  return (
    <div role={props.role} className={`flex gap-3 p-4 ${props.className ?? ''}`}>
      <span className="pt-0.5">
        <StatusIcon shape={props.shape} size={18} />
      </span>
      <div className="flex min-w-0 max-w-3xl flex-col gap-1">
        <p className="font-semibold">{props.title}</p>
        {props.children ? <div className="text-ink2">{props.children}</div> : null}
        {props.actions ? <div className="mt-1.5 flex flex-wrap gap-2">{props.actions}</div> : null}
      </div>
    </div>
  );
}

/** What the core said was wrong; its sentence already names the next step. */
export function Failure(props: { error: unknown; title?: string; onRetry?: () => void }) {
  const error = asApiError(props.error);
  return (
    <Notice
      role="alert"
      shape={
        error.code === 'INCIDENT' ? 'incident' : error.code === 'UNAVAILABLE' ? 'unknown' : 'failed'
      }
      title={props.title ?? t('This could not be read')}
      actions={
        props.onRetry && error.code !== 'INCIDENT' ? (
          <Button onPress={props.onRetry}>{t('Read again')}</Button>
        ) : null
      }
    >
      <p>{error.message}</p>
      {error.reference ? (
        <p className="text-small text-ink3">
          {t('Reference in the log: {reference}', { reference: error.reference })}
        </p>
      ) : null}
    </Notice>
  );
}

/** A failure beside the control that caused it. */
export function InlineFailure(props: { error: unknown; id?: string }) {
  const error = asApiError(props.error);
  return (
    <p id={props.id} role="alert" className="flex items-start gap-2 text-danger">
      <span className="pt-0.5">
        <StatusIcon shape="check" tone="danger" />
      </span>
      <span>
        {error.message}
        {error.reference ? (
          <span className="text-small">
            {' '}
            {t('Reference: {reference}', { reference: error.reference })}
          </span>
        ) : null}
      </span>
    </p>
  );
}

/** Time since this appeared, counting in seconds. */
export function useElapsed(active = true): number {
  const [elapsed, setElapsed] = useState(0);
  useEffect(() => {
    if (!active) return;
    const from = Date.now();
    const timer = setInterval(() => setElapsed(Date.now() - from), 1000);
    return () => clearInterval(timer);
  }, [active]);
  return elapsed;
}

/** Waiting for an answer: says for what and for how long, and stays still for the first moment. */
export function Waiting(props: { what: string }) {
  const elapsed = useElapsed();
  return (
    <div role="status" className="flex items-center gap-2 p-4 text-ink3">
      <StatusIcon shape="executing" tone="muted" turning />
      <span>
        {props.what}
        {elapsed >= 1000 ? `, ${span(elapsed)}` : null}
      </span>
    </div>
  );
}
