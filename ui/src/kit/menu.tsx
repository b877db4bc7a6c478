import type { ReactNode } from 'react';
import {
  Button as AriaButton,
  Header,
  Menu,
  MenuItem,
  MenuSection,
  MenuTrigger,
  Popover,
} from 'react-aria-components';

/** One line of a menu. */
export interface Act {
  id: string;
  label: string;
  detail?: string | undefined;
  /** Chosen now; drawn strong and told to screen readers. */
  on?: boolean;
  /** It cannot act now; `detail` says why. */
  off?: boolean;
  run: () => void;
}

/** A button that opens a menu. */
export function MenuButton(props: {
  /** For those who do not see it; without one, the children name it. */
  label?: string;
  sections: { label: string; acts: Act[] }[];
  className: string;
  /** Kept out of the order of the Tab key, because arrows reach it. */
  byArrows?: boolean;
  children: ReactNode;
}) {
  const acts = props.sections.flatMap((section) => section.acts);
  return (
    <MenuTrigger>
      <AriaButton
        {...(props.label ? { 'aria-label': props.label } : {})}
        excludeFromTabOrder={props.byArrows ?? false}
        className={props.className}
      >
        {props.children}
      </AriaButton>
      <Popover className="appear min-w-48 max-w-80 overflow-auto rounded-dialog border border-ctl bg-surface p-1 shadow-float">
        <Menu
          onAction={(key) => acts.find((act) => act.id === key)?.run()}
          disabledKeys={acts.filter((act) => act.off).map((act) => act.id)}
          className="outline-none"
        >
          {props.sections
            .filter((section) => section.acts.length > 0)
            .map((section) => (
              <MenuSection
                key={section.label}
                id={section.label}
                className="border-line not-first:mt-1 not-first:border-t not-first:pt-1"
              >
                <Header className="px-2.5 py-0.5 text-small text-ink3">{section.label}</Header>
                {section.acts.map((act) => (
                  <MenuItem
                    key={act.id}
                    id={act.id}
                    textValue={act.label}
                    {...(act.on ? { 'aria-current': 'true' as const } : {})}
                    className={`flex min-h-7 items-center justify-between gap-4 rounded-ctl px-2.5 outline-none data-[disabled]:text-ink3 data-[focused]:bg-accent-soft ${act.off ? '' : 'cursor-pointer'} ${act.on ? 'font-semibold' : ''}`}
                  >
                    <span className="min-w-0 truncate">{act.label}</span>
                    {act.detail ? (
                      <span className="shrink-0 text-small font-normal text-ink3">
                        {act.detail}
                      </span>
                    ) : null}
                  </MenuItem>
                ))}
              </MenuSection>
            ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
