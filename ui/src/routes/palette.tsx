import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import {
  Autocomplete,
  Dialog,
  Input,
  Menu,
  MenuItem,
  Modal,
  ModalOverlay,
  SearchField,
  useFilter,
} from 'react-aria-components';
import { useBackend, useRead } from '../backend/use';
import { lockNow } from '../features/session/lock';
import { setPrefs, stepZoom, usePrefs, ZOOMS } from '../kit/prefs';
import { t } from '../kit/say';
import { stateLook } from '../kit/status';
import { placeGroups } from './nav';

interface Command {
  id: string;
  label: string;
  detail: string;
  run: () => void;
}

function useCommands(onFreeze: (() => void) | null): Command[] {
  const navigate = useNavigate();
  const backend = useBackend();
  const batches = useRead('batch_list', null);
  const runs = useRead('reconciliation_list', null);
  const { zoom } = usePrefs();
  return useMemo(() => {
    const go = t('Go to');
    const places = placeGroups().flatMap((group) =>
      group.places.map((place) => ({
        id: place.to,
        label: place.label,
        detail: go,
        run: () => void navigate({ to: place.to }),
      })),
    );
    const made: Command[] = [
      {
        id: 'file',
        label: t('New batch from a file'),
        detail: t('Pay'),
        run: () => void navigate({ to: '/batches/new/file' }),
      },
      {
        id: 'commissions',
        label: t('New batch from commissions'),
        detail: t('Pay'),
        run: () => void navigate({ to: '/batches/new/commissions' }),
      },
      {
        id: 'payee',
        label: t('New payee'),
        detail: t('Pay'),
        run: () => void navigate({ to: '/payees', search: { propose: true } }),
      },
      {
        id: 'verify',
        label: t('Verify a batch file'),
        detail: t('Pay'),
        run: () => void navigate({ to: '/batches/file' }),
      },
      {
        id: 'lock',
        label: t('Lock now'),
        detail: 'Ctrl L',
        run: () => void lockNow(backend),
      },
      {
        id: 'person',
        label: t('Switch person'),
        detail: t('Session'),
        run: () => void navigate({ to: '/login' }),
      },
      ...(onFreeze
        ? [
            {
              id: 'freeze',
              label: t('Freeze…'),
              detail: t('Program, Safe or batch'),
              run: onFreeze,
            },
          ]
        : []),
    ];
    const looks: Command[] = [
      {
        id: 'light',
        label: t('Light colours'),
        detail: t('Look'),
        run: () => setPrefs({ theme: 'light' }),
      },
      {
        id: 'dark',
        label: t('Dark colours'),
        detail: t('Look'),
        run: () => setPrefs({ theme: 'dark' }),
      },
      {
        id: 'system',
        label: t('Colours of the system'),
        detail: t('Look'),
        run: () => setPrefs({ theme: 'system' }),
      },
      {
        id: 'more',
        label: t('High contrast'),
        detail: t('Look'),
        run: () => setPrefs({ contrast: 'more' }),
      },
      {
        id: 'usual',
        label: t('Usual contrast'),
        detail: t('Look'),
        run: () => setPrefs({ contrast: 'system' }),
      },
      {
        id: 'larger',
        label: t('Larger'),
        detail: t('Now {zoom} %', { zoom }),
        run: () => stepZoom(1),
      },
      {
        id: 'smaller',
        label: t('Smaller'),
        detail: t('Now {zoom} %', { zoom }),
        run: () => stepZoom(-1),
      },
      ...ZOOMS.map((step) => ({
        id: `zoom ${step}`,
        label: t('Zoom {zoom} %', { zoom: step }),
        detail: t('Look'),
        run: () => setPrefs({ zoom: step }),
      })),
    ];
    const found = (batches.data ?? []).map((batch) => ({
      id: batch.id,
      label: t('Batch {number}: {title}', { number: batch.number, title: batch.title }),
      detail: stateLook(batch.state).word,
      run: () => void navigate({ to: '/batches/$id', params: { id: batch.id } }),
    }));
    const proofs = (runs.data ?? []).map((run) => ({
      id: run.id,
      label: t('Reconciliation run {number}', { number: run.number }),
      detail: `${run.matchRate} %`,
      run: () => void navigate({ to: '/reconciliation/$id', params: { id: run.id } }),
    }));
    return [...places, ...made, ...found, ...proofs, ...looks];
  }, [navigate, backend, batches.data, runs.data, zoom, onFreeze]);
}

/** Search or run a command: places, batches, runs, and how the window looks. */
export function Palette(props: {
  open: boolean;
  onClose: () => void;
  onFreeze: (() => void) | null;
}) {
  const commands = useCommands(props.onFreeze);
  const { contains } = useFilter({ sensitivity: 'base' });
  return (
    <ModalOverlay
      isOpen={props.open}
      onOpenChange={(open) => !open && props.onClose()}
      isDismissable
      className="appear fixed inset-0 z-50 flex items-start justify-center bg-scrim p-4 pt-[12vh]"
    >
      <Modal className="w-full max-w-xl overflow-hidden rounded-dialog border border-ctl bg-surface shadow-float">
        <Dialog
          aria-label={t('Search or run a command')}
          className="flex max-h-[60vh] flex-col outline-none"
        >
          <Autocomplete filter={contains}>
            <SearchField
              aria-label={t('Search or run a command')}
              autoFocus
              className="border-b border-line2 p-2"
            >
              <Input
                placeholder={t('Search or run a command')}
                className="min-h-9 w-full rounded-ctl bg-surface px-3 text-section outline-none"
              />
            </SearchField>
            <Menu
              items={commands}
              aria-label={t('Commands')}
              onAction={(key) => {
                props.onClose();
                commands.find((command) => command.id === key)?.run();
              }}
              renderEmptyState={() => (
                <p className="p-4 text-ink3">{t('Nothing is called that.')}</p>
              )}
              className="min-h-0 flex-1 overflow-auto p-1 outline-none"
            >
              {(command) => (
                <MenuItem
                  id={command.id}
                  textValue={command.label}
                  className="flex min-h-8 cursor-pointer items-center justify-between gap-4 rounded-ctl px-3 outline-none data-[focused]:bg-accent-soft"
                >
                  <span className="min-w-0 truncate">{command.label}</span>
                  <span className="shrink-0 text-small text-ink3">{command.detail}</span>
                </MenuItem>
              )}
            </Menu>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
