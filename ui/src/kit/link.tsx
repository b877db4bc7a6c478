import { createLink } from '@tanstack/react-router';
import type { AnchorHTMLAttributes, Ref } from 'react';

type Anchor = AnchorHTMLAttributes<HTMLAnchorElement> & { ref?: Ref<HTMLAnchorElement> };

const LOOKS = {
  default: 'border-ctl bg-surface text-ink hover:bg-sunk',
  primary: 'border-accent bg-accent text-on-accent hover:opacity-90',
};

function ButtonAnchor({
  look = 'default',
  className,
  ...rest
}: Anchor & { look?: keyof typeof LOOKS }) {
  return (
    <a
      {...rest}
      className={`inline-flex min-h-7 items-center justify-center gap-2 whitespace-nowrap rounded-ctl border px-3 font-medium ${LOOKS[look]} ${className ?? ''}`}
    />
  );
}

function TextAnchor({ className, ...rest }: Anchor) {
  return <a {...rest} className={`rounded-pill hover:underline ${className ?? 'text-accent'}`} />;
}

/** Goes somewhere, and looks like the button that it is among. */
export const LinkButton = createLink(ButtonAnchor);

/** Goes somewhere, in a line of text or a cell. */
export const TextLink = createLink(TextAnchor);
