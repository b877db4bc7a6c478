import {
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  Outlet,
  type RouterHistory,
} from '@tanstack/react-router';
import { AffiliateScreen } from '../features/affiliate/detail';
import { AffiliateListScreen } from '../features/affiliate/list';
import { AuditScreen } from '../features/audit/detail';
import { AuditListScreen } from '../features/audit/list';
import { BatchListScreen } from '../features/batch/list';
import { NewFromCommissionsScreen } from '../features/batch/from-commissions';
import { NewFromFileScreen } from '../features/batch/from-file';
import { BatchReviewScreen } from '../features/batch/review';
import { VerifyFileScreen } from '../features/batch/verify-file';
import { SignScreen } from '../features/batch/sign';
import { ChangeScreen } from '../features/change/detail';
import { ChangeListScreen } from '../features/change/list';
import { CommissionDetailScreen } from '../features/commission/detail';
import { CommissionListScreen } from '../features/commission/list';
import { CommissionScreen } from '../features/commission/screen';
import { ExportScreen } from '../features/export/screen';
import { HomeScreen } from '../features/home/screen';
import { IntentScreen } from '../features/intent/detail';
import { IntentListScreen } from '../features/intent/list';
import { LedgerScreen } from '../features/ledger/screen';
import { PayeeScreen } from '../features/payee/detail';
import { PayeeListScreen } from '../features/payee/list';
import { RejectScreen } from '../features/rejection/screen';
import { RunListScreen } from '../features/reconciliation/list';
import { RunScreen } from '../features/reconciliation/run';
import { LoginScreen } from '../features/session/login';
import { LinkButton } from '../kit/link';
import { t } from '../kit/say';
import { Failure, Notice } from '../kit/states';
import { Shell, Signed } from './shell';

function NotFound() {
  return (
    <Notice
      shape="unknown"
      title={t('There is no such screen')}
      actions={
        <Link to="/" className="text-accent hover:underline">
          {t('Open Home')}
        </Link>
      }
    >
      {t('The address leads nowhere. It may be from an older version.')}
    </Notice>
  );
}

const root = createRootRoute({
  component: Outlet,
  notFoundComponent: NotFound,
  errorComponent: ({ error }) => <Failure error={error} title={t('This screen stopped')} />,
});
const login = createRoute({ getParentRoute: () => root, path: '/login', component: LoginScreen });
const signed = createRoute({ getParentRoute: () => root, id: 'signed', component: Signed });
const shell = createRoute({ getParentRoute: () => signed, id: 'shell', component: Shell });

