//! What PostgreSQL itself would let a login do, were it not taken away.

use flows::House;
use flows::attack::all_refused;

use crate::{signature, table};

#[tokio::test]
async fn staff_have_no_power_over_tables_roles_or_internal_functions() {
    let house = House::new().await;
    let denied = |name, sql: &str, says| (name, sql.to_owned(), "42501", says);
    let staff = table(
        "mia",
        vec![
            denied("become the owner", "SET ROLE countersign_owner", "permission denied to set role"),
            denied("become a colleague", "SET SESSION AUTHORIZATION ada", "permission denied"),
            denied("become a machine", "SET ROLE countersign_executor", "permission denied"),
            denied("make a login", "CREATE ROLE eve LOGIN", "permission denied"),
            denied("reset a password", "ALTER ROLE ada PASSWORD 'x'", "permission denied"),
            denied("join another group", "GRANT countersign_worker TO mia", "must have admin option"),
            denied("shadow a table with a temporary one", "CREATE TEMP TABLE staff (id int)", "temporary tables"),
            denied(
                "shadow a function",
                "CREATE FUNCTION pg_temp.length(bytea) RETURNS int LANGUAGE sql AS 'SELECT 64'",
                "permission denied",
            ),
            denied("make a table in public", "CREATE TABLE public.x (i int)", "schema public"),
            denied(
                "make a function in core",
                "CREATE FUNCTION core.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "schema core",
            ),
            denied("make a schema", "CREATE SCHEMA mine", "permission denied"),
            denied("empty the audit trail", "TRUNCATE core.audit_entries", "permission denied"),
            denied("switch triggers off", "ALTER TABLE core.batches DISABLE TRIGGER ALL", "must be owner"),
            denied(
                "switch triggers off for the session",
                "SET session_replication_role = replica",
                "permission denied",
            ),
            denied("read signatures", "SELECT signature FROM core.signatures", "permission denied"),
            denied("read whole rows of signatures", "SELECT g FROM core.signatures g", "permission denied"),
            denied("copy signatures out", "COPY core.signatures TO STDOUT", "permission denied"),
            denied(
                "read rejections' signatures",
                "SELECT signature FROM core.rejection_signatures",
                "permission denied",
            ),
            denied("read submissions", "SELECT * FROM core.submissions", "permission denied"),
            denied("read what was sent", "SELECT * FROM core.broadcasts", "permission denied"),
            denied(
                "add a machine",
                "INSERT INTO core.machines (login, kind) VALUES ('mia', 'worker')",
                "permission denied",
            ),
            denied("let a machine work again", "UPDATE core.machines SET revoked_at = NULL", "permission denied"),
            denied(
                "grant oneself a role",
                "INSERT INTO core.grants (staff_id, role) VALUES (core.me(), 'admin')",
                "permission denied",
            ),
            denied(
                "change a role's permissions",
                "UPDATE core.role_permissions SET permission = 'approve'",
                "permission denied",
            ),
            denied(
                "change the state table",
                "INSERT INTO core.state_transitions VALUES ('batch', 'DRAFT', 'APPROVED')",
                "permission denied",
            ),
            denied("flip a batch's state", "UPDATE core.batches SET state = 'APPROVED'", "permission denied"),
            denied("write a transfer", "INSERT INTO core.transfers DEFAULT VALUES", "permission denied"),
            denied("write audit entries", "SELECT core.audit(NULL, 'x', NULL, '{}')", "permission denied"),
            denied("found the database again", "SELECT core.found('a', 'b', 'c', 'd')", "permission denied"),
            denied("open an account", "SELECT core.account(NULL, 'x', 'y', 'z', NULL)", "permission denied"),
            denied(
                "read signatures through the executor's list",
                "SELECT api.executor_work(31337)",
                "permission denied",
            ),
            denied(
                "read signatures through the internal function",
                "SELECT core.leg_work(t, true) FROM core.safe_transactions t",
                "permission denied",
            ),
            denied("work as a worker", "SELECT api.claim_intents(1, '1 min')", "permission denied"),
            denied(
                "write evidence",
                "SELECT api.record_confirmed(NULL, NULL, 1, NULL, now(), '[]')",
                "permission denied",
            ),
            denied("lock rows of a table", "SELECT * FROM core.batches FOR UPDATE", "permission denied"),
            denied("keep a file beside the tables", "SELECT lo_from_bytea(0, 'x')", "permission denied for function"),
            denied("open a file beside the tables", "SELECT lo_create(0)", "permission denied for function"),
            denied("remove one", "SELECT lo_unlink(1)", "permission denied for function"),
            denied("take the notifier's office", "SELECT pg_try_advisory_lock(1)", "permission denied for function"),
            denied(
                "hold what migrations wait for",
                "SELECT pg_advisory_xact_lock_shared(1, 2)",
                "permission denied for function",
            ),
            denied("lock a table", "LOCK TABLE core.safes IN ROW EXCLUSIVE MODE", "permission denied"),
        ],
    );
    all_refused(&house, &staff).await;
    // Those who need one have it.
    let office = store::Notifier::take(&house.db("worker").await).await.expect("a look");
    assert!(office.is_some(), "a worker tells consoles what changed");
}

