import type { ReactNode } from 'react';
import { useId } from 'react';
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components';
import { useServerOff } from './server';
import { StatusIcon } from './status';

export type Look = 'default' | 'primary' | 'danger' | 'quiet' | 'hazard';

const BASE =
  'inline-flex items-center justify-center gap-2 min-h-7 rounded-ctl border font-medium whitespace-nowrap select-none outline-offset-2';

const LOOKS: Record<Look, string> = {
  default: 'px-3 border-ctl bg-surface text-ink hover:bg-sunk data-[pressed]:bg-line',
  primary: 'px-3 border-accent bg-accent text-on-accent hover:opacity-90',
  danger: 'px-3 border-danger bg-surface text-danger hover:bg-danger-soft',
  quiet: 'border-transparent bg-transparent text-accent px-1.5 hover:underline',
  hazard: 'border-ink bg-ink text-surface pl-6 pr-3.5 relative overflow-hidden hover:opacity-90',
};

/** A button that cannot act stays reachable by keyboard, so that its reason is too. */
const OFF = 'px-3 border border-dashed border-ctl bg-transparent text-ink3 cursor-not-allowed';

export interface ButtonProps
  extends Omit<AriaButtonProps, 'isDisabled' | 'children' | 'className'> {
  look?: Look;
  /** Why it cannot act now and what would enable it; set means off. */
  off?: string | null;
  /** It needs the shared database, and is off while that does not answer. */
  server?: boolean;
  /** Do not show the reason under the button, somebody else does. */
  hideReason?: boolean;
  /** What it is doing while it works; the button is off meanwhile. */
  busy?: string | null;
  /** The safe choice of a dialog: it has the focus when the dialog opens, and shows it. */
  safe?: boolean;
  className?: string;
  children: ReactNode;
}

/** A button that names its act, and says beside itself why it is off. */
export function Button({
  look = 'default',
  off: ownReason,
  server,
  hideReason,
  busy,
  safe,
  className,
  children,
  ...rest
}: ButtonProps) {
  const reason = useId();
  const serverOff = useServerOff();
  const off = (server ? serverOff : null) ?? ownReason;
  const dead = Boolean(off) || Boolean(busy);
  const described = off ? reason : rest['aria-describedby'];
  const button = (
    <AriaButton
      {...rest}
      autoFocus={safe ?? rest.autoFocus ?? false}
      aria-disabled={dead ? true : undefined}
      {...(described ? { 'aria-describedby': described } : {})}
      onPress={(event) => {
        if (!dead) rest.onPress?.(event);
      }}
      type={dead ? 'button' : (rest.type ?? 'button')}
      className={`${BASE} ${off ? OFF : LOOKS[look]} ${busy ? 'opacity-80' : ''} ${safe ? 'focus:outline-2 focus:outline-accent' : ''} ${className ?? ''}`}
    >
      {look === 'hazard' && !off ? (
        <span aria-hidden="true" className="hatch-thin absolute inset-y-0 left-0 w-3" />
      ) : null}
      {busy ? <StatusIcon shape="executing" tone="muted" turning /> : null}
      {busy ?? children}
    </AriaButton>
  );
  if (!off) return button;
  return (
    <span
      className="inline-flex flex-col items-stretch gap-0.5"
      title={hideReason ? (off ?? '') : undefined}
    >
      {button}
      <span id={reason} className={hideReason ? 'sr-only' : 'max-w-52 text-small text-ink3'}>
        {off}
      </span>
    </span>
  );
}

/** A square button with an icon; its label is for those who do not see it. */
export function IconButton(props: AriaButtonProps & { label: string; children: ReactNode }) {
  const { label, children, className, ...rest } = props;
  return (
    <AriaButton
      {...rest}
      aria-label={label}
      className={`inline-flex size-7 items-center justify-center rounded-ctl text-ink2 hover:bg-line disabled:text-ctl ${
        typeof className === 'string' ? className : ''
      }`}
    >
      {children}
    </AriaButton>
  );
}
