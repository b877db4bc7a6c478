/**
 * Every word of the window passes here, so that a catalogue can replace it.
 *
 * The English source is the key. Messages are ICU and are compiled when they are first shown
 * (`@lingui/message-utils` builds plain arrays, it evaluates no code). The macro is left out: it
 * needs Babel, which this build does not carry. `npm run messages` collects the sources into
 * `src/locales/en/messages.json`; a call must therefore begin with a literal.
 */
import { setupI18n } from '@lingui/core';
import { compileMessage } from '@lingui/message-utils/compileMessage';
import { I18nProvider, Trans } from '@lingui/react';
import type { ReactElement, ReactNode } from 'react';

const catalogue = setupI18n();
catalogue.setMessagesCompiler(compileMessage);
catalogue.load('en', {});
catalogue.activate('en');

type Values = Record<string, string | number>;

/** The message in the language of the window. */
export function t(source: string, values?: Values): string {
  return catalogue._(source, values);
}

/** A message with elements inside: `<0>…</0>` takes the first of `parts`. */
export function T(props: { say: string; values?: Values; parts?: ReactElement[] }) {
  const components = Object.fromEntries((props.parts ?? []).map((part, index) => [index, part]));
  return <Trans id={props.say} values={props.values} components={components} />;
}

/** Makes `T` work below it. */
export function Say(props: { children: ReactNode }) {
  return <I18nProvider i18n={catalogue}>{props.children}</I18nProvider>;
}