const home = createRoute({ getParentRoute: () => shell, path: '/', component: HomeScreen });
const batches = createRoute({
  getParentRoute: () => shell,
  path: '/batches',
  component: BatchListScreen,
});
const fromFile = createRoute({
  getParentRoute: () => shell,
  path: '/batches/new/file',
  component: NewFromFileScreen,
});
const fromCommissions = createRoute({
  getParentRoute: () => shell,
  path: '/batches/new/commissions',
  component: NewFromCommissionsScreen,
});
const verifyFile = createRoute({
  getParentRoute: () => shell,
  path: '/batches/file',
  component: () => <VerifyFileScreen />,
});
/** The same where nobody is signed in: it needs no database. */
const verifyApart = createRoute({
  getParentRoute: () => root,
  path: '/file',
  component: () => (
    <main className="flex h-full flex-col bg-surface">
      <VerifyFileScreen back={<LinkButton to="/login">{t('Back')}</LinkButton>} />
    </main>
  ),
});
const batch = createRoute({
  getParentRoute: () => shell,
  path: '/batches/$id',
  component: function Batch() {
    const { id } = batch.useParams();
    return <BatchReviewScreen key={id} id={id} />;
  },
});
const sign = createRoute({
  getParentRoute: () => signed,
  path: '/batches/$id/sign/$leg',
  component: function Sign() {
    const { id, leg } = sign.useParams();
    return <SignScreen key={`${id} ${leg}`} batchId={id} leg={Number.parseInt(leg, 10)} />;
  },
});
const intents = createRoute({
  getParentRoute: () => shell,
  path: '/intents',
  component: IntentListScreen,
});
const intent = createRoute({
  getParentRoute: () => shell,
  path: '/intents/$id',
  component: function Intent() {
    const { id } = intent.useParams();
    return <IntentScreen key={id} id={id} />;
  },
});
const trail = createRoute({
  getParentRoute: () => shell,
  path: '/audit',
  component: AuditListScreen,
});
const trailEntry = createRoute({
  getParentRoute: () => shell,
  path: '/audit/$id',
  component: function Entry() {
    const { id } = trailEntry.useParams();
    return <AuditScreen key={id} id={id} />;
  },
});
const changes = createRoute({
  getParentRoute: () => shell,
  path: '/changes',
  component: ChangeListScreen,
});
const change = createRoute({
  getParentRoute: () => shell,
  path: '/changes/$id',
  component: function Change() {
    const { id } = change.useParams();
    return <ChangeScreen key={id} id={id} />;
  },
});
const payees = createRoute({
  getParentRoute: () => shell,
  path: '/payees',
  validateSearch: (search: Record<string, unknown>): { propose?: boolean } =>
    search.propose === true ? { propose: true } : {},
  component: function Payees() {
    const { propose } = payees.useSearch();
    const navigate = payees.useNavigate();
    return (
      <PayeeListScreen
        proposing={propose ?? false}
        onPropose={(open) =>
          void navigate({ search: open ? { propose: true } : {}, replace: true })
        }
      />
    );
  },
});
const payee = createRoute({
  getParentRoute: () => shell,
  path: '/payees/$id',
  component: function Payee() {
    const { id } = payee.useParams();
    return <PayeeScreen key={id} id={id} />;
  },
});
const reject = createRoute({
  getParentRoute: () => signed,
  path: '/batches/$id/reject/$leg',
  component: function Reject() {
    const { id, leg } = reject.useParams();
    return <RejectScreen key={`${id} ${leg}`} batchId={id} leg={Number.parseInt(leg, 10)} />;
  },
});
const commissions = createRoute({
  getParentRoute: () => shell,
  path: '/commissions',
  component: CommissionScreen,
});
const everyCommission = createRoute({
  getParentRoute: () => shell,
  path: '/commissions/all',
  component: CommissionListScreen,
});
const commission = createRoute({
  getParentRoute: () => shell,
  path: '/commissions/$id',
  component: function Commission() {
    const { id } = commission.useParams();
    return <CommissionDetailScreen key={id} id={id} />;
  },
});
const affiliates = createRoute({
  getParentRoute: () => shell,
  path: '/affiliates',
  component: AffiliateListScreen,
});
const affiliate = createRoute({
  getParentRoute: () => shell,
  path: '/affiliates/$id',
  component: function Affiliate() {
    const { id } = affiliate.useParams();
    return <AffiliateScreen key={id} id={id} />;
  },
});
const ledger = createRoute({
  getParentRoute: () => shell,
  path: '/ledger',
  component: LedgerScreen,
});
const runs = createRoute({
  getParentRoute: () => shell,
  path: '/reconciliation',
  component: RunListScreen,
});

/** What is open inside a run: a group of its lines and one discrepancy. */
export interface RunSearch {
  group?: string;
  item?: number;
}

const run = createRoute({
  getParentRoute: () => shell,
  path: '/reconciliation/$id',
  validateSearch: (search: Record<string, unknown>): RunSearch => ({
    ...(typeof search.group === 'string' ? { group: search.group } : {}),
    ...(typeof search.item === 'number' ? { item: search.item } : {}),
  }),
  component: function Run() {
    const { id } = run.useParams();
    const search = run.useSearch();
    const navigate = run.useNavigate();
    return (
      <RunScreen
        key={id}
        id={id}
        search={search}
        onSearch={(next) => void navigate({ search: next, replace: true })}
      />
    );
  },
});
const exports = createRoute({
  getParentRoute: () => shell,
  path: '/exports',
  component: ExportScreen,
});

const tree = root.addChildren([
  login,
  verifyApart,
  signed.addChildren([
    shell.addChildren([
      home,
      batches,
      fromFile,
      fromCommissions,
      verifyFile,
      batch,
      intents,
      intent,
      payees,
      payee,
      changes,
      change,
      trail,
      trailEntry,
      commissions,
      everyCommission,
      commission,
      affiliates,
      affiliate,
      ledger,
      runs,
      run,
      exports,
    ]),
    sign,
    reject,
  ]),
]);

/** The addresses of the window. What is open stands in the address, so that it can be linked. */
export function makeRouter(history?: RouterHistory) {
  return createRouter({
    routeTree: tree,
    ...(history ? { history } : {}),
    defaultPreload: false,
    scrollRestoration: false,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
