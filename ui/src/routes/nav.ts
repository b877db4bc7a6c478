import {
  AddressBookIcon,
  ArrowElbowDownRightIcon,
  BookOpenIcon,
  ExportIcon,
  HandshakeIcon,
  HouseIcon,
  ListMagnifyingGlassIcon,
  type Icon,
  PercentIcon,
  ScalesIcon,
  StackIcon,
  TreeStructureIcon,
} from '@phosphor-icons/react';
import { t } from '../kit/say';

/** One place of the window. */
export interface Place {
  to:
    | '/'
    | '/batches'
    | '/payees'
    | '/intents'
    | '/commissions'
    | '/affiliates'
    | '/ledger'
    | '/reconciliation'
    | '/exports'
    | '/audit'
    | '/changes';
  label: string;
  icon: Icon;
  /** Which count stands beside it. */
  counts?: 'batches' | 'discrepancies' | 'changes';
}

export interface PlaceGroup {
  label: string | null;
  places: Place[];
}

/** The rail, top to bottom. */
export function placeGroups(): PlaceGroup[] {
  return [
    { label: null, places: [{ to: '/', label: t('Home'), icon: HouseIcon }] },
    {
      label: t('Pay'),
      places: [
        { to: '/batches', label: t('Batches'), icon: StackIcon, counts: 'batches' },
        { to: '/payees', label: t('Payees'), icon: AddressBookIcon },
      ],
    },
    {
      label: t('Books'),
      places: [
        { to: '/intents', label: t('Intents'), icon: ArrowElbowDownRightIcon },
        { to: '/commissions', label: t('Commissions'), icon: PercentIcon },
        { to: '/affiliates', label: t('Affiliates'), icon: TreeStructureIcon },
        { to: '/ledger', label: t('Ledger'), icon: BookOpenIcon },
      ],
    },
    {
      label: t('Proof'),
      places: [
        {
          to: '/reconciliation',
          label: t('Reconciliation'),
          icon: ScalesIcon,
          counts: 'discrepancies',
        },
        { to: '/exports', label: t('Exports'), icon: ExportIcon },
        { to: '/audit', label: t('Audit'), icon: ListMagnifyingGlassIcon },
      ],
    },
    {
      label: t('Set-up'),
      places: [{ to: '/changes', label: t('Changes'), icon: HandshakeIcon, counts: 'changes' }],
    },
  ];
}
