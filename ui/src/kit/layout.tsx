import type { ReactNode } from 'react';

/** The head of a screen: title, what it is, what one can do. */
export function PageHead(props: {
  title: string;
  beside?: ReactNode;
  below?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <header className="flex items-start justify-between gap-x-6 gap-y-2 border-b border-line2 px-4 py-2.5 @max-4xl:flex-wrap">
      <div className="min-w-0 @4xl:flex-1">
        <div className="flex flex-wrap items-center gap-x-3">
          <h1 className="text-title font-semibold">{props.title}</h1>
          {props.beside}
        </div>
        {props.below ? (
          <div className="flex flex-wrap items-center gap-x-3 text-small text-ink2">
            {props.below}
          </div>
        ) : null}
      </div>
      {props.actions ? (
        <div className="flex shrink-0 flex-wrap items-start justify-end gap-2 text-right">
          {props.actions}
        </div>
      ) : null}
    </header>
  );
}

/** A heading inside a screen. */
export function SectionHead(props: {
  title: string;
  count?: number;
  children?: ReactNode;
  level?: 2 | 3;
}) {
  const Tag = props.level === 3 ? 'h3' : 'h2';
  return (
    <div className="flex min-h-9 flex-wrap items-center justify-between gap-x-4 gap-y-1">
      <Tag className="text-section font-semibold">
        {props.title}
        {props.count === undefined ? null : (
          <span className="ml-2 font-normal text-ink3">{props.count}</span>
        )}
      </Tag>
      {props.children ? (
        <div className="flex items-center gap-2 text-small text-ink3">{props.children}</div>
      ) : null}
    </div>
  );
}

/** Facts under each other: a muted name, and what it is. */
export function Facts(props: {
  rows: { name: ReactNode; value: ReactNode }[];
  /** The names are amounts and need room. */
  wide?: boolean;
  className?: string;
}) {
  return (
    <dl className={props.className ?? ''}>
      {props.rows.map((row, index) => (
        <div
          key={index}
          className={`grid gap-x-2 border-b border-line py-1.5 last:border-b-0 ${props.wide ? 'grid-cols-[12rem_1fr]' : 'grid-cols-[4.5rem_1fr]'}`}
        >
          <dt className="text-ink3">{row.name}</dt>
          <dd className="min-w-0">{row.value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A screen's body: what it is about, and a column beside it that moves below when space is short. */
export function WithSide(props: {
  children: ReactNode;
  side: ReactNode;
  label: string;
  /** The body is a table that scrolls by itself; it keeps a height of its own when stacked. */
  table?: boolean;
}) {
  return (
    <div className="flex flex-1 flex-col @max-5xl:min-h-96 @max-5xl:overflow-auto @5xl:min-h-0 @5xl:flex-row">
      <div
        className={`flex min-w-0 flex-col @max-5xl:shrink-0 @5xl:min-h-0 @5xl:flex-1 ${
          props.table ? '@max-5xl:h-[85%] @max-5xl:min-h-80' : ''
        }`}
      >
        {props.children}
      </div>
      <aside
        aria-label={props.label}
        className="shrink-0 border-line2 @max-5xl:border-t @5xl:min-h-0 @5xl:w-76 @5xl:overflow-auto @5xl:border-l"
      >
        {props.side}
      </aside>
    </div>
  );
}
