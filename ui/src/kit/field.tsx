import type { ReactNode } from 'react';
import {
  Button as AriaButton,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select as AriaSelect,
  SelectValue,
  Text,
  TextArea,
  TextField as AriaTextField,
  type TextFieldProps,
} from 'react-aria-components';
import { CaretDownIcon } from '@phosphor-icons/react';
import { StatusIcon } from './status';

const EDGE =
  'w-full rounded-ctl border border-ctl bg-surface px-2.5 text-ink outline-offset-2 invalid:border-danger invalid:border-l-4 data-[invalid]:border-danger data-[invalid]:border-l-4';

/** What is wrong with a field, under it. */
function Wrong() {
  return (
    <FieldError>
      {({ validationErrors }) => (
        <span className="flex items-start gap-1.5 text-small text-danger">
          <span className="pt-px">
            <StatusIcon shape="check" tone="danger" size={12} />
          </span>
          {validationErrors.join(' ')}
        </span>
      )}
    </FieldError>
  );
}

/** One line or a few lines of text, with a hint below and an error that says what to do. */
export function TextField(
  props: TextFieldProps & {
    label: string;
    aside?: string;
    hint?: ReactNode;
    error?: string | undefined;
    lines?: number;
    mono?: boolean;
    placeholder?: string;
    inputRef?: React.Ref<HTMLInputElement>;
  },
) {
  const { label, aside, hint, error, lines, mono, placeholder, inputRef, ...rest } = props;
  return (
    <AriaTextField
      validationBehavior="aria"
      {...rest}
      isInvalid={Boolean(error)}
      className="flex flex-col gap-1"
    >
      <Label className="font-semibold">
        {label}
        {aside ? <span className="ml-1 font-normal text-ink3">{aside}</span> : null}
      </Label>
      {lines ? (
        <TextArea rows={lines} className={`${EDGE} resize-y py-1.5`} placeholder={placeholder} />
      ) : (
        <Input
          ref={inputRef}
          className={`${EDGE} min-h-8 ${mono ? 'font-mono' : ''}`}
          placeholder={placeholder}
        />
      )}
      {error ? (
        <FieldErrorText text={error} />
      ) : hint ? (
        <Text slot="description" className="text-small text-ink3">
          {hint}
        </Text>
      ) : null}
      {error ? null : <Wrong />}
    </AriaTextField>
  );
}

function FieldErrorText(props: { text: string }) {
  return (
    <Text slot="errorMessage" className="flex items-start gap-1.5 text-small text-danger">
      <span className="pt-px">
        <StatusIcon shape="check" tone="danger" size={12} />
      </span>
      {props.text}
    </Text>
  );
}

/** A choice of one among a few. */
export function Choice(props: {
  label: string;
  value: string | null;
  onChange: (value: string) => void;
  options: { id: string; label: string; detail?: string }[];
  placeholder?: string;
  hint?: ReactNode;
  error?: string | undefined;
}) {
  return (
    <AriaSelect
      value={props.value}
      onChange={(key) => {
        if (typeof key === 'string') props.onChange(key);
      }}
      isInvalid={Boolean(props.error)}
      placeholder={props.placeholder ?? ''}
      className="flex flex-col gap-1"
    >
      <Label className="font-semibold">{props.label}</Label>
      <AriaButton className={`${EDGE} flex min-h-8 items-center justify-between gap-2 text-left`}>
        <SelectValue className="truncate">
          {({ selectedText, defaultChildren }) => selectedText || defaultChildren}
        </SelectValue>
        <CaretDownIcon size="1rem" aria-hidden="true" className="shrink-0 text-ink3" />
      </AriaButton>
      {props.error ? (
        <FieldErrorText text={props.error} />
      ) : props.hint ? (
        <Text slot="description" className="text-small text-ink3">
          {props.hint}
        </Text>
      ) : null}
      <Popover className="appear min-w-(--trigger-width) rounded-dialog border border-ctl bg-surface p-1 shadow-float">
        <ListBox items={props.options} className="outline-none">
          {(option) => (
            <ListBoxItem
              id={option.id}
              textValue={option.label}
              className="flex min-h-8 cursor-pointer items-center justify-between gap-4 rounded-ctl px-2.5 outline-none data-[focused]:bg-accent-soft data-[selected]:font-semibold"
            >
              <span>{option.label}</span>
              {option.detail ? <span className="text-small text-ink3">{option.detail}</span> : null}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}
