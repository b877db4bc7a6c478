import { useRead } from '../../backend/use';
import type { AuditDetail, AuditField, AuditLink } from '../../contract/types';
import { PlainHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead, WithSide } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';
import { countText } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { FieldValue } from '../change/value';
import { At } from '../session/at';
import { actionWord, spaced } from './words';

/** Leads to the thing that an entry is about. */
function Place(props: { link: AuditLink; name: string }) {
  const { link, name } = props;
  switch (link.place) {
    case 'BATCH':
      return (
        <TextLink to="/batches/$id" params={{ id: link.id }}>
          {name}
        </TextLink>
      );
    case 'CHANGE':
      return (
        <TextLink to="/changes/$id" params={{ id: link.id }}>
          {name}
        </TextLink>
      );
    case 'PAYEE':
      return (
        <TextLink to="/payees/$id" params={{ id: link.id }}>
          {name}
        </TextLink>
      );
    case 'INTENT':
      return (
        <TextLink to="/intents/$id" params={{ id: link.id }}>
          {name}
        </TextLink>
      );
    case 'RUN':
      return (
        <TextLink to="/reconciliation/$id" params={{ id: link.id }}>
          {name}
        </TextLink>
      );
  }
}

function Fields(props: { rows: AuditField[]; beside: boolean }) {
  return (
    <table className="w-full">
      <thead>
        <tr className="border-b border-line2 bg-sunk text-left text-small text-ink3">
          <th className="w-52 px-2 py-1 font-medium">{t('Field')}</th>
          {props.beside ? <th className="px-2 py-1 font-medium">{t('Before')}</th> : null}
          <th className="px-2 py-1 font-medium">{props.beside ? t('After') : t('What')}</th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row) => (
          <tr key={row.name} className="border-b border-line align-top">
            <td className="px-2 py-1.5 text-ink3">{spaced(row.name)}</td>
            {props.beside ? (
              <td className="px-2 py-1.5 text-ink2">
                {row.before === null ? (
                  <span className="text-ink3">{t('nothing')}</span>
                ) : (
                  <FieldValue value={row.before} beside={row.after} two />
                )}
              </td>
            ) : null}
            <td className="px-2 py-1.5">
              {row.after === null ? (
                <span className="text-ink3">{t('nothing')}</span>
              ) : (
                <FieldValue value={row.after} beside={row.before} two={props.beside} />
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Body(props: { detail: AuditDetail }) {
  const { fields, said } = props.detail;
  const beside = fields.some((field) => field.before !== null);
  return (
    <div className="flex flex-col gap-1 overflow-auto px-4 pb-4">
      {fields.length > 0 ? (
        <>
          <SectionHead
            title={beside ? t('What changed') : t('What was made')}
            count={fields.length}
          />
          <Fields rows={fields} beside={beside} />
        </>
      ) : null}
      {said.length > 0 ? (
        <>
          <SectionHead title={t('What was recorded with it')} />
          <Fields rows={said} beside={false} />
        </>
      ) : null}
      {fields.length === 0 && said.length === 0 ? (
        <Notice shape="note" title={t('Nothing more was recorded')} className="px-0">
          {t('That it happened, when and by whom is all there is to it.')}
        </Notice>
      ) : null}
    </div>
  );
}

function Side(props: { detail: AuditDetail }) {
  const { detail } = props;
  const { entry } = detail;
  return (
    <div className="p-4">
      <SectionHead title={t('Who and where from')} />
      <Facts
        rows={[
          { name: t('Who'), value: <strong className="font-semibold">{entry.person}</strong> },
          { name: t('Login'), value: <code className="font-mono text-small">{entry.login}</code> },
          { name: t('When'), value: <At at={entry.at} /> },
          { name: t('Address'), value: detail.address ?? t('on the server itself') },
          {
            name: t('Program'),
            value: (
              <>
                {detail.application || t('unnamed')}
                <span className="block text-small text-ink3">{t('their own claim')}</span>
              </>
            ),
          },
          ...(entry.about
            ? [
                {
                  name: t('About'),
                  value: detail.link ? (
                    <Place link={detail.link} name={entry.about} />
                  ) : (
                    entry.about
                  ),
                },
              ]
            : []),
        ]}
      />
      <SectionHead title={t('Seal')} />
      {detail.seal && entry.seq ? (
        <>
          <Status shape="executed">
            {t('Entry {seq} of its chain', { seq: countText(entry.seq) })}
          </Status>
          <p className="pt-1 pl-5.5">
            <PlainHash hash={detail.seal} />
          </p>
        </>
      ) : (
        <Status shape="pending" tone="muted">
          {t('Not sealed yet: a worker seals what is committed')}
        </Status>
      )}
    </div>
  );
}

/** One entry: what changed, field by field. */
export function AuditScreen(props: { id: string }) {
  const query = useRead('audit_get', { id: props.id });
  const detail = query.data;
  const title = detail ? actionWord(detail.entry.action) : t('Entry');
  useScreen([{ label: t('Audit'), to: '/audit' }, { label: title }]);
  if (query.isError && !detail)
    return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!detail) return <Waiting what={t('Reading the entry')} />;
  return (
    <>
      <PageHead
        title={title}
        beside={
          <>
            {detail.entry.about ? <span>{detail.entry.about}</span> : null}
            <span className="text-ink3">{spaced(detail.entry.noun)}</span>
            <code className="font-mono text-small text-ink3">{detail.entry.action}</code>
          </>
        }
      />
      <WithSide label={t('Who and where from')} side={<Side detail={detail} />}>
        <Body detail={detail} />
      </WithSide>
    </>
  );
}
