import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useDo } from '../../backend/use';
import type { PayeeFilePreview } from '../../contract/types';
import { Address, differingGroups } from '../../kit/address';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { PlainHash } from '../../kit/hash';
import { t } from '../../kit/say';
import { InlineFailure, Notice } from '../../kit/states';
import { Status } from '../../kit/status';

const HEAD = 'border-b border-line2 bg-sunk text-left text-small text-ink3';

function Errors(props: { preview: PayeeFilePreview }) {
  const { errors } = props.preview;
  return (
    <>
      <Notice
        shape="failed"
        title={t('{count} lines have to be mended first', { count: errors.length })}
        className="px-0"
      >
        {t('Nothing was proposed. Mend the file and choose it again.')}
      </Notice>
      <div className="max-h-72 overflow-auto">
        <table className="w-full">
          <thead>
            <tr className={HEAD}>
              <th className="w-16 px-2 py-1 text-right font-medium">{t('Line')}</th>
              <th className="w-24 px-2 py-1 font-medium">{t('Column')}</th>
              <th className="px-2 py-1 font-medium">{t('What to change')}</th>
            </tr>
          </thead>
          <tbody>
            {errors.map((error, index) => (
              <tr key={index} className="border-b border-line align-top">
                <td className="px-2 py-1.5 text-right">{error.fileLine}</td>
                <td className="px-2 py-1.5">{error.field}</td>
                <td className="px-2 py-1.5">{error.message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Lines(props: { preview: PayeeFilePreview }) {
  const changing = props.preview.lines.filter((line) => line.effect !== 'SAME');
  return (
    <div className="max-h-80 overflow-auto">
      <table className="w-full">
        <thead>
          <tr className={HEAD}>
            <th className="w-14 px-2 py-1 text-right font-medium">{t('Line')}</th>
            <th className="px-2 py-1 font-medium">{t('Payee')}</th>
            <th className="px-2 py-1 font-medium">{t('Address')}</th>
          </tr>
        </thead>
        <tbody>
          {changing.map((line) => {
            const apart = line.was ? differingGroups(line.was, line.address) : [];
            return (
              <tr key={line.fileLine} className="border-b border-line align-top">
                <td className="px-2 py-1.5 text-right text-ink3">{line.fileLine}</td>
                <td className="px-2 py-1.5">
                  <strong className="block font-semibold">{line.name}</strong>
                  <span className="text-small text-ink3">
                    {line.effect === 'NEW' ? t('new payee') : t('another address')}
                  </span>
                </td>
                <td className="px-2 py-1.5">
                  {line.was ? (
                    <span className="block text-ink3">
                      <Address address={line.was} />
                    </span>
                  ) : null}
                  <Address address={line.address} marked={apart.length < 10 ? apart : []} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Preview(props: { preview: PayeeFilePreview; onClose: () => void }) {
  const { preview } = props;
  const navigate = useNavigate();
  const propose = useDo('payee_import', {
    onDone: () => {
      props.onClose();
      void navigate({ to: '/changes' });
    },
  });
  const changing = preview.lines.filter((line) => line.effect !== 'SAME').length;
  const same = preview.lines.length - changing;
  const bad = preview.errors.length > 0;
  return (
    <>
      <p className="text-small text-ink3">
        {preview.fileName} <PlainHash hash={preview.sha256} />
      </p>
      {bad ? (
        <Errors preview={preview} />
      ) : (
        <>
          <Status shape="note">
            {t('{changing} lines change the book, {same} say the same.', { changing, same })}
          </Status>
          {changing > 0 ? <Lines preview={preview} /> : null}
        </>
      )}
      {propose.isError && propose.error.code !== 'CANCELLED' ? (
        <InlineFailure error={propose.error} />
      ) : null}
      <DialogFoot note={bad ? null : t('All of them or none; somebody else confirms each.')}>
        <Button onPress={props.onClose}>{t('Leave it')}</Button>
        <Button
          look="primary"
          off={
            bad
              ? t('The file has to be mended first')
              : changing === 0
                ? t('There is nothing to propose')
                : null
          }
          busy={propose.isPending ? t('Asking in a dialog of the system') : null}
          onPress={() => propose.mutate({ id: preview.token })}
        >
          {t('Propose {count} changes…', { count: changing })}
        </Button>
      </DialogFoot>
    </>
  );
}

/** Takes the book along as a file, and brings one in as proposals. */
export function BookFiles(props: { importOff: string | null; exportOff: string | null }) {
  const [preview, setPreview] = useState<PayeeFilePreview | null>(null);
  const choose = useDo('payee_choose_file', { onDone: setPreview });
  const write = useDo('payee_export');
  const failed = choose.error ?? write.error;
  const written = write.data;
  return (
    <>
      <Button
        off={props.exportOff}
        hideReason
        busy={write.isPending ? t('Writing') : null}
        onPress={() => write.mutate(null)}
      >
        {t('Export…')}
      </Button>
      <Button
        off={props.importOff}
        hideReason
        busy={choose.isPending ? t('Reading') : null}
        onPress={() => choose.mutate(null)}
      >
        {t('Import…')}
      </Button>
      {failed && failed.code !== 'CANCELLED' ? (
        <span className="basis-full">
          <InlineFailure error={failed} />
        </span>
      ) : written ? (
        <span className="basis-full text-small text-ink2">
          {t('{rows} payees are in {path}', { rows: written.rows, path: written.path })}
        </span>
      ) : null}
      <Dialog
        title={t('An address book from a file')}
        open={preview !== null}
        onClose={() => setPreview(null)}
        wide
      >
        {preview ? <Preview preview={preview} onClose={() => setPreview(null)} /> : null}
      </Dialog>
    </>
  );
}