#[tokio::test]
async fn what_a_session_can_set_changes_nobody() {
    let house = House::new().await;
    let batch = house.approved("settings.csv", 5).await;
    let program = house.acme().id;
    let shadow = format!(
        "SET search_path = pg_temp, public; SET ROLE countersign_staff; SET countersign.login = 'ada';
         SET request.jwt.claims = '{{\"role\":\"admin\"}}'; SELECT api.approve_batch('{program}', '{batch}', NULL, {})",
        signature()
    );
    all_refused(
        &house,
        &table("vic", vec![("settings and roles do not lend a permission", shadow, "CS403", "vic may not do this")]),
    )
    .await;
}

#[tokio::test]
async fn no_internal_function_is_callable_and_every_definer_fixes_its_search_path() {
    let house = House::new().await;
    let public = house
        .read(
            "SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p WHERE p.pronamespace IN ('core'::regnamespace, 'api'::regnamespace)
               AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))",
        )
        .await;
    assert_eq!(public, "", "left to PUBLIC");
    let internal = house
        .read(
            "SELECT string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname) FROM pg_proc p
             WHERE p.pronamespace = 'core'::regnamespace AND EXISTS (SELECT FROM unnest(ARRAY['mia', 'platform', 'worker', 'watcher', 'executor']) r
               WHERE has_function_privilege(r, p.oid, 'EXECUTE'))",
        )
        .await;
    assert_eq!(
        internal,
        "approvals_that_count batch_content_hash can field hex_address holds is_high_value me my_audit_programs my_programs required_approvers sanctions_on stakes unpayable_lines"
    );
    let loose = house
        .read(
            "SELECT string_agg(p.proname, ' ') FROM pg_proc p WHERE p.pronamespace IN ('core'::regnamespace, 'api'::regnamespace)
               AND p.prosecdef AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)",
        )
        .await;
    assert_eq!(loose, "", "definers with a search path of the caller");
    let writable = house
        .read(
            "SELECT string_agg(DISTINCT table_name || ' ' || privilege_type, ', ') FROM information_schema.table_privileges
             WHERE table_schema IN ('core', 'api') AND grantee LIKE 'countersign%' AND grantee <> 'countersign_owner' AND privilege_type <> 'SELECT'",
        )
        .await;
    assert_eq!(writable, "", "tables that a client may write");
    let emptied = house
        .read(
            "SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND c.relname <> '_sqlx_migrations'
               AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND (t.tgtype & 32) <> 0)",
        )
        .await;
    assert_eq!(emptied, "", "tables that the owner may empty");
}
